//! Claims about the question whether the project's check may run, where every change is asked about.

use super::played::add_rule;
use super::tests::*;
use super::*;
use crate::protocol::{CheckResult, Decision, Mode, Op, Risk, Rule, Ruling, Scope, Why};

/// An agent that asks about every change, in a project whose check was found.
fn agent_with_a_check(mode: Mode) -> Agent {
    let mut agent = agent(mode);
    agent.settings.check = vec!["cargo".into(), "test".into()];
    agent.settings.asks_check = true;
    agent.settings.confined = vec![("run".into(), "a copy".into())];
    let check = ToolSpec {
        server: CHECKING_SERVER.into(),
        ..spec("check", Risk::Command)
    };
    agent.handle(Input::Tools(vec![check]));
    agent
}

/// Returns the check that is asked about.
fn question(effects: &[Effect]) -> Option<(CallId, &crate::protocol::Ask)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(Event::ApprovalRequested {
            call,
            ask: Some(ask),
            ..
        }) if ask.server == CHECKING_SERVER => Some((*call, &**ask)),
        _ => None,
    })
}

/// Returns the check that is run, and whether an edit is tried by it.
fn run(effects: &[Effect]) -> Option<(CallId, bool)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Check { call, trial } => Some((call.id, trial.is_some())),
        _ => None,
    })
}

/// Lets the model write an edit, which the user allows.
fn edit(agent: &mut Agent) -> Vec<Effect> {
    let out = call(agent, "edit", "a.py");
    let Some(id) = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    }) else {
        return out;
    };
    preview(agent, id.0, "a.py");
    allow(agent, id);
    succeed(agent, id.0, Some(change("a.py")))
}

fn allow(agent: &mut Agent, id: CallId) -> Vec<Effect> {
    let scope = Scope::Once;
    decide(agent, id.0, Decision::Allow { scope })
}

fn checked(agent: &mut Agent, id: CallId, passed: bool) -> Vec<Effect> {
    let text = if passed { "passes" } else { "`t` fails: no" };
    agent.handle(Input::Checked {
        call: id,
        outcome: Outcome::Done { text: text.into() },
        result: Some(CheckResult {
            passed,
            reached: 3,
            failed: 0,
            millis: 1,
            given: [0; 8],
        }),
    })
}

/// Begins a turn that is to build something.
fn begin(agent: &mut Agent) -> Vec<Effect> {
    begin_with(agent, "Add a page")
}

/// Begins a turn up to where the files are listed.
fn begin_with(agent: &mut Agent, request: &str) -> Vec<Effect> {
    let mut out = submit(agent, request);
    out.extend(succeed(agent, 1, None));
    out
}

#[test]
fn a_found_check_of_what_is_built_is_asked_about_once_a_change_was_allowed_and_not_before() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = begin(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    let out = edit(&mut agent);
    let (_, ask) = question(&out).expect("asked");
    assert_eq!(ask.command, ["cargo", "test"]);
    assert_eq!(ask.risk, Risk::Command);
    assert_eq!(ask.confined.as_deref(), Some("a copy"));
    assert_eq!(ask.why, [Why::Check]);
    assert!(run(&out).is_none(), "nothing runs before the answer");
    assert!(asked(&out).is_none(), "the model waits");
}

#[test]
fn where_something_is_to_be_mended_the_check_is_asked_about_before_the_model_writes() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = begin_with(&mut agent, "The last page is missing. Fix a.py.");
    let (id, ask) = question(&out).expect("asked");
    assert_eq!(ask.command, ["cargo", "test"]);
    assert_eq!(ask.why, [Why::Check]);
    let name = out.iter().find_map(|effect| match effect {
        Effect::Emit(Event::CallProposed { call, .. }) if call.id == id => call.argument("name"),
        _ => None,
    });
    assert_eq!(name, Some("the project as it is"));
    assert!(run(&out).is_none() && asked(&out).is_none(), "{out:?}");
    let out = allow(&mut agent, id);
    assert_eq!(run(&out), Some((id, false)));
    let out = checked(&mut agent, id, false);
    let request = asked(&out).expect("the model is asked");
    let last = format!("{:?}", request.messages.last());
    assert!(last.contains("`t` fails: no"), "{last}");
    let out = call(&mut agent, "edit", "a.py");
    let tried = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id.0),
        _ => None,
    });
    let out = preview(&mut agent, tried.expect("an edit"), "a.py");
    assert_eq!(run(&out).map(|(_, is_trial)| is_trial), Some(true));
    assert!(question(&out).is_none(), "once is enough");
}

