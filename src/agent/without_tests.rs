//! Claims about the switches: each mechanism that can be left out is really left out, and nothing else is.

use super::played::*;
use super::tests::*;
use super::*;
use crate::protocol::{BREAKS_SYNTAX, Hash, Hunk, Line, LineKind, Rule, Ruling, ToolChoice};

/// What happens where a mechanism would help: whether it did.
type Scene = fn(&mut Agent) -> bool;

/// Every mechanism of the agent's. The others are the engine's and the composition's.
const SCENES: [(Mechanism, Scene); 13] = [
    (Mechanism::Locating, |agent| {
        located(agent, Some("a.py"));
        format!("{:?}", submit(agent, "Fix the total")).contains("\"read\"")
    }),
    (Mechanism::Map, |agent| {
        located(agent, None);
        submit(agent, "Fix the total");
        format!("{:?}", agent.messages).contains("the map")
    }),
    (Mechanism::Check, |agent| {
        submit(agent, "Fix it");
        let out = succeed(agent, 1, None);
        out.iter()
            .any(|effect| matches!(effect, Effect::Check { trial: None, .. }))
    }),
    (Mechanism::Search, |agent| {
        failing(agent);
        let out = tried(agent, change("a.py"));
        let out = fails(agent, &out);
        // Another one is drawn, and the first is not made.
        asked(&out).is_some()
    }),
    (Mechanism::Syntax, |agent| {
        failing(agent);
        let mut broken = change("a.py");
        broken
            .notes
            .push(format!("{BREAKS_SYNTAX}line 1: `)` is missing"));
        checked(&tried(agent, broken)).is_none()
    }),
    (Mechanism::JustAnswer, |agent| {
        let out = submit(agent, "What is a monad?");
        asked(&out).map(|request| &request.choice) == Some(&ToolChoice::None)
    }),
    (Mechanism::Beside, |agent| {
        let out = read(agent, "def f():\n    return 1\n");
        out.iter()
            .any(|effect| matches!(effect, Effect::ReadCode { .. }))
    }),
    (Mechanism::Nudges, |agent| {
        agent.checker = None;
        submit(agent, "Fix it");
        succeed(agent, 1, None);
        let out = answer(agent, "I would fix it.");
        summary(&out).is_none()
    }),
    (Mechanism::Repeats, |agent| {
        agent.checker = None;
        submit(agent, "Fix it");
        succeed(agent, 1, None);
        for id in [2, 3] {
            call(agent, "read", "a.py");
            succeed(agent, id, None);
        }
        format!("{:?}", agent.messages).contains("You made this very call before")
    }),
    (Mechanism::Parts, |agent| {
        let out = read(agent, "def f():\n    return 1\n");
        let focus = Focus {
            name: "f".into(),
            from: 1,
            to: 2,
            lines: vec![2],
            around: None,
        };
        let out = told(agent, &out, vec![Aim::Function(focus)], false);
        format!("{:?}", asked(&out)).contains("This is `f` as it stands")
    }),
    (Mechanism::Corrections, |agent| {
        begun(agent, "def f():\n    return 1\n", false);
        let out = written(agent, "def f():\n    return tow\n");
        let line = |kind, text: &str| Line {
            kind,
            text: text.to_owned(),
        };
        let hunk = Hunk {
            old_start: 2,
            old_lines: 1,
            new_start: 2,
            new_lines: 1,
            lines: vec![
                line(LineKind::Removed, "    return 1"),
                line(LineKind::Added, "    return tow"),
            ],
        };
        let mut change = change("a.py");
        change.hunks.push(hunk);
        let out = previewed(agent, &out, change);
        let out = fails_with(
            agent,
            &out,
            "NameError: name 'tow' is not defined. Did you mean: 'two'?",
        );
        asked(&out).is_none()
            && out
                .iter()
                .any(|effect| matches!(effect, Effect::Preview(_)))
    }),
    (Mechanism::Doubts, |agent| {
        let mut out = begun(agent, "def f():\n    return 1\n", false);
        for text in ["def f():\n    return 2\n", "def f():\n    return 3\n"] {
            assert!(asked(&out).is_some_and(|request| request.doubts.is_none()));
            out = written(agent, text);
            let mut change = change("a.py");
            change.after = Some(Hash(text.into()));
            out = previewed(agent, &out, change);
            out = fails(agent, &out);
        }
        asked(&out).is_some_and(|request| request.doubts.is_some())
    }),
    (Mechanism::Versions, |agent| {
        agent.checker = None;
        begun(agent, "def f():\n    pass\n", true);
        let out = written(agent, "def f():\n    return 1\n");
        let out = previewed(agent, &out, change("a.py"));
        // It asks for sample calls before anything is made.
        asked(&out).is_some_and(|request| format!("{request:?}").contains("short calls"))
    }),
];

#[test]
fn what_is_left_out_does_not_help_and_everything_else_does() {
    for (mechanism, scene) in SCENES {
        assert!(scene(&mut new()), "{mechanism:?} does nothing");
        let mut without = new();
        without.settings.without.push(mechanism);
        assert!(!scene(&mut without), "{mechanism:?} is not left out");
    }
}

#[test]
fn a_rule_against_runs_on_sample_calls_leaves_them_out() {
    let versions = SCENES
        .iter()
        .find(|(mechanism, _)| *mechanism == Mechanism::Versions);
    let (_, compares) = versions.expect("its scene");
    for (ruling, expected) in [
        (Ruling::Allow, true),
        (Ruling::Ask, false),
        (Ruling::Deny, false),
    ] {
        let mut agent = new();
        add_rule(&mut agent, Rule::new(ruling, "run.probe"));
        assert_eq!(compares(&mut agent), expected, "{ruling:?}");
    }
}

#[test]
fn every_mechanism_of_the_agent_has_its_scene() {
    let elsewhere = [
        Mechanism::Arguments,
        Mechanism::Examples,
        Mechanism::Speculation,
    ];
    for (mechanism, _) in Mechanism::TABLE {
        let has_scene = SCENES.iter().any(|(of, _)| *of == mechanism);
        assert_ne!(has_scene, elsewhere.contains(&mechanism), "{mechanism:?}");
    }
}
