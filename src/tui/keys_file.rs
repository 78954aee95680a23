//! The user's own keys: `keys.toml` says which keys do what, and what that takes from other keys is told.
//!
//! ```toml
//! [always]
//! palette = "Ctrl-K"
//! [composer]
//! newline = ["Alt-Enter", "Ctrl-J"]
//! ```

use crossterm::event::{KeyCode, KeyModifiers};
use toml::{Table, Value};

use super::keymap::{Action, BINDINGS, Binding, Context, UNLISTED, name, normal};

/// Keys after a file, and what is to be told about it.
#[derive(Debug)]
pub(super) struct Keys {
    pub bindings: Vec<Binding>,
    /// What could not be done, and which default keys lost their meaning.
    pub told: Vec<String>,
}

/// Reads a keymap file over the default keys.
pub(super) fn read(text: &str) -> Keys {
    let mut keys = Keys {
        bindings: BINDINGS.to_vec(),
        told: Vec::new(),
    };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            keys.told
                .push(format!("keys.toml cannot be read: {}", error.message()));
            return keys;
        }
    };
    let mut own = Vec::new();
    for (section, entries) in &table {
        let Some(context) = context(section) else {
            keys.told.push(format!(
                "keys.toml has `[{section}]`; there are {}",
                contexts().join(", ")
            ));
            continue;
        };
        let Some(entries) = entries.as_table() else {
            keys.told
                .push(format!("`{section}` in keys.toml is no table"));
            continue;
        };
        for (action, value) in entries {
            keys.rebind(context, section, action, value, &mut own);
        }
    }
    keys
}

