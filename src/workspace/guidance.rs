//! What a repository wants to tell the model: `AGENTS.md` files and skills. Only read here; whether any of it takes
//! effect is for the user to say, by the hash of all of it.

use sha2::{Digest as _, Sha256};

use super::{Index, Roots};
use crate::protocol::{Guidance, Hash, Instructions, Skill};

/// The most of one file that is taken, the most files of each kind, and the deepest folder that is looked into.
const LONGEST: usize = 16 * 1024;
const MOST: usize = 32;
const DEEPEST: usize = 6;

/// The name of a file with instructions.
const NAME: &str = "AGENTS.md";

/// Finds what a repository tells, the top folder first.
pub fn guidance_of(roots: &Roots) -> Guidance {
    let index = Index::of(roots);
    let mut guidance = Guidance::default();
    let mut instructions: Vec<&String> = index
        .files()
        .iter()
        .filter(|path| path.rsplit('/').next() == Some(NAME))
        .filter(|path| path.matches('/').count() <= DEEPEST)
        .collect();
    instructions.sort_by_key(|path| (path.matches('/').count(), path.as_str()));
    for path in instructions.into_iter().take(MOST) {
        if let Some(text) = text_of(roots, path) {
            let folder = path.strip_suffix(NAME).unwrap_or_default();
            guidance.instructions.push(Instructions {
                path: path.clone(),
                folder: folder.trim_end_matches('/').to_owned(),
                text,
            });
        }
    }
    // Hidden folders are not in the index.
    let listed = roots.listing(".walden/skills", super::Sizes::Skip);
    let mut folders: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter(|entry| entry.kind == super::Kind::Directory)
        .map(|entry| entry.name)
        .collect();
    folders.sort();
    for folder in folders.into_iter().take(MOST) {
        let path = format!(".walden/skills/{folder}/SKILL.md");
        let skill = text_of(roots, &path).and_then(|text| Skill::read(&folder, &path, &text));
        guidance.skills.extend(skill);
    }
    guidance
}

/// Hashes what is told, with where it comes from, and what can be run of it: another text or file is another hash.
pub fn guidance_hash(guidance: &Guidance, files: &[(String, Hash)]) -> Hash {
    let mut hasher = Sha256::new();
    let parts = guidance
        .instructions
        .iter()
        .map(|one| (&one.path, String::new(), &one.text))
        .chain(guidance.skills.iter().map(|one| {
            (
                &one.path,
                format!("{}\n{}", one.name, one.description),
                &one.body,
            )
        }));
    for (path, head, text) in parts {
        for part in [path.as_str(), head.as_str(), text.as_str()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    for (path, hash) in files {
        for part in ["file", path.as_str(), hash.0.as_str()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let digest = hasher.finalize();
    Hash(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text_of(roots: &Roots, path: &str) -> Option<String> {
    let file = roots.read(path).ok()?;
    let text = String::from_utf8(file.bytes).ok()?;
    let text = text.trim();
    let end = (0..=LONGEST.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    (end > 0).then(|| text[..end].to_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use super::*;

    #[test]
    fn instructions_come_from_the_top_down_and_another_text_has_another_hash() {
        let dir = tempfile::tempdir().unwrap();
        let lay = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        lay("src/deep/AGENTS.md", "deep");
        lay("AGENTS.md", "top\n");
        lay("src/AGENTS.md", "src");
        lay(
            ".walden/skills/release/SKILL.md",
            "---\ndescription: d\n---\nbody",
        );
        let roots = Roots::open(&[dir.path().to_owned()]).unwrap();
        let guidance = guidance_of(&roots);
        let told: Vec<(&str, &str)> = guidance
            .instructions
            .iter()
            .map(|one| (one.folder.as_str(), one.text.as_str()))
            .collect();
        assert_eq!(told, [("", "top"), ("src", "src"), ("src/deep", "deep")]);
        assert_eq!(guidance.skills[0].name, "release");
        let hash = || guidance_hash(&guidance_of(&roots), &[]);
        let before = guidance_hash(&guidance, &[]);
        assert_eq!(before, hash());
        let script = ("a.py".to_owned(), Hash("ab".to_owned()));
        assert_ne!(before, guidance_hash(&guidance, &[script]));
        lay(
            ".walden/skills/release/SKILL.md",
            "---\ndescription: d\n---\nother",
        );
        assert_ne!(before, hash());
    }
}
