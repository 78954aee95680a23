//! Claims about which of several edits is made: by the check, by what they give on sample calls, and when the time is up.

use std::sync::Arc;

use super::played::*;
use super::tests::*;
use super::*;
use crate::protocol::{
    CheckResult, Decision, Finish, Hash, Mode, Op, Rule, Ruling, Scope, ToolChoice, Why,
};

/// Begins a turn that is to write a file in a project without a check, up to where the file is known.
fn begins_a_stub(agent: &mut Agent) -> Vec<Effect> {
    agent.checker = None;
    agent.settings.asks_check = true;
    begun(agent, "def f():\n    pass\n", true)
}

/// Lets the model write that file. Returns whether sample calls are asked for, before anything is made.
fn compares_a_stub(agent: &mut Agent) -> bool {
    let out = written(agent, "def f():\n    return 1\n");
    let out = previewed(agent, &out, change("a.py"));
    asked(&out).is_some_and(|request| format!("{request:?}").contains("short calls"))
}

fn question(out: &[Effect]) -> Option<(CallId, crate::protocol::Ask)> {
    out.iter().find_map(|effect| match effect {
        Effect::Emit(Event::ApprovalRequested { call, ask, .. }) => {
            Some((*call, ask.as_deref()?.clone()))
        }
        _ => None,
    })
}

#[test]
fn sample_calls_are_asked_about_before_the_model_writes_and_once() {
    let allowed = Decision::Allow { scope: Scope::Once };
    let denied = Decision::Deny { reason: None };
    for (decision, expected) in [(allowed, true), (denied, false)] {
        let mut agent = new();
        agent.handle(Input::Op(Op::SetMode { mode: Mode::Ask }));
        let out = begins_a_stub(&mut agent);
        let (call, ask) = question(&out).expect("asked");
        assert_eq!(ask.why, [Why::Samples]);
        assert_eq!(ask.command, ["python3", "a.py"]);
        assert!(ask.is_once_for_all() && asked(&out).is_none(), "{out:?}");
        let op = Op::Decide { call, decision };
        let out = agent.handle(Input::Op(op));
        assert!(asked(&out).is_some(), "the model writes: {out:?}");
        assert_eq!(compares_a_stub(&mut agent), expected);
        agent.handle(Input::Op(Op::Interrupt));
        let out = begins_a_stub(&mut agent);
        assert!(question(&out).is_none() && asked(&out).is_some(), "{out:?}");
        // A rule that has it asked about is newer than a yes, another is not; a no stands.
        let mut elsewhere = Rule::new(Ruling::Ask, "run.*");
        elsewhere.path = vec!["src/**".to_owned()];
        for (rule, is_asked) in [
            (Rule::new(Ruling::Ask, "git.*"), false),
            (elsewhere, expected),
        ] {
            agent.handle(Input::Op(Op::Interrupt));
            add_rule(&mut agent, rule);
            let out = begins_a_stub(&mut agent);
            assert_eq!(question(&out).is_some(), is_asked, "{out:?}");
        }
    }
}

#[test]
fn sample_calls_are_asked_about_only_where_they_choose_and_may() {
    // Nobody is there, a rule decides, or the check is what is to be asked about.
    type Setting = fn(&mut Agent);
    let cases: [(&str, Setting); 4] = [
        ("alone", |agent| agent.settings.asks_check = false),
        ("allowed", |agent| {
            add_rule(agent, Rule::new(Ruling::Allow, "run.probe"));
        }),
        ("denied", |agent| {
            add_rule(agent, Rule::new(Ruling::Deny, "run.*"));
        }),
        ("no to the check", |agent| {
            agent.check_leave = super::turn::Leave::Refused;
        }),
    ];
    for (what, set) in cases {
        let mut agent = new();
        agent.handle(Input::Op(Op::SetMode { mode: Mode::Ask }));
        agent.checker = None;
        agent.settings.asks_check = true;
        set(&mut agent);
        let out = begun(&mut agent, "def f():\n    pass\n", true);
        assert!(question(&out).is_none(), "{what}: {out:?}");
        assert_eq!(compares_a_stub(&mut agent), what == "allowed", "{what}");
    }
    let mut agent = new();
    add_rule(&mut agent, Rule::new(Ruling::Ask, "run.probe"));
    let out = begins_a_stub(&mut agent);
    let (_, ask) = question(&out).expect("asked although edits are not");
    let rule = "ask run.probe".to_owned();
    assert_eq!(ask.why, [Why::Samples, Why::Rule { rule }]);
}

