//! A bundle as it is shown before it is installed.

use serde_json::{Map, Value};

use super::Archive;
use super::asked::Answers;
use super::manifest::Manifest;
use crate::protocol::{clip, sanitize_line};

/// The most that is shown, and of one thing that a bundle says of itself, in bytes.
const ALL: usize = 48 * 1024;
const ONE: usize = 600;

impl Manifest {
    /// Writes everything that a bundle is and wants. `entry` is what would be configured.
    pub fn shown(
        &self,
        archive: &Archive,
        entry: &Map<String, Value>,
        answers: &Answers,
    ) -> String {
        let mut page = Page(String::new());
        let title = match &self.title {
            Some(title) if *title != self.name => format!("{} ({title})", self.name),
            _ => self.name.clone(),
        };
        page.row("bundle", &format!("{title} {}", self.version));
        page.row(
            "by",
            &format!(
                "{} (what it says of itself; nobody vouches for it)",
                self.author
            ),
        );
        page.row("about", &self.description);
        if let Some(licence) = &self.licence {
            page.row("licence", licence);
        }
        page.row("kind", &format!("{}, manifest {}", self.kind, self.format));
        page.row("sha256", &archive.sha256);
        page.row(
            "size",
            &format!(
                "{}, {} in {} files unpacked",
                size(archive.packed),
                size(archive.unpacked),
                archive.count()
            ),
        );
        page.row(
            "signature",
            match archive.is_signed {
                true => "there is one, which is not checked",
                false => "none",
            },
        );
        for need in &self.needs {
            page.row("needs", need);
        }
        if self.kind == "uv" {
            page.row("note", "it fetches what it needs when it starts, and a server has no network here: it may not start");
        }
        page.row("starts", &self.entry_point);
        let secrets: Vec<&str> = answers.secrets().collect();
        let hide = |value: &str| {
            let mut value = value.to_owned();
            for secret in &secrets {
                if !secret.starts_with("${") && !secret.is_empty() {
                    value = value.replace(secret, "••••");
                }
            }
            value
        };
        let words = std::iter::once(&entry["command"])
            .chain(entry["args"].as_array().into_iter().flatten());
        let words: Vec<String> = words
            .filter_map(Value::as_str)
            .map(|word| quoted(&hide(word)))
            .collect();
        page.row("command", &words.join(" "));
        for (name, value) in entry["env"].as_object().into_iter().flatten() {
            page.row(
                "variable",
                &format!("{name} = {}", hide(value.as_str().unwrap_or_default())),
            );
        }
        for (key, label) in [("read", "reads"), ("write", "writes")] {
            for path in entry["sandbox"][key].as_array().into_iter().flatten() {
                page.row(label, path.as_str().unwrap_or_default());
            }
        }
        page.row("network", "none");
        for wish in &self.wishes {
            let secret = if wish.is_secret { ", secret" } else { "" };
            let required = if wish.is_required { ", needed" } else { "" };
            let about = format!(
                "{} ({}{secret}{required}): {} {}",
                wish.key,
                wish.word(),
                wish.title,
                wish.about
            );
            page.row("asks for", &about);
        }
        for (label, list) in [("tool", &self.tools), ("prompt", &self.prompts)] {
            for (name, about) in list {
                page.row(label, &format!("{name}  {about}"));
            }
        }
        if self.makes_more {
            page.row("more", "it makes more tools or prompts while it runs");
        }
        clip(&page.0, ALL)
    }
}

struct Page(String);

impl Page {
    fn row(&mut self, label: &str, text: &str) {
        if !text.trim().is_empty() {
            let text = sanitize_line(&clip(text, ONE));
            self.0.push_str(&format!("{label:<10} {text}\n"));
        }
    }
}

/// Puts an argument into quotes where it could be taken for two.
fn quoted(argument: &str) -> String {
    match argument.is_empty() || argument.contains([' ', '"', '\'']) {
        true => format!("{argument:?}"),
        false => argument.to_owned(),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
