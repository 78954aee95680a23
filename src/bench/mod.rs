//! `walden bench`: what this machine and this model do, and what of it walden adds or costs.
//!
//! Owns the workloads and the report. Measures through [`crate::model::llama::measure`], and beside it, in the same
//! run and taking turns, with `llama-bench` where that is installed.

mod peer;
mod renames;
mod report;
pub mod tasks;
mod workload;

use std::time::Duration;

use crate::model::llama::LlamaOptions;
use crate::model::llama::measure::{self, Gauge};
use crate::model::speculate::Speculation;
use crate::protocol::{Message, ModelRequest};

pub use report::{Ahead, Call, Clients, FirstToken, Report, Session, Speed};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Full,
    /// Less of everything, in about a third of the time.
    Quick,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Prefill and decoding, beside llama-bench
    Speed,
    /// What a batch costs
    Batches,
    /// Constrained calls and their masks
    Calls,
    /// Several clients' questions, answered at once
    Clients,
    /// What a session evaluates again
    Session,
    /// The first token, cold and from a kept state
    FirstToken,
    /// What evaluating ahead gains
    Ahead,
    /// What it gains where files are written out with a name changed
    Renames,
}

/// The batches whose cost is measured.
const BATCHES: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// How many clients ask at once.
const CLIENTS: [usize; 3] = [2, 4, 8];

/// Measures a model: the parts asked for, or all of them where none is. `told` hears what is measured next.
pub fn run(
    options: &LlamaOptions,
    extent: Extent,
    parts: &[Part],
    told: &mut dyn FnMut(&str),
) -> Result<Report, String> {
    told("loading");
    measure::with(options, |gauge| {
        let mut report = Report {
            model: gauge.info.name.clone(),
            parameters: gauge.info.parameters,
            threads: gauge.tuning.threads,
            batch: gauge.tuning.batch,
            on_gpu: gauge.tuning.on_gpu,
            loading_ms: millis(gauge.loading),
            ..Report::default()
        };
        let mut wanted = |part: Part, name: &str| {
            let wanted = parts.is_empty() || parts.contains(&part);
            if wanted {
                told(name);
            }
            wanted
        };
        if wanted(Part::Speed, "prefill and decoding") {
            speeds(gauge, options, extent, &mut report)?;
        }
        if wanted(Part::Batches, "what batches cost") {
            report.batch_costs = batches(gauge, extent)?;
        }
        if wanted(Part::Calls, "calls") {
            report.calls = Some(calls(gauge, extent)?);
        }
        if wanted(Part::Clients, "clients at once") {
            report.clients = clients(gauge, extent)?;
        }
        if wanted(Part::Session, "a session of ten turns") {
            report.session = Some(session(gauge, extent)?);
        }
        if options.snapshots.is_some() && wanted(Part::FirstToken, "the first token, cold and warm")
        {
            report.first_token = Some(first_token(gauge, extent)?);
        }
        if wanted(Part::Ahead, "evaluating ahead") {
            report.ahead = ahead(gauge, extent)?;
        }
        if wanted(Part::Renames, "renames") {
            report.renames = renamed(gauge, extent, told)?;
        }
        Ok(report)
    })
}

/// Measures the plain speeds, taking turns with `llama-bench`.
fn speeds(
    gauge: &mut Gauge<'_>,
    options: &LlamaOptions,
    extent: Extent,
    report: &mut Report,
) -> Result<(), String> {
    let (prompt, answer, rounds) = match extent {
        Extent::Full => (512, 128, 5),
        Extent::Quick => (256, 48, 3),
    };
    let peer = peer::Peer::find();
    report.prefill = Speed::new(prompt);
    report.decode = Speed::new(answer);
    // The first evaluation touches all weights for the first time.
    gauge.read(64)?;
    for _ in 0..rounds {
        report.prefill.add(gauge.read(prompt)?);
        gauge.forget();
        report.decode.add(gauge.write(answer)?);
        if let Some(peer) = &peer {
            let run = peer::Run {
                model: &options.path,
                threads: gauge.tuning.threads,
                batch: gauge.tuning.batch,
                gpu_layers: options.gpu_layers,
                layout: options.layout,
                prompt,
                answer,
            };
            let (prefill, decode) = peer.run(&run)?;
            report.prefill.add_peer(prefill);
            report.decode.add_peer(decode);
        }
    }
    Ok(())
}