/// Lets one version be written and run, which gives something for a sample call.
fn version(agent: &mut Agent, number: u8, passed: bool, gives: u8) -> Vec<Effect> {
    let text = format!("def f():\n    return {number}\n");
    let out = written(agent, &text);
    let mut change = change("a.py");
    change.after = Some(Hash(number.to_string()));
    let mut out = previewed(agent, &out, change);
    if checked(&out).is_none() {
        assert!(format!("{:?}", asked(&out)).contains("short calls"));
        out = done(agent, "```python\nf()\n```", Finish::Stop);
    }
    let text = if passed { "passes" } else { "NameError: math" };
    says(agent, &out, text, result(passed, &[gives]))
}

fn stub() -> Agent {
    let mut agent = new();
    agent.checker = None;
    begun(&mut agent, "def f():\n    pass\n", true);
    agent
}

#[test]
fn of_the_versions_of_a_file_the_one_that_most_agree_with_is_made() {
    let mut agent = stub();
    for (number, gives) in [(1, 9), (2, 5), (3, 5)] {
        let out = version(&mut agent, number, true, gives);
        assert!(made(&out).is_none() && asked(&out).is_some());
    }
    let out = version(&mut agent, 4, true, 5);
    assert_eq!(made(&out), Some(Hash("2".into())));
    let said = format!("{out:?}");
    assert!(
        said.contains("Ended { end: Agreed { alike: 3, of: 4 }"),
        "{said}"
    );
    let call = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, .. } => Some(call.id),
        _ => None,
    });
    let out = succeed(&mut agent, call.expect("made").0, Some(change("a.py")));
    let choice = asked(&out).map(|request| &request.choice);
    assert_eq!(choice, Some(&ToolChoice::None), "words end it");
}

#[test]
fn versions_that_come_further_are_gone_on_from_until_one_is_right() {
    let mut agent = stub();
    let out = version(&mut agent, 1, false, 0);
    let out = told(&mut agent, &out, vec![Aim::File], false);
    let said = |out: &[Effect]| format!("{:?}", asked(out).expect("another version"));
    assert!(said(&out).contains("return 1") && said(&out).contains("corrected"));
    let out = version(&mut agent, 2, false, 0);
    assert!(said(&out).contains("return 1") && said(&out).contains("NameError: math"));
    let out = version(&mut agent, 3, false, 0);
    let doubts = asked(&out).and_then(|request| request.doubts.clone());
    assert!(doubts.is_some_and(|doubts| doubts.text.contains("return 1")));
    let mut out = done(&mut agent, "", Finish::Stop);
    let mut anew = 0;
    for number in 4..12 {
        anew += u32::from(!said(&out).contains("return"));
        out = version(&mut agent, number, false, 0);
        if asked(&out).is_some_and(|request| request.doubts.is_some()) {
            out = done(&mut agent, "", Finish::Stop);
        }
    }
    assert!((1..8).contains(&anew), "{anew}");
    let mut out = version(&mut agent, 12, true, 5);
    for number in 13..16 {
        assert_eq!(made(&out), None, "others are to agree with it");
        out = version(&mut agent, number, true, number);
    }
    assert_eq!(made(&out), Some(Hash("12".into())));
}

#[test]
fn versions_that_all_fail_are_said_to_fail() {
    let mut agent = stub();
    let out = version(&mut agent, 1, false, 0);
    told(&mut agent, &out, vec![Aim::File], false);
    version(&mut agent, 2, false, 0);
    let out = agent.handle(Input::TimeIsUp);
    assert_eq!(made(&out), Some(Hash("1".into())));
    assert!(format!("{out:?}").contains("no version that was written runs as it should"));
}

