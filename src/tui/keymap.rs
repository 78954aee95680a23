//! The one table of key bindings: what dispatches, what the help shows, and what the documentation lists.

use std::sync::OnceLock;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a binding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Everywhere.
    Always,
    /// While a message is written.
    Composer,
    /// While a call waits for a decision.
    Approval,
    /// While the help or the palette is open.
    Overlay,
    /// While a text is looked for.
    Find,
    /// While a server's form is filled in.
    Form,
    /// While anything else that a server asks is open.
    Question,
    /// On the page of the servers.
    Servers,
}

/// The contexts whose keys are listed: in the others a pane says itself what its few keys do.
pub(super) const LISTED: [Context; 6] = [
    Context::Composer,
    Context::Always,
    Context::Approval,
    Context::Form,
    Context::Question,
    Context::Servers,
];

impl Context {
    /// Says when the context counts, as a heading.
    pub(super) fn when(self) -> &'static str {
        match self {
            Self::Always => "Anywhere",
            Self::Composer => "While you write",
            Self::Approval => "While a call asks",
            Self::Overlay => "In a list or on a page",
            Self::Find => "While a text is looked for",
            Self::Form => "In a server's form",
            Self::Question => "At a server's other questions",
            Self::Servers => "On the page of the servers",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Submit,
    Complete,
    /// Stops the turn, or closes what is open.
    Escape,
    /// Stops the turn, empties the composer, or leaves when pressed twice.
    Break,
    /// Leaves when the composer is empty.
    EndOfInput,
    NextMode,
    Help,
    Palette,
    Files,
    Symbols,
    Copy,
    Details,
    Redraw,
    Suspend,
    Scroll(Scroll),
    Edit(Edit),
    Answer(Answer),
    /// Opens the search.
    Search,
    Find(Find),
    EarlierTurn,
    LaterTurn,
    Expand,
    Review(Review),
    Ask(Ask),
    Serve(Serve),
}

/// What is done about a server, or what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serve {
    Open,
    /// Leaves it out, or takes it in; cancels a task.
    Use,
    Restart,
    LogIn,
    Remove,
}

/// What is done about a server's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Next,
    Previous,
    /// The next field, or what the button in focus says.
    Enter,
    Send,
    Decline,
    Editor,
    Reply(Reply),
}

/// What is answered to a question without fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Accept,
    Decline,
    Change,
}

/// How a pane is scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    PageUp,
    PageDown,
    LineUp,
    LineDown,
    Top,
    Bottom,
}

/// How the message is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Newline,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
    Backspace,
    Delete,
    KillLine,
    KillToEnd,
    KillWord,
    Undo,
    Redo,
}

/// What is answered to a call that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    AllowOnce,
    AllowForSession,
    /// All waiting calls of this tool, each as far as it was left in.
    AllowAlike,
    AllowForProject,
    Deny,
    DenyWithReason,
}

/// Where a search goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Find {
    Earlier,
    Later,
}

/// How a change that asks is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Review {
    NextHunk,
    PreviousHunk,
    NextCall,
    PreviousCall,
    /// Leaves the hunk, or the chosen lines, out of the change; takes them in again.
    LeaveOut,
    /// Begins to choose lines.
    Choose,
    Edit,
    Sides,
    Whole,
}

/// One binding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
    pub context: Context,
    pub action: Action,
    /// What it does, for the help; empty for a second key of the binding above it, [`UNLISTED`] for what a hand finds
    /// by itself.
    pub help: &'static str,
}

/// The help of a binding that is not listed.
pub(super) const UNLISTED: &str = "-";

const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

const fn bind(
    code: KeyCode,
    modifiers: KeyModifiers,
    context: Context,
    action: Action,
    help: &'static str,
) -> Binding {
    Binding {
        code,
        modifiers,
        context,
        action,
        help,
    }
}

