//! A stand-in for a model: it writes calls by drawing any of the tokens that a constraint allows.

use super::*;
use serde_json::Map;

/// Small deterministic random numbers (xorshift).
pub(super) struct Draws(pub(super) u64);

/// Returns the number that `PROPTEST_RNG_SEED` has for this run: another one draws other cases here, too.
pub(super) fn seed() -> u64 {
    std::env::var("PROPTEST_RNG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}

impl Draws {
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most
    }

    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Writes one call of a tool. Panics when nothing may follow, or when the call does not end.
pub(super) fn call(
    constraints: &mut Constraints,
    tool: &ToolSpec,
    draws: &mut Draws,
) -> Map<String, Value> {
    let body = format!(
        "{{\"name\": {}, \"arguments\": ",
        Value::from(tool.name.as_str())
    );
    let allowed = Allowed {
        form: CallForm::JsonFence,
        tools: &[tool],
        passages: &[],
        known: &[],
    };
    let mut constraint = constraints
        .rest_of_call(allowed, body.as_bytes())
        .unwrap_or_else(|error| panic!("{error}: {}", tool.schema));
    let mut written = body.into_bytes();
    let schema = tool.schema.to_string().into_bytes();
    while !constraint.is_complete() {
        let mask = constraint
            .mask()
            .unwrap_or_else(|error| panic!("{error} after {}: {}", text(&written), tool.schema));
        let allowed = mask.to_list();
        assert!(
            !allowed.is_empty(),
            "nothing may follow {}: {}",
            text(&written),
            tool.schema
        );
        // What ends something is drawn more often than the many letters, and always in the end.
        let in_string = allowed.len() > 60;
        let marks: &[u8] = if in_string { b"\"" } else { b"\"]},0e" };
        let ends: Vec<u32> = marks
            .iter()
            .map(|byte| u32::from(*byte))
            .filter(|byte| allowed.contains(byte))
            .collect();
        let hurry = written.len() > 600;
        let token = match ends.first() {
            Some(first) if hurry => *first,
            None if hurry || draws.one_in(2) => {
                // A pattern may ask for what only it names.
                let likely = match hurry && draws.one_in(2) {
                    true => named(&schema, written.last().copied(), draws),
                    false => b"ab0x-"[draws.below(5)],
                };
                let likely = u32::from(likely);
                match allowed.contains(&likely) {
                    true => likely,
                    false => allowed[draws.below(allowed.len())],
                }
            }
            Some(_) if !draws.one_in(3) => ends[draws.below(ends.len())],
            _ => allowed[draws.below(allowed.len())],
        };
        constraint.accept(&[token]).unwrap();
        written.push(u8::try_from(token).unwrap());
        assert!(
            written.len() < 60_000,
            "it does not end: {}: {}",
            text(&written),
            tool.schema
        );
    }
    let call: Value = serde_json::from_slice(&written)
        .unwrap_or_else(|error| panic!("{error}: {}: {}", text(&written), tool.schema));
    match call["arguments"].clone() {
        Value::Object(arguments) => arguments,
        other => panic!("no object: {other}: {}", tool.schema),
    }
}

/// Draws a byte of a schema's text: within a letter of several bytes one that goes on with it.
fn named(schema: &[u8], last: Option<u8>, draws: &mut Draws) -> u8 {
    let within = |pair: &&[u8]| Some(pair[0]) == last && pair[0] >= 0xc0;
    let next: Vec<u8> = schema
        .windows(2)
        .filter(within)
        .map(|pair| pair[1])
        .collect();
    match next.is_empty() {
        true => schema[draws.below(schema.len())],
        false => next[draws.below(next.len())],
    }
}

fn text(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    text.chars().take(400).collect()
}

/// Writes a call and checks it against what is enforced, and against the tool's own schema where that is enforced
/// as it is. Tells whether the call fits the tool's own schema.
pub(super) fn checked_call(
    constraints: &mut Constraints,
    tool: &ToolSpec,
    draws: &mut Draws,
) -> bool {
    let arguments = call(constraints, tool, draws);
    let enforced = constraints.enforced(tool);
    let schema = match enforced.coerced {
        // One form is as good as another where they cannot be told apart.
        true => serde_json::from_str(
            &enforced
                .schema
                .to_string()
                .replace("\"oneOf\"", "\"anyOf\""),
        )
        .unwrap(),
        false => enforced.schema.clone(),
    };
    let shown = || {
        format!(
            "{}\nfor {}\nenforced as {}",
            Value::Object(arguments.clone()),
            tool.schema,
            enforced.schema
        )
    };
    if let Err(problem) = validate::check(&schema, &arguments) {
        panic!("{problem}: {}", shown());
    }
    let fits = validate::check(&tool.schema, &arguments);
    if let (Err(problem), true) = (&fits, enforced.exact) {
        panic!("{problem}: {}", shown());
    }
    fits.is_ok()
}

/// The vocabulary of all bytes.
pub(super) fn constraints() -> Constraints {
    Constraints::new(&ApproximateTokEnv::single_byte_env()).unwrap()
}
