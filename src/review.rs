//! `walden review`: a review without a terminal, as text, JSON or SARIF.

mod sarif;

use std::io::{self, Write};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{ExitCode, UserError};
use crate::protocol::{
    EndReason, Event, Finding, Op, ReviewNews, ReviewTarget, Severity, harmless_json, sanitize_line,
};
use crate::session::Handle;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line for each, with what to do beneath it.
    Text,
    /// One JSON object.
    Json,
    /// A SARIF 2.1.0 log, as code hosts and editors read it.
    Sarif,
}

/// What is reviewed, and how it is told.
#[derive(Debug, Clone)]
pub struct Request {
    pub target: ReviewTarget,
    pub form: Form,
    /// The least severity that makes the run fail; `None` for none.
    pub fail_on: Option<Severity>,
}

/// What a review came to.
#[derive(Debug, Default)]
struct Told {
    findings: Vec<Finding>,
    left_out: Vec<(String, String)>,
    pieces: u32,
    files: u32,
}

/// Runs a review and returns how it ended.
///
/// # Errors
/// When the change cannot be read, the model cannot be loaded, or the output cannot be written.
pub async fn run(
    mut handle: Handle,
    request: Request,
    out: &mut dyn Write,
    log: &mut dyn Write,
) -> Result<ExitCode, UserError> {
    let closed = || {
        UserError::failure("the session ended before the review did")
            .hint("run it again with WALDEN_LOG=debug")
    };
    let target = request.target.clone();
    handle
        .ops
        .send(Op::Review { target })
        .await
        .map_err(|_| closed())?;
    let mut interrupted = signal(SignalKind::interrupt())
        .map_err(|error| UserError::failure(format!("cannot listen for interrupts: {error}")))?;
    let mut told = Told::default();
    let reason = loop {
        let event = tokio::select! {
            event = handle.events.recv() => event.ok_or_else(closed)?,
            _ = interrupted.recv() => {
                let _ = handle.ops.send(Op::Interrupt).await;
                continue;
            }
        };
        match event {
            Event::Reviewed { news } => {
                note(&mut told, news, log).map_err(UserError::from_error)?;
            }
            Event::ModelFailed { failure } => {
                let _ = handle.ops.send(Op::Shutdown).await;
                return Err(UserError::failure(failure.to_string()));
            }
            Event::TurnEnded { summary, .. } => break summary.reason,
            _ => {}
        }
    };
    let _ = handle.ops.send(Op::Shutdown).await;
    while handle.events.recv().await.is_some() {}
    let _ = handle.task.await;
    if let EndReason::Failed { message } = reason {
        return Err(UserError::failure(message)
            .hint("`--staged`, `--base REV` and `--commit REV` name another change"));
    }
    told.findings.sort_by(|a, b| {
        (std::cmp::Reverse(a.severity), &a.path, a.from).cmp(&(
            std::cmp::Reverse(b.severity),
            &b.path,
            b.from,
        ))
    });
    print(&request, &told, &reason, out).map_err(UserError::from_error)?;
    Ok(exit_code(&request, &told, &reason))
}

fn exit_code(request: &Request, told: &Told, reason: &EndReason) -> ExitCode {
    let severe = |least: Severity| told.findings.iter().any(|found| found.severity >= least);
    match reason {
        EndReason::Interrupted => ExitCode::Interrupted,
        _ if request.fail_on.is_some_and(severe) => ExitCode::Findings,
        EndReason::Budget { .. } => ExitCode::Budget,
        _ => ExitCode::Success,
    }
}

/// Takes news in, and says on the log what is being done.
fn note(told: &mut Told, news: ReviewNews, log: &mut dyn Write) -> io::Result<()> {
    match news {
        ReviewNews::Read {
            files,
            pieces,
            left_out,
            ..
        } => {
            (told.files, told.pieces) = (files, pieces);
            for (path, reason) in &left_out {
                writeln!(log, "· {} is left out: {reason}", sanitize_line(path))?;
            }
            told.left_out.extend(left_out);
            Ok(())
        }
        ReviewNews::Looking { piece, path } => writeln!(
            log,
            "· looking at {} (piece {piece} of {})",
            sanitize_line(&path),
            told.pieces
        ),
        ReviewNews::Found { finding } => {
            told.findings.push(finding);
            Ok(())
        }
        ReviewNews::Missed { path, reason } => {
            writeln!(
                log,
                "! {} was not looked at: {reason}",
                sanitize_line(&path)
            )?;
            told.left_out.push((path, reason));
            Ok(())
        }
    }
}

