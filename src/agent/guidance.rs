//! What the user and a trusted repository tell the model: a part of the system text, texts that are told when a folder
//! is first looked into, and skills that are told when they are asked for.

use serde_json::json;

use super::{Agent, Effect, notice};
use crate::protocol::{Guidance, Level, Outcome, Risk, ToolCall, ToolSpec};

/// The tool that tells a skill. The agent answers it by itself.
pub(super) const SKILL: &str = "skill";
pub(super) const OWN_SERVER: &str = "walden";

/// The tool of the server that runs programs which runs a skill's scripts.
pub(super) const SCRIPT: &str = "script";

/// The most of all instructions that stands in the system text, in bytes.
const MOST: usize = 8 * 1024;

impl Agent {
    /// Writes the part of the system text that the user and the repository tell. Empty where they tell nothing.
    pub(super) fn guidance_text(&self) -> String {
        let context = self.model.as_ref().map_or(4096, |model| model.context);
        // An eighth of the window: the work needs the rest.
        let mut room = MOST.min(context as usize / 2);
        let guidance = &self.settings.guidance;
        let mut text = String::new();
        let general = guidance
            .instructions
            .iter()
            .filter(|one| one.folder.is_empty());
        for one in general {
            if text.is_empty() {
                text.push_str(
                    "\n\nInstructions for this project; where two differ the later ones hold:\n",
                );
            }
            let told = clipped(&one.text, room);
            room -= told.len().min(room);
            text.push_str(&format!("# {}\n{told}\n", one.path));
        }
        if !guidance.skills.is_empty() {
            text.push_str(&format!("\n\nSkills, told by `{SKILL}`:\n"));
            for skill in &guidance.skills {
                text.push_str(&format!("- {}: {}\n", skill.name, skill.description));
            }
        }
        text.trim_end().to_owned()
    }

    /// Offers the tool that tells skills, where there are any.
    pub(super) fn offer_skills(&mut self) {
        let names: Vec<&str> = self
            .settings
            .guidance
            .skills
            .iter()
            .map(|skill| skill.name.as_str())
            .collect();
        if names.is_empty() || self.tools.is_empty() {
            return;
        }
        let spec = ToolSpec {
            server: OWN_SERVER.to_owned(),
            name: SKILL.to_owned(),
            tool: SKILL.to_owned(),
            description: "Tells how something is done.".to_owned(),
            schema: json!({
                "type": "object",
                "properties": {"name": {"type": "string", "enum": names}},
                "required": ["name"],
            }),
            risk: Risk::Read,
            previews: false,
        };
        match self.tools.iter_mut().find(|known| known.name == SKILL) {
            Some(known) if known.server == OWN_SERVER => *known = spec,
            // Another server has a tool of this name: skills are then told where they are mentioned.
            Some(_) => {}
            None => self.tools.push(spec),
        }
    }

    /// Answers a call of the tool that tells skills.
    pub(super) fn tell_skill(&mut self, call: &ToolCall) -> Outcome {
        let name = call.argument("name").unwrap_or_default();
        let skills = &self.settings.guidance.skills;
        match skills.iter().find(|skill| skill.name == name) {
            Some(skill) => {
                if !self.told_skills.contains(&skill.name) {
                    self.told_skills.push(skill.name.clone());
                }
                Outcome::Done {
                    text: skill.body.clone(),
                }
            }
            None => {
                let names: Vec<&str> = skills.iter().map(|skill| skill.name.as_str()).collect();
                Outcome::Failed {
                    text: format!("no skill `{name}`; there are {}", names.join(", ")),
                }
            }
        }
    }

    /// Says why a script is not run: its skill was not told in this session, so that nobody knows what the script is for.
    pub(super) fn script_is_untold(&self, call: &ToolCall) -> Option<Outcome> {
        let name = call.argument("skill").unwrap_or_default();
        let is_script = call.server == super::CHECKING_SERVER && call.tool == SCRIPT;
        let is_told = self.told_skills.iter().any(|told| told == name);
        (is_script && !is_told).then(|| Outcome::Failed {
            text: format!(
                "the skill `{name}` was not told yet; call `{SKILL}` with its name first"
            ),
        })
    }

    /// Finds the skills that a message mentions, as `$name`.
    pub(super) fn mentioned_skills(&self, text: &str) -> Vec<String> {
        let words: Vec<&str> = text
            .split_whitespace()
            .filter_map(|word| word.strip_prefix('$'))
            .map(|word| word.trim_end_matches(['.', ',', ':', ';', '?', '!', ')']))
            .collect();
        let skills = self.settings.guidance.skills.iter();
        skills
            .map(|skill| skill.name.clone())
            .filter(|name| words.contains(&name.as_str()))
            .collect()
    }

