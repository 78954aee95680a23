//! Other programs' configurations of servers, in the common shape.

use serde_json::{Map, Value, json};

use crate::mcp::command::Origin;

/// Returns where a program keeps its configuration, beneath the user's home or the repository (`./`).
pub fn places(origin: Origin) -> &'static [&'static str] {
    match origin {
        Origin::ClaudeDesktop => &[
            ".config/Claude/claude_desktop_config.json",
            "Library/Application Support/Claude/claude_desktop_config.json",
        ],
        Origin::ClaudeCode => &[".claude.json", "./.mcp.json"],
        Origin::Cursor => &["./.cursor/mcp.json", ".cursor/mcp.json"],
        Origin::Vscode => &[
            "./.vscode/mcp.json",
            ".config/Code/User/mcp.json",
            "Library/Application Support/Code/User/mcp.json",
        ],
        Origin::Codex => &[".codex/config.toml"],
        Origin::File => &[],
    }
}

/// Reads another program's configuration. Returns the entries by name, and what could not be taken over.
///
/// # Errors
/// When the text is not what the program writes.
pub fn import(origin: Origin, text: &str) -> Result<(Map<String, Value>, Vec<String>), String> {
    let file: Value = match origin {
        Origin::Codex => {
            let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
            serde_json::to_value(table).map_err(|error| error.to_string())?
        }
        _ => serde_json::from_str(&without_comments(text)).map_err(|error| error.to_string())?,
    };
    let key = match origin {
        Origin::Codex => "mcp_servers",
        Origin::Vscode => "servers",
        _ => "mcpServers",
    };
    let servers = file
        .get(key)
        .or_else(|| file.get("mcpServers"))
        .and_then(Value::as_object)
        .ok_or_else(|| format!("it has no `{key}`"))?;
    let mut notes = Vec::new();
    let mut found = Map::new();
    for (name, entry) in servers {
        let Some(entry) = entry.as_object() else {
            notes.push(format!("`{name}` is no object"));
            continue;
        };
        let mut entry = entry.clone();
        if origin == Origin::Codex {
            from_codex(&mut entry);
        }
        if let Some(file) = entry.shift_remove("envFile") {
            notes.push(format!(
                "`{name}` reads variables from {file}, which walden does not: give them with `env`"
            ));
        }
        let mut entry = Value::Object(entry);
        let inputs = rename_inputs(&mut entry);
        for input in inputs {
            notes.push(format!(
                "`{name}` asks for `{input}`: set the variable `{}`",
                variable_of(&input)
            ));
        }
        found.insert(name.clone(), entry);
    }
    Ok((found, notes))
}

/// Codex names some things otherwise.
fn from_codex(entry: &mut Map<String, Value>) {
    if let Some(variable) = entry.shift_remove("bearer_token_env_var")
        && let Some(variable) = variable.as_str()
    {
        entry.insert(
            "headers".to_owned(),
            json!({"Authorization": format!("Bearer ${{{variable}}}")}),
        );
    }
    if let Some(headers) = entry.shift_remove("http_headers") {
        entry.insert("headers".to_owned(), headers);
    }
}

/// Makes variables of what VS Code would ask for (`${input:token}`), and of its folder. Returns what it would ask for.
fn rename_inputs(value: &mut Value) -> Vec<String> {
    let mut inputs = Vec::new();
    match value {
        Value::String(text) => {
            *text = text
                .replace("${workspaceFolder}", ".")
                .replace("${userHome}", "${HOME}");
            while let Some(at) = text.find("${input:") {
                let Some(end) = text[at..].find('}') else {
                    break;
                };
                let input = text[at + 8..at + end].to_owned();
                text.replace_range(at..=at + end, &format!("${{{}}}", variable_of(&input)));
                inputs.push(input);
            }
        }
        Value::Array(list) => inputs.extend(list.iter_mut().flat_map(rename_inputs)),
        Value::Object(map) => inputs.extend(map.values_mut().flat_map(rename_inputs)),
        _ => {}
    }
    inputs.sort();
    inputs.dedup();
    inputs
}

fn variable_of(input: &str) -> String {
    input
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect()
}

/// Takes out the comments and the trailing commas that editors allow in JSON.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    let mut in_text = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_text => {
                out.push(c);
                out.extend(chars.next());
            }
            '"' => {
                in_text = !in_text;
                out.push(c);
            }
            '/' if !in_text && chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push('\n');
                        break;
                    }
                }
            }
            '/' if !in_text && chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            '}' | ']' if !in_text => {
                let kept = out.trim_end().len();
                if out[..kept].ends_with(',') {
                    out.truncate(kept - 1);
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_entries_come_in_the_common_shape() {
        let (found, notes) = import(
            Origin::Vscode,
            r#"{
                // the servers
                "inputs": [{"id": "api-key", "type": "promptString", "password": true}],
                "servers": {
                    "one": {"type": "stdio", "command": "npx", "args": ["-y", "x", "${workspaceFolder}/a"],
                            "env": {"KEY": "${input:api-key}", "URL": "http://x/*y*/"}, /* more */ },
                },
            }"#,
        )
        .expect("read");
        assert_eq!(
            Value::Object(found),
            json!({"one": {"type": "stdio", "command": "npx", "args": ["-y", "x", "./a"],
                           "env": {"KEY": "${API_KEY}", "URL": "http://x/*y*/"}}})
        );
        assert_eq!(
            notes,
            ["`one` asks for `api-key`: set the variable `API_KEY`"]
        );

        let (found, _) = import(
            Origin::Codex,
            "model = \"x\"\n[mcp_servers.a]\ncommand = \"uvx\"\nargs = [\"t\"]\nstartup_timeout_sec = 20\n\
             [mcp_servers.b]\nurl = \"https://example.org\"\nbearer_token_env_var = \"TOK\"\n",
        )
        .expect("read");
        assert_eq!(
            Value::Object(found),
            json!({"a": {"command": "uvx", "args": ["t"], "startup_timeout_sec": 20},
                   "b": {"url": "https://example.org", "headers": {"Authorization": "Bearer ${TOK}"}}})
        );
        assert!(import(Origin::Cursor, "{}").is_err());
    }
}