fn print(
    request: &Request,
    told: &Told,
    reason: &EndReason,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_whole = *reason == EndReason::Answered;
    match request.form {
        Form::Text => text(told, is_whole, out)?,
        Form::Json => {
            let left_out: Vec<_> = told
                .left_out
                .iter()
                .map(|(path, reason)| json!({"path": path, "reason": reason}))
                .collect();
            let review = json!({
                "target": request.target.to_string(),
                "complete": is_whole,
                "files": told.files,
                "pieces": told.pieces,
                "left_out": left_out,
                "findings": told.findings,
            });
            writeln!(
                out,
                "{}",
                harmless_json(&serde_json::to_string_pretty(&review)?)
            )?;
        }
        Form::Sarif => {
            let log = serde_json::to_string_pretty(&sarif::log(&told.findings, is_whole))?;
            writeln!(out, "{}", harmless_json(&log))?;
        }
    }
    out.flush()
}

fn text(told: &Told, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &told.findings {
        writeln!(
            out,
            "{}:{}: {}: {}",
            sanitize_line(&finding.path),
            finding.from,
            finding.severity.name(),
            sanitize_line(&finding.title)
        )?;
        writeln!(out, "    {}", sanitize_line(&finding.explanation))?;
        if !finding.suggestion.is_empty() {
            writeln!(out, "    → {}", sanitize_line(&finding.suggestion))?;
        }
    }
    if is_whole && told.pieces == 0 && told.left_out.is_empty() {
        return writeln!(out, "there is no change to review");
    }
    let found = match told.findings.len() {
        0 => "nothing was found".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let files = match told.files {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let end = if is_whole {
        ""
    } else {
        "; the review was not finished"
    };
    writeln!(out, "{found} in {files}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Finding {
        Finding {
            path: "a.py".into(),
            from: 3,
            to: 3,
            severity,
            title: "it \u{1b}[31mbreaks".into(),
            explanation: "when x is 0".into(),
            suggestion: String::new(),
            votes: 2,
            passes: 3,
        }
    }

    fn request(form: Form, fail_on: Option<Severity>) -> Request {
        Request {
            target: ReviewTarget::Uncommitted,
            form,
            fail_on,
        }
    }

    fn printed(form: Form, reason: &EndReason) -> String {
        let told = Told {
            findings: vec![finding(Severity::Warning)],
            left_out: vec![("Cargo.lock".into(), "it is no code".into())],
            pieces: 2,
            files: 2,
        };
        let mut out = Vec::new();
        print(&request(form, None), &told, reason, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_exit_code_tells_whether_something_severe_was_found() {
        let told = Told {
            findings: vec![finding(Severity::Warning)],
            ..Told::default()
        };
        let code =
            |fail_on, reason: &EndReason| exit_code(&request(Form::Text, fail_on), &told, reason);
        let done = EndReason::Answered;
        assert_eq!(code(Some(Severity::Error), &done), ExitCode::Success);
        assert_eq!(code(Some(Severity::Warning), &done), ExitCode::Findings);
        assert_eq!(code(Some(Severity::Note), &done), ExitCode::Findings);
        assert_eq!(code(None, &done), ExitCode::Success);
        assert_eq!(code(None, &EndReason::Interrupted), ExitCode::Interrupted);
        let spent = EndReason::Budget {
            what: "token".into(),
        };
        assert_eq!(code(None, &spent), ExitCode::Budget);
    }

    #[test]
    fn findings_are_printed_as_compilers_print_them_and_cannot_steer_the_terminal() {
        let text = printed(Form::Text, &EndReason::Answered);
        assert!(text.starts_with("a.py:3: warning: it "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("1 finding in 2 files\n"), "{text}");
        let cut = printed(Form::Text, &EndReason::Interrupted);
        assert!(cut.ends_with("the review was not finished\n"), "{cut}");
    }

    #[test]
    fn json_and_sarif_say_the_same() {
        let json: serde_json::Value =
            serde_json::from_str(&printed(Form::Json, &EndReason::Answered)).unwrap();
        assert_eq!(json["findings"][0]["from"], 3);
        assert_eq!(json["complete"], true);
        let sarif: serde_json::Value =
            serde_json::from_str(&printed(Form::Sarif, &EndReason::Interrupted)).unwrap();
        let run = &sarif["runs"][0];
        assert_eq!(run["results"][0]["level"], "warning");
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a.py");
        assert_eq!(place["region"]["startLine"], 3);
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }
}
