//! What the user and a trusted repository tell the model beforehand: instructions and skills. Plain text, never a
//! permission.

use serde::{Deserialize, Serialize};

/// Instructions and skills, the most general first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guidance {
    pub instructions: Vec<Instructions>,
    pub skills: Vec<Skill>,
}

/// The text of one `AGENTS.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Where it comes from, for people.
    pub path: String,
    /// The folder that it is for, from the repository's top; empty for all of it.
    pub folder: String,
    pub text: String,
}

/// A skill: how something is done, told when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    pub name: String,
    pub description: String,
    /// Where it comes from, for people.
    pub path: String,
    pub body: String,
}

impl Guidance {
    /// Tells whether there is nothing to be told.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty() && self.skills.is_empty()
    }

    /// Adds what is more special: later instructions win, and a skill of the same name takes the other's place.
    pub fn add(&mut self, more: Self) {
        self.instructions.extend(more.instructions);
        for skill in more.skills {
            self.skills.retain(|known| known.name != skill.name);
            self.skills.push(skill);
        }
    }
}

impl Skill {
    /// Reads a `SKILL.md`: a head between lines of `---` with `name` and `description`, and the body. A file without
    /// a head is named after its folder and described by its first line. `None` when there is nothing in it.
    pub fn read(folder: &str, path: &str, text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let (head, body) = match text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---"))
        {
            Some((head, body)) => (head, body.trim_start_matches('-')),
            None => ("", text),
        };
        let field = |name: &str| {
            let value = head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| value.trim())
            })?;
            let value = value.trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        };
        let body = body.trim();
        let first = body.lines().map(|line| line.trim_start_matches('#').trim());
        let description = field("description").or_else(|| {
            first
                .clone()
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        })?;
        let name: String = field("name")
            .unwrap_or_else(|| folder.to_owned())
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .take(64)
            .collect();
        (!name.is_empty() && !body.is_empty()).then(|| Self {
            name,
            description: super::sanitize_line(&description)
                .chars()
                .take(200)
                .collect(),
            path: path.to_owned(),
            body: body.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_is_read_with_and_without_a_head() {
        let text =
            "---\nname: release\ndescription: \"How a release is made\"\n---\n\n# Steps\n1. Tag.\n";
        let skill = Skill::read("x", "p", text).unwrap();
        assert_eq!(
            (skill.name.as_str(), skill.description.as_str()),
            ("release", "How a release is made")
        );
        assert_eq!(skill.body, "# Steps\n1. Tag.");
        let plain = Skill::read("deploy it", "p", "# Deploying\nDo it.").unwrap();
        assert_eq!(
            (plain.name.as_str(), plain.description.as_str()),
            ("deployit", "Deploying")
        );
        assert_eq!(Skill::read("x", "p", "---\nname: a\n---\n"), None);
    }

    #[test]
    fn a_skill_of_the_same_name_takes_the_place_of_the_other() {
        let skill = |body: &str| Skill::read("a", "p", body).unwrap();
        let mut guidance = Guidance {
            skills: vec![skill("one")],
            ..Guidance::default()
        };
        guidance.add(Guidance {
            skills: vec![skill("two")],
            ..Guidance::default()
        });
        assert_eq!(guidance.skills.len(), 1);
        assert_eq!(guidance.skills[0].body, "two");
    }
}
