//! The UI as lines: no other screen, nothing redrawn, every question a line that waits for a line. For screen readers,
//! for terminals that can do nothing, and for whoever wants the session in their scrollback.

mod form;
mod live;
mod run;

pub use run::run_plain;

use crate::protocol::{
    Answer, CallState, Decision, Event, FileChange, Item, Level, LineKind, Mode, Modes, Op,
    Outcome, QuestionId, QuestionKind, Scope, SearchNews, Transcript, TurnState, sanitize,
    sanitize_line,
};

use super::commands::{self, COMMANDS, Command};
use form::Form;
use live::Live;

/// Lines of a call's output, and of a change, that are read out at most.
const MOST_OUTPUT: usize = 12;
const MOST_CHANGE: usize = 200;

/// What the next line that is entered answers.
#[derive(Debug, Default)]
enum Waiting {
    /// A message or a command.
    #[default]
    Message,
    Decision(crate::protocol::CallId),
    Question(QuestionId),
    Form(Form),
}

/// The state of the UI.
#[derive(Debug, Default)]
pub(super) struct Plain {
    transcript: Transcript,
    waiting: Waiting,
    /// The beginning of a line that the model has not ended.
    part: String,
    /// How far the reading of the prompt was when it was last told, in tenths.
    told: u32,
    live: Live,
}

/// What a line that was entered comes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Done {
    pub said: Vec<String>,
    pub ops: Vec<Op>,
    pub quit: bool,
}

impl Done {
    fn say(line: impl Into<String>) -> Self {
        Self {
            said: vec![line.into()],
            ..Self::default()
        }
    }

    fn send(op: Op) -> Self {
        Self {
            ops: vec![op],
            ..Self::default()
        }
    }
}

impl Plain {
    /// Takes an event in, and returns the lines to say.
    pub(super) fn hear(&mut self, event: &Event) -> Vec<String> {
        self.transcript.apply(event);
        let mut out = Vec::new();
        if !matches!(event, Event::Text { .. } | Event::Reasoning { .. }) {
            self.end_line(&mut out);
        }
        match event {
            Event::SessionStarted { root, mode, .. } => {
                out.push(format!("walden works in {}", sanitize_line(root)));
                out.push(format!("mode {mode}: {}", mode.meaning()));
                out.push(
                    "write a message and press Enter; /help lists what else there is".to_owned(),
                );
            }
            Event::ModelLoaded { info } => {
                out.push(format!("the model {} is loaded", sanitize_line(&info.name)));
            }
            Event::ModelFailed { failure } => {
                let text = format!("error: {failure}");
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                out.extend(lines.map(sanitize_line));
            }
            Event::ModeChanged { mode } => out.push(format!("mode {mode}: {}", mode.meaning())),
            Event::Queued { .. } => out.push("your message waits for the turn to end".to_owned()),
            Event::TurnStarted { turn, .. } => {
                self.told = 0;
                out.push(format!("turn {turn} begins"));
            }
            Event::PromptProgressed { done, total, .. } => {
                let tenths = (u64::from(*done) * 10)
                    .checked_div(u64::from(*total))
                    .unwrap_or(0) as u32;
                // A line for each report would talk over everything else.
                if *total > 2_000 && tenths >= self.told + 3 && tenths < 10 {
                    self.told = tenths;
                    out.push(format!("reading, {tenths}0 percent"));
                }
            }
            Event::Text { text } => self.text(text, &mut out),
            // What is tried is told of once it begins, and once it is over.
            Event::CallProposed { call, .. } if self.transcript.search_of(call.id).is_some() => {}
            Event::CallProgressed { call, .. } | Event::CallFinished { call, .. }
                if self.transcript.search_of(*call).is_some() => {}
            Event::Searched {
                news: SearchNews::Began { .. } | SearchNews::Ended { .. },
            } => {
                let search = self.transcript.items.iter().rev();
                let mut searches = search.filter_map(|item| match item {
                    Item::Search { search } => Some(search.sentence()),
                    _ => None,
                });
                out.extend(searches.next().map(|said| sanitize_line(&said)));
            }
            Event::CallProposed { call, .. } => {
                let server = sanitize_line(&call.server);
                out.push(format!("call: {} ({server})", sanitize_line(&call.title())));
            }
            Event::ApprovalRequested {
                call,
                reason,
                change,
                ask,
            } => {
                self.waiting = Waiting::Decision(*call);
                out.push(format!("this asks because {}", sanitize_line(reason)));
                let files = change.iter().flat_map(FileChange::shown);
                out.extend(files.flat_map(changed));
                let command = ask.iter().flat_map(|ask| &ask.command);
                let words: Vec<String> = command.map(|word| sanitize_line(word)).collect();
                if !words.is_empty() {
                    out.push(format!("it runs: {}", words.join(" ")));
                }
                if let Some(confined) = ask.as_ref().and_then(|ask| ask.confined.as_ref()) {
                    out.push(format!("confined to {}", sanitize_line(confined)));
                }
                let answers = match ask.as_ref().is_some_and(|ask| ask.is_once_for_all()) {
                    true => "allow? y: for the session, n: no, not in this session",
                    false => {
                        "allow? y: once, a: this tool for the session, n: no, or n and why not"
                    }
                };
                out.push(answers.to_owned());
            }
            Event::CallProgressed { call, text } => self.live.read(*call, text, &mut out),
            Event::CallFinished { call, outcome } => {
                if matches!(&self.waiting, Waiting::Decision(asked) if asked == call) {
                    self.waiting = Waiting::Message;
                }
                out.extend(finished(outcome));
            }
            Event::ChangeApplied { change, .. } if !change.is_moved_away() => {
                out.push(format!("changed {}", told(change)));
            }
            Event::Asked { .. } | Event::Answered { .. } => {}
            Event::ChangesUndone { undone, .. } => out.extend(undone.iter().map(|file| {
                let path = sanitize_line(&file.path);
                match &file.refused {
                    None => format!("put back {path}"),
                    Some(why) => format!("left {path} alone: {}", sanitize_line(why)),
                }
            })),
            Event::Notice { level, text } => {
                let word = match level {
                    Level::Info => "note",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                out.extend(sanitize(text).lines().map(|line| format!("{word}: {line}")));
            }
            Event::PlanChanged { plan: Some(plan) } => {
                out.extend(super::planning::told(plan));
            }
            Event::TurnEnded { summary, .. } => {
                self.waiting = Waiting::Message;
                out.push(format!("done. {}", sanitize_line(&summary.sentence())));
            }
            _ => {}
        }
        self.meet_question(&mut out);
        // What joins letters stands in its place or not only beside the words that are put around it.
        out.iter().map(|line| sanitize(line)).collect()
    }

    /// Returns what stands before the line that is entered.
    pub(super) fn prompt(&self) -> &'static str {
        match self.waiting {
            Waiting::Message => "> ",
            Waiting::Decision(_) | Waiting::Question(_) => "answer> ",
            Waiting::Form(_) => "value> ",
        }
    }