/// Measures what a batch costs relative to one token, after some hundreds of tokens.
fn batches(gauge: &mut Gauge<'_>, extent: Extent) -> Result<Vec<(usize, f64)>, String> {
    let rounds = match extent {
        Extent::Full => 9,
        Extent::Quick => 3,
    };
    gauge.read(512)?;
    let mut costs = Vec::new();
    for size in BATCHES {
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let one = gauge.batch(1)?.min(gauge.batch(1)?);
            ratios.push(gauge.batch(size)?.as_secs_f64() / one.as_secs_f64());
        }
        costs.push((size, report::median(&mut ratios)));
    }
    Ok(costs)
}

/// Measures the masks of constrained calls.
fn calls(gauge: &mut Gauge<'_>, extent: Extent) -> Result<Call, String> {
    let count = match extent {
        Extent::Full => 8,
        Extent::Quick => 3,
    };
    let (mut masks, mut calls, mut complete) = (Vec::new(), 0, 0);
    gauge.forget();
    for request in workload::calls().into_iter().take(count) {
        let answered = gauge.answer(&request, Speculation::Adaptive)?;
        calls += 1;
        complete += u32::from(answered.finish == crate::protocol::Finish::Call);
        masks.extend(answered.masks.iter().map(Duration::as_micros));
    }
    Ok(Call::new(calls, complete, masks))
}

/// Measures how fast several clients' questions are answered at once beside one, taking turns. Reading the questions is
/// a part of it.
fn clients(gauge: &mut Gauge<'_>, extent: Extent) -> Result<Vec<Clients>, String> {
    let (rounds, length) = match extent {
        Extent::Full => (3, 128),
        Extent::Quick => (1, 48),
    };
    let requests = workload::clients(length);
    let mut rate = |count: usize| -> Result<f64, String> {
        gauge.forget();
        let beside = gauge.answer_together(&requests[..count])?;
        let tokens: u32 = beside.answers.iter().map(|(_, it)| it.generated).sum();
        Ok(f64::from(tokens) / beside.took.as_secs_f64())
    };
    // The first evaluation touches all weights for the first time.
    rate(1)?;
    let mut found: Vec<Clients> = std::iter::once(1)
        .chain(CLIENTS)
        .map(Clients::new)
        .collect();
    for _ in 0..rounds {
        let one = rate(1)?;
        for clients in &mut found {
            let all = match clients.clients {
                1 => one,
                count => rate(count)?,
            };
            clients.add(all, one);
        }
    }
    Ok(found.into_iter().map(Clients::summed_up).collect())
}

/// Plays a session, and measures how much of its prompts was evaluated more than once.
fn session(gauge: &mut Gauge<'_>, extent: Extent) -> Result<Session, String> {
    let length = match extent {
        Extent::Full => 32,
        Extent::Quick => 8,
    };
    let mut session = Session::default();
    let mut messages: Vec<Message> = vec![workload::system()];
    let mut known = 0;
    gauge.forget();
    for turn in 0..10 {
        messages.extend(workload::turn(turn));
        let request: ModelRequest = workload::request(messages.clone(), length);
        let answered = gauge.answer(&request, Speculation::Adaptive)?;
        let usage = answered.usage;
        session.turns += 1;
        if turn > 0 {
            let evaluated = usage.prompt - usage.cached;
            // Everything up to here was in the prompt or in the answer before.
            let new = usage.prompt.saturating_sub(known);
            session.prompt_tokens += usage.prompt;
            session.evaluated_again += evaluated.saturating_sub(new);
        }
        known = usage.prompt + usage.generated;
        messages.push(Message::Assistant { raw: answered.raw });
    }
    Ok(session)
}