#[test]
fn a_no_before_the_model_writes_holds_for_the_session() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = begin_with(&mut agent, "Fix it");
    let (id, _) = question(&out).expect("asked");
    let before = agent.messages.len();
    let out = decide(&mut agent, id.0, Decision::Deny { reason: None });
    assert!(run(&out).is_none());
    assert!(asked(&out).is_some(), "the turn goes on");
    assert_eq!(agent.messages.len(), before, "the model is told nothing");
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    assert!(asked(&out).is_some(), "{out:?}");
    answer(&mut agent, "Done.");
    let out = submit(&mut agent, "Fix it again");
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    assert!(asked(&out).is_some(), "{out:?}");
}

#[test]
fn an_interrupt_at_the_question_before_the_model_writes_is_a_no() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = begin_with(&mut agent, "Fix it");
    let (id, _) = question(&out).expect("asked");
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(summary(&out).is_some());
    assert!(allow(&mut agent, id).is_empty(), "too late");
    let out = submit(&mut agent, "Fix it again");
    assert!(question(&out).is_none() && asked(&out).is_some(), "{out:?}");
}

#[test]
fn what_asks_for_no_mend_and_who_named_the_check_are_not_asked_before_a_change() {
    for request in ["Add a page", "Why does it fail?", "Fix it and add a test"] {
        let mut agent = agent_with_a_check(Mode::Ask);
        let out = begin_with(&mut agent, request);
        assert!(question(&out).is_none(), "{request}");
    }
    let named = |settings: &mut Settings| settings.check_is_named = true;
    let alone = |settings: &mut Settings| settings.asks_check = false;
    for (set, runs) in [(&named as &dyn Fn(&mut Settings), true), (&alone, false)] {
        let mut agent = agent_with_a_check(Mode::Ask);
        set(&mut agent.settings);
        let out = begin_with(&mut agent, "Fix it");
        assert!(question(&out).is_none(), "{out:?}");
        assert_eq!(run(&out).is_some(), runs, "{out:?}");
    }
}

#[test]
fn a_check_that_is_let_runs_on_what_was_changed_and_tries_the_edits_after_it() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let out = allow(&mut agent, id);
    assert_eq!(run(&out), Some((id, false)));
    let out = checked(&mut agent, id, false);
    let request = asked(&out).expect("the model goes on");
    let last = format!("{:?}", request.messages.last());
    assert!(last.contains("`t` fails: no"), "{last}");
    let out = call(&mut agent, "edit", "a.py");
    let tried = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id.0),
        _ => None,
    });
    let out = preview(&mut agent, tried.expect("an edit"), "a.py");
    assert_eq!(run(&out).map(|(_, is_trial)| is_trial), Some(true));
    assert!(question(&out).is_none(), "once is enough");
}

/// Lets a turn build something after which the check fails, and returns what is asked of the model then.
fn failing_after(agent: &mut Agent, reached: u32) -> Vec<Effect> {
    begin(agent);
    let out = edit(agent);
    let (id, _) = question(&out).expect("asked");
    allow(agent, id);
    fails(agent, id, reached)
}

fn fails(agent: &mut Agent, id: CallId, reached: u32) -> Vec<Effect> {
    let text = "`t` fails: no".to_owned();
    agent.handle(Input::Checked {
        call: id,
        outcome: Outcome::Done { text },
        result: Some(CheckResult {
            passed: false,
            reached,
            failed: 0,
            millis: 1,
            given: [0; 8],
        }),
    })
}

