//! Servers of others as the user meets them: the values of an address that is being written, and a login.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use walden::protocol::{CompletionOf, Event, Op, ServerAction, ServerReport, ServerState};
use walden::tui::{App, Cmd, Depth, Facts, Msg, Theme, view};

struct Desk {
    app: App,
    size: (u16, u16),
}

impl Desk {
    fn new(report: ServerReport, state: ServerState) -> Self {
        let theme = Theme::built_in_or_default("default", Depth::Ansi16);
        let size = (80, 24);
        let mut desk = Self {
            app: App::new(Facts::default(), theme, Vec::new(), size),
            size,
        };
        desk.told(Event::ServerChanged {
            server: report.name.clone(),
            state,
        });
        desk.told(Event::ServersReported {
            servers: vec![report],
        });
        desk
    }

    fn told(&mut self, event: Event) {
        let at = Duration::from_secs(1);
        self.app.update(Msg::Session { event, at });
    }

    fn key(&mut self, code: KeyCode) -> Vec<Cmd> {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        let at = Duration::from_secs(2);
        self.app.update(Msg::Key { key, at })
    }

    /// Writes a text, and returns what is sent to the session because of its last letter.
    fn write(&mut self, text: &str) -> Vec<Op> {
        let mut sent = Vec::new();
        for c in text.chars() {
            sent = ops(self.key(KeyCode::Char(c)));
        }
        sent
    }

    fn frame(&self) -> String {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| view(&self.app, frame))
            .expect("a frame");
        let buffer = terminal.backend().buffer().clone();
        let mut out = String::new();
        for y in 0..height {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn ops(commands: Vec<Cmd>) -> Vec<Op> {
    let ops = commands.into_iter().filter_map(|command| match command {
        Cmd::Send(op) => Some(op),
        _ => None,
    });
    ops.collect()
}

fn asks(argument: &str, begun: &str, given: &[(&str, &str)]) -> Op {
    Op::Complete {
        given: given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        server: "docs".to_owned(),
        of: of(argument),
        begun: begun.to_owned(),
    }
}

fn of(argument: &str) -> CompletionOf {
    CompletionOf::Template {
        uri: "note://{city}/{+page}.md".to_owned(),
        argument: argument.to_owned(),
    }
}

#[test]
fn an_address_with_variables_is_completed_as_it_is_written() {
    let report = ServerReport {
        name: "docs".to_owned(),
        templates: vec![("note://{city}/{+page}.md".to_owned(), "Notes.".to_owned())],
        ..ServerReport::default()
    };
    let mut desk = Desk::new(report, ServerState::Up { tools: 1 });
    desk.write("look at @docs:");
    assert!(
        desk.frame().contains("docs:note://{city}"),
        "{}",
        desk.frame()
    );
    // Of the address, what stands before the first variable is written; its values are asked for.
    let sent = ops(desk.key(KeyCode::Tab));
    assert!(sent.contains(&asks("city", "", &[])), "{sent:?}");
    assert!(
        desk.frame().contains("look at @docs:note://"),
        "{}",
        desk.frame()
    );
    let sent = desk.write("Pa");
    assert_eq!(sent.last(), Some(&asks("city", "Pa", &[])));
    let answer = |begun: &str, argument: &str, values: &[&str]| Event::Completed {
        server: "docs".to_owned(),
        of: of(argument),
        begun: begun.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    // A late answer to what was written before is of no use.
    desk.told(answer("", "city", &["Oslo"]));
    assert!(!desk.frame().contains("Oslo"), "{}", desk.frame());
    desk.told(answer("Pa", "city", &["Paris", "Palermo\u{1b}[31m"]));
    let frame = desk.frame();
    assert!(
        frame.contains("docs:note://Paris/") && frame.contains("docs:note://Palermo"),
        "{frame}"
    );
    assert!(!frame.contains('\u{1b}'), "{frame}");
    let sent = ops(desk.key(KeyCode::Tab));
    assert!(
        sent.contains(&asks("page", "", &[("city", "Paris")])),
        "{sent:?}"
    );
    desk.told(answer("", "page", &["food/bread"]));
    desk.key(KeyCode::Tab);
    let sent = ops(desk.key(KeyCode::Enter));
    let text = "look at @docs:note://Paris/food/bread.md";
    assert!(
        sent.iter()
            .any(|op| matches!(op, Op::Submit { text: sent } if sent.trim_end() == text)),
        "{sent:?}"
    );
}

#[test]
fn a_server_that_wants_a_login_says_so_and_a_key_begins_it() {
    let report = ServerReport {
        name: "docs".to_owned(),
        needs_login: true,
        ..ServerReport::default()
    };
    let down = ServerState::Down {
        reason: "`https://docs.example.com/mcp` asks for authorization".to_owned(),
    };
    let mut desk = Desk::new(report, down);
    desk.write("/servers");
    desk.key(KeyCode::Enter);
    let frame = desk.frame();
    assert!(
        frame.contains("docs  needs your login: l begins it"),
        "{frame}"
    );
    let sent = ops(desk.key(KeyCode::Char('l')));
    let login = Op::Server {
        server: "docs".to_owned(),
        action: ServerAction::LogIn,
    };
    assert!(sent.contains(&login), "{sent:?}");
}