/// All bindings. The first one that fits counts.
#[rustfmt::skip] // A table is read by its columns.
pub(super) const BINDINGS: &[Binding] = {
    use Context::{Always, Approval, Composer, Form, Overlay, Question, Servers};
    use KeyCode::{
        BackTab, Backspace, Char, Delete, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp,
        Right, Tab, Up,
    };
    &[
        bind(Enter, NONE, Composer, Action::Submit, "send the message; while a turn runs it waits"),
        bind(Char('j'), CTRL, Composer, Action::Edit(Edit::Newline), "begin a new line"),
        bind(Enter, ALT, Composer, Action::Edit(Edit::Newline), ""),
        bind(Enter, SHIFT, Composer, Action::Edit(Edit::Newline), ""),
        bind(Tab, NONE, Composer, Action::Complete, "complete a `/command`, an `@file` or a `#symbol`"),
        bind(Esc, NONE, Always, Action::Escape, "stop the turn; close what is open"),
        bind(Char('c'), CTRL, Always, Action::Break, "stop the turn; empty the message; twice: quit"),
        bind(Char('d'), CTRL, Composer, Action::EndOfInput, "quit, when the message is empty"),
        bind(BackTab, NONE, Composer, Action::NextMode, "next mode: plan, ask, edit, auto"),
        bind(BackTab, NONE, Approval, Action::NextMode, UNLISTED),
        bind(Char('p'), CTRL, Always, Action::Palette, "commands"),
        bind(Char('t'), CTRL, Always, Action::Files, "find a file; `@` and a few letters do it too, in a message"),
        bind(Char('t'), ALT, Always, Action::Symbols, "find a function or a type; `#` and a few letters do it too"),
        bind(F(1), NONE, Always, Action::Help, "this help; `?` too, while the message is empty"),
        bind(Char('?'), NONE, Composer, Action::Help, UNLISTED),
        bind(Char('y'), CTRL, Always, Action::Copy, "copy the last answer"),
        bind(Char('o'), CTRL, Always, Action::Details, "show or hide thinking, output and whole diffs"),
        bind(PageUp, NONE, Always, Action::Scroll(Scroll::PageUp), "scroll the transcript, or the diff that asks"),
        bind(PageDown, NONE, Always, Action::Scroll(Scroll::PageDown), ""),
        bind(Up, CTRL, Always, Action::Scroll(Scroll::LineUp), "scroll by a line"),
        bind(Down, CTRL, Always, Action::Scroll(Scroll::LineDown), ""),
        bind(Home, CTRL, Always, Action::Scroll(Scroll::Top), "go to the start, to the end"),
        bind(End, CTRL, Always, Action::Scroll(Scroll::Bottom), ""),
        bind(Char('f'), CTRL, Always, Action::Search, "find a text in the session"),
        bind(Up, ALT, Always, Action::EarlierTurn, "go to the turn before, to the next"),
        bind(Down, ALT, Always, Action::LaterTurn, ""),
        bind(Char('o'), ALT, Always, Action::Expand, "show the last call in sight whole, or as before"),
        bind(Char('l'), CTRL, Always, Action::Redraw, "draw the screen anew"),
        bind(Char('z'), CTRL, Always, Action::Suspend, "suspend walden; `fg` brings it back"),
        bind(Char('y'), NONE, Approval, Action::Answer(Answer::AllowOnce), "allow this call"),
        bind(Char('a'), NONE, Approval, Action::Answer(Answer::AllowForSession), "allow this tool for the session"),
        bind(Char('A'), NONE, Approval, Action::Answer(Answer::AllowAlike), "allow all calls of this tool that wait"),
        bind(Char('p'), NONE, Approval, Action::Answer(Answer::AllowForProject), "allow this tool in this project from now on"),
        bind(Char('n'), NONE, Approval, Action::Answer(Answer::Deny), "deny this call"),
        bind(Char('e'), NONE, Approval, Action::Answer(Answer::DenyWithReason), "deny it and tell the model why"),
        bind(Char('x'), NONE, Approval, Action::Review(Review::LeaveOut), "leave this hunk, or the chosen lines, out of the change; again: take it in"),
        bind(Char('v'), NONE, Approval, Action::Review(Review::Choose), "begin to choose lines; `x` leaves them out"),
        bind(Char('o'), NONE, Approval, Action::Review(Review::Edit), "edit this hunk in `$EDITOR`"),
        bind(Char(']'), NONE, Approval, Action::Review(Review::NextHunk), "go to the next hunk, to the one before"),
        bind(Char('['), NONE, Approval, Action::Review(Review::PreviousHunk), ""),
        bind(Tab, NONE, Approval, Action::Review(Review::NextHunk), UNLISTED),
        bind(Right, NONE, Approval, Action::Review(Review::NextCall), "go to the next call that waits, to the one before"),
        bind(Left, NONE, Approval, Action::Review(Review::PreviousCall), ""),
        bind(Char('s'), NONE, Approval, Action::Review(Review::Sides), "show both sides side by side, or one below the other"),
        bind(Char('f'), NONE, Approval, Action::Review(Review::Whole), "give the change the whole screen, or take it back"),
        bind(Up, NONE, Approval, Action::Scroll(Scroll::LineUp), "move by a line"),
        bind(Down, NONE, Approval, Action::Scroll(Scroll::LineDown), ""),
        bind(Char('k'), NONE, Approval, Action::Scroll(Scroll::LineUp), UNLISTED),
        bind(Char('j'), NONE, Approval, Action::Scroll(Scroll::LineDown), UNLISTED),
        bind(Char(' '), NONE, Approval, Action::Scroll(Scroll::PageDown), UNLISTED),
        bind(Home, NONE, Approval, Action::Scroll(Scroll::Top), UNLISTED),
        bind(End, NONE, Approval, Action::Scroll(Scroll::Bottom), UNLISTED),
        bind(Up, NONE, Composer, Action::Edit(Edit::Up), "earlier and later messages; move between lines"),
        bind(Down, NONE, Composer, Action::Edit(Edit::Down), ""),
        bind(Left, NONE, Composer, Action::Edit(Edit::Left), UNLISTED),
        bind(Right, NONE, Composer, Action::Edit(Edit::Right), UNLISTED),
        bind(Char('b'), CTRL, Composer, Action::Edit(Edit::Left), UNLISTED),
        bind(Left, CTRL, Composer, Action::Edit(Edit::WordLeft), "move by a word"),
        bind(Right, CTRL, Composer, Action::Edit(Edit::WordRight), ""),
        bind(Char('b'), ALT, Composer, Action::Edit(Edit::WordLeft), UNLISTED),
        bind(Char('f'), ALT, Composer, Action::Edit(Edit::WordRight), UNLISTED),
        bind(Left, ALT, Composer, Action::Edit(Edit::WordLeft), UNLISTED),
        bind(Right, ALT, Composer, Action::Edit(Edit::WordRight), UNLISTED),
        bind(Home, NONE, Composer, Action::Edit(Edit::Home), "go to the line's start, to its end"),
        bind(End, NONE, Composer, Action::Edit(Edit::End), ""),
        bind(Char('a'), CTRL, Composer, Action::Edit(Edit::Home), UNLISTED),
        bind(Char('e'), CTRL, Composer, Action::Edit(Edit::End), UNLISTED),
        bind(Backspace, NONE, Composer, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Backspace, SHIFT, Composer, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Char('h'), CTRL, Composer, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Delete, NONE, Composer, Action::Edit(Edit::Delete), UNLISTED),
        bind(Char('w'), CTRL, Composer, Action::Edit(Edit::KillWord), "delete the word before the cursor"),
        bind(Backspace, ALT, Composer, Action::Edit(Edit::KillWord), UNLISTED),
        bind(Char('u'), CTRL, Composer, Action::Edit(Edit::KillLine), "delete to the line's start, to its end"),
        bind(Char('k'), CTRL, Composer, Action::Edit(Edit::KillToEnd), ""),
        bind(Char('_'), CTRL, Composer, Action::Edit(Edit::Undo), "undo the last edit of the message"),
        bind(Char('r'), ALT, Composer, Action::Edit(Edit::Redo), "do again what was undone"),
        bind(Char('7'), CTRL, Composer, Action::Edit(Edit::Undo), UNLISTED),
        bind(Char('/'), CTRL, Composer, Action::Edit(Edit::Undo), UNLISTED),
        bind(Enter, NONE, Context::Find, Action::Find(Find::Earlier), UNLISTED),
        bind(Up, NONE, Context::Find, Action::Find(Find::Earlier), UNLISTED),
        bind(Down, NONE, Context::Find, Action::Find(Find::Later), UNLISTED),
        bind(Backspace, NONE, Context::Find, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Char('u'), CTRL, Context::Find, Action::Edit(Edit::KillLine), UNLISTED),
        bind(Enter, NONE, Overlay, Action::Submit, UNLISTED),
        bind(Tab, NONE, Overlay, Action::Complete, UNLISTED),
        bind(Up, NONE, Overlay, Action::Scroll(Scroll::LineUp), UNLISTED),
        bind(Down, NONE, Overlay, Action::Scroll(Scroll::LineDown), UNLISTED),
        bind(Backspace, NONE, Overlay, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Char('u'), CTRL, Overlay, Action::Edit(Edit::KillLine), UNLISTED),
        bind(Delete, NONE, Overlay, Action::Edit(Edit::Delete), UNLISTED),
        bind(Tab, NONE, Form, Action::Ask(Ask::Next), "next field"),
        bind(Down, NONE, Form, Action::Ask(Ask::Next), ""),
        bind(BackTab, NONE, Form, Action::Ask(Ask::Previous), "field before"),
        bind(Up, NONE, Form, Action::Ask(Ask::Previous), ""),
        bind(Enter, NONE, Form, Action::Ask(Ask::Enter), "next field; on a button, what it says"),
        bind(Left, NONE, Form, Action::Edit(Edit::Left), "move in a text, or among choices; Space chooses"),
        bind(Right, NONE, Form, Action::Edit(Edit::Right), ""),
        bind(Char('g'), CTRL, Form, Action::Ask(Ask::Editor), "write the field in $EDITOR"),
        bind(Char('s'), CTRL, Form, Action::Ask(Ask::Send), "send the form"),
        bind(Char('n'), CTRL, Form, Action::Ask(Ask::Decline), "decline: the server hears no"),
        bind(Char('j'), CTRL, Form, Action::Edit(Edit::Newline), UNLISTED),
        bind(Backspace, NONE, Form, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Backspace, SHIFT, Form, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Char('h'), CTRL, Form, Action::Edit(Edit::Backspace), UNLISTED),
        bind(Delete, NONE, Form, Action::Edit(Edit::Delete), UNLISTED),
        bind(Home, NONE, Form, Action::Edit(Edit::Home), UNLISTED),
        bind(End, NONE, Form, Action::Edit(Edit::End), UNLISTED),
        bind(Char('a'), CTRL, Form, Action::Edit(Edit::Home), UNLISTED),
        bind(Char('e'), CTRL, Form, Action::Edit(Edit::End), UNLISTED),
        bind(Left, CTRL, Form, Action::Edit(Edit::WordLeft), UNLISTED),
        bind(Right, CTRL, Form, Action::Edit(Edit::WordRight), UNLISTED),
        bind(Char('w'), CTRL, Form, Action::Edit(Edit::KillWord), UNLISTED),
        bind(Char('u'), CTRL, Form, Action::Edit(Edit::KillLine), UNLISTED),
        bind(Char('k'), CTRL, Form, Action::Edit(Edit::KillToEnd), UNLISTED),
        bind(Char('y'), NONE, Question, Action::Ask(Ask::Reply(Reply::Accept)), "accept"),
        bind(Char('n'), NONE, Question, Action::Ask(Ask::Reply(Reply::Decline)), "decline: the server hears no"),
        bind(Char('e'), NONE, Question, Action::Ask(Ask::Reply(Reply::Change)), "change the text in $EDITOR"),
        bind(Enter, NONE, Servers, Action::Serve(Serve::Open), "show a server whole, or as before"),
        bind(Char(' '), NONE, Servers, Action::Serve(Serve::Use), "leave a server or a tool out, or take it in; cancel a task"),
        bind(Char('r'), NONE, Servers, Action::Serve(Serve::Restart), "start a server again"),
        bind(Char('l'), NONE, Servers, Action::Serve(Serve::LogIn), "log in to a server that wants it"),
        bind(Delete, NONE, Servers, Action::Serve(Serve::Remove), "stop a server, and forget what was agreed to of it"),
        bind(Up, NONE, Question, Action::Scroll(Scroll::LineUp), UNLISTED),
        bind(Down, NONE, Question, Action::Scroll(Scroll::LineDown), UNLISTED),
        bind(Char(' '), NONE, Question, Action::Scroll(Scroll::PageDown), UNLISTED),
    ]
};

