//! The hops of one turn, as its entries come.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::builder::World;
use super::{Kind, Place, Span, Turn, Value, ids, key};
use crate::protocol::{
    Answer, CallId, Decision, EndReason, Event, Outcome, Question, QuestionId, QuestionKind,
    RequestEnd, RequestId, Risk, Scope, SearchNews, ToolCall, TrialOf, TurnSummary, Usage, redact,
};
use crate::session::Entry;

/// The place of the turn's own span.
const WHOLE: usize = 0;

/// A turn that is being followed.
pub(super) struct Hops {
    number: u32,
    trace: String,
    spans: Vec<Span>,
    unfinished: BTreeSet<usize>,
    generation: Option<usize>,
    search: Option<usize>,
    tried: u32,
    /// Calls that are said to be part of the search.
    trials: BTreeSet<CallId>,
    calls: HashMap<CallId, Call>,
    requests: HashMap<RequestId, Request>,
    questions: HashMap<QuestionId, usize>,
}

/// The spans of a call.
struct Call {
    server: String,
    tool: String,
    whole: usize,
    approval: Option<usize>,
    running: Option<usize>,
    /// Where its server was told that it is.
    wire: Option<Place>,
}

/// A server's request.
struct Request {
    server: String,
    span: usize,
}

impl Hops {
    pub(super) fn begin(
        world: &World,
        number: u32,
        message: &str,
        seal: Option<&str>,
        at: u64,
    ) -> Self {
        let mut hops = Self {
            number,
            trace: ids::trace(&world.session, &world.root, number),
            spans: Vec::new(),
            unfinished: BTreeSet::new(),
            generation: None,
            search: None,
            tried: 0,
            trials: BTreeSet::new(),
            calls: HashMap::new(),
            requests: HashMap::new(),
            questions: HashMap::new(),
        };
        let whole = hops.open(None, Kind::Internal, "invoke_agent walden".to_owned(), at);
        let span = &mut hops.spans[whole];
        span.set(key::OPERATION, "invoke_agent");
        span.set(key::PROVIDER, "walden");
        span.set(key::AGENT, "walden");
        span.set(key::CONVERSATION, world.session.as_str());
        span.set(key::TURN, number);
        span.set(key::MESSAGE_BYTES, message.len());
        if let Some(seal) = seal {
            span.set(key::SEAL, seal);
        }
        hops
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Takes an entry in.
    pub(super) fn take(&mut self, entry: &Entry, at: u64, world: &World) {
        match entry {
            Entry::Generate => {
                // One that was stopped says nothing more.
                if let Some(stopped) = self.generation.take() {
                    self.leave(stopped, at);
                }
                let within = self.search.unwrap_or(WHOLE);
                self.generation = Some(self.chat(within, at, world));
            }
            Entry::Event(event) => self.hear(event, at, world),
            Entry::Opened { .. } | Entry::Message(_) | Entry::Forget | Entry::Intent { .. } => {}
        }
    }

    fn hear(&mut self, event: &Event, at: u64, world: &World) {
        match event {
            Event::Generated { usage } => {
                if let Some(span) = self.generation.take() {
                    self.spend(span, usage);
                    self.close(span, at);
                }
            }
            Event::CallProposed { call, risk } => self.proposed(call, *risk, at),
            Event::ApprovalRequested { call, .. } => self.asked_about(*call, at),
            Event::Decided { call, decision } => self.decided(*call, decision, at),
            Event::CallStarted { call } => self.started(*call, at),
            Event::CallFinished { call, outcome } => self.finished(*call, outcome, at, world),
            Event::Traced {
                call: Some(call),
                trace,
                span: Some(span),
                ..
            } => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.wire = ids::named(trace, span);
                }
            }
            Event::Traced {
                request: Some(request),
                trace,
                span: Some(span),
                ..
            } => self.named(*request, ids::named(trace, span)),
            Event::RequestReceived {
                request,
                server,
                method,
                bytes,
            } => self.received(*request, server, method, *bytes, at),
            Event::RequestEnded { request, end } => self.answered(*request, *end, at),
            Event::Sampled {
                request,
                usage,
                wall_ms,
            } => self.sampled(*request, usage, at.saturating_sub(*wall_ms), at, world),
            Event::Asked { question } => self.asks(question, at),
            Event::Answered { question, answer } => {
                if let Some(span) = self.questions.remove(question) {
                    self.spans[span].set(key::DECISION, said(answer));
                    self.close(span, at);
                }
            }
            Event::Searched { news } => self.searched(news, at),
            Event::TurnEnded { summary, .. } => self.summed(summary),
            _ => {}
        }
    }

    /// Ends the turn.
    pub(super) fn end(mut self, at: u64) -> Turn {
        self.close(WHOLE, at);
        self.cut(at)
    }

    /// Ends the turn where nothing more is known of it.
    pub(super) fn cut(mut self, at: u64) -> Turn {
        for span in std::mem::take(&mut self.unfinished) {
            self.leave(span, at);
        }
        let wires: HashMap<usize, (usize, Place)> = self
            .calls
            .into_values()
            .filter_map(|call| Some((call.running?, (call.whole, call.wire?))))
            .collect();
        for number in 0..self.spans.len() {
            let Some(within) = self.spans[number].within else {
                continue;
            };
            // What is told late was over when that was which it is part of.
            let last = self.spans[within].ended;
            let span = &mut self.spans[number];
            span.ended = span.ended.min(last);
            span.began = span.began.min(span.ended);
            match wires.get(&number) {
                // The first of a trace of its own.
                Some((whole, wire)) => {
                    let whole_place = self.spans[*whole].place.clone();
                    self.spans[*whole].links.push(wire.clone());
                    self.spans[number].links.push(whole_place);
                    self.spans[number].place = wire.clone();
                }
                None => {
                    let Place { trace, span } = self.spans[within].place.clone();
                    self.spans[number].place.trace = trace;
                    self.spans[number].parent = Some(span);
                }
            }
        }
        Turn {
            number: self.number,
            spans: self.spans,
        }
    }

    fn open(&mut self, within: Option<usize>, kind: Kind, name: String, at: u64) -> usize {
        let number = self.spans.len();
        self.spans.push(Span {
            place: ids::span(&self.trace, number),
            within,
            parent: None,
            kind,
            name,
            title: None,
            began: at,
            ended: at,
            attributes: Vec::new(),
            links: Vec::new(),
            failed: None,
        });
        self.unfinished.insert(number);
        number
    }

    fn close(&mut self, span: usize, at: u64) {
        if self.unfinished.remove(&span) {
            self.spans[span].ended = at;
        }
    }

    /// Closes a span whose end is not known.
    fn leave(&mut self, span: usize, at: u64) {
        self.unfinished.remove(&span);
        self.spans[span].ended = at;
        self.spans[span].set(key::OPEN, true);
    }

    fn fail(&mut self, span: usize, why: &str) {
        self.spans[span].set(key::ERROR, why);
        self.spans[span].failed = Some(why.to_owned());
    }

    fn chat(&mut self, within: usize, at: u64, world: &World) -> usize {
        let model = world.model.as_deref().unwrap_or("model");
        let span = self.open(Some(within), Kind::Internal, format!("chat {model}"), at);
        self.spans[span].set(key::OPERATION, "chat");
        self.spans[span].set(key::PROVIDER, "walden");
        self.spans[span].set(key::MODEL, model);
        span
    }

    fn spend(&mut self, span: usize, usage: &Usage) {
        let span = &mut self.spans[span];
        span.set(key::INPUT, usage.prompt);
        span.set(key::CACHE_READ, usage.cached);
        span.set(key::CACHED, usage.cached);
        span.set(key::OUTPUT, usage.generated);
        span.set(key::PROMPT_MS, usage.prompt_ms);
        span.set(key::GENERATE_MS, usage.generate_ms);
    }

    fn proposed(&mut self, call: &ToolCall, risk: Risk, at: u64) {
        let within = match self.search {
            Some(search) if self.trials.contains(&call.id) => search,
            _ => WHOLE,
        };
        let name = format!("execute_tool {}", call.tool);
        let whole = self.open(Some(within), Kind::Internal, name, at);
        let bytes = serde_json::to_string(&call.arguments).map_or(0, |text| text.len());
        let span = &mut self.spans[whole];
        span.title = Some(redact(&format!("{}.{}", call.server, call.title())).into_owned());
        span.set(key::OPERATION, "execute_tool");
        span.set(key::TOOL, call.tool.as_str());
        span.set(key::CALL, call.id.0.to_string());
        span.set(key::SERVER, call.server.as_str());
        span.set(key::RISK, risk.name());
        span.set(key::ARGUMENT_BYTES, bytes);
        let spans = Call {
            server: call.server.clone(),
            tool: call.tool.clone(),
            whole,
            approval: None,
            running: None,
            wire: None,
        };
        self.calls.insert(call.id, spans);
    }

    fn asked_about(&mut self, id: CallId, at: u64) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (whole, before) = (call.whole, call.approval);
        if let Some(before) = before {
            self.leave(before, at);
        }
        let span = self.open(Some(whole), Kind::Internal, "approval".to_owned(), at);
        self.spans[span].set(key::ABOUT, "call");
        if let Some(call) = self.calls.get_mut(&id) {
            call.approval = Some(span);
        }
    }

    fn decided(&mut self, id: CallId, decision: &Decision, at: u64) {
        let call = self.calls.get_mut(&id);
        let Some(span) = call.and_then(|call| call.approval.take()) else {
            return;
        };
        let decision = match decision {
            Decision::Allow { scope } => match scope {
                Scope::Once => "allowed once",
                Scope::Session => "allowed for the session",
                Scope::Project => "allowed in the project",
                Scope::Forever => "allowed in every project",
            },
            Decision::AllowPart { .. } => "allowed in part",
            Decision::Deny { .. } => "refused",
        };
        self.spans[span].set(key::DECISION, decision);
        self.close(span, at);
    }

    fn started(&mut self, id: CallId, at: u64) {
        let Some(call) = self.calls.get(&id).filter(|call| call.running.is_none()) else {
            return;
        };
        let (whole, tool, server) = (call.whole, call.tool.clone(), call.server.clone());
        let span = self.open(Some(whole), Kind::Client, format!("tools/call {tool}"), at);
        let running = &mut self.spans[span];
        running.set(key::METHOD, "tools/call");
        running.set(key::TOOL, tool);
        running.set(key::SERVER, server);
        if let Some(call) = self.calls.get_mut(&id) {
            call.running = Some(span);
        }
    }

    fn finished(&mut self, id: CallId, outcome: &Outcome, at: u64, world: &World) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (whole, running, approval) = (call.whole, call.running, call.approval);
        // How its server was started may be told after the call began.
        if let (Some(running), Some(profile)) = (running, world.profiles.get(&call.server)) {
            self.spans[running].set(key::SANDBOX, profile.as_str());
        }
        let (name, failed) = match outcome {
            Outcome::Done { .. } => ("done", false),
            Outcome::Failed { .. } => ("failed", true),
            Outcome::Invalid { .. } => ("invalid", true),
            Outcome::Denied { .. } => ("denied", false),
            Outcome::Cancelled => ("cancelled", false),
        };
        if let Some(approval) = approval.filter(|span| self.unfinished.contains(span)) {
            self.leave(approval, at);
        }
        for span in running.into_iter().chain([whole]) {
            self.spans[span].set(key::OUTCOME, name);
            self.spans[span].set(key::RESULT_BYTES, outcome.for_model().len());
            if failed {
                self.fail(span, name);
            }
            self.close(span, at);
        }
    }

    fn received(&mut self, id: RequestId, server: &str, method: &str, bytes: usize, at: u64) {
        // A server that names no trace asks on the way of the one call that it has.
        let own = self.calls.values().filter(|call| call.server == server);
        let running: Vec<usize> = own
            .filter_map(|call| call.running.filter(|span| self.unfinished.contains(span)))
            .collect();
        let within = match running[..] {
            [only] => only,
            _ => WHOLE,
        };
        let span = self.open(Some(within), Kind::Server, method.to_owned(), at);
        self.spans[span].set(key::METHOD, method);
        self.spans[span].set(key::SERVER, server);
        self.spans[span].set(key::REQUEST_BYTES, bytes);
        let server = server.to_owned();
        self.requests.insert(id, Request { server, span });
    }

    /// Takes in of which trace a server says that its request is part: it counts where it is that of a call of its own.
    fn named(&mut self, id: RequestId, place: Option<Place>) {
        let (Some(request), Some(place)) = (self.requests.get(&id), place) else {
            return;
        };
        let mut calls = self.calls.values().filter_map(|call| {
            let wire = call.wire.as_ref()?;
            let is_own = call.server == request.server && wire.trace == place.trace;
            Some((call.running?, wire)).filter(|_| is_own)
        });
        let Some((running, wire)) = calls.next() else {
            return;
        };
        let span = &mut self.spans[request.span];
        span.within = Some(running);
        if *wire != place {
            span.links.push(place);
        }
    }

    fn answered(&mut self, id: RequestId, end: RequestEnd, at: u64) {
        let Some(span) = self.requests.get(&id).map(|request| request.span) else {
            return;
        };
        match end {
            RequestEnd::Answered { bytes } => {
                self.spans[span].set(key::OUTCOME, "done");
                self.spans[span].set(key::RESULT_BYTES, bytes);
            }
            RequestEnd::Refused { code } => {
                self.spans[span].set(key::OUTCOME, "refused");
                self.fail(span, &code.to_string());
            }
            RequestEnd::TakenBack => self.spans[span].set(key::OUTCOME, "taken back"),
        }
        self.close(span, at);
    }

    fn sampled(&mut self, id: RequestId, usage: &Usage, began: u64, at: u64, world: &World) {
        let Some(within) = self.requests.get(&id).map(|request| request.span) else {
            return;
        };
        let began = began.max(self.spans[within].began);
        let span = self.chat(within, began, world);
        self.spend(span, usage);
        self.close(span, at);
    }

    fn asks(&mut self, question: &Question, at: u64) {
        let request = question.request.and_then(|id| self.requests.get(&id));
        let within = request.map_or(WHOLE, |request| request.span);
        let (name, about) = match question.kind {
            QuestionKind::Form { .. } => ("question", "form"),
            QuestionKind::Page { .. } => ("question", "page"),
            QuestionKind::Prompt { .. } => ("approval", "prompt"),
            QuestionKind::Completion { .. } => ("approval", "completion"),
            QuestionKind::Definition { .. } => ("approval", "server"),
        };
        let span = self.open(Some(within), Kind::Internal, name.to_owned(), at);
        self.spans[span].set(key::ABOUT, about);
        self.spans[span].set(key::SERVER, question.server.as_str());
        self.questions.insert(question.id, span);
    }

    fn searched(&mut self, news: &SearchNews, at: u64) {
        match news {
            SearchNews::Began { path, .. } => {
                let span = self.open(Some(WHOLE), Kind::Internal, "search".to_owned(), at);
                self.spans[span].title = Some(format!("an edit of {}", redact(path)));
                self.search = Some(span);
                self.tried = 0;
            }
            SearchNews::Trying { call, trial } => {
                self.trials.insert(*call);
                self.tried += u32::from(*trial == TrialOf::Edit);
            }
            SearchNews::Tried { call, result } => {
                if let Some(call) = self.calls.get(call) {
                    self.spans[call.whole].set(key::PASSED, result.passed);
                }
            }
            SearchNews::Ended { end, .. } => {
                let Some(span) = self.search.take() else {
                    return;
                };
                self.spans[span].set(key::TRIED, self.tried);
                self.spans[span].set(key::END, tag(end, "end"));
                self.close(span, at);
            }
        }
    }

    fn summed(&mut self, summary: &TurnSummary) {
        let span = &mut self.spans[WHOLE];
        span.set(key::INPUT, summary.usage.prompt);
        span.set(key::CACHED, summary.usage.cached);
        span.set(key::OUTPUT, summary.usage.generated);
        span.set(key::CALLS, summary.calls);
        span.set(key::DENIED, summary.denied);
        span.set(key::CHANGED, summary.changed.len());
        span.set(key::END, tag(&summary.reason, "reason"));
        if let Some(check) = &summary.check {
            span.set(key::PASSED, check.passed);
        }
        if matches!(summary.reason, EndReason::Failed { .. }) {
            self.fail(WHOLE, "failed");
        }
    }
}

fn said(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accept { .. } => "accepted",
        Answer::Decline => "declined",
        Answer::Cancel => "left open",
    }
}

/// Returns what an enum's value is called where it is kept.
fn tag(of: &impl serde::Serialize, name: &str) -> Value {
    let told = serde_json::to_value(of).unwrap_or_default();
    Value::from(told.get(name).and_then(Json::as_str).unwrap_or_default())
}
