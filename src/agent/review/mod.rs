//! A review of a change: a turn without a conversation.
//!
//! The host cuts the change into pieces that fit a small model, asks about each beside the conversation (the pieces
//! have their prompt's beginning in common, and so the cache), and lets the model answer only with findings whose lines
//! the change shows. Where the model is small several passes are made, what only one of them found is dropped, and each
//! finding that is left is questioned once more before it is told. Before that, lines that came in the place of others are
//! weighed against them: where the old ones are far likelier to the model, that is told whatever it says when asked.

mod ask;
mod pieces;
mod unexpected;

use std::collections::VecDeque;

use serde_json::{Map, Value};

use self::pieces::Piece;
use self::unexpected::Replaced;
use super::input::Effect;
use super::turn::Turn;
use super::{Agent, notice};
use crate::protocol::{
    EndReason, Event, Finding, Finish, Lane, Level, Mechanism, ModelFailure, ReviewNews,
    ReviewTarget, Severity,
};

/// How much of a change is looked at in one go, in bytes: what a small model can keep in view, and what a window holds
/// besides the question and the answer.
const PIECE: usize = 3_000;
const SMALLEST_PIECE: usize = 600;
/// Bytes of code in a token, at least.
const BYTES_PER_TOKEN: usize = 2;
/// What a request needs besides its piece, in tokens.
const OVERHEAD: usize = 1_200;

/// How many passes are made over a piece, by a small model and by any other.
const SMALL_PASSES: u32 = 3;
const PASSES: u32 = 1;

/// Lines that are so near to each other are the same place.
const NEAR: u32 = 2;

/// How freely the passes after the first are drawn.
const TEMPERATURE: f32 = 0.7;

/// How many findings are told to the conversation.
const TOLD: usize = 10;

/// A running review.
#[derive(Debug)]
pub(super) struct Review {
    target: ReviewTarget,
    pieces: VecDeque<Piece>,
    looked: u32,
    /// The piece that is being looked at, and what was found in it so far.
    piece: Option<Piece>,
    pass: u32,
    passes: u32,
    candidates: Vec<Finding>,
    /// The places of the piece that are being weighed, with what came of it so far.
    weighing: Option<Vec<(Replaced, f32)>>,
    /// What the model would not have expected in the piece.
    unexpected: Vec<Finding>,
    /// Findings that wait to be questioned, and the one that is.
    doubted: VecDeque<Doubted>,
    questioned: Option<Doubted>,
    found: Vec<Finding>,
    missed: u32,
}

/// A finding that is questioned before it is told.
#[derive(Debug)]
struct Doubted {
    finding: Finding,
    /// It is told whatever the model says of it: only the words are the model's.
    is_told: bool,
}

impl Review {
    fn new(target: ReviewTarget) -> Self {
        Self {
            target,
            pieces: VecDeque::new(),
            looked: 0,
            piece: None,
            pass: 0,
            passes: PASSES,
            candidates: Vec::new(),
            weighing: None,
            unexpected: Vec::new(),
            doubted: VecDeque::new(),
            questioned: None,
            found: Vec::new(),
            missed: 0,
        }
    }
}

impl Agent {
    /// Begins a review, or keeps it until the running turn has ended.
    pub(super) fn review(&mut self, target: ReviewTarget, out: &mut Vec<Effect>) {
        if self.turn.is_some() || !self.is_ready() {
            out.push(Effect::Emit(Event::Queued {
                text: format!("/review {target}"),
            }));
            self.queued_reviews.push_back(target);
            return;
        }
        self.turns += 1;
        out.push(Effect::Emit(Event::TurnStarted {
            turn: self.turns,
            text: format!("/review {target}"),
        }));
        self.turn = Some(Turn::reviewing(self.turns, Review::new(target.clone())));
        out.push(Effect::ReadChange(target));
    }

