//! The shell around the UI of lines.

use std::io::{self, BufRead as _, Write as _};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{Sender, UnboundedReceiver, unbounded_channel},
};

use crate::protocol::{Event, Op, sanitize};

use super::super::run::{Exit, Options, TuiError};
use super::Plain;

/// Runs the UI of lines until the user leaves, a signal comes, or the session ends.
///
/// # Errors
/// When standard output is gone.
pub async fn run_plain(
    ops: Sender<Op>,
    mut events: UnboundedReceiver<Event>,
    options: Options,
) -> Result<Exit, TuiError> {
    let mut plain = Plain::default();
    for event in &options.replay {
        plain.hear(event);
    }
    let earlier = plain.earlier();
    if earlier > 0 {
        say(&[format!(
            "an earlier session with {earlier} messages and calls"
        )])?;
    }
    let (lines, mut entered) = unbounded_channel();
    // Blocks in `read`, so it cannot be asked to end; it does with the next line once nobody listens.
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        })?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stopping = false;
    prompt(&plain)?;
    let exit = loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break Exit::Signal,
            _ = interrupt.recv() => {
                // Once stops the turn, twice leaves.
                if std::mem::replace(&mut stopping, true) {
                    break Exit::Quit;
                }
                say(&["stopping; again leaves".to_owned()])?;
                let _ = ops.send(Op::Interrupt).await;
            }
            event = events.recv() => {
                let Some(event) = event else { break Exit::SessionEnded };
                if event == Event::SessionEnded {
                    break Exit::SessionEnded;
                }
                let said = plain.hear(&event);
                if !said.is_empty() {
                    say(&said)?;
                    prompt(&plain)?;
                }
            }
            line = entered.recv() => {
                // The end of the input leaves, as Ctrl-D does.
                let Some(line) = line else { break Exit::Quit };
                stopping = false;
                let done = plain.entered(&line);
                if done.quit {
                    break Exit::Quit;
                }
                if line.trim().is_empty() && done.said.is_empty() {
                    say(&[plain.state().to_owned()])?;
                }
                say(&done.said)?;
                for op in done.ops {
                    if ops.send(op).await.is_err() {
                        break;
                    }
                }
                prompt(&plain)?;
            }
        }
    };
    if exit != Exit::SessionEnded {
        let _ = ops.send(Op::Shutdown).await;
    }
    Ok(exit)
}

fn say(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        // Over what stands before the line that is entered: it comes again.
        writeln!(out, "\r{}", sanitize(line))?;
    }
    out.flush()
}

fn prompt(plain: &Plain) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "\r{}", sanitize(plain.prompt()))?;
    out.flush()
}
