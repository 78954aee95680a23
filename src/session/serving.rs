//! What third-party servers bring about: their states, tools and questions, and what the model writes for them.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::attach;
use super::driver::Driver;
use crate::agent::Input;
use crate::mcp::{Completed, HostEvent, Sample, Speaker};
use crate::protocol::{
    CompletionOf, Event, GenerationId, Lane, Level, Message, ModelEvent, ModelRequest, Op,
    RequestId, Sampling, ToolChoice, ToolSpec, Usage,
};

/// Generations for servers are numbered from here on, apart from the conversation's own.
const SAMPLES: u64 = 1 << 62;

/// What the model wrote for a server, or why it wrote nothing.
pub(super) struct Sampled {
    request: RequestId,
    usage: Usage,
    took: Duration,
    reply: oneshot::Sender<Result<String, String>>,
    result: Result<String, String>,
}

/// A message with what it names of servers.
pub(super) struct Fetched {
    pub(super) text: String,
    pub(super) files: Vec<String>,
    /// What each attachment is, and its text.
    pub(super) attached: Vec<(String, String)>,
}

impl Driver {
    /// Takes something in that a third-party server brought about.
    pub(super) fn host_told(&mut self, event: HostEvent) {
        match event {
            HostEvent::Server { server, state } => {
                self.emit(Event::ServerChanged { server, state });
                if self.host.is_attended() {
                    self.report();
                }
            }
            HostEvent::Launched { server, how } => {
                self.emit(Event::ServerLaunched { server, how });
            }
            HostEvent::Tools(tools) => self.feed(Input::Tools(tools)),
            HostEvent::Progressed { call, text } => {
                self.feed(Input::CallProgressed { call, text });
            }
            // Not journaled: a task ends with its session.
            HostEvent::Job(job) => drop(self.events.send(Event::JobChanged { job })),
            HostEvent::Traced {
                call,
                server,
                method,
                trace,
                span,
                request,
            } => self.emit(Event::Traced {
                call,
                server,
                method,
                trace,
                span: Some(span),
                request,
            }),
            HostEvent::RequestReceived {
                request,
                server,
                method,
                bytes,
            } => self.emit(Event::RequestReceived {
                request,
                server,
                method,
                bytes,
            }),
            HostEvent::RequestEnded { request, end } => {
                self.emit(Event::RequestEnded { request, end });
            }
            HostEvent::Asked(question) => self.emit(Event::Asked { question }),
            HostEvent::Answered { question, answer } => {
                self.emit(Event::Answered { question, answer });
            }
            HostEvent::Notice { level, text } => self.emit(Event::Notice { level, text }),
            HostEvent::Sample(sample) => self.sample(sample),
        }
    }

    /// Handles an op that is for the servers. Returns one that is not.
    pub(super) fn serve(&mut self, op: Op) -> Option<Op> {
        match op {
            Op::Answer { question, answer } => {
                self.host.answer(question, answer);
                None
            }
            Op::ReportServers => {
                self.reload();
                self.report();
                None
            }
            Op::Server { server, action } => {
                match self.host.act(&server, &action) {
                    Ok(None) => {}
                    Ok(Some(text)) => self.emit(Event::Notice {
                        level: Level::Info,
                        text,
                    }),
                    Err(problem) => self.complain(format!("The server `{server}`: {problem}.")),
                }
                self.report();
                None
            }
            Op::CancelJob { server, job } => {
                if !self.host.cancel_job(&server, &job) {
                    self.complain(format!("The server `{server}` is not there any more."));
                }
                None
            }
            Op::Complete {
                server,
                of,
                begun,
                given,
            } => {
                let (caller, events) = (self.host.caller(), self.events.clone());
                self.samples.spawn(async move {
                    let (of_server, argument) = match &of {
                        CompletionOf::Prompt { prompt, argument } => {
                            (Completed::Prompt(prompt), argument)
                        }
                        CompletionOf::Template { uri, argument } => {
                            (Completed::Template(uri), argument)
                        }
                    };
                    let values = caller
                        .complete(&server, of_server, argument, &begun, &given)
                        .await;
                    // Not journaled: it is about what is being written.
                    let _ = events.send(Event::Completed {
                        server,
                        of,
                        begun,
                        values,
                    });
                    None
                });
                None
            }
            Op::Submit { text } => {
                self.reload();
                let caller = self.host.caller();
                let Some(wanted) = attach::wanted(&text, &caller) else {
                    return Some(Op::Submit { text });
                };
                let Input::Submitted { text, files } = self.input_of(Op::Submit { text }) else {
                    return None;
                };
                self.fetching.spawn(async move {
                    match attach::fetch(&wanted, &caller).await {
                        Ok(attached) => Ok(Fetched {
                            text,
                            files,
                            attached,
                        }),
                        Err(problem) => Err(format!("Your message was not sent: {problem}.")),
                    }
                });
                None
            }
            Op::TellPrompt => {
                let sent = self.sent.clone();
                self.emit(Event::PromptTold { sent });
                None
            }
            op => Some(op),
        }
    }