    /// Takes the change that is to be reviewed.
    pub(super) fn read_change(&mut self, change: Result<String, String>, out: &mut Vec<Effect>) {
        let context = self.model.as_ref().map_or(4096, |model| model.context);
        let passes = if self.is_small() {
            SMALL_PASSES
        } else {
            PASSES
        };
        let Some(review) = self.reviewing() else {
            return;
        };
        if review.piece.is_some() || !review.pieces.is_empty() {
            return;
        }
        let diff = match change {
            Ok(diff) => diff,
            Err(message) => {
                let message = format!("cannot review the change: {message}");
                return self.end_turn(EndReason::Failed { message }, out);
            }
        };
        let room = (context as usize).saturating_sub(OVERHEAD) * BYTES_PER_TOKEN;
        let cut = pieces::cut(&diff, PIECE.min(room).max(SMALLEST_PIECE));
        review.passes = passes;
        review.pieces = cut.pieces.into();
        let news = ReviewNews::Read {
            target: review.target.clone(),
            files: cut.files,
            pieces: u32::try_from(review.pieces.len()).unwrap_or(u32::MAX),
            left_out: cut.left_out,
        };
        out.push(Effect::Emit(Event::Reviewed { news }));
        self.look_on(out);
    }

    /// Does the next thing: another pass, a question about a finding, the next piece, or the end.
    fn look_on(&mut self, out: &mut Vec<Effect>) {
        let most = self.settings.max_tokens;
        let Some(turn) = &self.turn else { return };
        if turn.spent() >= most {
            let what = "token".to_owned();
            return self.end_review(EndReason::Budget { what }, out);
        }
        let Some(review) = self.reviewing() else {
            return;
        };
        if review.piece.is_some() {
            if review.pass < review.passes {
                return self.look(out);
            }
            if let Some(next) = review.doubted.pop_front() {
                review.questioned = Some(next);
                return self.question(out);
            }
        }
        review.piece = review.pieces.pop_front();
        (review.pass, review.candidates) = (0, Vec::new());
        let Some(piece) = &review.piece else {
            return self.end_review(EndReason::Answered, out);
        };
        review.looked += 1;
        let news = ReviewNews::Looking {
            piece: review.looked,
            path: piece.path.clone(),
        };
        out.push(Effect::Emit(Event::Reviewed { news }));
        self.weigh(out);
    }