    /// Adds the instructions of the folders that a call looked into for the first time in this conversation.
    pub(super) fn with_folder_instructions(
        &mut self,
        call: &ToolCall,
        outcome: Outcome,
    ) -> Outcome {
        let Outcome::Done { mut text } = outcome else {
            return outcome;
        };
        let path = call.argument("path").unwrap_or_default();
        let mut told = Vec::new();
        for one in &self.settings.guidance.instructions {
            let beneath = path
                .strip_prefix(one.folder.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if !one.folder.is_empty() && beneath && !self.told_folders.contains(&one.folder) {
                told.push(one.folder.clone());
                let instructions = clipped(&one.text, MOST / 4);
                text.push_str(&format!("\n\n[{} says:\n{instructions}]", one.path));
            }
        }
        self.told_folders.extend(told);
        Outcome::Done { text }
    }

    /// Takes guidance that the user has just come to trust.
    pub(super) fn guided(&mut self, guidance: Guidance, out: &mut Vec<Effect>) {
        let count = guidance.instructions.len() + guidance.skills.len();
        self.settings.guidance.add(guidance);
        self.offer_skills();
        if !self.messages.is_empty() {
            // The system text stays as it is; what is new is told with the next message.
            let text = self.guidance_text();
            self.aside.push(format!("[{}]", text.trim()));
        }
        notice(
            Level::Info,
            &format!(
                "The repository's instructions and skills ({count}) are told to the model from now on."
            ),
            out,
        );
    }
}

fn clipped(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    match end == text.len() {
        true => text.to_owned(),
        false => format!("{} [cut]", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer, asked, call, info, spec, submit, succeed};
    use super::super::*;
    use super::*;
    use crate::protocol::{Instructions, Skill};

    fn guided_agent() -> Agent {
        let one = |folder: &str, text: &str| Instructions {
            path: format!("{folder}/AGENTS.md"),
            folder: folder.to_owned(),
            text: text.to_owned(),
        };
        let mut agent = Agent::new(Settings {
            guidance: Guidance {
                instructions: vec![one("", "Write tests first."), one("web", "Use tabs.")],
                skills: vec![Skill::read("release", "p", "Tag, then push.").unwrap()],
            },
            ..Settings::default()
        });
        agent.handle(Input::Tools(vec![spec("read", Risk::Read)]));
        agent.handle(Input::ModelReady(info()));
        agent
    }

    fn texts(agent: &Agent) -> String {
        format!("{:?}", agent.messages)
    }

    #[test]
    fn instructions_stand_in_the_system_text_and_those_of_a_folder_come_with_its_first_file() {
        let mut agent = guided_agent();
        let out = submit(&mut agent, "What is in the file web/a.js?");
        let Some(Message::System { text }) = asked(&out).unwrap().messages.first() else {
            panic!("no system text")
        };
        assert!(
            text.contains("Write tests first.") && !text.contains("Use tabs."),
            "{text}"
        );
        assert!(text.contains("- release: Tag, then push."), "{text}");
        call(&mut agent, "read", "web/a.js");
        succeed(&mut agent, 1, None);
        assert_eq!(texts(&agent).matches("Use tabs.").count(), 1);
        call(&mut agent, "read", "web/b.js");
        succeed(&mut agent, 2, None);
        assert_eq!(texts(&agent).matches("Use tabs.").count(), 1, "told once");
    }

    #[test]
    fn a_skill_is_told_when_it_is_called_or_mentioned() {
        let mut agent = guided_agent();
        submit(&mut agent, "How is a release of this project made?");
        let arguments = serde_json::Map::from_iter([("name".to_owned(), json!("release"))]);
        let name = SKILL.to_owned();
        super::super::tests::model(
            &mut agent,
            crate::protocol::ModelEvent::Call { name, arguments },
        );
        super::super::tests::done(&mut agent, "call", crate::protocol::Finish::Call);
        assert!(
            texts(&agent).contains("Tag, then push.\""),
            "{}",
            texts(&agent)
        );
        answer(&mut agent, "Like that.");
        let mut agent = guided_agent();
        submit(&mut agent, "Explain the project's $release, please.");
        assert!(texts(&agent).contains("skill"), "{}", texts(&agent));
    }

    #[test]
    fn a_script_runs_once_its_skill_was_told_and_is_asked_about_like_any_program() {
        use crate::protocol::{Event, Finish, ModelEvent};
        let mut agent = guided_agent();
        let script = ToolSpec {
            server: super::super::CHECKING_SERVER.into(),
            ..spec(SCRIPT, Risk::Command)
        };
        agent.handle(Input::Tools(vec![script]));
        let out = submit(&mut agent, "Change the release notes of the project");
        assert!(
            out.iter()
                .all(|effect| !matches!(effect, Effect::RunCall { .. }))
        );
        let arguments = json!({"skill": "release", "argv": ["notes.py", "1.2"]});
        let arguments = arguments.as_object().cloned().expect("an object");
        let mut ask_for = |name: &str, arguments: &serde_json::Map<String, serde_json::Value>| {
            let name = name.to_owned();
            let arguments = arguments.clone();
            let mut out =
                super::super::tests::model(&mut agent, ModelEvent::Call { name, arguments });
            out.extend(super::super::tests::done(&mut agent, "call", Finish::Call));
            out
        };
        let question = |out: &[Effect]| {
            out.iter().find_map(|effect| match effect {
                Effect::Emit(Event::ApprovalRequested { ask, .. }) => ask.clone(),
                _ => None,
            })
        };
        let out = ask_for(SCRIPT, &arguments);
        assert!(question(&out).is_none(), "{out:?}");
        assert!(format!("{out:?}").contains("was not told yet"), "{out:?}");
        let told = json!({"name": "release"}).as_object().cloned();
        ask_for(SKILL, &told.expect("an object"));
        let mut again = arguments.clone();
        again.insert("argv".to_owned(), json!(["notes.py", "1.3"]));
        let out = ask_for(SCRIPT, &again);
        let ask = question(&out).expect("asked");
        assert_eq!(ask.command, ["notes.py", "1.3"]);
        assert!(
            out.iter()
                .all(|effect| !matches!(effect, Effect::RunCall { .. }))
        );
    }

    #[test]
    fn long_instructions_leave_room_for_the_work() {
        let mut agent = guided_agent();
        agent.settings.guidance.instructions[0].text = "word ".repeat(20_000);
        assert!(agent.guidance_text().len() < 4096 / 2 + 400);
    }
}