/// Measures the first token of a long prompt: evaluated, and from a state that an earlier run kept.
fn first_token(gauge: &mut Gauge<'_>, extent: Extent) -> Result<FirstToken, String> {
    let lines = match extent {
        Extent::Full => 130,
        Extent::Quick => 40,
    };
    let request = workload::long(lines);
    gauge.forget();
    let cold = gauge.answer(&request, Speculation::Off)?;
    gauge.save();
    let mut warm = Vec::new();
    for _ in 0..3 {
        gauge.forget();
        let answered = gauge.answer(&request, Speculation::Off)?;
        if answered.usage.cached == 0 {
            return Err("a kept state was not found again".to_owned());
        }
        warm.push(answered.took.as_secs_f64());
    }
    Ok(FirstToken {
        prompt_tokens: cold.usage.prompt,
        cold_ms: millis(cold.took),
        warm_ms: report::median(&mut warm) * 1000.0,
    })
}

/// Measures answers with and without evaluating ahead, taking turns.
fn ahead(gauge: &mut Gauge<'_>, extent: Extent) -> Result<Vec<Ahead>, String> {
    let (rounds, most) = match extent {
        Extent::Full => (3, 1000),
        Extent::Quick => (1, 160),
    };
    let mut results = Vec::new();
    for (name, mut request, is_edit) in workload::ahead() {
        request.sampling.max_tokens = request.sampling.max_tokens.min(most);
        let mut ways = vec![("adaptive", Speculation::Adaptive)];
        if is_edit && extent == Extent::Full {
            ways.extend([
                ("8", Speculation::Fixed(7)),
                ("16", Speculation::Fixed(15)),
                ("32", Speculation::Fixed(31)),
            ]);
        }
        if gauge.drafts {
            ways.extend([
                ("draft 2", Speculation::Drafted(2)),
                ("draft 4", Speculation::Drafted(4)),
                ("draft 8", Speculation::Drafted(8)),
            ]);
        }
        results.extend(compare(gauge, name, &request, &ways, rounds)?);
    }
    Ok(results)
}

/// Measures whole files that are written out with a name changed, with and without evaluating ahead.
fn renamed(
    gauge: &mut Gauge<'_>,
    extent: Extent,
    told: &mut dyn FnMut(&str),
) -> Result<Vec<Ahead>, String> {
    let rounds = match extent {
        Extent::Full => 3,
        Extent::Quick => 1,
    };
    let ways = [("adaptive", Speculation::Adaptive)];
    let mut results = Vec::new();
    for (name, request) in renames::requests() {
        let compared = compare(gauge, &name, &request, &ways, rounds)?;
        for ahead in &compared {
            told(&format!("renames, {name}: {:.2} times plain", ahead.gain));
        }
        results.extend(compared);
    }
    Ok(results)
}

/// Measures an answer in several ways beside the plain one, taking turns.
fn compare(
    gauge: &mut Gauge<'_>,
    name: &str,
    request: &ModelRequest,
    ways: &[(&str, Speculation)],
    rounds: usize,
) -> Result<Vec<Ahead>, String> {
    // The prompt is evaluated once, before anything is measured.
    let mut first = request.clone();
    first.sampling.max_tokens = 1;
    gauge.forget();
    gauge.answer(&first, Speculation::Off)?;
    let mut plain = Vec::new();
    let mut found: Vec<Ahead> = ways.iter().map(|(way, _)| Ahead::new(name, way)).collect();
    for _ in 0..rounds {
        let answered = gauge.answer(request, Speculation::Off)?;
        plain.push(rate(&answered));
        for ((_, speculation), ahead) in ways.iter().zip(&mut found) {
            let answered_ahead = gauge.answer(request, *speculation)?;
            ahead.same_text &= answered_ahead.raw == answered.raw;
            ahead.add(rate(&answered_ahead), &answered_ahead);
        }
    }
    let plain = report::median(&mut plain);
    Ok(found
        .into_iter()
        .map(|ahead| ahead.against(plain))
        .collect())
}

fn rate(answered: &measure::Answered) -> f64 {
    f64::from(answered.usage.generated) / (f64::from(answered.usage.generate_ms.max(1)) / 1000.0)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