/// The user's own keys, where there are any: read once, before the first key.
static OWN: OnceLock<Vec<Binding>> = OnceLock::new();

/// Puts the user's own keys in place of the default ones, for the rest of the process.
pub(super) fn install(bindings: Vec<Binding>) {
    // Another session of the same process keeps the keys of the first.
    let _ = OWN.set(bindings);
}

fn bindings() -> &'static [Binding] {
    OWN.get().map_or(BINDINGS, Vec::as_slice)
}

/// Finds what a key does in a context, where `Always` counts too.
pub(super) fn lookup(key: KeyEvent, context: Context) -> Option<Action> {
    find(bindings(), key, context)
}

/// Finds what a key does among some bindings.
pub(super) fn find(bindings: &[Binding], key: KeyEvent, context: Context) -> Option<Action> {
    let modifiers = normal(key.code, key.modifiers);
    bindings
        .iter()
        .find(|binding| {
            binding.code == key.code
                && binding.modifiers == modifiers
                && (binding.context == context || binding.context == Context::Always)
        })
        .map(|binding| binding.action)
}

/// Brings modifiers to the form that the table has.
pub(super) fn normal(code: KeyCode, modifiers: KeyModifiers) -> KeyModifiers {
    let mut modifiers = modifiers & (CTRL | ALT | SHIFT);
    // A shifted character has the shift in it, and BackTab is Shift-Tab whatever the terminal adds.
    if matches!(code, KeyCode::Char(_) | KeyCode::BackTab) {
        modifiers -= SHIFT;
    }
    modifiers
}