#[test]
fn when_the_time_is_up_the_best_version_so_far_is_made() {
    let mut agent = stub();
    let out = version(&mut agent, 1, false, 0);
    told(&mut agent, &out, vec![Aim::File], false);
    let out = version(&mut agent, 2, true, 3);
    let anew = format!("{:?}", asked(&out).expect("others are to agree with it"));
    assert!(!anew.contains("return"), "{anew}");
    let out = agent.handle(Input::TimeIsUp);
    assert!(out.contains(&Effect::CancelModel));
    assert_eq!(made(&out), Some(Hash("2".into())));
}

#[test]
fn when_the_time_is_up_before_the_first_version_that_one_is_made_without_another() {
    let mut agent = stub();
    let out = agent.handle(Input::TimeIsUp);
    assert!(out.is_empty(), "it is still being written: {out:?}");
    let out = written(&mut agent, "def f():\n    return 1\n");
    let out = previewed(&mut agent, &out, change("a.py"));
    let out = fails(&mut agent, &out);
    assert_eq!(made(&out), Some(Hash("1".into())));
}

#[test]
fn when_the_time_is_up_the_edit_that_came_the_furthest_is_made() {
    let mut agent = new();
    failing(&mut agent);
    let out = tried(&mut agent, change("a.py"));
    fails(&mut agent, &out);
    let out = agent.handle(Input::TimeIsUp);
    assert!(out.contains(&Effect::CancelModel));
    assert_eq!(made(&out), Some(Hash("1".into())));
    assert!(agent.handle(Input::TimeIsUp).is_empty(), "it is up once");
}

#[test]
fn a_check_that_runs_when_the_time_is_up_is_cancelled() {
    let mut agent = new();
    failing(&mut agent);
    let out = tried(&mut agent, change("a.py"));
    let check = checked(&out).expect("a check");
    let out = agent.handle(Input::TimeIsUp);
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::CancelCalls(calls) if calls.contains(&check)))
    );
    assert!(summary(&out).is_some(), "the turn ends with what is true");
    assert!(agent.calls.is_empty());
}

/// Begins a turn that is to mend a function, up to the first edit of it.
fn drawn(agent: &mut Agent, line: &str) -> Vec<Effect> {
    begun(agent, "def f():\n    return 1\n", false);
    let out = written(agent, &format!("def f():\n    {line}\n"));
    previewed(agent, &out, change("a.py"))
}

#[test]
fn the_search_goes_on_from_an_edit_that_gets_the_check_further_and_makes_nothing_of_it() {
    let mut agent = new();
    let out = drawn(&mut agent, "return 2");
    let further = CheckResult {
        reached: 4,
        ..result(false, &[])
    };
    let out = says(&mut agent, &out, "another test fails", further);
    assert_eq!(made(&out), None);
    let text: Option<Arc<str>> = out.iter().find_map(|effect| match effect {
        Effect::ReadCode {
            about: CodeQuestion::Aims { text, failing, .. },
            ..
        } if failing == "another test fails" => Some(Arc::clone(text)),
        _ => None,
    });
    assert_eq!(text.as_deref(), Some("def f():\n    return 2\n"));
    let out = told(&mut agent, &out, vec![Aim::File], false);
    let prompt = format!("{:?}", asked(&out).map(|request| request.messages.clone()));
    assert!(prompt.contains("return 2"), "{prompt}");
    // What is found there is an edit of the file as it is.
    let out = written(&mut agent, "def f():\n    return 3\n");
    let out = previewed(
        &mut agent,
        &out,
        FileChange {
            after: Some(Hash("3".into())),
            ..change("a.py")
        },
    );
    assert!(checked(&out).is_some());
}

#[test]
fn what_a_formatter_makes_the_same_is_not_checked_again() {
    let mut agent = new();
    let out = drawn(&mut agent, "return 2+1");
    fails(&mut agent, &out);
    let out = written(&mut agent, "def f():\n\n    # why\n    return 2 + 1\n");
    assert!(
        !out.iter()
            .any(|effect| matches!(effect, Effect::Preview(_))),
        "{out:?}"
    );
    assert!(asked(&out).is_some(), "another is drawn at once");
}

