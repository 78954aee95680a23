//! Claims about third-party tools: how the model hears of them, and how it finds them.

use serde_json::json;

use super::super::tests::{agent, info};
use super::super::{Effect, Input};
use super::*;
use crate::protocol::{Event, Mode, ModelEvent, ModelRequest, ToolList};

fn foreign(server: &str, name: &str, description: &str) -> ToolSpec {
    ToolSpec {
        server: server.into(),
        name: format!("{server}__{name}"),
        tool: name.into(),
        description: description.into(),
        schema: json!({"type": "object", "properties": {"id": {"type": "string", "description": "Which one."}}}),
        risk: Risk::Foreign,
        previews: false,
    }
}

fn many() -> Vec<ToolSpec> {
    let nouns = [
        "issue",
        "branch",
        "label",
        "release",
        "comment",
        "team",
        "hook",
        "milestone",
    ];
    let verbs = [
        "create", "list", "delete", "update", "merge", "close", "find", "assign", "lock", "pin",
    ];
    let each = |noun: &str| {
        let noun = noun.to_owned();
        verbs.map(|verb| {
            foreign(
                "hub",
                &format!("{verb}_{noun}"),
                &format!("Lets you {verb} a {noun} of a project. And more words."),
            )
        })
    };
    nouns.into_iter().flat_map(each).collect()
}

fn submit(agent: &mut Agent, text: &str) -> Vec<Effect> {
    agent.handle(Input::Submitted {
        text: text.into(),
        files: vec![],
    })
}

fn request(effects: &[Effect]) -> &ModelRequest {
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Generate(request) => Some(&**request),
            _ => None,
        })
        .expect("a generation")
}

fn user(request: &ModelRequest) -> &str {
    let last = request
        .messages
        .iter()
        .rev()
        .find_map(|message| match message {
            Message::User { text } => Some(text.as_str()),
            _ => None,
        });
    last.expect("a message")
}

fn system(request: &ModelRequest) -> &Message {
    &request.messages[0]
}

#[test]
fn the_system_text_is_the_same_whichever_servers_are_up() {
    let mut bare = agent(Mode::Ask);
    let mut with = agent(Mode::Ask);
    with.handle(Input::Tools(vec![foreign(
        "docs",
        "search",
        "Searches. More.",
    )]));
    let (bare, with) = (
        submit(&mut bare, "What is it?"),
        submit(&mut with, "What is it?"),
    );
    let (bare, with) = (request(&bare), request(&with));
    assert_eq!(system(bare), system(with));
    assert!(
        user(with).contains("- docs__search(id?): Searches."),
        "{}",
        user(with)
    );
    assert!(!user(with).contains("More."), "{}", user(with));
    // A template lists what it listed before; the call is possible all the same.
    assert_eq!(with.unlisted, 1);
    assert_eq!(
        with.tools.last().map(|tool| tool.name.as_str()),
        Some("docs__search")
    );
}

#[test]
fn tools_that_come_in_a_turn_wait_for_its_end_and_change_nothing_that_was_said() {
    let mut agent = agent(Mode::Ask);
    let effects = submit(&mut agent, "What is it?");
    let first = request(&effects).clone();
    agent.handle(Input::Tools(vec![foreign("late", "go", "Goes.")]));
    assert!(agent.tools.iter().all(|tool| tool.server != "late"));
    agent.handle(Input::Model {
        generation: first.id,
        event: ModelEvent::Done {
            raw: "It is that.".into(),
            finish: crate::protocol::Finish::Stop,
            usage: crate::protocol::Usage::default(),
        },
    });
    let effects = submit(&mut agent, "And this?");
    let second = request(&effects);
    assert_eq!(second.messages[..first.messages.len()], first.messages);
    assert!(user(second).contains("late__go"));
    let names: Vec<&str> = second.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"late__go"));
}

#[test]
fn a_server_with_eighty_tools_stays_inside_the_budget_and_its_tools_are_found() {
    let mut agent = agent(Mode::Ask);
    agent.handle(Input::Tools(many()));
    let effects = submit(&mut agent, "How do I make a label?");
    let first = request(&effects);
    assert!(user(first).len() < 400, "{}", user(first));
    assert!(user(first).contains("hub (80 tools)"));
    let names: Vec<&str> = first.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(
        names.contains(&FIND) && !names.iter().any(|name| name.starts_with("hub")),
        "{names:?}"
    );
    let found = agent.find_tools(&with_query("creating labels"));
    let text = found.for_model();
    assert!(
        found.is_done()
            && text
                .lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("- hub__create_label(id?)")),
        "{text}"
    );
    assert!(text.contains("id: Which one."));
    assert!(
        agent
            .tools
            .iter()
            .any(|tool| tool.name == "hub__create_label")
    );
    // A second search brings others as well, and one that fits better is not passed over for them.
    let before = agent.tools.len();
    let again = agent.find_tools(&with_query("create label"));
    let first = again.for_model().lines().nth(1).unwrap_or_default();
    assert!(first.starts_with("- hub__create_label("), "{again:?}");
    assert!(agent.tools.len() > before, "{again:?}");
    assert!(!agent.find_tools(&with_query("xylophone")).is_done());
    // What is found already is not said to be missing when nothing else fits.
    agent.deferred.clear();
    let known = agent.find_tools(&with_query("create label"));
    assert!(
        known.is_done() && known.for_model().contains("- hub__create_label(id?)"),
        "{}",
        known.for_model()
    );
}

fn with_query(query: &str) -> Map<String, Value> {
    Map::from_iter([("query".to_owned(), json!(query))])
}