/// Lists the bindings of a context with their help, keys of one action together.
pub(super) fn help(context: Context) -> Vec<(String, &'static str)> {
    let mut out: Vec<(String, &'static str)> = Vec::new();
    let listed = |binding: &&Binding| binding.context == context && binding.help != UNLISTED;
    for binding in bindings().iter().filter(listed) {
        let name = name(binding);
        match out.last_mut() {
            Some((keys, _)) if binding.help.is_empty() => {
                keys.push(' ');
                keys.push_str(&name);
            }
            _ => out.push((name, binding.help)),
        }
    }
    out
}

/// Lists what keys do wherever one is, for the palette.
pub(super) fn anywhere() -> Vec<(Action, String, String)> {
    bindings()
        .iter()
        .filter(|binding| binding.context == Context::Always)
        .filter(|binding| !matches!(binding.help, "" | UNLISTED))
        .filter(|binding| {
            !matches!(
                binding.action,
                Action::Palette | Action::Escape | Action::Break | Action::Scroll(_)
            )
        })
        .map(|binding| (binding.action, name(binding), binding.help.to_owned()))
        .collect()
}

/// Lists all keys, under when they count, and what they do: for the documentation and `--help`.
pub fn key_table() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    LISTED
        .into_iter()
        .map(|context| (context.when(), help(context)))
        .collect()
}

