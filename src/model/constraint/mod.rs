//! Constrained decoding: from the first byte of a call on, a model can only write a call that is one.
//!
//! A grammar describes the whole call; what the model has written of it before the constraint begins is fed to it
//! first. So it does not matter where in the call, or where in a token, the constraint takes over. Any schema can be
//! enforced, if need be as a projection that allows more; [`check`] then says what a finished call has wrong. And
//! arguments that name something can only name what is there: see `known`.

mod form;
mod grammar;
mod known;
mod project;
mod validate;

use std::collections::HashMap;
use std::rc::Rc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{InferenceCapabilities, SimpleVob, TokEnv};
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;

use crate::protocol::{CallForm, Known, Passages, ToolSpec};

use grammar::Spacing;
use known::{Guard, Library, Reaching};
use project::Enforced;

pub use grammar::{closing, opening};
pub use validate::check;

/// How many compiled grammars are kept: a request's tools seldom change.
const KEPT_GRAMMARS: usize = 12;

/// Why a call is not constrained, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ConstraintError {
    #[error("the vocabulary cannot be used for constraints: {0}")]
    Vocabulary(String),
    #[error("there is no tool to call")]
    NoTool,
    #[error("what is written of the call fits no tool: {0}")]
    Unfit(String),
    #[error("the constraint gave up: {0}")]
    GaveUp(String),
}

/// Makes constraints for one model. What is slow to make is made once: the vocabulary's trie, each schema's form
/// that can be compiled, the grammar of a list of tools, and what arguments are held to.
pub struct Constraints {
    factory: ParserFactory,
    reaching: Rc<Reaching>,
    library: Library,
    schemas: HashMap<String, (Value, Rc<Enforced>)>,
    patterns: HashMap<String, bool>,
    grammars: Vec<Compiled>,
}

/// The grammar of the calls of some tools, ready to start.
struct Compiled {
    form: CallForm,
    spacing: Spacing,
    tools: Vec<(String, Rc<Enforced>)>,
    matcher: Matcher,
}

/// What a call is constrained to.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    pub form: CallForm,
    pub tools: &'a [&'a ToolSpec],
    /// What an edit may quote; empty to let it quote anything.
    pub passages: &'a [Passages],
    /// What the arguments may name that name something; empty to let them name anything.
    pub known: &'a [Known],
}

