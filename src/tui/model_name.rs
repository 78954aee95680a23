//! What a model is called where there is little room: what tells it from others stays, and what stands around that goes.

use super::text::{clean_line, cut_middle, take, width};

/// The hex digits of a file that is named for its content: so many it has at least, and so many are shown.
const DIGITS: usize = 32;
const SHOWN_DIGITS: usize = 12;

/// Returns a model's name in at most `limit` columns. Of a path that is too long the middle is left out and the file's
/// name kept; of a file that is named for its content, that is the model's own name, where that is known, and the first
/// digits.
pub(super) fn fitted(name: &str, title: Option<&str>, limit: usize) -> String {
    let name = clean_line(name);
    let Some((folder, file)) = name.rsplit_once('/') else {
        let shown = content_name(&name).map(|short| titled(&short, title, &name));
        return cut_middle(&shown.unwrap_or(name), limit);
    };
    let short = content_name(file);
    if let Some(short) = &short
        && let Some(title) = own(title, &name)
    {
        return with_digits(&title, short, limit);
    }
    let file = short.unwrap_or_else(|| file.to_owned());
    let whole = format!("{folder}/{file}");
    if width(&whole) <= limit {
        return whole;
    }
    // The beginning of a path says whose it is.
    let room = limit.saturating_sub(width(&file) + 2);
    let head = take(folder, room).0;
    let head = head.rfind('/').map_or("", |at| &head[..=at]);
    let cut = format!("{head}…/{file}");
    match width(&cut) <= limit {
        true => cut,
        false => cut_middle(&file, limit),
    }
}

/// Returns the title where it is one of the model's own.
fn own(title: Option<&str>, name: &str) -> Option<String> {
    let title = clean_line(title?);
    let is_own = !title.trim().is_empty() && title != name;
    is_own.then_some(title)
}

fn titled(short: &str, title: Option<&str>, name: &str) -> String {
    match own(title, name) {
        Some(title) => with_digits(&title, short, usize::MAX),
        None => short.to_owned(),
    }
}

/// Joins a title and the digits, of which the title is what a person knows.
fn with_digits(title: &str, digits: &str, limit: usize) -> String {
    let both = format!("{title} ({digits})");
    match width(&both) <= limit {
        true => both,
        false => cut_middle(title, limit),
    }
}

/// Shortens a name that is made of the hex digits of a hash, perhaps after the hash's own name. `None` for any other.
fn content_name(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".gguf").unwrap_or(file);
    let (hash, digits) = match stem.split_once(['-', ':']) {
        Some((hash, digits)) => (Some(hash), digits),
        None => (None, stem),
    };
    let is_hash = |hash: &str| hash.chars().all(|c| c.is_ascii_alphanumeric());
    let is_content = digits.len() >= DIGITS
        && digits.chars().all(|c| c.is_ascii_hexdigit())
        && hash.is_none_or(is_hash);
    is_content.then(|| format!("{}…", &digits[..SHOWN_DIGITS]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "60e05f2100f1c03fa9f4d3f1a1b2c3d4e5f60718293a4b5c6d7e8f9001122334";

    #[test]
    fn what_tells_a_model_from_others_stays() {
        let file = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf";
        let long = format!("/home/somebody/models/of/many/kinds/in/a/folder/{file}");
        let blob = format!("/var/lib/ollama/models/blobs/sha256-{BLOB}");
        let coder = Some("Qwen2.5 Coder 1.5B");
        for (name, title, limit, expected) in [
            ("qwen2.5-coder-1.5b", None, 40, "qwen2.5-coder-1.5b"),
            ("qwen2.5-coder-1.5b", coder, 40, "qwen2.5-coder-1.5b"),
            ("models/a.gguf", None, 40, "models/a.gguf"),
            (
                &long,
                None,
                60,
                "/home/somebody/…/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            ),
            (
                &long,
                None,
                44,
                "/…/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            ),
            (&long, coder, 24, "qwen2.5…ruct-q4_k_m.gguf"),
            (
                &blob,
                None,
                80,
                "/var/lib/ollama/models/blobs/60e05f2100f1…",
            ),
            (&blob, None, 30, "/var/lib/…/60e05f2100f1…"),
            (&blob, coder, 80, "Qwen2.5 Coder 1.5B (60e05f2100f1…)"),
            (&blob, coder, 20, "Qwen2.5 Coder 1.5B"),
            // A file without a title has its path for one.
            (&blob, Some(&blob), 30, "/var/lib/…/60e05f2100f1…"),
            (BLOB, coder, 80, "Qwen2.5 Coder 1.5B (60e05f2100f1…)"),
            (BLOB, None, 80, "60e05f2100f1…"),
        ] {
            let shown = fitted(name, title, limit);
            assert_eq!(shown, expected, "{name} in {limit}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_never_wider_than_its_room(
            name in "[a-z/é漢.-]{0,80}", title in proptest::option::of("[A-Za-z漢 ]{0,40}"), limit in 0..60_usize,
        ) {
            proptest::prop_assert!(width(&fitted(&name, title.as_deref(), limit)) <= limit);
        }
    }
}
