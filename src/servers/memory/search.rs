//! What a query finds, the best first.

use std::collections::{BTreeSet, HashMap};

use super::graph::{Graph, LineId};
use super::text_index::Hit;
use crate::servers::limits::memory::full as limits;

/// A word that is in so many relations says nothing about one of them.
const TOO_COMMON: usize = 2_000;

/// The most words of a query that count.
const WORDS: usize = 16;

/// Finds entities that contain the query as it stands, as the reference server does: by name before by type before by
/// what is known. Where there is none, those that its words lead to.
pub(super) fn matching(graph: &Graph, query: &str) -> Vec<LineId> {
    let mut hits: Vec<(u8, LineId)> = graph
        .text()
        .find(query)
        .into_iter()
        .filter(|hit| graph.is_entity(hit.line))
        .map(|hit| (place(&hit), hit.line))
        .collect();
    if hits.is_empty() {
        let mut best = ranked(graph, query);
        best.truncate(limits::BEST);
        return best;
    }
    if !query.is_empty() {
        hits.sort_unstable();
    }
    hits.into_iter().map(|(_, line)| line).collect()
}

fn place(hit: &Hit) -> u8 {
    match hit.field {
        0 if hit.whole_field => 0,
        0 => 1,
        1 => 2,
        _ => 3,
    }
}

/// Finds the entities that the words of a query lead to, also by way of a relation, the best first: a rare word counts
/// more than a common one, a name more than a remark, a whole word more than part of one.
pub(super) fn ranked(graph: &Graph, query: &str) -> Vec<LineId> {
    let all = graph.entity_count().max(1);
    // A word that every fifth thing has leads nowhere, unless there is no better one.
    let common = (all / 5).max(TOO_COMMON);
    let mut found: Vec<Vec<Hit>> = words(query)
        .iter()
        .map(|word| graph.text().find_some(word, common))
        .filter(|hits| !hits.is_empty())
        .collect();
    if found.iter().any(|hits| hits.len() < common) {
        found.retain(|hits| hits.len() < common);
    }
    let mut scores: HashMap<LineId, f64> = HashMap::new();
    for hits in found {
        let rarity = (1.0 + all as f64 / hits.len() as f64).ln();
        let (entities, relations): (Vec<Hit>, Vec<Hit>) =
            hits.iter().partition(|hit| graph.is_entity(hit.line));
        for hit in entities {
            let weight = [4.0, 3.0, 2.0, 1.0][usize::from(place(&hit))];
            let whole = if hit.whole_word { 2.0 } else { 1.0 };
            *scores.entry(hit.line).or_default() += rarity * weight * whole;
        }
        if relations.len() < TOO_COMMON {
            for hit in relations {
                let Some(relation) = graph.relation(hit.line) else {
                    continue;
                };
                for end in [&relation.from, &relation.to] {
                    for (line, _) in graph.named(end) {
                        *scores.entry(line).or_default() += rarity;
                    }
                }
            }
        }
    }
    let mut found: Vec<(LineId, f64)> = scores.into_iter().collect();
    // Of two that are as good the newer one.
    found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    found.into_iter().map(|(line, _)| line).collect()
}

/// Takes a query apart into its words, in lower case, each once.
pub(super) fn words(query: &str) -> BTreeSet<String> {
    query
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(str::to_owned)
        .collect()
}
