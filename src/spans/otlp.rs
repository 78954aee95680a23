//! Spans as the OpenTelemetry file exporter writes them: JSON lines, each an `ExportTraceServiceRequest` in the JSON
//! encoding of OTLP, one for each turn.

use serde_json::{Value as Json, json};

use super::{Kind, Place, Span, Turn, Value};
use crate::protocol::harmless_json;

/// Writes turns, a line each.
pub fn otlp(turns: &[Turn]) -> String {
    let lines = turns.iter().map(|turn| {
        let spans: Vec<Json> = turn.spans.iter().map(span).collect();
        let version = env!("CARGO_PKG_VERSION");
        let request = json!({"resourceSpans": [{
            "resource": {"attributes": [
                attribute("service.name", &Value::from("walden")),
                attribute("service.version", &Value::from(version)),
            ]},
            "scopeSpans": [{
                "scope": {"name": "walden", "version": version},
                "spans": spans,
            }],
        }]});
        harmless_json(&request.to_string()) + "\n"
    });
    lines.collect()
}

fn span(span: &Span) -> Json {
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let attributes = span.attributes.iter();
    let attributes: Vec<Json> = attributes
        .map(|(name, value)| attribute(name, value))
        .collect();
    let mut written = json!({
        "traceId": span.place.trace,
        "spanId": span.place.span,
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": attributes,
    });
    if let Some(parent) = &span.parent {
        written["parentSpanId"] = parent.as_str().into();
    }
    if !span.links.is_empty() {
        written["links"] = span.links.iter().map(link).collect();
    }
    if let Some(failed) = &span.failed {
        written["status"] = json!({"code": 2, "message": failed});
    }
    written
}

fn link(to: &Place) -> Json {
    json!({"traceId": to.trace, "spanId": to.span})
}

fn attribute(name: &str, value: &Value) -> Json {
    let value = match value {
        Value::Text(text) => json!({"stringValue": text}),
        // As JSON has no numbers of 64 bits.
        Value::Count(count) => json!({"intValue": count.to_string()}),
        Value::Is(is) => json!({"boolValue": is}),
    };
    json!({"key": name, "value": value})
}

fn nanoseconds(milliseconds: u64) -> String {
    (u128::from(milliseconds) * 1_000_000).to_string()
}