/// Lets the model write an edit that is tried, and returns the check of it.
fn tried(agent: &mut Agent, after: &str) -> CallId {
    let out = call(agent, "edit", "a.py");
    let id = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    });
    let out = agent.handle(Input::Previewed {
        call: id.expect("an edit"),
        preview: Preview::Change(Box::new(FileChange {
            after: Some(crate::protocol::Hash(after.into())),
            ..change("a.py")
        })),
    });
    let (id, is_trial) = run(&out).expect("it is checked");
    assert!(is_trial);
    id
}

#[test]
fn after_a_check_that_fails_edits_are_tried_against_it_in_the_same_turn() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = failing_after(&mut agent, 3);
    let request = asked(&out).expect("an edit is drawn");
    assert!(
        matches!(request.choice, crate::protocol::ToolChoice::Required { .. }),
        "it is not asked whether it is done: {:?}",
        request.choice
    );
    let check = tried(&mut agent, "1");
    let out = checked(&mut agent, check, false);
    // Words are a draw in vain, and not the end.
    assert!(asked(&out).is_some());
    let out = answer(&mut agent, "I fixed it.");
    assert!(summary(&out).is_none() && asked(&out).is_some(), "{out:?}");
    let check = tried(&mut agent, "2");
    let out = checked(&mut agent, check, true);
    let shown = out.iter().find_map(|effect| match effect {
        Effect::Emit(Event::ApprovalRequested { call, .. }) => Some(*call),
        _ => None,
    });
    let id = shown.expect("what passes is asked about like any other edit");
    allow(&mut agent, id);
    succeed(&mut agent, id.0, Some(change("a.py")));
    let out = answer(&mut agent, "Done.");
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`; the check passes (edit 3 of 3 tried).".to_owned())
    );
}

#[test]
fn after_a_change_a_check_that_says_the_same_of_every_edit_has_none_made() {
    let mut agent = agent_with_a_check(Mode::Ask);
    failing_after(&mut agent, 0);
    let mut out = Vec::new();
    for after in ["1", "2", "3", "4"] {
        let check = tried(&mut agent, after);
        out = fails(&mut agent, check, 0);
    }
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`; the check does not pass (5 edits tried).".to_owned())
    );
}