    /// Has the lines that came weighed against those that went, before the model is asked about them.
    fn weigh(&mut self, out: &mut Vec<Effect>) {
        let weighs = self.helps(Mechanism::Doubts);
        let Some(review) = self.reviewing() else {
            return;
        };
        let Some((piece, (doubts, places))) = review
            .piece
            .as_ref()
            .filter(|_| weighs)
            .and_then(|piece| Some((piece, unexpected::doubts(piece)?)))
        else {
            return self.look(out);
        };
        let prompt = ask::part_of(piece);
        review.weighing = Some(places.into_iter().map(|place| (place, 0.0)).collect());
        let mut request = self.request_beside(prompt);
        request.doubts = Some(doubts);
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
        }
        out.push(Effect::Generate(request));
    }

    /// Takes by how much the lines that went are likelier than those that came in their place.
    pub(super) fn weighed(&mut self, place: usize, likelier: f32) {
        let places = self.reviewing().and_then(|review| review.weighing.as_mut());
        if let Some((_, known)) = places.and_then(|places| places.get_mut(place)) {
            *known = likelier;
        }
    }

    /// Looks at the piece once more.
    fn look(&mut self, out: &mut Vec<Effect>) {
        let Some(review) = self.reviewing() else {
            return;
        };
        let pass = review.pass;
        review.pass += 1;
        let Some((messages, tool)) = review.piece.as_ref().map(ask::look) else {
            return;
        };
        let freely = (pass > 0).then_some(pass);
        self.ask_beside(messages, tool, freely, out);
    }

    /// Questions a finding.
    fn question(&mut self, out: &mut Vec<Effect>) {
        let Some(review) = self.reviewing() else {
            return;
        };
        let Some((messages, tool)) = review
            .piece
            .as_ref()
            .zip(review.questioned.as_ref())
            .map(|(piece, doubted)| ask::question(piece, &doubted.finding))
        else {
            return;
        };
        self.ask_beside(messages, tool, None, out);
    }

    fn ask_beside(
        &mut self,
        messages: Vec<crate::protocol::Message>,
        tool: crate::protocol::ToolSpec,
        freely: Option<u32>,
        out: &mut Vec<Effect>,
    ) {
        self.generations += 1;
        let names = vec![tool.name.clone()];
        let mut request = self.request(crate::protocol::ToolChoice::Required { names });
        request.messages = messages;
        request.tools = vec![tool];
        request.passages.clear();
        request.lane = Lane::Side;
        if let Some(seed) = freely {
            request.sampling.temperature = TEMPERATURE.max(request.sampling.temperature);
            request.sampling.top_p = 0.95;
            request.sampling.seed = seed;
        }
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
        }
        out.push(Effect::Generate(request));
    }

    /// Takes what the model said about a piece or a finding.
    pub(super) fn reviewed(
        &mut self,
        given: Option<Map<String, Value>>,
        finish: Finish,
        out: &mut Vec<Effect>,
    ) {
        if finish == Finish::Cancelled {
            return self.end_review(EndReason::Interrupted, out);
        }
        let Some(review) = self.reviewing() else {
            return;
        };
        let Some(piece) = &review.piece else { return };
        if let Some(places) = review.weighing.take() {
            review.unexpected = places
                .iter()
                .filter_map(|(place, likelier)| unexpected::finding(piece, place, *likelier))
                .collect();
            return self.look_on(out);
        }
        if let Some(Doubted {
            mut finding,
            is_told,
        }) = review.questioned.take()
        {
            let stands = given.as_ref().is_some_and(ask::stands);
            if is_told && stands {
                let why = given.as_ref().map(ask::why).unwrap_or_default();
                unexpected::explain(&mut finding, why);
            }
            if (stands || is_told) && !is_known(&review.found, &finding) {
                review.found.push(finding.clone());
                let news = ReviewNews::Found { finding };
                out.push(Effect::Emit(Event::Reviewed { news }));
            }
            return self.look_on(out);
        }
        for finding in given
            .map(|given| ask::findings(piece, &given))
            .unwrap_or_default()
        {
            merge(&mut review.candidates, finding);
        }
        if review.pass >= review.passes {
            let (passes, least) = (review.passes, review.passes.div_ceil(2));
            let mut kept = std::mem::take(&mut review.candidates);
            kept.retain(|finding| finding.votes >= least);
            for finding in &mut kept {
                finding.passes = passes;
            }
            kept.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.votes)));
            let unexpected = std::mem::take(&mut review.unexpected);
            let unexpected = unexpected.into_iter().map(|finding| Doubted {
                finding,
                is_told: true,
            });
            let kept = kept.into_iter().map(|finding| Doubted {
                finding,
                is_told: false,
            });
            review.doubted = unexpected.chain(kept).collect();
        }
        self.look_on(out);
    }

    /// Goes on after the model failed: a piece that does not fit is left out, and said.
    pub(super) fn review_failed(&mut self, failure: &ModelFailure, out: &mut Vec<Effect>) {
        let Some(review) = self.reviewing() else {
            return;
        };
        if !matches!(failure, ModelFailure::ContextFull { .. }) {
            let message = failure.to_string();
            return self.end_review(EndReason::Failed { message }, out);
        }
        if review.weighing.take().is_some() {
            return self.look(out);
        }
        self.tell_unexpected(out);
        let Some(review) = self.reviewing() else {
            return;
        };
        review.missed += 1;
        review.pass = review.passes;
        let path = review.piece.as_ref().map(|piece| piece.path.clone());
        let news = ReviewNews::Missed {
            path: path.unwrap_or_default(),
            reason: failure.to_string(),
        };
        out.push(Effect::Emit(Event::Reviewed { news }));
        self.look_on(out);
    }

    /// Tells what the model would not have expected and was not asked about to the end: that only lacks its words. No
    /// finding of the piece is questioned after that.
    fn tell_unexpected(&mut self, out: &mut Vec<Effect>) {
        let Some(review) = self.reviewing() else {
            return;
        };
        let asked = review.questioned.take().into_iter();
        let waiting = asked.chain(std::mem::take(&mut review.doubted));
        let waiting = waiting.filter(|doubted| doubted.is_told);
        let waiting = waiting.map(|doubted| doubted.finding);
        let unexpected = std::mem::take(&mut review.unexpected);
        for finding in waiting.chain(unexpected) {
            if !is_known(&review.found, &finding) {
                review.found.push(finding.clone());
                let news = ReviewNews::Found { finding };
                out.push(Effect::Emit(Event::Reviewed { news }));
            }
        }
    }

    /// Ends the review: says what was found, and lets the conversation know of it.
    fn end_review(&mut self, reason: EndReason, out: &mut Vec<Effect>) {
        self.tell_unexpected(out);
        if let Some(review) = self.reviewing() {
            let text = review.summary();
            let told: Vec<String> = review.found.iter().take(TOLD).map(ask::line).collect();
            notice(Level::Info, &text, out);
            if !told.is_empty() {
                self.aside.push(format!(
                    "[The user had the change reviewed. What was found, to be looked at with care:\n{}]",
                    told.join("\n")
                ));
            }
        }
        self.end_turn(reason, out);
    }

    fn reviewing(&mut self) -> Option<&mut Review> {
        self.turn.as_mut()?.review.as_mut()
    }
}

