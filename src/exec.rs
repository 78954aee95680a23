//! `walden exec`: a session without a terminal.

mod answer;
#[cfg(test)]
mod hostile_tests;

use std::io::{self, Write};

use tokio::signal::unix::{SignalKind, signal};

use crate::door::Harmless;
use crate::error::{ExitCode, UserError};
use crate::protocol::{
    Answer, Ask, CallState, Decision, EndReason, Event, Item, Level, Op, Outcome, SearchNews,
    Transcript, TurnSummary, harmless_json, sanitize, sanitize_line,
};
use crate::session::Handle;

pub use answer::AnswerForm;

/// What is asked, and how the answer is told.
#[derive(Debug)]
pub struct Request {
    pub prompt: String,
    pub format: Format,
    /// The form that the answer is to have.
    pub answer: Option<AnswerForm>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The answer and the diffs on standard output, everything else on standard error.
    Text,
    /// Every event as a line of JSON on standard output.
    Json,
}

/// Runs one turn and returns how it ended.
///
/// An approval that the mode does not give is denied, and the model is told so.
///
/// # Errors
/// When the model cannot be loaded, or the output cannot be written.
pub async fn run(
    mut handle: Handle,
    request: Request,
    out: &mut dyn Write,
    log: &mut dyn Write,
) -> Result<ExitCode, UserError> {
    let Request {
        prompt,
        format,
        answer: form,
    } = request;
    let closed = || {
        UserError::failure("the session ended before the turn did")
            .hint("run it again with WALDEN_LOG=debug")
    };
    handle
        .ops
        .send(Op::Submit { text: prompt })
        .await
        .map_err(|_| closed())?;
    // One listener for the whole run: an interrupt that comes while an event is printed must not be lost.
    let mut interrupted = signal(SignalKind::interrupt())
        .map_err(|error| UserError::failure(format!("cannot listen for interrupts: {error}")))?;
    let mut transcript = Transcript::default();
    let mut printer = Printer::new(format, out, log, form.is_some());
    let mut given = None;
    let mut interrupts = 0;
    let summary = loop {
        let event = tokio::select! {
            event = handle.events.recv() => event.ok_or_else(closed)?,
            _ = interrupted.recv() => {
                interrupts += 1;
                if interrupts > 1 {
                    return Ok(ExitCode::Interrupted);
                }
                let _ = handle.ops.send(Op::Interrupt).await;
                continue;
            }
        };
        let event = match (event, &form) {
            (Event::AnswerGiven { answer }, Some(form)) => match form.take(&answer) {
                Ok(answer) => {
                    given = Some(answer.clone());
                    Event::AnswerGiven { answer }
                }
                Err(problem) => Event::Notice {
                    level: Level::Error,
                    text: format!("The answer does not fit its form: {problem}."),
                },
            },
            (event, _) => event,
        };
        transcript.apply(&event);
        printer
            .print(&event, &transcript)
            .map_err(UserError::from_error)?;
        match event {
            Event::ApprovalRequested { call, ask, .. } => {
                if let Some(ask) = ask {
                    printer.refuse(&ask).map_err(UserError::from_error)?;
                }
                let reason = "this run may not do that, and nobody is there to ask. Answer in words instead.";
                let decision = Decision::Deny {
                    reason: Some(reason.to_owned()),
                };
                let _ = handle.ops.send(Op::Decide { call, decision }).await;
            }
            Event::Asked { question } => {
                let op = Op::Answer {
                    question: question.id,
                    answer: Answer::Cancel,
                };
                let _ = handle.ops.send(op).await;
            }
            Event::ModelFailed { failure } => {
                let _ = handle.ops.send(Op::Shutdown).await;
                return Err(UserError::failure(failure.to_string()));
            }
            Event::TurnEnded { summary, .. } => break summary,
            _ => {}
        }
    };
    let _ = handle.ops.send(Op::Shutdown).await;
    while let Some(event) = handle.events.recv().await {
        printer
            .print(&event, &transcript)
            .map_err(UserError::from_error)?;
    }
    let _ = handle.task.await;
    Ok(match exit_code(&summary) {
        ExitCode::Success | ExitCode::NothingChanged if form.is_some() && given.is_none() => {
            ExitCode::NoAnswer
        }
        code => code,
    })
}

/// Says how a turn ended, as an exit code.
fn exit_code(summary: &TurnSummary) -> ExitCode {
    let denied = summary.denied > 0 && summary.changed.is_empty();
    match &summary.reason {
        EndReason::Failed { .. } => ExitCode::Failure,
        EndReason::Interrupted => ExitCode::Interrupted,
        // A model that keeps asking for what it was refused is refused, whatever ended the turn.
        _ if denied => ExitCode::Denied,
        EndReason::Budget { .. } => ExitCode::Budget,
        EndReason::Loop { .. } => ExitCode::Loop,
        EndReason::Answered if summary.denied > 0 => ExitCode::Denied,
        EndReason::Answered if summary.wanted_change && summary.changed.is_empty() => {
            ExitCode::NothingChanged
        }
        EndReason::Answered => ExitCode::Success,
    }
}