    /// Tells what is known of the third-party servers. Not journaled: the next session has its own.
    fn report(&mut self) {
        let cost = |tool: &ToolSpec| {
            let whole = tool.name.len() + tool.description.len() + tool.schema.to_string().len();
            let line = crate::agent::told_as(tool).len();
            // What a token comes to in either kind of text, about.
            (line.div_ceil(3), whole.div_ceil(4))
        };
        let servers = self.host.reports(&cost);
        let _ = self.events.send(Event::ServersReported { servers });
    }

    /// Takes in what changed in the files that configure servers.
    fn reload(&mut self) {
        for problem in self.host.reload() {
            self.complain(format!("MCP servers: {problem}."));
        }
    }

    /// Lets the model write for a server, beside the conversation.
    fn sample(&mut self, sample: Sample) {
        let Sample {
            request: of,
            system,
            messages,
            max_tokens,
            temperature,
            reply,
        } = sample;
        self.sampled += 1;
        let defaults = Sampling::default();
        let said = messages.into_iter().map(|(speaker, text)| match speaker {
            Speaker::User => Message::User { text },
            Speaker::Assistant => Message::Assistant { raw: text },
        });
        let request = ModelRequest {
            id: GenerationId(SAMPLES + self.sampled),
            messages: system
                .map(|text| Message::System { text })
                .into_iter()
                .chain(said)
                .collect(),
            tools: Vec::new(),
            choice: ToolChoice::None,
            sampling: Sampling {
                temperature: temperature
                    .filter(|value| value.is_finite())
                    .map_or(defaults.temperature, |value| value.clamp(0.0, 2.0)),
                max_tokens,
                ..defaults
            },
            passages: Vec::new(),
            known: Vec::new(),
            lane: Lane::Side,
            unlisted: 0,
            doubts: None,
        };
        let began = Instant::now();
        let mut generation = self.model.generate(request);
        self.samples.spawn(async move {
            let (mut written, mut usage) = (String::new(), Usage::default());
            let mut reply = reply;
            let result = loop {
                let event = tokio::select! {
                    event = generation.events.recv() => event,
                    // The server does not want it any more.
                    () = reply.closed() => {
                        generation.cancel.cancel();
                        break Err("nobody waits for it".to_owned());
                    }
                };
                match event {
                    Some(ModelEvent::Text { text }) => written.push_str(&text),
                    Some(ModelEvent::Done { usage: used, .. }) => {
                        usage = used;
                        break Ok(written);
                    }
                    Some(ModelEvent::Failed { failure }) => break Err(failure.to_string()),
                    Some(_) => {}
                    None => break Err("the model is gone".to_owned()),
                }
            };
            Some(Sampled {
                request: of,
                usage,
                took: began.elapsed(),
                reply,
                result,
            })
        });
    }

    /// Tells what writing for a server took, and then gives the server what was written.
    pub(super) fn sampled(&mut self, sampled: Sampled) {
        self.emit(Event::Sampled {
            request: sampled.request,
            usage: sampled.usage,
            wall_ms: u64::try_from(sampled.took.as_millis()).unwrap_or(u64::MAX),
        });
        // Whoever asked may be gone.
        let _ = sampled.reply.send(sampled.result);
    }

    /// Says something that went wrong with what the user wanted.
    pub(super) fn complain(&mut self, text: String) {
        self.emit(Event::Notice {
            level: Level::Warning,
            text,
        });
    }
}
