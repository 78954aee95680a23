//! Resources whose addresses have variables (`@server:note://{name}`): which variable is being written, and what the
//! server says it could be.

use super::app::{App, Cmd};
use super::commands::Candidate;
use super::text::clean_line;
use crate::protocol::{CompletionOf, Op};

/// A variable of a template that is being written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filling<'a> {
    /// What the variable is called.
    pub(super) name: &'a str,
    /// Where its value begins in what is written, in bytes.
    pub(super) start: usize,
    /// What stands between it and the next variable, or the end.
    pub(super) then: &'a str,
    /// Whether another variable comes.
    pub(super) goes_on: bool,
    /// The variables before it, with their values.
    pub(super) given: Vec<(String, String)>,
}

/// Finds the variable of a template that what is written ends in. `None` where what is written does not fit, does not
/// reach the first variable, or goes past the last one; and for a template with more than plain variables, whose
/// addresses the server alone can make.
pub(super) fn filling<'a>(template: &'a str, written: &str) -> Option<Filling<'a>> {
    let mut at = 0;
    let mut rest = template;
    let mut given = Vec::new();
    loop {
        let (literal, after) = rest.split_once('{')?;
        at += written
            .get(at..)?
            .starts_with(literal)
            .then_some(literal.len())?;
        let (name, after) = after.split_once('}')?;
        let name = name.strip_prefix('+').unwrap_or(name);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%');
        if name.is_empty() || !name.chars().all(is_plain) {
            return None;
        }
        let (then, goes_on) = match after.split_once('{') {
            Some((then, _)) => (then, true),
            None => (after, false),
        };
        // Two variables side by side cannot be told apart: the first one has it all.
        match written[at..].find(then).filter(|_| !then.is_empty()) {
            Some(length) => {
                given.push((name.to_owned(), written[at..at + length].to_owned()));
                at += length;
                rest = after;
            }
            None => {
                return Some(Filling {
                    name,
                    start: at,
                    then,
                    goes_on,
                    given,
                });
            }
        }
    }
}

/// Returns what of a template can be written before its first variable is known. `None` for one without variables.
pub(super) fn beginning(template: &str) -> Option<&str> {
    template.split_once('{').map(|(beginning, _)| beginning)
}

/// What is offered, and what is written when it is taken.
pub(super) struct Offer {
    pub(super) candidate: Candidate,
    pub(super) written: String,
}

impl App {
    /// Asks a server for the values of the variable that is being written in `@query`, once for what is written, and
    /// offers those that it answered.
    pub(super) fn template_values(&mut self, query: &str) -> Vec<Offer> {
        let Some((server, address)) = query.split_once(':') else {
            return Vec::new();
        };
        let found = self.transcript.reports.iter().find_map(|report| {
            let templates = report.templates.iter().filter(|_| report.name == server);
            let mut fitting =
                templates.filter_map(|(uri, _)| Some((uri.clone(), filling(uri, address)?)));
            fitting.next().map(|(uri, filling)| {
                let before = address[..filling.start].to_owned();
                let value = address[filling.start..].to_owned();
                let then = filling.then.to_owned();
                (
                    uri.clone(),
                    filling.name.to_owned(),
                    before,
                    value,
                    then,
                    filling.goes_on,
                    filling.given,
                )
            })
        });
        let Some((uri, argument, before, begun, then, goes_on, given)) = found else {
            return Vec::new();
        };
        let help = format!("for {}", clean_line(&argument));
        let of = CompletionOf::Template { uri, argument };
        let current = (server.to_owned(), of.clone(), begun.clone());
        if self.hints.ask(current) {
            self.later.push(Cmd::Send(Op::Complete {
                server: server.to_owned(),
                of,
                begun,
                given,
            }));
            return Vec::new();
        }
        let values = self.hints.values().iter().filter(|value| **value != begun);
        values
            .map(|value| {
                let line = clean_line(&format!("{server}:{before}{value}{then}"));
                // Behind the last variable the address is whole; before that, more is to be written.
                let written = format!("@{line}{}", if goes_on { "" } else { " " });
                Offer {
                    candidate: Candidate {
                        line,
                        help: help.clone(),
                        matches: Vec::new(),
                    },
                    written,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_that_is_written_is_found() {
        let cases = [
            ("note://{name}", "note://", Some(("name", 7, "", false))),
            ("note://{name}", "note://Pa", Some(("name", 7, "", false))),
            ("note://{name}", "note:", None),
            ("note://{name}", "other://x", None),
            ("a/{x}/b/{+y}.md", "a/", Some(("x", 2, "/b/", true))),
            ("a/{x}/b/{+y}.md", "a/1/", Some(("x", 2, "/b/", true))),
            ("a/{x}/b/{+y}.md", "a/1/b/", Some(("y", 6, ".md", false))),
            ("a/{x}/b/{+y}.md", "a/1/b/2", Some(("y", 6, ".md", false))),
            ("a/{x}/b/{+y}.md", "a/1/b/2.md", None),
            ("a/{x}{y}", "a/12", Some(("x", 2, "", true))),
            ("a/é{x}", "a/éß", Some(("x", 4, "", false))),
            ("a{?q,r}", "a", None),
            ("a{", "a", None),
            ("a{}", "a", None),
            ("plain", "plain", None),
        ];
        for (template, written, wanted) in cases {
            let found =
                filling(template, written).map(|one| (one.name, one.start, one.then, one.goes_on));
            assert_eq!(found, wanted, "{template} {written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_template_makes_it_panic(template in "[a/{}+é]{0,12}", written in "[a/é1]{0,12}") {
            if let Some(found) = filling(&template, &written) {
                proptest::prop_assert!(written.is_char_boundary(found.start));
            }
        }
    }
}