    /// Takes a line that was entered.
    pub(super) fn entered(&mut self, line: &str) -> Done {
        let mut done = self.taken(line);
        done.said.iter_mut().for_each(|line| *line = sanitize(line));
        done
    }

    fn taken(&mut self, line: &str) -> Done {
        let text = line.trim();
        match &mut self.waiting {
            Waiting::Decision(call) => {
                let call = *call;
                let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
                let reason = Some(rest.trim().to_owned()).filter(|reason| !reason.is_empty());
                let decision = match word {
                    "y" => Decision::Allow { scope: Scope::Once },
                    "a" => Decision::Allow {
                        scope: Scope::Session,
                    },
                    "n" => Decision::Deny { reason },
                    "/stop" => return Done::send(Op::Interrupt),
                    _ => return Done::say("y, a, n, or /stop to stop the turn"),
                };
                self.waiting = Waiting::Message;
                Done::send(Op::Decide { call, decision })
            }
            Waiting::Question(question) => {
                let question = *question;
                let answer = match text {
                    "y" => Answer::Accept {
                        values: serde_json::Map::new(),
                        text: None,
                    },
                    "n" => Answer::Decline,
                    "c" => Answer::Cancel,
                    _ => return Done::say("y: yes, n: no, c: cancel"),
                };
                self.waiting = Waiting::Message;
                Done::send(Op::Answer { question, answer })
            }
            Waiting::Form(form) => {
                let question = form.question;
                match form.entered(text) {
                    form::Next::Say(said) => Done {
                        said,
                        ..Done::default()
                    },
                    form::Next::Answer(answer) => {
                        self.waiting = Waiting::Message;
                        Done::send(Op::Answer { question, answer })
                    }
                }
            }
            Waiting::Message => self.message(line),
        }
    }