/// Returns the first key of an action, for a hint.
pub(super) fn key_of(action: Action) -> String {
    bindings()
        .iter()
        .find(|binding| binding.action == action)
        .map(name)
        .unwrap_or_default()
}

/// Writes a binding's key, as the help shows it and `keys.toml` takes it.
pub(super) fn name(binding: &Binding) -> String {
    let mut out = String::new();
    for (modifier, text) in [(CTRL, "Ctrl-"), (ALT, "Alt-"), (SHIFT, "Shift-")] {
        if binding.modifiers.contains(modifier) {
            out.push_str(text);
        }
    }
    match binding.code {
        KeyCode::Char(' ') => out.push_str("Space"),
        KeyCode::Char(c) if binding.modifiers.contains(CTRL) => out.push(c.to_ascii_uppercase()),
        KeyCode::Char(c) => out.push(c),
        KeyCode::F(number) => out.push_str(&format!("F{number}")),
        KeyCode::BackTab => out.push_str("Shift-Tab"),
        KeyCode::PageUp => out.push_str("PgUp"),
        KeyCode::PageDown => out.push_str("PgDn"),
        KeyCode::Esc => out.push_str("Esc"),
        KeyCode::Up => out.push('↑'),
        KeyCode::Down => out.push('↓'),
        KeyCode::Left => out.push('←'),
        KeyCode::Right => out.push('→'),
        code => out.push_str(&format!("{code:?}")),
    }
    out
}

#[cfg(test)]
mod tests;
