//! Schemas that nobody would write.

use super::drawn::{Draws, checked_call, constraints, seed};
use super::*;
use serde_json::Map;

const SCHEMAS: u64 = 1_000;
const CALLS: u64 = 300;

fn word(draws: &mut Draws) -> String {
    const WORDS: [&str; 10] = [
        "a", "b", "path", "größe", "x y", "q\"t", "日本", "n1", "", "a/b",
    ];
    WORDS[draws.below(WORDS.len())].to_owned()
}

fn value(draws: &mut Draws, depth: u32) -> Value {
    match draws.below(if depth > 2 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(draws.one_in(2)),
        2 => json!(i64::try_from(draws.below(2_000)).unwrap() - 1_000),
        3 => json!(draws.below(1_000) as f64 / 8.0),
        4 => json!(word(draws)),
        5 => Value::Array(
            (0..draws.below(3))
                .map(|_| value(draws, depth + 1))
                .collect(),
        ),
        _ => {
            let mut object = Map::new();
            for _ in 0..draws.below(3) {
                object.insert(word(draws), value(draws, depth + 1));
            }
            Value::Object(object)
        }
    }
}

fn schemas(draws: &mut Draws, depth: u32) -> Value {
    Value::Array(
        (0..=draws.below(3))
            .map(|_| schema(draws, depth + 1))
            .collect(),
    )
}

fn named(draws: &mut Draws, depth: u32) -> Value {
    let mut object = Map::new();
    for _ in 0..draws.below(4) {
        object.insert(word(draws), schema(draws, depth + 1));
    }
    Value::Object(object)
}

fn names(draws: &mut Draws) -> Value {
    Value::Array((0..draws.below(3)).map(|_| json!(word(draws))).collect())
}

fn pattern(draws: &mut Draws) -> &'static str {
    const PATTERNS: [&str; 12] = [
        "^[a-c]+$",
        "a",
        "^\\d{2,3}$",
        "^(x|yy)*$",
        "(?=a)",
        "[",
        "^.{0,20}$",
        "\\bword\\b",
        "^$",
        "é+",
        "^[^\"]*$",
        "^(a+)+$",
    ];
    PATTERNS[draws.below(PATTERNS.len())]
}

fn schema(draws: &mut Draws, depth: u32) -> Value {
    const TYPES: [&str; 8] = [
        "string", "integer", "number", "boolean", "null", "array", "object", "weird",
    ];
    if depth > 4 || draws.one_in(12) {
        return match draws.below(7) {
            0 => json!(true),
            1 => json!({}),
            2 => json!(false),
            3 => value(draws, 1),
            4 => json!({"$ref": "#/$defs/a"}),
            _ => json!({"type": TYPES[draws.below(8)]}),
        };
    }
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if !draws.one_in(4) {
        put("type", json!(TYPES[draws.below(8)]));
    } else if draws.one_in(2) {
        put(
            "type",
            json!([TYPES[draws.below(7)], TYPES[draws.below(8)]]),
        );
    }
    for _ in 0..draws.below(5) {
        let number = |draws: &mut Draws| json!(draws.below(12));
        match draws.below(38) {
            0 | 1 | 30..=33 => put("properties", named(draws, depth)),
            2 | 34 => put("required", names(draws)),
            3 => put("additionalProperties", schema(draws, depth + 1)),
            4 | 35 => put("items", schema(draws, depth + 1)),
            5 => put("prefixItems", schemas(draws, depth)),
            6 => put("anyOf", schemas(draws, depth)),
            7 => put("oneOf", schemas(draws, depth)),
            8 => put("allOf", schemas(draws, depth)),
            9 => put(
                "enum",
                Value::Array((0..draws.below(5)).map(|_| value(draws, 0)).collect()),
            ),
            10 => put("const", value(draws, 0)),
            11 => put("pattern", json!(pattern(draws))),
            12 => put("minLength", number(draws)),
            13 => put("maxLength", number(draws)),
            14 => put("minimum", number(draws)),
            15 => put("maximum", json!(draws.below(40) as f64 / 4.0)),
            16 => put("exclusiveMinimum", number(draws)),
            17 => put("exclusiveMaximum", number(draws)),
            18 => put("multipleOf", number(draws)),
            19 => put("minItems", number(draws)),
            20 => put("maxItems", number(draws)),
            21 => put("uniqueItems", json!(true)),
            22 => put(
                "patternProperties",
                json!({pattern(draws): schema(draws, depth + 1)}),
            ),
            23 => put("minProperties", number(draws)),
            24 => put("maxProperties", number(draws)),
            25 => put("not", schema(draws, depth + 1)),
            26 => put("if", schema(draws, depth + 1)),
            27 => put(
                "$ref",
                json!(
                    [
                        "#",
                        "#/$defs/a",
                        "#/$defs/b",
                        "https://example.com/a",
                        "#/x"
                    ][draws.below(5)]
                ),
            ),
            28 => put(
                "format",
                json!(["date", "uuid", "email", "odd"][draws.below(4)]),
            ),
            29 => put("dependentRequired", json!({word(draws): names(draws)})),
            36 => put("contains", schema(draws, depth + 1)),
            _ => put(
                ["properties", "required", "anyOf", "minLength", "type"][draws.below(5)],
                value(draws, 0),
            ),
        }
    }
    Value::Object(object)
}

#[test]
fn any_schema_is_taken_and_gives_valid_calls() {
    let mut constraints = constraints();
    let (mut exact, mut fitting) = (0, 0);
    for number in 1..=SCHEMAS {
        let other = seed().wrapping_sub(1).wrapping_mul(SCHEMAS);
        let mut draws = Draws(
            number
                .wrapping_add(other)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15),
        );
        let mut given = schema(&mut draws, 0);
        if let Value::Object(given) = &mut given {
            given.insert(
                "$defs".to_owned(),
                json!({"a": schema(&mut draws, 2), "b": schema(&mut draws, 2)}),
            );
            if !draws.one_in(4) {
                given.insert("type".to_owned(), json!("object"));
                given.insert("properties".to_owned(), named(&mut draws, 0));
            }
        }
        let tool = tool("act", given);
        exact += u64::from(constraints.enforced(&tool).exact);
        if number <= CALLS {
            fitting += u64::from(checked_call(&mut constraints, &tool, &mut draws));
        }
    }
    // Many of them contradict themselves or ask for what no grammar has; more of them than this is dropping too much.
    assert!(exact * 4 > SCHEMAS, "{exact} of {SCHEMAS} are exact");
    assert!(fitting * 2 > CALLS, "{fitting} of {CALLS} calls fit");
}