    fn message(&mut self, line: &str) -> Done {
        if line.trim().is_empty() {
            return Done::default();
        }
        let Some((word, argument)) = commands::parse(line.trim_end()) else {
            return Done::send(Op::Submit {
                text: line.trim().to_owned(),
            });
        };
        if word == "stop" {
            return Done::send(Op::Interrupt);
        }
        match commands::find(word).map(|entry| entry.command) {
            Some(Command::Quit) => Done {
                quit: true,
                ..Done::default()
            },
            Some(Command::Undo) => Done::send(Op::Undo),
            Some(Command::Plan) => self.plan(argument),
            // Messages like any other: the agent needs no model for them.
            Some(command @ (Command::Rename | Command::Move)) => {
                let verb = match command {
                    Command::Rename => "Rename",
                    _ => "Move",
                };
                match argument.split_whitespace().collect::<Vec<_>>()[..] {
                    [what, to] => Done::send(Op::Submit {
                        text: format!("{verb} `{what}` to `{to}`."),
                    }),
                    _ => Done::say(format!(
                        "/{word} takes two words: what, and what it becomes"
                    )),
                }
            }
            Some(Command::Mode) => match Mode::ALL.into_iter().find(|mode| mode.name() == argument)
            {
                Some(mode) => Done::send(Op::SetMode { mode }),
                None => Done::say("modes are plan, ask, edit and auto"),
            },
            Some(Command::Help) => {
                Done {
                    said: ["/stop: stop the turn".to_owned()]
                        .into_iter()
                        .chain(COMMANDS.iter().filter(|entry| is_here(entry.command)).map(
                            |entry| {
                                let call = format!("/{} {}", entry.name, entry.argument);
                                format!("{}: {}", call.trim_end(), entry.help)
                            },
                        ))
                        .collect(),
                    ..Done::default()
                }
            }
            Some(_) => Done::say(format!(
                "/{word} needs the screen; start walden without --plain for it"
            )),
            None => Done::say(format!("no command /{word}; /help lists those there are")),
        }
    }

    /// Looks at the plan, starts it, or changes it.
    fn plan(&self, argument: &str) -> Done {
        let Some(plan) = &self.transcript.plan else {
            return Done::say("there is no plan; /mode plan, then say what is to be done");
        };
        match super::planning::parse(plan, argument) {
            Ok(super::planning::Meant::Op(op)) => Done::send(op),
            Ok(super::planning::Meant::Show) => Done {
                said: super::planning::told(plan),
                ..Done::default()
            },
            Ok(super::planning::Meant::Edit) => {
                Done::say("an editor needs the screen; /plan 2 TEXT changes a step")
            }
            Err(problem) => Done::say(problem),
        }
    }

