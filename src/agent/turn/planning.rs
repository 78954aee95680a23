//! A turn that comes to a plan: the model reads what it needs, and is then asked for the steps as a call whose arguments
//! they are, so that even a small model gives a list and nothing else.

use serde_json::{Map, Value, json};

use super::super::input::Effect;
use super::{Agent, RETRY_TEMPERATURE};
use crate::protocol::{
    EndReason, Finish, Level, Message, Plan, Risk, ToolChoice, ToolSpec, sanitize_line,
};

/// The tool that the plan is a call of. Nobody runs it.
const PLAN: &str = "plan";

/// How often the model is asked for a plan.
const TRIES: u32 = 3;

const QUESTION: &str = "Do none of it yet. Give the plan as a call of `plan`: the steps in the order in which they are \
                        done, each one change that names its file and what is changed there. No steps for reading, \
                        running tests or committing. Its arguments: {\"steps\": [\"…\", \"…\"]}";

/// How far a turn is with its plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Planning {
    /// The turn is to come to no plan, or came to one.
    #[default]
    Off,
    Wanted,
    /// It was asked for so often; the turn would have ended so.
    Asking(u32, EndReason),
}

impl Planning {
    /// Begins with whether a plan is wanted.
    pub(super) fn wanted(wanted: bool) -> Self {
        if wanted { Self::Wanted } else { Self::Off }
    }

    pub(super) fn is_wanted(&self) -> bool {
        *self != Self::Off
    }

    pub(super) fn is_asking(&self) -> bool {
        matches!(self, Self::Asking(..))
    }
}

impl Agent {
    /// Tells whether the plan is asked for next. A small model is asked as soon as it has read what the host chose; one
    /// that finds its way looks around first, and is asked when it would end.
    pub(super) fn plans_now(&self) -> bool {
        let leads = self.leads();
        self.turn.as_ref().is_some_and(|turn| match &turn.planning {
            Planning::Off => false,
            Planning::Wanted => leads,
            Planning::Asking(..) => true,
        })
    }

    /// Asks for the plan at the end of a turn that has none yet. Returns `false` when the turn can end.
    pub(super) fn begin_plan(&mut self, reason: &EndReason, out: &mut Vec<Effect>) -> bool {
        let can = match reason {
            EndReason::Answered | EndReason::Budget { .. } | EndReason::Loop { .. } => true,
            EndReason::Interrupted | EndReason::Failed { .. } => false,
        };
        let Some(turn) = &mut self.turn else {
            return false;
        };
        if !can || turn.planning != Planning::Wanted {
            return false;
        }
        turn.planning = Planning::Asking(0, reason.clone());
        self.ask_for_plan(out);
        true
    }

    pub(super) fn ask_for_plan(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        let (tries, reason) = match &turn.planning {
            Planning::Asking(tries, reason) => (*tries, reason.clone()),
            Planning::Off | Planning::Wanted => (0, EndReason::Answered),
        };
        turn.planning = Planning::Asking(tries + 1, reason);
        let after_user = match self.messages.last() {
            Some(Message::User { text }) => Some(text.clone()),
            _ => None,
        };
        if after_user.is_none() {
            let text = QUESTION.to_owned();
            self.remember(Message::User { text }, out);
        }
        self.generations += 1;
        let names = vec![PLAN.to_owned()];
        let mut request = self.request(ToolChoice::Required { names });
        // Two messages of the user one after the other are none that models know.
        if let Some(said) = after_user.filter(|said| said != QUESTION)
            && let Some(Message::User { text }) = request.messages.last_mut()
        {
            *text = format!("{said}\n\n{QUESTION}");
        }
        if tries > 0 {
            request.sampling.temperature = request.sampling.temperature.max(RETRY_TEMPERATURE);
            request.sampling.top_p = 0.95;
            request.sampling.seed = tries;
        }
        request.passages.clear();
        request.tools.push(spec());
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
        }
        out.push(Effect::Generate(request));
    }

    /// Takes the plan that a generation gave, or asks again.
    pub(super) fn planned(&mut self, raw: String, finish: Finish, out: &mut Vec<Effect>) {
        if finish == Finish::Cancelled {
            return self.end_turn(EndReason::Interrupted, out);
        }
        let Some(turn) = &mut self.turn else { return };
        turn.bad_call = None;
        turn.written.clear();
        let given = turn.pending.drain(..).next();
        let Planning::Asking(tries, reason) = turn.planning.clone() else {
            return;
        };
        let goal = turn.request.clone();
        let steps = given.map(|(_, arguments)| steps(&arguments));
        let plan = Plan::new(&goal, steps.unwrap_or_default());
        if plan.steps.is_empty() {
            turn.effort.wasted += 1;
            if tries < TRIES {
                return self.ask_for_plan(out);
            }
            turn.planning = Planning::Off;
            let text =
                "The model gave no plan. Say in other words what is to be done, or name the files.";
            super::notice(Level::Warning, text, out);
            return self.end_turn(reason, out);
        }
        turn.planning = Planning::Off;
        self.remember(Message::Assistant { raw }, out);
        let told = Message::Tool {
            name: PLAN.to_owned(),
            text: "The user has the plan, and may change it. Nothing was done yet.".to_owned(),
        };
        self.remember(told, out);
        self.plan = Some(plan);
        self.stepping = None;
        self.tell_plan(out);
        self.end_turn(reason, out);
    }
}

/// Reads the steps, each once.
fn steps(arguments: &Map<String, Value>) -> Vec<String> {
    let listed = arguments.get("steps").and_then(Value::as_array);
    let mut steps: Vec<String> = Vec::new();
    for step in listed.into_iter().flatten().filter_map(Value::as_str) {
        let step = sanitize_line(step.trim());
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

fn spec() -> ToolSpec {
    ToolSpec {
        server: "walden".to_owned(),
        name: PLAN.to_owned(),
        tool: PLAN.to_owned(),
        description: "Gives the plan.".to_owned(),
        schema: json!({
            "type": "object",
            "properties": {
                "steps": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 8,
                    "items": {"type": "string", "minLength": 8, "maxLength": 200},
                },
            },
            "required": ["steps"],
            "additionalProperties": false,
        }),
        risk: Risk::Read,
        previews: false,
    }
}