impl Constraints {
    /// Prepares the constraints of a vocabulary.
    pub fn new(tokens: &TokEnv) -> Result<Self, ConstraintError> {
        let mut factory = ParserFactory::new(
            tokens,
            InferenceCapabilities::default(),
            &llguidance::earley::SlicedBiasComputer::json_slices(),
        )
        .map_err(|error| ConstraintError::Vocabulary(first_line(&error)))?;
        // Nothing may be written to stderr: the terminal is in use.
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self {
            reaching: Rc::new(Reaching::new(tokens.tok_trie())),
            factory,
            library: Library::default(),
            schemas: HashMap::new(),
            patterns: HashMap::new(),
            grammars: Vec::new(),
        })
    }

    /// Constrains the rest of a call of which `body` is written: what follows the opening mark of its form.
    pub fn rest_of_call(
        &mut self,
        allowed: Allowed<'_>,
        body: &[u8],
    ) -> Result<Constraint, ConstraintError> {
        if allowed.tools.is_empty() {
            return Err(ConstraintError::NoTool);
        }
        let schemas: Vec<Rc<Enforced>> = allowed
            .tools
            .iter()
            .map(|tool| self.enforced(tool))
            .collect();
        let mut tried = None;
        // Models write a call on one line or spread over many. Only what is already there may be spread out:
        // free whitespace is where a small model runs away.
        for spacing in [Spacing::Tight, Spacing::Free] {
            let matcher = self
                .compiled(allowed, &schemas, spacing)
                .and_then(|matcher| self.start(matcher, body));
            match matcher {
                Ok(matcher) => {
                    let guard = self.guard(allowed, body);
                    return Ok(Constraint {
                        matcher,
                        tokens: self.factory.tok_env().clone(),
                        reaching: Rc::clone(&self.reaching),
                        start: guard.clone(),
                        guard,
                        bytes: Vec::new(),
                        lengths: Vec::new(),
                    });
                }
                Err(error) => tried = Some(error),
            }
        }
        Err(tried.unwrap_or(ConstraintError::NoTool))
    }

    /// Prepares what the arguments of a call are held to; `None` when nothing is, or when what is written of the
    /// call already is something else.
    fn guard(&mut self, allowed: Allowed<'_>, body: &[u8]) -> Option<Guard> {
        let held = self
            .library
            .hold(allowed.tools, allowed.known, allowed.passages)?;
        let trie = self.factory.tok_env().tok_trie();
        let mut guard = Guard::new(held, allowed.form, trie);
        let fits = grammar::tokens(trie, body)
            .into_iter()
            .all(|token| guard.feed(trie.token(token)));
        fits.then_some(guard)
    }

    /// Returns a matcher at the beginning of a call, compiled now or before.
    fn compiled(
        &mut self,
        allowed: Allowed<'_>,
        schemas: &[Rc<Enforced>],
        spacing: Spacing,
    ) -> Result<Matcher, ConstraintError> {
        let is_same = |known: &Compiled| {
            known.form == allowed.form
                && known.spacing == spacing
                && known.tools.len() == schemas.len()
                && known
                    .tools
                    .iter()
                    .zip(allowed.tools.iter().zip(schemas))
                    .all(|((name, enforced), (tool, schema))| {
                        *name == tool.name && Rc::ptr_eq(enforced, schema)
                    })
        };
        let compiled = match self.grammars.iter().position(is_same) {
            Some(at) => self.grammars.remove(at),
            None => {
                let grammar = grammar::call(
                    allowed.form,
                    allowed.tools,
                    schemas,
                    spacing,
                    self.factory.tok_env().tok_trie(),
                );
                let names = allowed.tools.iter().map(|tool| tool.name.clone());
                let mut matcher = Matcher::new(self.factory.create_parser(grammar));
                if let Some(error) = matcher.get_error() {
                    tracing::warn!("the tools do not compile together: {}", line_of(&error));
                    // Each of them does alone: together they are too much.
                    let plain: Vec<Rc<Enforced>> = allowed
                        .tools
                        .iter()
                        .map(|tool| Rc::new(project::plain(&tool.schema)))
                        .collect();
                    let grammar = grammar::call(
                        allowed.form,
                        allowed.tools,
                        &plain,
                        spacing,
                        self.factory.tok_env().tok_trie(),
                    );
                    matcher = Matcher::new(self.factory.create_parser(grammar));
                }
                Compiled {
                    form: allowed.form,
                    spacing,
                    tools: names.zip(schemas.iter().cloned()).collect(),
                    matcher,
                }
            }
        };
        let matcher = compiled.matcher.clone();
        self.grammars.push(compiled);
        if self.grammars.len() > KEPT_GRAMMARS {
            self.grammars.remove(0);
        }
        match matcher.get_error() {
            Some(error) => Err(ConstraintError::GaveUp(line_of(&error))),
            None => Ok(matcher),
        }
    }

    fn start(&self, mut matcher: Matcher, body: &[u8]) -> Result<Matcher, ConstraintError> {
        let tokens = grammar::tokens(self.factory.tok_env().tok_trie(), body);
        let taken = matcher
            .try_consume_tokens(&tokens)
            .map_err(|error| ConstraintError::Unfit(first_line(&error)))?;
        if taken < tokens.len() {
            return Err(ConstraintError::Unfit(
                String::from_utf8_lossy(body).chars().take(80).collect(),
            ));
        }
        Ok(matcher)
    }

    /// Returns the schema that is enforced for a tool: its own, or the nearest that can be compiled.
    fn enforced(&mut self, tool: &ToolSpec) -> Rc<Enforced> {
        if let Some((given, enforced)) = self.schemas.get(&tool.name)
            && *given == tool.schema
        {
            return Rc::clone(enforced);
        }
        let (factory, patterns) = (&self.factory, &mut self.patterns);
        let candidates = project::candidates(&tool.schema, &mut |schema| {
            *patterns
                .entry(schema.to_string())
                .or_insert_with(|| compiles(factory, schema, false).is_ok())
        });
        let enforced = candidates
            .into_iter()
            .find(
                |candidate| match compiles(factory, &candidate.schema, candidate.coerced) {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::debug!(tool = tool.name, "simplifying a schema: {error}");
                        false
                    }
                },
            )
            .unwrap_or_else(|| project::plain(&Value::Null));
        let enforced = Rc::new(enforced);
        self.schemas.insert(
            tool.name.clone(),
            (tool.schema.clone(), Rc::clone(&enforced)),
        );
        enforced
    }
}