/// Answers a run on sample calls by what two of them gave.
fn gives(agent: &mut Agent, out: &[Effect], first: u8, second: u8) -> Vec<Effect> {
    tells(agent, out, (first, second), "OK")
}

/// The same, with the words for what they gave.
fn tells(agent: &mut Agent, out: &[Effect], (first, second): (u8, u8), words: &str) -> Vec<Effect> {
    says(agent, out, words, result(true, &[first, second]))
}

/// Tells of a likely departure and an unlikely one.
fn departs(agent: &mut Agent, at: usize) -> Vec<Effect> {
    for (written, likelihood) in [("3\n", 0.2), ("4\n", 0.05)] {
        let departure = crate::protocol::Departure {
            at,
            likelihood,
            written: written.to_owned(),
        };
        model(agent, crate::protocol::ModelEvent::Departed { departure });
    }
    done(agent, "", Finish::Stop)
}

fn left(agent: &mut Agent, out: &[Effect], hash: &str) -> Vec<Effect> {
    let mut change = change("a.py");
    change.after = Some(Hash(hash.into()));
    previewed(agent, out, change)
}

#[test]
fn a_fault_that_nothing_checks_is_mended_by_what_edits_give() {
    let mut agent = new();
    agent.checker = None;
    begun(&mut agent, "def f():\n    return 1\n", false);
    let text = "Sure".to_owned();
    let shown = model(&mut agent, crate::protocol::ModelEvent::Text { text });
    assert!(
        matches!(&shown[..], [Effect::Emit(Event::CallDrafted { name: Some(name), .. })] if name == "edit 1"),
        "no search is told of that counts them: {shown:?}"
    );
    let out = written(&mut agent, "def f():\n    return 2\n");
    let out = left(&mut agent, &out, "drawn");
    assert!(format!("{:?}", asked(&out)).contains("short calls"));
    let name = Some("try_calls".to_owned());
    let drafted = crate::protocol::ModelEvent::CallDrafted { name, bytes: 7 };
    let shown = model(&mut agent, drafted);
    assert!(
        matches!(&shown[..], [Effect::Emit(Event::CallDrafted { name: Some(name), .. })] if name == "sample calls"),
        "{shown:?}"
    );
    let out = done(&mut agent, "```python\nf()\n```", Finish::Stop);
    let is_as_it_stands = |effect: &Effect| matches!(effect, Effect::Check { trial: None, .. });
    assert!(out.iter().any(is_as_it_stands), "{out:?}");
    let out = gives(&mut agent, &out, 1, 5);
    assert!(
        !out.iter().any(is_as_it_stands),
        "the edit is run next: {out:?}"
    );
    let out = gives(&mut agent, &out, 1, 7);
    let doubts = asked(&out).and_then(|request| request.doubts.clone());
    let doubts = doubts.expect("it is asked what the model doubts");
    let at = doubts.text.find('1').expect("it is there");
    let mut out = departs(&mut agent, at);
    for hash in ["likely", "unlikely"] {
        out = left(&mut agent, &out, hash);
        out = gives(&mut agent, &out, 1, 9);
    }
    assert!(asked(&out).is_some_and(|request| request.doubts.is_none()));
    let out = written(&mut agent, "def f():\n    return 6\n");
    let out = left(&mut agent, &out, "drawn later");
    let out = gives(&mut agent, &out, 2, 2);
    assert_eq!(made(&out), Some(Hash("likely".into())));
    let said = format!("{out:?}");
    assert!(said.contains("Ended { end: Likeliest"), "{said}");
}