struct Printer<'a> {
    format: Format,
    out: Harmless<&'a mut dyn Write>,
    log: Harmless<&'a mut dyn Write>,
    /// The last thing on standard output was a piece of text without its line end.
    in_text: bool,
    /// Standard output is for the answer in its form alone.
    answers_in_form: bool,
}

impl<'a> Printer<'a> {
    fn new(
        format: Format,
        out: &'a mut dyn Write,
        log: &'a mut dyn Write,
        answers_in_form: bool,
    ) -> Self {
        Self {
            format,
            out: Harmless::new(out),
            log: Harmless::new(log),
            in_text: false,
            answers_in_form,
        }
    }

    /// Writes JSON as it is read back to the last letter, and nothing in it that acts.
    fn json(&mut self, json: &str) -> io::Result<()> {
        writeln!(self.out, "{}", harmless_json(json))?;
        self.out.flush()
    }

    fn print(&mut self, event: &Event, transcript: &Transcript) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(&serde_json::to_string(event)?),
            Format::Text => self.text(event, transcript),
        }
    }

    /// Says what would have been asked, and what would allow it.
    fn refuse(&mut self, ask: &Ask) -> io::Result<()> {
        if self.format == Format::Json {
            return Ok(());
        }
        writeln!(
            self.log,
            "? {}.{} asks because {}; in a run like this one {}",
            sanitize_line(&ask.server),
            sanitize_line(&ask.tool),
            sanitize_line(&ask.reason()),
            sanitize_line(&ask.allowed_by())
        )
    }

    fn text(&mut self, event: &Event, transcript: &Transcript) -> io::Result<()> {
        if let Event::Text { text } = event {
            self.in_text = true;
            // The door makes it harmless, and knows what stood before this piece.
            if self.answers_in_form {
                return write!(self.log, "{text}");
            }
            write!(self.out, "{text}")?;
            return self.out.flush();
        }
        let passing = matches!(
            event,
            Event::PromptProgressed { .. }
                | Event::CallDrafted { .. }
                | Event::ModelLoading { .. }
                | Event::Generated { .. }
        );
        if self.in_text && !passing {
            self.in_text = false;
            match self.answers_in_form {
                true => writeln!(self.log)?,
                false => writeln!(self.out)?,
            }
        }
        match event {
            Event::ModelLoaded { info } => {
                writeln!(self.log, "model: {}", sanitize_line(&info.title))
            }
            // One that is tried is no news for itself: what came of all of them is.
            Event::CallFinished { call, .. } if transcript.search_of(*call).is_some() => Ok(()),
            Event::Searched {
                news: SearchNews::Began { .. } | SearchNews::Ended { .. },
            } => {
                let search = transcript.items.iter().rev().find_map(|item| match item {
                    Item::Search { search } => Some(search.sentence()),
                    _ => None,
                });
                let sentence = search.unwrap_or_default();
                writeln!(self.log, "· {}", sanitize_line(&sentence))
            }
            Event::CallFinished { call, outcome } => {
                let title = transcript.items.iter().rev().find_map(|item| match item {
                    Item::Call {
                        call: shown,
                        state: CallState::Finished { .. },
                        ..
                    } if shown.id == *call => Some(shown.title()),
                    _ => None,
                });
                let title = sanitize_line(&title.unwrap_or_else(|| call.to_string()));
                match outcome {
                    Outcome::Done { .. } => writeln!(self.log, "· {title}"),
                    Outcome::Failed { text } | Outcome::Invalid { text } => {
                        writeln!(self.log, "✗ {title}: {}", sanitize_line(first_line(text)))
                    }
                    Outcome::Denied { reason } => {
                        writeln!(self.log, "⊘ {title}: {}", sanitize_line(first_line(reason)))
                    }
                    Outcome::Cancelled => writeln!(self.log, "✗ {title}: cancelled"),
                }
            }
            Event::AnswerGiven { answer } => self.json(&serde_json::to_string_pretty(answer)?),
            Event::ChangeApplied { change, .. } if self.answers_in_form => {
                write!(self.log, "{}", sanitize(&change.to_unified()))
            }
            Event::ChangeApplied { change, .. } => {
                write!(self.out, "{}", sanitize(&change.to_unified()))?;
                self.out.flush()
            }
            Event::Notice { level, text } => {
                let mark = match level {
                    Level::Info => "·",
                    Level::Warning => "!",
                    Level::Error => "✗",
                };
                writeln!(self.log, "{mark} {}", sanitize_line(text))
            }
            Event::PlanChanged { plan: Some(plan) } if !self.answers_in_form => {
                write!(self.out, "{}", sanitize(&plan.to_text()))?;
                self.out.flush()
            }
            Event::TurnEnded { summary, .. } => {
                let usage = &summary.usage;
                writeln!(
                    self.log,
                    "{} {} prompt tokens ({} from the cache), {} generated, {:.1} s.",
                    sanitize_line(&summary.sentence()),
                    usage.prompt,
                    usage.cached,
                    usage.generated,
                    f64::from(usage.prompt_ms + usage.generate_ms) / 1000.0
                )
            }
            _ => Ok(()),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