    /// Says what is being done, for whoever asks with an empty line.
    pub(super) fn state(&self) -> &'static str {
        match self.transcript.turn {
            TurnState::Idle => "nothing runs",
            TurnState::Reading { .. } => "the model is reading",
            TurnState::Writing | TurnState::Drafting { .. } => "the model is writing",
            TurnState::Calling => "a call is running",
            TurnState::Asking(_) => "a call waits for your decision",
        }
    }

    fn meet_question(&mut self, out: &mut Vec<String>) {
        let open = self.transcript.questions.first();
        let here = match &self.waiting {
            Waiting::Question(id) => Some(*id),
            Waiting::Form(form) => Some(form.question),
            Waiting::Message => None,
            Waiting::Decision(_) => return,
        };
        if here == open.map(|question| question.id) {
            return;
        }
        self.waiting = Waiting::Message;
        let Some(question) = open else {
            return;
        };
        let server = sanitize_line(&question.server);
        self.waiting = Waiting::Question(question.id);
        match &question.kind {
            QuestionKind::Form { message, fields } => {
                out.push(format!(
                    "the server {server} asks: {}",
                    sanitize_line(message)
                ));
                let form = Form::new(question.id, fields);
                out.push(
                    "a value for each; empty leaves it, /decline says no, /cancel closes it"
                        .to_owned(),
                );
                out.extend(form.ask());
                self.waiting = Waiting::Form(form);
            }
            QuestionKind::Page { message, url } => {
                out.push(format!(
                    "the server {server} asks you to open a page: {}",
                    sanitize_line(message)
                ));
                out.push(format!("address: {}", sanitize_line(url)));
                out.extend(
                    super::asked::warnings(url)
                        .into_iter()
                        .map(|warning| format!("warning: {warning}")),
                );
                out.push("walden opens nothing. y: you open it, n: no, c: cancel".to_owned());
            }
            QuestionKind::Prompt {
                system, messages, ..
            } => {
                out.push(format!(
                    "the server {server} wants the model to answer this:"
                ));
                out.extend(
                    system
                        .iter()
                        .map(|text| format!("system: {}", sanitize_line(text))),
                );
                for (who, text) in messages {
                    out.push(format!("{}: {}", sanitize_line(who), sanitize_line(text)));
                }
                out.push("y: let it, n: no, c: cancel".to_owned());
            }
            QuestionKind::Definition { title, text } => {
                out.push(format!("walden asks: {}", sanitize_line(title)));
                out.extend(sanitize(text).lines().map(str::to_owned));
                out.push("y: trust it as it is, n: do not use it, c: ask later".to_owned());
            }
            QuestionKind::Completion { text } => {
                out.push(format!("the model wrote this for the server {server}:"));
                out.extend(sanitize(text).lines().map(str::to_owned));
                out.push("y: give it to the server, n: no, c: cancel".to_owned());
            }
        }
    }

    /// Says whole lines: a line that grows is read out again and again.
    fn text(&mut self, text: &str, out: &mut Vec<String>) {
        self.part.push_str(text);
        while let Some(end) = self.part.find('\n') {
            let line: String = self.part.drain(..=end).collect();
            let line = sanitize_line(line.trim_end());
            if !line.is_empty() {
                out.push(line);
            }
        }
    }

    fn end_line(&mut self, out: &mut Vec<String>) {
        let rest = std::mem::take(&mut self.part);
        let rest = sanitize_line(rest.trim());
        if !rest.is_empty() {
            out.push(rest);
        }
    }

    /// Returns the transcript, for what a resumed session showed.
    pub(super) fn earlier(&self) -> usize {
        self.transcript
            .items
            .iter()
            .filter(|item| {
                matches!(
                    item,
                    Item::Call {
                        state: CallState::Finished { .. },
                        ..
                    } | Item::User { .. }
                )
            })
            .count()
    }
}

fn is_here(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::Mode
            | Command::Undo
            | Command::Plan
            | Command::Rename
            | Command::Move
            | Command::Quit
    )
}

fn finished(outcome: &Outcome) -> Vec<String> {
    let text = sanitize(outcome.for_model());
    let word = match outcome {
        Outcome::Done { .. } => "call done",
        Outcome::Failed { .. } => "call failed",
        Outcome::Invalid { .. } => "call not possible",
        Outcome::Denied { .. } => "call denied",
        Outcome::Cancelled => return vec!["call cancelled".to_owned()],
    };
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > MOST_OUTPUT {
        return vec![format!("{word}, {} lines of output", lines.len())];
    }
    std::iter::once(word.to_owned())
        .chain(lines.into_iter().map(str::to_owned))
        .collect()
}

/// Says what becomes of a file: its lines, its name, its permissions.
fn told(change: &FileChange) -> String {
    let mut text = sanitize_line(&change.path);
    if let Some(from) = &change.from {
        text.push_str(&format!(", moved from {}", sanitize_line(from)));
    }
    if let Some(modes) = change.modes {
        let Modes { before, after } = modes;
        text.push_str(&format!(", mode 100{before:03o} becomes 100{after:03o}"));
    }
    match change.keeps_content() {
        true => text.push_str(", content unchanged"),
        false => text.push_str(&format!(
            ": {} lines added, {} removed",
            change.added, change.removed
        )),
    }
    text
}

/// Reads a change out: which file, and each line with a word for what becomes of it.
fn changed(change: &FileChange) -> Vec<String> {
    let mut out = vec![format!("file {}", told(change))];
    out.extend(change.notes.iter().map(|note| sanitize_line(note)));
    for hunk in &change.hunks {
        out.push(format!("at line {}", hunk.new_start));
        for line in &hunk.lines {
            let text = sanitize_line(&line.text);
            match line.kind {
                LineKind::Added => out.push(format!("added: {text}")),
                LineKind::Removed => out.push(format!("removed: {text}")),
                LineKind::Context => {}
            }
        }
    }
    if out.len() > MOST_CHANGE {
        let more = out.len() - MOST_CHANGE;
        out.truncate(MOST_CHANGE);
        out.push(format!("and {more} more lines"));
    }
    out
}

#[cfg(test)]
mod tests;
