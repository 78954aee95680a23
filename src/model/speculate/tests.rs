//! What whole answers cost with guesses, in the time that one token takes: counted, not timed.

use super::*;

/// What batches cost where this was measured: a 1.5B model on two processor cores.
fn cost(tokens: usize) -> f32 {
    Curve::default().cost(tokens)
}

/// Splits a text the way that vocabularies of code do: words with their space, long ones in parts, digits and line
/// breaks with their indentation each by themselves.
fn tokens(text: &str) -> Vec<Token> {
    let mut pieces: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in text.chars() {
        let joins = match (last, c) {
            (' ', 'a'..='z' | 'A'..='Z') => true,
            ('a'..='z' | 'A'..='Z', 'a'..='z') => {
                pieces.last().is_some_and(|piece| piece.len() < 7)
            }
            (' ' | '\n', ' ') => pieces.last().is_some_and(|piece| piece.starts_with('\n')),
            _ => false,
        };
        match pieces.last_mut() {
            Some(piece) if joins => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
        last = c;
    }
    let number = |piece: &String| {
        let mixed = piece.bytes().fold(17_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        Token::try_from(mixed % 1_000_003).unwrap_or(0)
    };
    pieces.iter().map(number).collect()
}

/// How an answer was written.
#[derive(Debug)]
struct Written {
    tokens: usize,
    batches: usize,
    cost: f32,
}

impl Written {
    /// How many times faster than one by one.
    fn gain(&self) -> f32 {
        self.tokens as f32 / self.cost
    }
}

/// Writes an answer to a prompt as an engine does, with a model that writes just that.
fn write(prompt: &str, answer: &str) -> Written {
    let mut speculator = Speculator::new(Speculation::Adaptive, tokens(prompt));
    let curve = Curve::default();
    let answer = tokens(answer);
    let (mut batches, mut spent) = (0, 0.0);
    let mut at = 0;
    while let Some(token) = answer.get(at) {
        speculator.observe(*token);
        at += 1;
        let guess = speculator.guess(1, MOST, &curve, <[Token]>::len);
        spent += cost(1 + guess.len());
        batches += 1;
        let right = guess
            .iter()
            .zip(&answer[at..])
            .take_while(|(guessed, written)| guessed == written)
            .count();
        for token in &answer[at..at + right] {
            speculator.observe(*token);
        }
        at += right;
        if !guess.is_empty() {
            speculator.settle(1, guess.len(), right, &curve);
        }
    }
    Written {
        tokens: answer.len(),
        batches,
        cost: spent,
    }
}

fn about(file: &str, task: &str) -> String {
    format!("You are careful.\n```\n{file}```\n\n{task}\n")
}

const SHOP: &str = include_str!("../../../tests/fixtures/renames/shop.py.txt");
const SCHEDULER: &str = include_str!("../../../tests/fixtures/renames/scheduler.rs.txt");
const NOTES: &str = include_str!("../../../tests/fixtures/renames/notes.ts.txt");
const CACHE: &str = include_str!("../../../tests/fixtures/renames/cache.go.txt");

#[test]
fn a_rename_is_written_well_over_twice_as_fast_in_any_language() {
    let mut gains = Vec::new();
    for (file, from, to) in [
        (SHOP, "total(", "sum_of_prices("),
        (SCHEDULER, "pending", "waiting_jobs"),
        (SCHEDULER, "Outcome", "JobResult"),
        (NOTES, "getNote", "findById"),
        (NOTES, "getNote", "getNoteById"),
        (CACHE, "entries", "items"),
    ] {
        let task = format!("Rename `{from}` to `{to}`. Write out the whole file.");
        let renamed = format!("```\n{}```", file.replace(from, to));
        let written = write(&about(file, &task), &renamed);
        let gain = written.gain();
        assert!(gain >= 2.4, "{from} to {to}: {gain} times, {written:?}");
        assert!(
            written.batches * 10 < written.tokens,
            "{from} to {to}: {written:?}"
        );
        gains.push(gain);
    }
    let mean = gains.iter().sum::<f32>() / gains.len() as f32;
    assert!(mean >= 2.75, "{gains:?}");
}

#[test]
fn new_text_costs_what_it_costs_without_guesses() {
    // A file of another language, and one of another purpose: words recur, passages do not.
    for (known, new) in [
        (SHOP, SCHEDULER),
        (CACHE, NOTES),
        (NOTES, SHOP),
        (SCHEDULER, CACHE),
    ] {
        let written = write(&about(known, "Write another file."), new);
        assert!(written.cost < written.tokens as f32 * 1.01, "{written:?}");
    }
}