impl Keys {
    fn rebind(
        &mut self,
        context: Context,
        section: &str,
        action: &str,
        value: &Value,
        own: &mut Vec<(Context, KeyCode, KeyModifiers, String)>,
    ) {
        let default = BINDINGS
            .iter()
            .find(|binding| binding.context == context && action_name(binding.action) == action);
        let Some(default) = default else {
            let known = actions(context).join(", ");
            self.told.push(format!(
                "keys.toml has no action `{action}` for `[{section}]`; there are {known}"
            ));
            return;
        };
        let texts: Vec<&str> = match value {
            Value::String(text) => vec![text],
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut bound = Vec::new();
        for text in texts {
            let Some((code, modifiers)) = key(text) else {
                self.told.push(format!("keys.toml: `{text}` is no key"));
                continue;
            };
            let is_typed = matches!(code, KeyCode::Char(_))
                && modifiers.is_empty()
                && matches!(context, Context::Composer | Context::Always | Context::Form);
            if is_typed {
                self.told.push(format!(
                    "keys.toml: `{text}` is typed, and can do nothing else"
                ));
                continue;
            }
            let taken = own.iter().find(|(other, known, with, _)| {
                meet(context, *other) && *known == code && *with == modifiers
            });
            if let Some((.., other)) = taken {
                self.told.push(format!(
                    "keys.toml: `{text}` does `{other}` already, and not `{action}`"
                ));
                continue;
            }
            own.push((context, code, modifiers, action.to_owned()));
            bound.push((code, modifiers));
        }
        if bound.is_empty() {
            self.told.push(format!(
                "keys.toml gives `{action}` no key; it keeps its own"
            ));
            return;
        }
        let action = default.action;
        self.bindings
            .retain(|binding| binding.context != context || binding.action != action);
        for (at, (code, modifiers)) in bound.into_iter().enumerate() {
            self.free(context, code, modifiers, action);
            let help = match at {
                0 => default.help,
                _ if default.help == UNLISTED => UNLISTED,
                _ => "",
            };
            self.bindings.push(Binding {
                code,
                modifiers,
                context,
                action,
                help,
            });
        }
    }

    /// Takes a key from the default that has it, and tells so.
    fn free(&mut self, context: Context, code: KeyCode, modifiers: KeyModifiers, action: Action) {
        let mut lost = Vec::new();
        self.bindings.retain(|binding| {
            let clashes = meet(context, binding.context)
                && binding.code == code
                && binding.modifiers == modifiers;
            if clashes {
                lost.push((name(binding), binding.action));
            }
            !clashes
        });
        lost.dedup_by_key(|(_, other)| *other);
        for (key, other) in lost {
            if other != action {
                self.told.push(format!(
                    "{key} does `{}` now, and no longer `{}`",
                    action_name(action),
                    action_name(other)
                ));
            }
        }
    }
}

fn meet(one: Context, other: Context) -> bool {
    one == other || one == Context::Always || other == Context::Always
}

/// Returns an action's name in the file: that of its variant, in the form of the file's keys.
pub(super) fn action_name(action: Action) -> String {
    let variant = format!("{action:?}");
    let inner = variant.trim_end_matches(')').rsplit('(').next();
    kebab(inner.unwrap_or_default())
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn context(section: &str) -> Option<Context> {
    BINDINGS
        .iter()
        .map(|binding| binding.context)
        .find(|context| kebab(&format!("{context:?}")) == section)
}

fn contexts() -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for binding in BINDINGS {
        let name = format!("`[{}]`", kebab(&format!("{:?}", binding.context)));
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

fn actions(context: Context) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for binding in BINDINGS.iter().filter(|binding| binding.context == context) {
        let name = format!("`{}`", action_name(binding.action));
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// Reads a key such as `Ctrl-Alt-x`, `Shift-Tab` or `F2`.
fn key(text: &str) -> Option<(KeyCode, KeyModifiers)> {
    let mut rest = text;
    let mut modifiers = KeyModifiers::NONE;
    loop {
        let lower = rest.to_lowercase();
        let (modifier, length) = match lower.as_str() {
            lower if lower.starts_with("ctrl-") && rest.len() > 5 => (KeyModifiers::CONTROL, 5),
            lower if lower.starts_with("alt-") && rest.len() > 4 => (KeyModifiers::ALT, 4),
            lower if lower.starts_with("shift-") && rest.len() > 6 => (KeyModifiers::SHIFT, 6),
            _ => break,
        };
        modifiers |= modifier;
        rest = &rest[length..];
    }
    // As the help writes them.
    rest = match rest {
        "↑" => "Up",
        "↓" => "Down",
        "←" => "Left",
        "→" => "Right",
        _ => rest,
    };
    let mut chars = rest.chars();
    let code = match (chars.next(), chars.next()) {
        (Some(c), None) if modifiers.contains(KeyModifiers::CONTROL) => {
            KeyCode::Char(c.to_ascii_lowercase())
        }
        (Some(c), None) => KeyCode::Char(c),
        _ => match rest.to_lowercase().as_str() {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            "tab" => KeyCode::Tab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "delete" | "del" => KeyCode::Delete,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            other => KeyCode::F(
                other
                    .strip_prefix('f')?
                    .parse()
                    .ok()
                    .filter(|number| (1..=24).contains(number))?,
            ),
        },
    };
    Some((code, normal(code, modifiers)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Edit, find};
    use crossterm::event::KeyEvent;

    fn action(keys: &Keys, text: &str, context: Context) -> Option<Action> {
        let (code, modifiers) = key(text).expect("a key");
        find(&keys.bindings, KeyEvent::new(code, modifiers), context)
    }

    #[test]
    fn a_file_moves_keys_and_tells_what_they_did_before() {
        let keys = read("[always]\npalette = \"Ctrl-K\"\n[composer]\nnewline = [\"Ctrl-O\"]\n");
        assert_eq!(
            action(&keys, "Ctrl-K", Context::Composer),
            Some(Action::Palette)
        );
        assert_eq!(action(&keys, "Ctrl-P", Context::Composer), None);
        assert_eq!(
            action(&keys, "Ctrl-O", Context::Composer),
            Some(Action::Edit(Edit::Newline))
        );
        let told = keys.told.join("\n");
        for said in [
            "Ctrl-K does `palette` now, and no longer `kill-to-end`",
            "Ctrl-O does `newline` now, and no longer `details`",
        ] {
            assert!(told.contains(said), "{told}");
        }
    }

    #[test]
    fn two_actions_do_not_get_one_key_and_a_mistake_changes_nothing() {
        let keys = read(
            "[composer]\nsubmit = \"Ctrl-S\"\nnewline = \"Ctrl-S\"\nhome = \"x\"\nend = \"Hyper-Q\"\nfly = \"F2\"\n[moon]\n",
        );
        let told = keys.told.join("\n");
        for said in [
            "`Ctrl-S` does `",
            "`x` is typed",
            "`Hyper-Q` is no key",
            "no action `fly`",
            "`[moon]`",
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert_eq!(
            action(&keys, "End", Context::Composer),
            Some(Action::Edit(Edit::End))
        );
        assert_eq!(read("[composer").bindings.len(), BINDINGS.len());
    }

    #[test]
    fn every_action_has_a_name_of_its_own_in_its_context() {
        for one in BINDINGS {
            for other in BINDINGS.iter().filter(|other| other.context == one.context) {
                assert_eq!(
                    action_name(one.action) == action_name(other.action),
                    one.action == other.action,
                    "{}",
                    action_name(one.action)
                );
            }
        }
    }

    #[test]
    fn the_name_of_every_key_in_the_help_can_be_written_in_the_file() {
        for binding in BINDINGS {
            assert_eq!(
                key(&name(binding)),
                Some((binding.code, binding.modifiers)),
                "{}",
                name(binding)
            );
        }
    }
}