#[test]
fn of_edits_that_mend_a_fault_the_one_is_made_that_gives_what_the_model_expects() {
    // What it says of the results, and which edit is made.
    for (weighed, expected) in [
        (None, "likely"),
        (Some(vec![]), "likely"),
        (Some(vec![(0, -4.0), (1, 2.0)]), "unlikely"),
        (Some(vec![(0, 2.0), (1, -4.0)]), "likely"),
    ] {
        let mut agent = new();
        agent.checker = None;
        begun(&mut agent, "def f(x):\n    return 1\n", false);
        let out = written(&mut agent, "def f(x):\n    return 2\n");
        left(&mut agent, &out, "drawn");
        let out = done(&mut agent, "```python\nf(1)\nf(2)\n```", Finish::Stop);
        let out = tells(
            &mut agent,
            &out,
            (1, 5),
            "OK\nf(1) gives [1]\nf(2) gives [5]",
        );
        let out = gives(&mut agent, &out, 1, 5);
        let doubts = asked(&out).and_then(|request| request.doubts.clone());
        let at = doubts
            .expect("it is asked what the model doubts")
            .text
            .find('1');
        let mut out = departs(&mut agent, at.expect("it is there"));
        for (hash, second) in [("likely", 7), ("unlikely", 9)] {
            out = left(&mut agent, &out, hash);
            let words = format!("OK\nf(1) gives [1]\nf(2) gives [{second}]");
            out = tells(&mut agent, &out, (1, second), &words);
        }
        let out = written(&mut agent, "def f(x):\n    return 6\n");
        let out = left(&mut agent, &out, "drawn later");
        let out = gives(&mut agent, &out, 1, 5);
        let doubts = asked(&out).and_then(|request| request.doubts.clone());
        let doubts = doubts.expect("the results are weighed");
        assert_eq!(&*doubts.text, ">>> f(1)\n[1]\n>>> f(2)\n[5]\n```");
        let others: Vec<&str> = doubts.rivals.iter().map(|it| it.other.as_str()).collect();
        assert_eq!(others, ["[7]\n", "[9]\n"]);
        let is_full = weighed.is_none();
        for (rival, likelier) in weighed.into_iter().flatten() {
            let event = crate::protocol::ModelEvent::Weighed { rival, likelier };
            model(&mut agent, event);
        }
        let out = match is_full {
            // There was no room for the question: what was run chooses alone.
            true => {
                let failure = crate::protocol::ModelFailure::ContextFull {
                    needed: 9_000,
                    context: 8_192,
                };
                model(&mut agent, crate::protocol::ModelEvent::Failed { failure })
            }
            false => done(&mut agent, "", Finish::Stop),
        };
        assert_eq!(made(&out), Some(Hash(expected.into())));
        let gives = if expected == "likely" { 7 } else { 9 };
        let said = format!("`f(2)` gave `[5]`, and gives `[{gives}]` after this edit.");
        let is_said = |effect: &Effect| matches!(effect, Effect::Emit(Event::Notice { text, .. }) if text.starts_with(&said));
        assert!(out.iter().any(is_said), "{out:?}");
    }
}

/// Takes what an edit gives that does not do what the request says.
fn gives_less(agent: &mut Agent, out: &[Effect]) -> Vec<Effect> {
    fails_with(agent, out, "f(3)\nExpected: 4\nGot: 1")
}

#[test]
fn edits_are_drawn_until_some_do_what_the_request_says() {
    let mut agent = new();
    agent.checker = None;
    begun(&mut agent, "def f():\n    return 1\n", false);
    let out = written(&mut agent, "def f():\n    return 2\n");
    left(&mut agent, &out, "drawn");
    let out = done(&mut agent, "```python\nf()\n```", Finish::Stop);
    let out = gives_less(&mut agent, &out);
    let out = gives_less(&mut agent, &out);
    let mut out = told(&mut agent, &out, vec![Aim::File], false);
    let mut is_told = 0;
    for number in 3..10 {
        assert_eq!(made(&out), None, "{number}");
        if asked(&out).is_some_and(|request| request.doubts.is_some()) {
            out = done(&mut agent, "", Finish::Stop);
        }
        let request = format!("{:?}", asked(&out).expect("another edit"));
        is_told += u32::from(request.contains("Expected: 4"));
        out = written(&mut agent, &format!("def f():\n    return {number}\n"));
        out = left(&mut agent, &out, &number.to_string());
        // Of those that do it, the one that more than one does alike.
        out = match number {
            7 | 9 => gives(&mut agent, &out, 9, 5),
            8 => gives(&mut agent, &out, 9, 6),
            _ => gives_less(&mut agent, &out),
        };
    }
    assert_eq!(made(&out), Some(Hash("7".into())), "{out:?}");
    assert!(is_told > 1);
}
