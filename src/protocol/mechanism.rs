//! What the host does for a small model, each part by its name, so that its worth can be measured without it.

use serde::{Deserialize, Serialize};

/// Something that helps a small model, and that a measurement can leave out. No session leaves out any by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    Locating,
    Map,
    Check,
    Search,
    Syntax,
    Arguments,
    JustAnswer,
    Beside,
    Nudges,
    Repeats,
    Parts,
    Corrections,
    Versions,
    Examples,
    Doubts,
    Speculation,
}

impl Mechanism {
    /// All of them, with what each does.
    pub const TABLE: [(Self, &'static str); 16] = [
        (
            Self::Locating,
            "the file that a request is likely about is read first",
        ),
        (
            Self::Map,
            "the likeliest places are listed where no file stands out",
        ),
        (
            Self::Check,
            "the project's check is run before and after edits",
        ),
        (
            Self::Search,
            "several edits are tried until one passes the check",
        ),
        (
            Self::Syntax,
            "an edit that breaks a file's syntax is sent back",
        ),
        (
            Self::Arguments,
            "calls can only name what is there and quote what a file holds",
        ),
        (
            Self::JustAnswer,
            "a question that is not about the project is asked without tools",
        ),
        (
            Self::Beside,
            "a short file is asked for as a whole, beside the conversation",
        ),
        (
            Self::Nudges,
            "a turn that was to change something and did not is asked again",
        ),
        (Self::Repeats, "a call that was made before is answered so"),
        (
            Self::Parts,
            "the one function that fails is asked for, and its lines, instead of the file",
        ),
        (
            Self::Corrections,
            "an edit that a compiler refuses is mended as the compiler says",
        ),
        (
            Self::Versions,
            "a file that is written from nothing is run, and the version made that most agree with",
        ),
        (
            Self::Examples,
            "the examples in Python's strings are a check where there are no tests",
        ),
        (
            Self::Doubts,
            "where the model doubts the code as it stands, what else it thought of is tried; a review weighs new lines against the old ones",
        ),
        (
            Self::Speculation,
            "what is copied from the prompt is evaluated many tokens at once",
        ),
    ];

    /// Returns its name, as a flag takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Locating => "locating",
            Self::Map => "map",
            Self::Check => "check",
            Self::Search => "search",
            Self::Syntax => "syntax",
            Self::Arguments => "arguments",
            Self::JustAnswer => "just-answer",
            Self::Beside => "beside",
            Self::Nudges => "nudges",
            Self::Repeats => "repeats",
            Self::Parts => "parts",
            Self::Corrections => "corrections",
            Self::Versions => "versions",
            Self::Examples => "examples",
            Self::Doubts => "doubts",
            Self::Speculation => "speculation",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// When there is none of that name; the text lists those there are.
    pub fn read(name: &str) -> Result<Self, String> {
        let mut all = Self::TABLE.iter().map(|(mechanism, _)| *mechanism);
        all.find(|mechanism| mechanism.name() == name)
            .ok_or_else(|| {
                let names = Self::TABLE.map(|(mechanism, _)| mechanism.name());
                format!("there are {}", names.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_by_the_name_that_json_has() {
        for (mechanism, _) in Mechanism::TABLE {
            assert_eq!(Mechanism::read(mechanism.name()), Ok(mechanism));
            let json = serde_json::to_value(mechanism).unwrap();
            assert_eq!(json, mechanism.name());
        }
        assert!(Mechanism::read("x").unwrap_err().contains("just-answer"));
    }
}
