//! The Jinja environment that chat templates are written for: that of Hugging Face's transformers.

use std::fmt::Write as _;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::TemplateError;

/// The most instructions of one rendering. A long conversation needs some hundred for each message.
const FUEL: u64 = 5_000_000;

/// How deep macros and includes may nest.
const RECURSION: usize = 64;

/// The largest template that is compiled.
const SOURCE: usize = 512 * 1024;

/// The deepest value that `tojson` writes.
const DEPTH: usize = 64;

const NAME: &str = "chat";

/// A compiled template.
#[derive(Debug)]
pub(super) struct Jinja {
    environment: Environment<'static>,
}

impl Jinja {
    /// Compiles a template.
    pub(super) fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE {
            return Err(TemplateError::Compile {
                message: format!("it is larger than {} KiB", SOURCE / 1024),
            });
        }
        let compile = |error: Error| TemplateError::Compile {
            message: error.to_string(),
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(compile)?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment
            .add_template_owned(NAME, without_generation_tags(source))
            .map_err(compile)?;
        let mut jinja = Self { environment };
        jinja.set_date(String::new());
        Ok(jinja)
    }

    /// Sets what `strftime_now` returns. It is no clock: the prompt must not change from one request to the next.
    pub(super) fn set_date(&mut self, date: String) {
        self.environment
            .add_function("strftime_now", move |_format: String| date.clone());
    }

    /// Renders the template into at most `limit` bytes.
    pub(super) fn render(&self, context: Value, limit: usize) -> Result<String, TemplateError> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::OutOfFuel => TemplateError::Endless,
            ErrorKind::WriteFailure => TemplateError::TooLong { limit },
            _ => TemplateError::Render {
                message: error.to_string(),
            },
        };
        let mut written = Limited {
            bytes: Vec::new(),
            limit,
        };
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(context, &mut written).map(drop))
            .map_err(failed)?;
        String::from_utf8(written.bytes).map_err(|error| TemplateError::Render {
            message: error.to_string(),
        })
    }
}

/// Takes up to a limit, so that a template's loops cannot fill the memory with output.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for &mut Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other("the output is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns `{% generation %}` blocks, which mark what a training run learns from, into ones without effect.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, tag)) = rest.split_once("{%") {
        out.push_str(before);
        out.push_str("{%");
        rest = tag;
        let Some((inside, after)) = tag.split_once("%}") else {
            break;
        };
        let is_sign = |c: char| matches!(c, '-' | '+');
        let effect = match inside.trim_matches(is_sign).trim() {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => continue,
        };
        let begin = if inside.starts_with(is_sign) {
            &inside[..1]
        } else {
            ""
        };
        let end = if inside.ends_with(is_sign) {
            &inside[inside.len() - 1..]
        } else {
            ""
        };
        let _ = write!(out, "{begin} {effect} {end}%}}");
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Writes a value as Python's `json.dumps` does by default in templates: `", "` and `": "` between, letters of all
/// alphabets and `<` as they are. Models were trained on exactly that.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a filter gets its named arguments by value"
)]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let mut out = String::new();
    write_json(&mut out, value, indent.map(|indent| indent.min(16)), 0)?;
    Ok(out)
}

fn write_json(
    out: &mut String,
    value: &Value,
    indent: Option<usize>,
    depth: usize,
) -> Result<(), Error> {
    let refuse = |why: &'static str| Err(Error::new(ErrorKind::BadSerialization, why));
    if depth > DEPTH {
        return refuse("the value is nested too deep");
    }
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    let between = if indent.is_some() { "," } else { ", " };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        // Printed as Python prints it, a bool is no JSON.
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => {
            let _ = write!(out, "{value}");
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            out.push_str(&serde_json::Value::from(text).to_string());
        }
        ValueKind::Map => {
            out.push('{');
            let mut empty = true;
            for key in value.try_iter()? {
                if !std::mem::replace(&mut empty, false) {
                    out.push_str(between);
                }
                line(out, depth + 1);
                out.push_str(&serde_json::Value::from(key.to_string()).to_string());
                out.push_str(": ");
                write_json(out, &value.get_item(&key)?, indent, depth + 1)?;
            }
            if !empty {
                line(out, depth);
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut empty = true;
            for item in value.try_iter()? {
                if !std::mem::replace(&mut empty, false) {
                    out.push_str(between);
                }
                line(out, depth + 1);
                write_json(out, &item, indent, depth + 1)?;
            }
            if !empty {
                line(out, depth);
            }
            out.push(']');
        }
        _ => return refuse("the value has no JSON form"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, TemplateError> {
        Jinja::new(source)?.render(minijinja::context! {}, 1000)
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let source = r#"{{ {"b": [1, 2.5, none, true], "a": "<é> \"\n"} | tojson }}"#;
        assert_eq!(
            render(source).unwrap(),
            r#"{"b": [1, 2.5, null, true], "a": "<é> \"\n"}"#
        );
        assert_eq!(
            render("{{ {'a': [1], 'b': []} | tojson(indent=2) }}").unwrap(),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}"
        );
    }

    #[test]
    fn blocks_leave_no_lines_behind_and_python_methods_work() {
        let source = "a\n  {% if true %}\nb\n  {% endif %}\n{{ ' c '.strip().upper() }}{{ strftime_now('%Y') }}";
        assert_eq!(render(source).unwrap(), "a\nb\nC");
    }

    #[test]
    fn generation_blocks_have_no_effect() {
        let source = "a {%- generation -%} b {%- endgeneration %} c{% if x %}{% endif %}{% x";
        assert_eq!(
            without_generation_tags(source),
            "a {%- if true -%} b {%- endif %} c{% if x %}{% endif %}{% x"
        );
    }

    #[test]
    fn a_template_that_runs_away_is_stopped() {
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = a %}{% endfor %}{% endfor %}";
        assert!(matches!(render(endless), Err(TemplateError::Endless)));
        let long = "{% for a in range(9999) %}xxxxxxxxxxxxxx{% endfor %}";
        assert!(matches!(
            render(long),
            Err(TemplateError::TooLong { limit: 1000 })
        ));
        let deep = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
        assert!(matches!(render(deep), Err(TemplateError::Render { .. })));
        let large = " ".repeat(SOURCE + 1);
        assert!(matches!(render(&large), Err(TemplateError::Compile { .. })));
    }
}