fn compiles(factory: &ParserFactory, schema: &Value, coerced: bool) -> Result<(), ConstraintError> {
    let schema = project::with_options(schema.clone(), Spacing::Tight, coerced);
    let grammar = TopLevelGrammar::from_json_schema(schema);
    let mut matcher = Matcher::new(factory.create_parser(grammar));
    matcher
        .compute_mask()
        .map(drop)
        .map_err(|error| ConstraintError::GaveUp(first_line(&error)))
}

impl std::fmt::Debug for Constraints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Constraints")
            .field("schemas", &self.schemas.len())
            .finish_non_exhaustive()
    }
}

/// A call in progress that can only end well.
pub struct Constraint {
    matcher: Matcher,
    tokens: TokEnv,
    reaching: Rc<Reaching>,
    /// The guard as it was when the constraint began, and as it is now. `None` when arguments are held to nothing.
    start: Option<Guard>,
    guard: Option<Guard>,
    /// What was accepted, and how long each token of it is.
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Constraint {
    /// Returns the tokens that may come next.
    pub fn mask(&mut self) -> Result<SimpleVob, ConstraintError> {
        let mask = self
            .matcher
            .compute_mask()
            .map_err(|error| ConstraintError::GaveUp(first_line(&error)))?;
        let Some(guard) = &self.guard else {
            return Ok(mask);
        };
        let mut real = mask.clone();
        guard.restrict(&mut real, self.tokens.tok_trie(), &self.reaching);
        if real.is_zero() {
            // What is known cannot be written here. Better something that is not known than nothing.
            tracing::warn!("an argument is let off what is known");
            self.guard = None;
            return Ok(mask);
        }
        Ok(real)
    }

    /// Takes the tokens that were written.
    pub fn accept(&mut self, tokens: &[u32]) -> Result<(), ConstraintError> {
        self.matcher
            .consume_tokens(tokens)
            .map_err(|error| ConstraintError::GaveUp(first_line(&error)))?;
        for token in tokens {
            let bytes = self.tokens.tok_trie().token(*token);
            self.bytes.extend_from_slice(bytes);
            self.lengths.push(bytes.len());
            if self.guard.as_mut().is_some_and(|guard| !guard.feed(bytes)) {
                self.guard = None;
            }
        }
        Ok(())
    }

    /// Forgets the last tokens that were written.
    pub fn take_back(&mut self, tokens: usize) -> Result<(), ConstraintError> {
        self.matcher
            .rollback(tokens)
            .map_err(|error| ConstraintError::GaveUp(first_line(&error)))?;
        let kept = self.lengths.len().saturating_sub(tokens);
        let length = self.lengths[..kept].iter().sum();
        self.lengths.truncate(kept);
        self.bytes.truncate(length);
        let mut guard = self.start.clone();
        if guard.as_mut().is_some_and(|guard| !guard.feed(&self.bytes)) {
            guard = None;
        }
        self.guard = guard;
        Ok(())
    }

    /// Returns how many of the first tokens could come next, one after the other.
    pub fn fitting(&mut self, tokens: &[u32]) -> usize {
        self.matcher.validate_tokens(tokens).unwrap_or(0)
    }

    /// Returns what must come next, whatever the model says; empty when it has a choice.
    pub fn forced(&mut self) -> Vec<u8> {
        match self.guard.as_ref().and_then(Guard::forced) {
            Some(bytes) => bytes,
            None => self.matcher.compute_ff_bytes(),
        }
    }

    /// Tells whether the call is complete: nothing can be added to it.
    pub fn is_complete(&self) -> bool {
        !self.matcher.is_error() && self.matcher.is_stopped()
    }
}

impl std::fmt::Debug for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Constraint").finish_non_exhaustive()
    }
}

fn first_line(error: &impl std::fmt::Display) -> String {
    line_of(&error.to_string())
}

fn line_of(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
