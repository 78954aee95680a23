//! What tests of a small model play: a project with a file, what its check says, what the model writes.

use super::tests::*;
use super::*;
use crate::protocol::{CheckResult, Finish, Hash, Mode, Op, Risk, Rule, Scope};

pub(super) fn new() -> Agent {
    let mut agent = agent(Mode::Edit);
    let text = |names: &[&str]| {
        let properties = names
            .iter()
            .map(|name| ((*name).to_owned(), serde_json::json!({"type": "string"})));
        let properties = serde_json::Map::from_iter(properties);
        serde_json::json!({"type": "object", "properties": properties})
    };
    let run = |name: &str| ToolSpec {
        server: CHECKING_SERVER.into(),
        ..spec(name, Risk::Command)
    };
    let write = ToolSpec {
        schema: text(&["path", "content"]),
        ..spec("write", Risk::Edit)
    };
    agent.handle(Input::Tools(vec![run("check"), run("probe"), write]));
    agent.handle(Input::ModelReady(ModelInfo {
        parameters: 1_500_000_000,
        ..info()
    }));
    agent
}

pub(super) fn located(agent: &mut Agent, file: Option<&str>) {
    agent.handle(Input::Located {
        text: "Fix the total".into(),
        located: Located {
            file: file.map(str::to_owned),
            map: "the map".into(),
        },
    });
}

pub(super) fn checked(out: &[Effect]) -> Option<CallId> {
    out.iter().find_map(|effect| match effect {
        Effect::Check { call, .. } => Some(call.id),
        _ => None,
    })
}

pub(super) fn fails(agent: &mut Agent, out: &[Effect]) -> Vec<Effect> {
    fails_with(agent, out, "it fails")
}

pub(super) fn fails_with(agent: &mut Agent, out: &[Effect], text: &str) -> Vec<Effect> {
    says(agent, out, text, result(false, &[]))
}

/// Answers a check, or a run on sample calls.
pub(super) fn says(
    agent: &mut Agent,
    out: &[Effect],
    text: &str,
    result: CheckResult,
) -> Vec<Effect> {
    agent.handle(Input::Checked {
        call: checked(out).expect("it is run"),
        outcome: Outcome::Done { text: text.into() },
        result: Some(result),
    })
}

/// Makes what a run comes to: whether all of four parts hold, and what sample calls gave.
pub(super) fn result(passed: bool, gave: &[u8]) -> CheckResult {
    let mut given = [0; 8];
    given[..gave.len()].copy_from_slice(gave);
    let failed = u32::from(!passed);
    CheckResult {
        passed,
        reached: 4 - failed,
        failed,
        millis: 1,
        given,
    }
}

/// Starts a turn whose check fails, up to the first generation.
pub(super) fn failing(agent: &mut Agent) {
    submit(agent, "Fix it");
    let out = succeed(agent, 1, None);
    fails(agent, &out);
}

pub(super) fn previewed(agent: &mut Agent, out: &[Effect], change: FileChange) -> Vec<Effect> {
    let call = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    });
    agent.handle(Input::Previewed {
        call: call.expect("a preview"),
        preview: Preview::Change(Box::new(change)),
    })
}

pub(super) fn tried(agent: &mut Agent, change: FileChange) -> Vec<Effect> {
    let out = call(agent, "edit", "a.py");
    previewed(agent, &out, change)
}

/// Names a file in a request, which is read and, where there is a check, checked.
pub(super) fn read(agent: &mut Agent, text: &str) -> Vec<Effect> {
    let out = agent.handle(Input::Submitted {
        text: "Fix the bug in `f` in a.py".into(),
        files: vec!["a.py".into()],
    });
    let call = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, .. } => Some(call.id),
        _ => None,
    });
    let out = agent.handle(Input::CallDone {
        call: call.expect("it is read"),
        outcome: Outcome::Done { text: "1".into() },
        change: None,
        passage: Some(("a.py".into(), text.into())),
    });
    match checked(&out) {
        Some(_) => fails(agent, &out),
        None => out,
    }
}

/// Answers what is asked about code.
pub(super) fn told(
    agent: &mut Agent,
    out: &[Effect],
    targets: Vec<Aim>,
    is_stub: bool,
) -> Vec<Effect> {
    let question = out.iter().find_map(|effect| match effect {
        Effect::ReadCode { question, .. } => Some(*question),
        _ => None,
    });
    agent.handle(Input::CodeTold {
        question: question.expect("a question"),
        answer: CodeAnswer::Aims(Aims { targets, is_stub }),
    })
}

/// Lets the model write a file, which is asked for beside the conversation.
pub(super) fn written(agent: &mut Agent, text: &str) -> Vec<Effect> {
    let out = done(agent, &format!("```python\n{text}```"), Finish::Stop);
    let question = out.iter().find_map(|effect| match effect {
        Effect::ReadCode { question, .. } => Some(*question),
        _ => None,
    });
    agent.handle(Input::CodeTold {
        question: question.expect("a question"),
        answer: CodeAnswer::Woven(Some(text.to_owned())),
    })
}

pub(super) fn made(out: &[Effect]) -> Option<Hash> {
    out.iter().find_map(|effect| match effect {
        Effect::RunCall { change, .. } => change.as_ref()?.after.clone(),
        _ => None,
    })
}

/// Begins a turn about a file, up to the first draw of it.
pub(super) fn begun(agent: &mut Agent, text: &str, is_stub: bool) -> Vec<Effect> {
    let out = read(agent, text);
    told(agent, &out, vec![Aim::File], is_stub)
}

/// Adds a rule for the session.
pub(super) fn add_rule(agent: &mut Agent, rule: Rule) -> Vec<Effect> {
    let scope = Scope::Session;
    agent.handle(Input::Op(Op::AddRule { scope, rule }))
}
