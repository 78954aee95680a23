//! A draw beside the conversation: what is asked for next, and with what before the model.

use std::sync::Arc;

use super::super::input::{Aim, Aims, CodeQuestion, Effect};
use super::checking::Checking;
use super::departing;
use super::rewriting::{Reading, Rewriting, function};
use super::wording::{Judge, Manner, Part, Subject, prompt};
use super::{Agent, Search};
use crate::protocol::{Lane, Mechanism, Message, ModelRequest, ToolChoice};

impl Agent {
    /// Takes the file that is to be written as what edits are drawn of. Returns it, where there is one.
    fn begin_tracks(&mut self) -> Option<(String, Arc<str>)> {
        let (path, file) = self.file_to_write()?;
        let turn = self.turn.as_mut()?;
        let result = match turn.checking {
            Checking::Known(result) => result,
            _ => None,
        };
        let fails = turn.checked_first.as_deref();
        let search = turn.search.as_mut()?;
        search.tracks.begin(&file, fails, result);
        Some((path, file))
    }

    /// Tells whether the next draw is to be made in the conversation: what is not found as a whole may be found as a
    /// passage.
    pub(super) fn is_to_draw_inside(&mut self) -> bool {
        let Some((path, file)) = self.begin_tracks() else {
            return true;
        };
        let Some(turn) = &mut self.turn else {
            return true;
        };
        let Some(search) = &mut turn.search else {
            return true;
        };
        if search.tracks.unknown().is_some() {
            return false;
        }
        let Some(ask) = search.tracks.next() else {
            return true;
        };
        let targets = turn
            .aims(&path, &file)
            .map_or(&[][..], |aims| &aims.targets);
        let focus = targets.first().and_then(function);
        let is_inside = ask.is_file && ask.target == 0 && Manner::is_inside(ask.drawn, focus);
        let doubts = departing::is_due(&ask);
        is_inside && !(doubts && self.doubts())
    }

    /// Asks what of a text may be meant, where that is not known. Returns `false` where it is.
    fn ask_for_aims(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some((path, _)) = self.file_to_write() else {
            return false;
        };
        let parts = !self.settings.without.contains(&Mechanism::Parts);
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let unknown = turn
            .search
            .as_ref()
            .and_then(|search| search.tracks.unknown());
        let Some((text, failing)) = unknown else {
            return false;
        };
        if let Some(aims) = turn.aims(&path, &text) {
            let passes = passes(aims, parts);
            if let Some(search) = &mut turn.search {
                search.tracks.learn(&text, &passes);
            }
            return false;
        }
        let request = turn.request.clone();
        self.reads += 1;
        let question = self.reads;
        turn.reading = Some(Reading::Aims {
            question,
            path: path.clone(),
            text: Arc::clone(&text),
        });
        out.push(Effect::ReadCode {
            question,
            about: CodeQuestion::Aims {
                path,
                text,
                request,
                failing: failing.unwrap_or_default(),
            },
        });
        true
    }

    /// Asks for a part of a file beside the conversation. Returns `false` when there is none to ask for.
    pub(super) fn draw_beside(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some((path, file)) = self.begin_tracks() else {
            return false;
        };
        if self.ask_for_aims(out) || self.ask_for_samples(out) {
            return true;
        }
        let parts = !self.settings.without.contains(&Mechanism::Parts);
        let compares = self.compares();
        let may_doubt = self.doubts();
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let next = |search: &mut Search| search.tracks.next();
        let Some(ask) = turn.search.as_mut().and_then(next) else {
            return false;
        };
        let Some(aims) = turn.aims(&path, &ask.text).cloned() else {
            return false;
        };
        let targets = targets(&aims, parts);
        let Some(target) = targets.get(ask.target) else {
            return false;
        };
        let focus = function(target);
        let search = turn.search.as_ref();
        let searches = search.is_some_and(|search| search.versions.searches());
        let judge = match turn.checking {
            Checking::Known(_) => Judge::Check,
            // What the request says is one, too; a file that is not written yet is written anew.
            _ if compares && searches && !aims.is_stub => Judge::Check,
            _ if compares => Judge::Versions,
            _ => Judge::Nobody,
        };
        let total = search.map_or(0, Search::drawn);
        let drawn = match judge {
            Judge::Check => ask.drawn,
            Judge::Versions | Judge::Nobody => total,
        };
        let (due, most) = match judge {
            Judge::Versions => (departing::is_due_at_once(&ask), departing::MOST_RUN),
            Judge::Check | Judge::Nobody => (departing::is_due(&ask), departing::MOST),
        };
        let doubts = may_doubt && due && !aims.is_stub;
        let manner = match doubts {
            true => Manner::doubting(ask.doubted, focus),
            false => Manner::of(drawn, focus, judge),
        };
        let last = search.and_then(|search| search.versions.fails.as_deref());
        let prompt = prompt(
            &manner,
            &Subject {
                request: &turn.request,
                path: &path,
                text: &ask.text,
                focus,
                fails: ask.fails.as_deref().or(last),
                tried: search.map_or(&[][..], |search| search.vain()),
                is_stub: aims.is_stub,
            },
        );
        let mut request = self.request_beside(prompt);
        if manner.temperature > 0.0 {
            request.sampling.temperature = manner.temperature.max(request.sampling.temperature);
            request.sampling.top_p = 0.95;
        }
        if let Some(most) = manner.most() {
            request.sampling.max_tokens = request.sampling.max_tokens.min(most);
        }
        request.sampling.seed = total;
        let mut part = manner.part;
        if doubts {
            part = Part::Departures;
            let (doubts, offset) = departing::doubts(&path, &ask.text, focus, ask.doubted, most);
            request.doubts = Some(doubts);
            if let Some(search) = self.search() {
                search.departures.begin(offset);
            }
        }
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
            turn.rewriting = Some(Rewriting {
                path,
                text: ask.text,
                file,
                part,
            });
        }
        out.push(Effect::Generate(request));
        true
    }

    /// Makes a request beside the conversation: for code, with this prompt alone before the model.
    pub(in crate::agent) fn request_beside(&mut self, prompt: String) -> Box<ModelRequest> {
        self.generations += 1;
        let mut request = self.request(ToolChoice::Auto);
        request.messages = vec![
            Message::System {
                text: "You are a careful programmer.".to_owned(),
            },
            Message::User { text: prompt },
        ];
        request.tools.clear();
        request.unlisted = 0;
        request.passages.clear();
        request.lane = Lane::Side;
        request
    }
}

/// Returns what is asked for of a text. Where no parts are asked for, that is the file.
fn targets(aims: &Aims, parts: bool) -> Vec<Aim> {
    let of_kind = |target: &&Aim| parts || matches!(target, Aim::File);
    let mut chosen: Vec<Aim> = aims.targets.iter().filter(of_kind).cloned().collect();
    let is_short = aims.targets.iter().any(|target| match target {
        Aim::File => true,
        Aim::Function(focus) => focus.around.is_none(),
    });
    if !parts && chosen.is_empty() && is_short {
        chosen.push(Aim::File);
    }
    chosen
}

/// Returns how many draws a pass over each target takes.
fn passes(aims: &Aims, parts: bool) -> Vec<u32> {
    let targets = targets(aims, parts);
    let of = |target: &Aim| Manner::pass(function(target));
    targets.iter().map(of).collect()
}