impl Review {
    /// Says what is being looked at.
    pub(super) fn place(&self) -> String {
        let all = self.looked as usize + self.pieces.len();
        let path = self.piece.as_ref().map_or("", |piece| piece.path.as_str());
        format!("a review of {path}, piece {} of {all}", self.looked)
    }

    fn summary(&self) -> String {
        if self.looked == 0 && self.pieces.is_empty() && self.missed == 0 {
            return "There was nothing to review.".to_owned();
        }
        let count = |severity: Severity| {
            let of = |finding: &&Finding| finding.severity == severity;
            self.found.iter().filter(of).count()
        };
        let counts: Vec<String> = Severity::ALL
            .into_iter()
            .rev()
            .filter(|severity| count(*severity) > 0)
            .map(|severity| plural(count(severity), severity.name()))
            .collect();
        let found = match counts.is_empty() {
            true => "nothing was found".to_owned(),
            false => counts.join(", "),
        };
        let missed = match self.missed {
            0 => String::new(),
            missed => format!(
                "; {} did not fit the context window",
                plural(missed as usize, "piece")
            ),
        };
        let left = match self.pieces.len() {
            0 => String::new(),
            left => format!("; {} not looked at", plural(left, "piece")),
        };
        format!(
            "Reviewed {}: {found}{missed}{left}.",
            plural(self.looked as usize, "piece")
        )
    }
}

fn plural(count: usize, of: &str) -> String {
    match count {
        1 => format!("1 {of}"),
        count => format!("{count} {of}s"),
    }
}

/// Tells whether two findings are of the same place.
fn is_near(a: &Finding, b: &Finding) -> bool {
    a.path == b.path && a.from <= b.to + NEAR && b.from <= a.to + NEAR
}

fn is_known(found: &[Finding], finding: &Finding) -> bool {
    found.iter().any(|known| is_near(known, finding))
}

/// Adds a finding to those of other passes: one of a place that is known counts for it.
fn merge(candidates: &mut Vec<Finding>, finding: Finding) {
    let Some(known) = candidates.iter_mut().find(|known| is_near(known, &finding)) else {
        candidates.push(finding);
        return;
    };
    known.votes += 1;
    known.severity = known.severity.max(finding.severity);
}

#[cfg(test)]
mod tests;