#[test]
fn a_search_is_answered_by_the_agent_and_the_call_comes_back_to_the_model() {
    let mut agent = agent(Mode::Ask);
    agent.handle(Input::Tools(many()));
    let effects = submit(&mut agent, "How do I make a label?");
    let id = request(&effects).id;
    let mut effects = agent.handle(Input::Model {
        generation: id,
        event: ModelEvent::Call {
            name: FIND.into(),
            arguments: with_query("create label"),
        },
    });
    effects.extend(agent.handle(Input::Model {
        generation: id,
        event: ModelEvent::Done {
            raw: "call".into(),
            finish: crate::protocol::Finish::Call,
            usage: crate::protocol::Usage::default(),
        },
    }));
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. }))
    );
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Emit(Event::CallFinished {
            outcome: Outcome::Done { .. },
            ..
        })
    )));
    assert!(
        request(&effects)
            .tools
            .iter()
            .any(|tool| tool.name == "hub__create_label")
    );
}

#[test]
fn a_session_that_goes_on_is_not_told_twice() {
    let mut agent = agent(Mode::Ask);
    let tools = vec![foreign("docs", "search", "Searches.")];
    agent.handle(Input::Tools(tools.clone()));
    submit(&mut agent, "What is it?");
    let memory = super::super::Memory {
        messages: agent.messages.clone(),
        ..super::super::Memory::default()
    };
    let mut resumed = Agent::restore(super::super::Settings::default(), memory);
    resumed.handle(Input::ModelReady(info()));
    resumed.handle(Input::Tools(tools));
    assert!(resumed.aside.is_empty(), "{:?}", resumed.aside);
    assert_eq!(info().tools, ToolList::Text);
}

#[test]
fn a_tool_that_the_user_says_to_call_by_its_name_is_called_and_need_not_be_looked_for() {
    use crate::protocol::ToolChoice;
    let choice = |message: &str| {
        let mut agent = agent(Mode::Ask);
        agent.handle(Input::Tools(many()));
        agent.handle(Input::Tools(vec![foreign("docs", "search", "Searches.")]));
        let effects = submit(&mut agent, message);
        let request = request(&effects);
        (request.choice.clone(), user(request).to_owned())
    };
    let required = |name: &str| ToolChoice::Required {
        names: vec![name.to_owned()],
    };
    for message in [
        "Call the tool create_label with id 7.",
        "please use `hub__create_label`",
        "Run hub.create_label now",
    ] {
        let (choice, said) = choice(message);
        assert_eq!(choice, required("hub__create_label"), "{message}");
        assert!(said.contains("- hub__create_label(id?)"), "{said}");
    }
    assert_eq!(
        choice("Use the search tool for owls.").0,
        required("docs__search")
    );
    for message in [
        "Use search for owls.",
        "What does the tool create_label do?",
        "Call me Ada.",
    ] {
        let (choice, _) = choice(message);
        assert!(
            !matches!(choice, ToolChoice::Required { .. }),
            "{message}: {choice:?}"
        );
    }
}

#[test]
fn a_request_in_a_tool_s_words_is_shown_that_tool_and_no_other_request_is() {
    let shown = |text: &str| {
        let mut agent = agent(Mode::Auto);
        agent.handle(Input::Tools(many()));
        let effects = submit(&mut agent, text);
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::Generate(request) => Some(user(request).to_owned()),
            _ => None,
        });
        asked.filter(|asked| asked.contains("[Tools for this"))
    };
    let told = shown("Create a label `wont fix` in the project.").expect("it is shown");
    let first = told
        .lines()
        .skip_while(|line| !line.starts_with("[Tools for this"))
        .nth(1);
    assert!(
        first.is_some_and(|line| line.starts_with("- hub__create_label(id?)")),
        "{told}"
    );
    for text in [
        "Fix the bug in the login page.",
        "Make the tests pass.",
        "What does `create_label` do?",
        "Add a retry to the client of the hub",
    ] {
        assert_eq!(shown(text), None, "{text}");
    }
}

#[test]
fn a_call_that_is_written_as_words_is_asked_for_once_more_as_a_call() {
    let mut agent = agent(Mode::Auto);
    agent.handle(Input::Model {
        generation: crate::protocol::GenerationId(0),
        event: ModelEvent::Loaded { info: info() },
    });
    agent.handle(Input::Tools(many()));
    let effects = submit(&mut agent, "Create a label `wont fix` in the project.");
    let first = request(&effects).id;
    let said = "hub__create_label(\"wont fix\")";
    let mut out = agent.handle(Input::Model {
        generation: first,
        event: ModelEvent::Text { text: said.into() },
    });
    out.extend(agent.handle(Input::Model {
        generation: first,
        event: ModelEvent::Done {
            raw: said.into(),
            finish: crate::protocol::Finish::Stop,
            usage: crate::protocol::Usage::default(),
        },
    }));
    assert_eq!(
        request(&out).choice,
        crate::protocol::ToolChoice::Required {
            names: vec!["hub__create_label".to_owned()]
        }
    );
}

#[test]
fn one_that_says_it_is_done_and_called_nothing_is_asked_for_its_call_once() {
    let mut agent = agent(Mode::Auto);
    agent.handle(Input::Tools(many()));
    let effects = submit(&mut agent, "Create a label `wont fix` in the project.");
    let done = |agent: &mut Agent, id| {
        agent.handle(Input::Model {
            generation: id,
            event: ModelEvent::Done {
                raw: "Done.".into(),
                finish: crate::protocol::Finish::Stop,
                usage: crate::protocol::Usage::default(),
            },
        })
    };
    let out = done(&mut agent, request(&effects).id);
    let crate::protocol::ToolChoice::Required { names } = &request(&out).choice else {
        panic!("{out:?}");
    };
    assert_eq!(names[0], "hub__create_label");
}
