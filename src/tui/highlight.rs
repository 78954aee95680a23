//! Syntax highlighting: a language's scopes become roles, never a theme of the highlighter's own.
//!
//! The grammars load on a thread of their own, so that the first paint does not wait for them, and long texts are
//! highlighted there too; until then a text is plain. A text that grows at its end, as a streamed answer does, is
//! continued from its last whole line.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::role::Role;

/// Longer texts stay plain.
pub(super) const MOST_LINES: usize = 2_000;
/// Longer lines stay plain: they are data or minified, and slow.
const LONGEST_LINE: usize = 1_000;
/// Up to this many new lines are highlighted at once; more would be felt between a key and its echo.
const AT_ONCE: usize = 60;
/// Finished texts that are kept.
const KEPT: usize = 256;

/// The runs of a line: lengths in bytes with their roles.
pub(super) type Runs = Vec<(usize, Role)>;

/// Highlights code, at once or later.
#[derive(Debug, Default)]
pub struct Highlighter {
    syntaxes: Arc<OnceLock<SyntaxSet>>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    finished: HashMap<u64, Arc<Vec<Runs>>>,
    asked: Vec<u64>,
    live: Option<Live>,
    worker: Option<(Sender<Job>, Receiver<Finished>)>,
    generation: u64,
}

struct Job {
    key: u64,
    language: String,
    lines: Vec<String>,
}

type Finished = (u64, Vec<Runs>);

/// The text that grows: its whole lines so far, and how to go on after them.
#[derive(Debug)]
struct Live {
    language: String,
    lines: Vec<String>,
    runs: Vec<Runs>,
    parser: ParseState,
    stack: ScopeStack,
}

impl Highlighter {
    /// Starts the thread that loads the grammars and highlights long texts. `wake` is called there when there is
    /// something new to [`Self::collect`].
    pub fn start(&self, wake: impl Fn() + Send + 'static) {
        let (jobs, todo) = channel::<Job>();
        let (done, finished) = channel::<Finished>();
        let syntaxes = Arc::clone(&self.syntaxes);
        // Ends when this highlighter, and with it `jobs`, is dropped.
        let started = std::thread::Builder::new()
            .name("highlight".to_owned())
            .spawn(move || {
                let syntaxes = syntaxes.get_or_init(two_face::syntax::extra_newlines);
                wake();
                while let Ok(job) = todo.recv() {
                    let runs = whole(syntaxes, &job.language, &job.lines).unwrap_or_default();
                    if done.send((job.key, runs)).is_err() {
                        break;
                    }
                    wake();
                }
            });
        // Without a thread everything stays plain, and readable.
        if started.is_ok() {
            self.state.borrow_mut().worker = Some((jobs, finished));
        }
    }

    /// Loads the grammars now, for tests and for front ends that can wait.
    pub fn load(&self) {
        self.syntaxes.get_or_init(two_face::syntax::extra_newlines);
        self.state.borrow_mut().generation += 1;
    }

    /// Takes in what the thread finished.
    pub fn collect(&self) {
        let mut state = self.state.borrow_mut();
        state.generation += 1;
        let Some((_, finished)) = &state.worker else {
            return;
        };
        let news: Vec<Finished> = finished.try_iter().collect();
        for (key, runs) in news {
            state.keep(key, Arc::new(runs));
        }
    }

    /// Changes whenever a text may look different than before.
    pub fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// Returns the runs of each line, or `None` while the text is to be shown plain.
    ///
    /// `language` is a fence's info string, a file's name or its extension.
    pub fn highlight(&self, language: &str, lines: &[String]) -> Option<Arc<Vec<Runs>>> {
        let syntaxes = self.syntaxes.get()?;
        if lines.is_empty() || lines.len() > MOST_LINES {
            return None;
        }
        let syntax = find(syntaxes, language)?;
        let mut hasher = DefaultHasher::new();
        (language, lines).hash(&mut hasher);
        let key = hasher.finish();
        let mut state = self.state.borrow_mut();
        if let Some(found) = state.finished.get(&key) {
            return Some(Arc::clone(found)).filter(|runs| !runs.is_empty());
        }
        let whole_lines = lines.len() - 1;
        let known = match &state.live {
            Some(live)
                if live.language == language
                    && live.lines.len() <= whole_lines
                    && live.lines == lines[..live.lines.len()] =>
            {
                live.lines.len()
            }
            _ => 0,
        };
        if lines.len() - known > AT_ONCE && state.worker.is_some() {
            if !state.asked.contains(&key) {
                state.asked.push(key);
                if let Some((jobs, _)) = &state.worker {
                    let _ = jobs.send(Job {
                        key,
                        language: language.to_owned(),
                        lines: lines.to_vec(),
                    });
                }
            }
            return None;
        }
        let mut live = match state.live.take() {
            Some(live) if known > 0 => live,
            _ => Live {
                language: language.to_owned(),
                lines: Vec::new(),
                runs: Vec::new(),
                parser: ParseState::new(syntax),
                stack: ScopeStack::new(),
            },
        };
        for line in &lines[known..whole_lines] {
            let runs = one_line(syntaxes, &mut live.parser, &mut live.stack, line);
            live.lines.push(line.clone());
            live.runs.push(runs);
        }
        let mut runs = live.runs.clone();
        // The last line may still grow: it is parsed with a copy of the state.
        let (mut parser, mut stack) = (live.parser.clone(), live.stack.clone());
        runs.push(one_line(
            syntaxes,
            &mut parser,
            &mut stack,
            &lines[whole_lines],
        ));
        let runs = Arc::new(runs);
        // A text that grew is asked for again with more: keeping each state of it would only cost memory.
        if known == 0 {
            state.keep(key, Arc::clone(&runs));
        }
        state.live = Some(live);
        Some(runs)
    }
}

