//! How a turn begins: what the request is about, what the model reads before it is asked, and what is not needed.

use std::collections::VecDeque;

use serde_json::Map;

use super::super::input::Effect;
use super::super::intent::Intent;
use super::super::{Agent, Located, deciding, guidance, intent};
use super::checking::Checking;
use super::planning::Planning;
use super::{Turn, with};
use crate::protocol::{Event, Mechanism, Message, Mode, Risk, ToolChoice};

impl Agent {
    /// Begins a turn with a message of the user.
    pub(in crate::agent) fn start_turn(
        &mut self,
        text: String,
        mut files: Vec<String>,
        out: &mut Vec<Effect>,
    ) {
        self.turns += 1;
        self.place_arrived();
        if self.messages.is_empty() {
            self.remember(self.system(), out);
        }
        out.push(Effect::Emit(Event::TurnStarted {
            turn: self.turns,
            text: text.clone(),
        }));
        let tool = self.tool_named(&text);
        let mut asked = self.asked(&text);
        self.aside.clear();
        let intent = intent::intent(&text);
        let located = self.take_located(&text);
        let located = located.map(|located| Located {
            file: located.file.filter(|_| self.helps(Mechanism::Locating)),
            ..located
        });
        let helps = |located: &Located| located.file.is_some() || self.helps(Mechanism::Map);
        let located = located.filter(|located| files.is_empty() && helps(located));
        if let Some(located) = &located {
            asked = located.after(&asked);
            files.extend(located.file.clone());
        }
        let meant = match tool.is_none() && files.is_empty() && located.is_none() {
            true => self.tools_meant(&text),
            false => None,
        };
        if let Some(meant) = &meant {
            asked = format!("{asked}\n\n{}", meant.text);
        }
        self.remember(Message::User { text: asked }, out);
        let decision = self.decision_in(&text, out);
        let is_step = self.begin_step(&text);
        let plans =
            self.policy.mode() == Mode::Plan && intent != Intent::Question && decision.is_none();
        let wants_change = match (intent, self.policy.mode()) {
            // A step that asks for no change in so many words is done without one.
            (Intent::Unclear, _) if is_step => false,
            // What is to be made is made elsewhere.
            _ if meant.is_some() => false,
            _ if decision.is_some() && deciding::only_remembers(&text) => false,
            (_, Mode::Plan) | (Intent::Question, _) | (Intent::Unclear, Mode::Ask) => false,
            // Where edits need no question, somebody expects them.
            (Intent::Change, _) | (Intent::Unclear, Mode::Edit | Mode::Auto) => true,
        };
        self.asked_for.push(text.clone());
        let named = files.clone();
        self.named.extend(files.iter().cloned());
        let mut opening: VecDeque<_> = files
            .into_iter()
            .map(|path| {
                let range = intent::range_of(&text, &path);
                let mut arguments = with("path", path);
                if let Some((from, lines)) = range {
                    arguments.insert("from".to_owned(), from.into());
                    arguments.insert("lines".to_owned(), lines.into());
                }
                ("read".to_owned(), arguments)
            })
            .collect();
        let skills = self.mentioned_skills(&text).into_iter();
        opening.extend(skills.map(|name| (guidance::SKILL.to_owned(), with("name", name))));
        // Shown a tool, a small model calls it, whatever it was asked: a question that says nothing of the project is
        // asked without any.
        let just_answer = !wants_change
            && self.helps(Mechanism::JustAnswer)
            && !plans
            && opening.is_empty()
            && tool.is_none()
            && meant.is_none()
            && self.leads()
            && self.is_small()
            && !intent::is_of_project(&text);
        if opening.is_empty() && (wants_change || plans) && self.turns == 1 && located.is_none() {
            opening.push_back(("list".to_owned(), Map::new()));
        }
        opening.retain(|(name, _)| {
            self.tools
                .iter()
                .any(|tool| tool.name == *name && tool.risk == Risk::Read)
        });
        if let Some(recall) = self.recalling(&text).filter(|_| decision.is_none()) {
            opening.push_front(recall);
        }
        if let Some(decision) = &decision {
            opening.push_front(Self::keeping(decision));
        }
        if let Some(whole) = self.whole_request(&text, &named).filter(|_| wants_change) {
            opening = VecDeque::from([whole]);
        }
        let checking = match wants_change {
            true => self.first_checking(&text),
            false => Checking::Off,
        };
        self.turn = Some(Turn {
            number: self.turns,
            checking,
            named,
            request: text,
            intent,
            meant: meant.map_or_else(Vec::new, |meant| meant.tools),
            wants_change,
            opening,
            planning: Planning::wanted(plans),
            decision,
            next: match tool {
                // A small model talks of a tool that it is told to call.
                Some(named) if named.is_order => Some(ToolChoice::Required {
                    names: vec![named.tool],
                }),
                _ => just_answer.then_some(ToolChoice::None),
            },
            ..Turn::default()
        });
        self.advance(out);
    }
}