#[test]
fn a_model_that_finds_its_way_says_whether_what_fails_has_to_do_with_its_change() {
    let mut agent = agent_with_a_check(Mode::Ask);
    agent.handle(Input::ModelReady(ModelInfo {
        parameters: 70_000_000_000,
        ..info()
    }));
    let out = failing_after(&mut agent, 3);
    let request = asked(&out).expect("the model goes on");
    assert_eq!(request.choice, crate::protocol::ToolChoice::Auto);
    let out = answer(&mut agent, "That failed before.");
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`; the check does not pass (1 edit tried).".to_owned())
    );
}

#[test]
fn a_check_that_passes_is_said_in_the_summary() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    allow(&mut agent, id);
    let before = agent.messages.len();
    checked(&mut agent, id, true);
    assert_eq!(agent.messages.len(), before, "the model is told nothing");
    let out = answer(&mut agent, "Done.");
    let end = summary(&out).and_then(|summary| summary.check.clone());
    let end = end.expect("what the check said");
    assert!(end.passed && end.tried == 1, "{end:?}");
    // From now on it is run first, as in the modes that let edits be made.
    let out = submit(&mut agent, "Add another page");
    assert!(run(&out).is_some(), "{out:?}");
}

#[test]
fn a_check_that_is_refused_is_not_asked_about_again_and_the_model_is_told_nothing() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let before = agent.messages.len();
    let out = decide(&mut agent, id.0, Decision::Deny { reason: None });
    assert!(run(&out).is_none());
    assert!(asked(&out).is_some(), "the turn goes on");
    assert_eq!(agent.messages.len(), before);
    let out = answer(&mut agent, "Done.");
    assert_eq!(summary(&out).map(|summary| summary.denied), Some(0));
    submit(&mut agent, "Add another page");
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    // Who said no is not overruled by another mode.
    agent.handle(Input::Op(Op::SetMode { mode: Mode::Edit }));
    answer(&mut agent, "Done.");
    let out = submit(&mut agent, "Add one more");
    assert!(run(&out).is_none(), "{out:?}");
}

#[test]
fn an_interrupt_at_the_question_is_a_no() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(summary(&out).is_some());
    assert!(allow(&mut agent, id).is_empty(), "too late");
    submit(&mut agent, "Add another page");
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
}

/// Returns what is said of a project that is not checked.
fn unchecked(effects: &[Effect]) -> Vec<&str> {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Emit(Event::Notice { text, .. }) => Some(text.as_str()),
        _ => None,
    });
    said.filter(|text| text.contains("not checked")).collect()
}

/// Lets a turn make a change, and says when the check runs in it and what is said of it.
fn when(agent: &mut Agent) -> (&'static str, usize) {
    when_asked_to(agent, "Add a page")
}

fn when_asked_to(agent: &mut Agent, request: &str) -> (&'static str, usize) {
    let mut out = begin_with(agent, request);
    if run(&out).is_some() {
        return ("before", unchecked(&out).len());
    }
    if question(&out).is_some() {
        return ("asked before", unchecked(&out).len());
    }
    out.extend(edit(agent));
    let when = match (question(&out), run(&out)) {
        (Some(_), None) => "asked",
        (None, Some(_)) => "after",
        (None, None) => "never",
        (Some(_), Some(_)) => panic!("it runs while it is asked about"),
    };
    (when, unchecked(&out).len())
}

#[test]
fn a_rule_holds_for_the_check_in_every_mode() {
    let rulings = [
        None,
        Some(Ruling::Allow),
        Some(Ruling::Ask),
        Some(Ruling::Deny),
    ];
    let found = [
        (Mode::Plan, ["never", "never", "never", "never"]),
        (Mode::Ask, ["asked", "after", "asked", "never"]),
        (Mode::Edit, ["before", "before", "asked", "never"]),
        (Mode::Auto, ["before", "before", "asked", "never"]),
    ];
    let named = [
        (Mode::Plan, ["never", "never", "never", "never"]),
        (Mode::Ask, ["before", "before", "asked", "never"]),
        (Mode::Edit, ["before", "before", "asked", "never"]),
        (Mode::Auto, ["before", "before", "asked", "never"]),
    ];
    for (check_is_named, table) in [(false, found), (true, named)] {
        for (mode, expected) in table {
            for (ruling, expected) in rulings.into_iter().zip(expected) {
                let mut agent = agent_with_a_check(mode);
                agent.settings.check_is_named = check_is_named;
                if let Some(ruling) = ruling {
                    add_rule(&mut agent, Rule::new(ruling, "run.check"));
                }
                // That nothing is done in the mode `plan` is the mode's to say.
                let told = usize::from(ruling == Some(Ruling::Deny) && mode != Mode::Plan);
                let what = format!("{mode} {ruling:?}, named: {check_is_named}");
                assert_eq!(when(&mut agent), (expected, told), "{what}");
            }
        }
    }
}

#[test]
fn a_rule_holds_for_the_check_of_what_is_to_be_mended() {
    let rulings = [
        None,
        Some(Ruling::Allow),
        Some(Ruling::Ask),
        Some(Ruling::Deny),
    ];
    for (mode, expected) in [
        (Mode::Plan, ["never", "never", "never", "never"]),
        (
            Mode::Ask,
            ["asked before", "before", "asked before", "never"],
        ),
        (Mode::Edit, ["before", "before", "asked before", "never"]),
    ] {
        for (ruling, expected) in rulings.into_iter().zip(expected) {
            let mut agent = agent_with_a_check(mode);
            if let Some(ruling) = ruling {
                add_rule(&mut agent, Rule::new(ruling, "run.check"));
            }
            let told = usize::from(ruling == Some(Ruling::Deny) && mode != Mode::Plan);
            let what = format!("{mode} {ruling:?}");
            assert_eq!(
                when_asked_to(&mut agent, "Fix it"),
                (expected, told),
                "{what}"
            );
        }
    }
}

#[test]
fn every_rule_that_is_about_the_check_counts() {
    let of_class = Rule {
        class: Some(Risk::Command),
        ..Rule::new(Ruling::Deny, "*.*")
    };
    let of_words = |word: &str| Rule {
        command: vec![word.into()],
        ..Rule::new(Ruling::Deny, "run.*")
    };
    for (denied, expected) in [
        (of_class, "never"),
        (of_words("cargo"), "never"),
        (of_words("make"), "before"),
        (Rule::new(Ruling::Deny, "run.script"), "before"),
    ] {
        let mut agent = agent_with_a_check(Mode::Auto);
        add_rule(&mut agent, denied.clone());
        assert_eq!(when(&mut agent).0, expected, "{denied}");
    }
}

#[test]
fn that_nothing_is_checked_is_said_once_for_each_rule() {
    let mut agent = agent_with_a_check(Mode::Edit);
    add_rule(&mut agent, Rule::new(Ruling::Deny, "run.check"));
    let out = begin(&mut agent);
    let said = unchecked(&out);
    assert_eq!(
        said,
        ["The project is not checked: the rule `deny run.check` refuses it."]
    );
    edit(&mut agent);
    answer(&mut agent, "Done.");
    let out = submit(&mut agent, "Add another page");
    assert_eq!(unchecked(&out).len(), 0);
    agent.handle(Input::Op(Op::Interrupt));
    add_rule(&mut agent, Rule::new(Ruling::Deny, "run.*"));
    let out = submit(&mut agent, "Add one more");
    assert_eq!(unchecked(&out).len(), 1);
}

#[test]
fn a_check_that_is_to_be_asked_about_does_not_run_where_nobody_is() {
    let mut agent = agent_with_a_check(Mode::Auto);
    agent.settings.asks_check = false;
    add_rule(&mut agent, Rule::new(Ruling::Ask, "run.check"));
    assert_eq!(when(&mut agent), ("never", 1));
    let mut agent = agent_with_a_check(Mode::Ask);
    agent.settings.asks_check = false;
    assert_eq!(when(&mut agent), ("never", 0), "that is the mode's to say");
}

#[test]
fn a_rule_that_comes_while_edits_are_tried_ends_that() {
    for ruling in [Ruling::Ask, Ruling::Deny] {
        let mut agent = agent_with_a_check(Mode::Edit);
        let out = begin(&mut agent);
        let (id, _) = run(&out).expect("it is run first");
        checked(&mut agent, id, false);
        let out = call(&mut agent, "edit", "a.py");
        let tried = out.iter().find_map(|effect| match effect {
            Effect::Preview(call) => Some(call.id.0),
            _ => None,
        });
        add_rule(&mut agent, Rule::new(ruling, "run.check"));
        let out = preview(&mut agent, tried.expect("an edit"), "a.py");
        assert!(run(&out).is_none(), "{ruling:?} {out:?}");
        assert!(
            summary(&out).is_some() || asked(&out).is_some(),
            "the turn goes on or ends: {out:?}"
        );
    }
}

#[test]
fn a_rule_that_asks_is_newer_than_the_answer_before_it() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    allow(&mut agent, id);
    checked(&mut agent, id, true);
    answer(&mut agent, "Done.");
    add_rule(&mut agent, Rule::new(Ruling::Ask, "run.check"));
    let out = submit(&mut agent, "Add another page");
    assert!(run(&out).is_none(), "{out:?}");
    let out = edit(&mut agent);
    let (_, ask) = question(&out).expect("asked again");
    let rule = "ask run.check".to_owned();
    assert_eq!(ask.why, [Why::Check, Why::Rule { rule }]);
}