impl State {
    fn keep(&mut self, key: u64, runs: Arc<Vec<Runs>>) {
        if self.finished.len() >= KEPT {
            self.finished.clear();
            self.asked.clear();
        }
        self.asked.retain(|asked| *asked != key);
        self.finished.insert(key, runs);
    }
}

fn whole(syntaxes: &SyntaxSet, language: &str, lines: &[String]) -> Option<Vec<Runs>> {
    let mut parser = ParseState::new(find(syntaxes, language)?);
    let mut stack = ScopeStack::new();
    Some(
        lines
            .iter()
            .map(|line| one_line(syntaxes, &mut parser, &mut stack, line))
            .collect(),
    )
}

fn find<'a>(syntaxes: &'a SyntaxSet, language: &str) -> Option<&'a SyntaxReference> {
    let name = language.rsplit('/').next()?;
    let token = name.split([',', ' ', '{']).next()?;
    if token.is_empty() {
        return None;
    }
    let extension = token.rsplit('.').next()?;
    syntaxes
        .find_syntax_by_token(token)
        .or_else(|| syntaxes.find_syntax_by_extension(extension))
        .filter(|syntax| syntax.name != "Plain Text")
}

fn one_line(
    syntaxes: &SyntaxSet,
    parser: &mut ParseState,
    stack: &mut ScopeStack,
    line: &str,
) -> Runs {
    if line.len() > LONGEST_LINE {
        return vec![(line.len(), Role::CodeBlock)];
    }
    let Ok(ops) = parser.parse_line(&format!("{line}\n"), syntaxes) else {
        return vec![(line.len(), Role::CodeBlock)];
    };
    let mut runs: Runs = Vec::new();
    let mut at = 0;
    let mut push = |from: usize, to: usize, role: Role| {
        let to = to.min(line.len());
        if to <= from {
            return;
        }
        match runs.last_mut() {
            Some((length, last)) if *last == role => *length += to - from,
            _ => runs.push((to - from, role)),
        }
    };
    for (offset, op) in ops {
        push(at, offset, role_of(stack));
        at = at.max(offset);
        if stack.apply(&op).is_err() {
            break;
        }
    }
    push(at, line.len(), role_of(stack));
    runs
}

/// Which scope means which role; the first entry that is a prefix of the scope counts.
const SCOPES: [(&str, Role); 30] = [
    ("comment", Role::CodeComment),
    ("constant.character.escape", Role::CodeConstant),
    ("string", Role::CodeString),
    ("constant.numeric", Role::CodeNumber),
    ("constant", Role::CodeConstant),
    ("keyword.operator", Role::CodeBlock),
    ("keyword", Role::CodeKeyword),
    ("storage", Role::CodeKeyword),
    ("variable.language", Role::CodeKeyword),
    ("entity.name.function", Role::CodeFunction),
    ("entity.name.macro", Role::CodeFunction),
    ("support.function", Role::CodeFunction),
    ("support.macro", Role::CodeFunction),
    ("variable.function", Role::CodeFunction),
    ("entity.name.tag", Role::CodeTag),
    ("support.type.property-name", Role::CodeTag),
    ("meta.mapping.key", Role::CodeTag),
    ("entity.other.attribute-name", Role::CodeAttribute),
    ("meta.annotation", Role::CodeAttribute),
    ("variable.annotation", Role::CodeAttribute),
    ("entity.name.type", Role::CodeType),
    ("entity.name.class", Role::CodeType),
    ("entity.name.struct", Role::CodeType),
    ("entity.name.enum", Role::CodeType),
    ("entity.name.trait", Role::CodeType),
    ("entity.other.inherited-class", Role::CodeType),
    ("support.type", Role::CodeType),
    ("support.class", Role::CodeType),
    ("markup.inserted", Role::DiffAdded),
    ("markup.deleted", Role::DiffRemoved),
];

fn role_of(stack: &ScopeStack) -> Role {
    static TABLE: OnceLock<Vec<(Scope, Role)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        SCOPES
            .iter()
            .filter_map(|(name, role)| Some((Scope::new(name).ok()?, *role)))
            .collect()
    });
    stack
        .as_slice()
        .iter()
        .rev()
        .find_map(|scope| {
            table
                .iter()
                .find(|(prefix, _)| prefix.is_prefix_of(*scope))
                .map(|(_, role)| *role)
        })
        .unwrap_or(Role::CodeBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn code_is_plain_until_the_grammars_are_there() {
        let highlighter = Highlighter::default();
        assert!(highlighter.highlight("rust", &lines("fn a() {}")).is_none());
        highlighter.load();
        let runs = highlighter
            .highlight("rust", &lines("fn a() {}"))
            .expect("runs");
        assert_eq!(runs[0][0], (2, Role::CodeKeyword));
        assert!(
            highlighter
                .highlight("src/x.rs", &lines("fn a() {}"))
                .is_some()
        );
        assert!(
            highlighter
                .highlight("no such", &lines("fn a() {}"))
                .is_none()
        );
    }

    #[test]
    fn a_text_that_grows_looks_as_if_it_had_come_at_once() {
        let text = "/* a comment\nover lines */ fn b() -> &str {\n    \"x\"\n}";
        let grown = Highlighter::default();
        grown.load();
        let mut last = None;
        for end in 1..=text.len() {
            last = grown.highlight("rs", &lines(&text[..end]));
        }
        let once = Highlighter::default();
        once.load();
        assert_eq!(last, once.highlight("rs", &lines(text)));
    }
}
