//! What looks like a secret: files by their name, texts by their form. And how it is taken out of a text.

use std::borrow::Cow;
use std::ops::Range;

/// Says what a file is that usually holds secrets, by its name; `None` for any other.
pub fn secret_file(path: &str) -> Option<&'static str> {
    const EXAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults"];
    let path = super::folded(path);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let folder = folder.rsplit('/').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    if name == ".env" || name.starts_with(".env.") || (last == "env" && name != "env") {
        return (!EXAMPLES.contains(&last)).then_some("an environment file");
    }
    let is_key = name.starts_with("id_")
        && ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"]
            .iter()
            .any(|key| name == *key || name == format!("{key}_sk"));
    if is_key
        || matches!(
            last,
            "pem" | "key" | "p12" | "pfx" | "jks" | "keystore" | "ppk" | "asc"
        )
    {
        return Some("a key file");
    }
    if matches!(last, "kdbx" | "gpg" | "age") {
        return Some("an encrypted store");
    }
    let named = matches!(
        name,
        ".netrc"
            | "_netrc"
            | ".npmrc"
            | ".pypirc"
            | ".htpasswd"
            | ".git-credentials"
            | ".pgpass"
            | ".my.cnf"
            | "credentials"
            | "credentials.json"
            | "credentials.toml"
            | "secrets.json"
            | "secrets.toml"
            | "secrets.yml"
            | "secrets.yaml"
            | "secret.json"
            | "secret.yml"
            | "secret.yaml"
            | "service-account.json"
            | "terraform.tfstate"
    );
    let in_folder = matches!(
        (folder, name),
        (".docker", "config.json") | (".kube", "config") | (".aws", "config")
    ) || folder == ".ssh"
        || folder == ".gnupg";
    (named || in_folder).then_some("a file of credentials")
}

/// Says what the first secret in a text is, and on which line it stands, counted from 1.
pub fn find_secret(text: &str) -> Option<(&'static str, usize)> {
    let (range, what) = secrets(text).into_iter().next()?;
    let line = 1 + text[..range.start].matches('\n').count();
    Some((what, line))
}

/// Takes out of a text what looks like a secret: private keys, and tokens that have a form of their own.
pub fn redact(text: &str) -> Cow<'_, str> {
    let found = secrets(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, what) in found {
        out.push_str(&text[at..range.start]);
        out.push_str("[redacted: ");
        out.push_str(what);
        out.push(']');
        at = range.end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// Finds the secrets of a text, in order and apart from each other.
fn secrets(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = private_keys(text);
    let mut at = 0;
    while let Some(mut range) = next_word(text, at) {
        at = range.end;
        // The end of a sentence is no part of a token.
        range.end = range.start + text[range.clone()].trim_end_matches(['.', '-']).len();
        let inside = found
            .iter()
            .any(|(key, _)| key.start < range.end && range.start < key.end);
        if !inside && let Some(what) = token(&text[range.clone()]) {
            found.push((range, what));
        }
    }
    found.extend(passwords_in_addresses(text));
    found.sort_by_key(|(range, _)| range.start);
    let mut end = 0;
    found.retain(|(range, _)| {
        let apart = range.start >= end;
        if apart {
            end = range.end;
        }
        apart
    });
    found
}

/// Finds `-----BEGIN … PRIVATE KEY-----` blocks; one without an end reaches to the end of the text.
fn private_keys(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("-----BEGIN ").map(|start| at + start) {
        let head = start + "-----BEGIN ".len();
        at = head;
        let Some(close) = text[head..].find("-----") else {
            break;
        };
        let kind = &text[head..head + close];
        if !(kind.ends_with("PRIVATE KEY") || kind.ends_with("PRIVATE KEY BLOCK"))
            || kind.len() > 60
            || kind.contains('\n')
        {
            continue;
        }
        let mark = format!("-----END {kind}-----");
        let body = head + close + "-----".len();
        let end = match text[body..].find(&mark) {
            // A program that names the two marks has no key between them.
            Some(end) if text[body..body + end].trim().len() < 32 => {
                at = body + end;
                continue;
            }
            Some(end) => body + end + mark.len(),
            None if text[body..].trim().len() < 32 => continue,
            None if base64_line(&text[body..]) => text.len(),
            None => continue,
        };
        found.push((start..end, "a private key"));
        at = end;
    }
    found
}

/// Tells whether the first line with anything in it is all base64, as in a key that was cut off.
fn base64_line(text: &str) -> bool {
    let text = text.replace("\\n", "\n");
    let Some(line) = text.lines().find(|line| !line.trim().is_empty()) else {
        return false;
    };
    line.trim()
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
}

/// Finds the next run of characters that a token can have.
fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let bytes = text.as_bytes();
    let start = from + bytes[from..].iter().position(|byte| is_part(*byte))?;
    let length = bytes[start..]
        .iter()
        .position(|byte| !is_part(*byte))
        .unwrap_or(bytes.len() - start);
    Some(start..start + length)
}

/// Says whose token a word is, by its form.
fn token(word: &str) -> Option<&'static str> {
    /// Beginning, least length of the rest, and whose it is.
    const FORMS: &[(&str, usize, &str)] = &[
        ("ghp_", 30, "a GitHub token"),
        ("gho_", 30, "a GitHub token"),
        ("ghu_", 30, "a GitHub token"),
        ("ghs_", 30, "a GitHub token"),
        ("ghr_", 30, "a GitHub token"),
        ("github_pat_", 40, "a GitHub token"),
        ("glpat-", 18, "a GitLab token"),
        ("sk-ant-", 30, "an API key"),
        ("sk-proj-", 30, "an API key"),
        ("sk-", 40, "an API key"),
        ("sk_live_", 20, "a Stripe key"),
        ("rk_live_", 20, "a Stripe key"),
        ("xoxb-", 20, "a Slack token"),
        ("xoxp-", 20, "a Slack token"),
        ("xoxa-", 20, "a Slack token"),
        ("xapp-", 20, "a Slack token"),
        ("AIza", 35, "a Google API key"),
        ("ya29.", 30, "a Google token"),
        ("npm_", 36, "an npm token"),
        ("pypi-", 50, "a PyPI token"),
        ("hf_", 30, "a Hugging Face token"),
        ("SG.", 40, "a SendGrid key"),
        ("dop_v1_", 60, "a DigitalOcean token"),
    ];
    if word.len() < 16 {
        return None;
    }
    let varied = |text: &str| {
        // A row of `x` in a document is no key.
        let first = text.as_bytes().first();
        let mut kinds: Vec<u8> = text.bytes().collect();
        kinds.sort_unstable();
        kinds.dedup();
        first.is_some() && kinds.len() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit())
    };
    let of_form = FORMS.iter().find(|(beginning, least, _)| {
        word.strip_prefix(beginning)
            .is_some_and(|rest| rest.len() >= *least && varied(rest))
    });
    if let Some((_, _, what)) = of_form {
        return Some(what);
    }
    let is_aws = (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.len() == 20
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_aws {
        return Some("an AWS access key");
    }
    // A JSON Web Token: three parts of base64, the first of which is an object.
    let parts: Vec<&str> = word.split('.').collect();
    let is_jwt = parts.len() == 3
        && parts[0].starts_with("eyJ")
        && parts[1].starts_with("eyJ")
        && parts[2].len() >= 16;
    is_jwt.then_some("a signed token")
}

/// Finds the passwords of addresses such as `postgres://user:password@host`.
fn passwords_in_addresses(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let begin = at + "://".len();
        let rest = &text[begin..];
        let end = rest
            .find(|c: char| c.is_whitespace() || "/\"'`<>?#".contains(c))
            .unwrap_or(rest.len());
        let Some((login, _)) = rest[..end].rsplit_once('@') else {
            continue;
        };
        let Some((user, password)) = login.split_once(':') else {
            continue;
        };
        // `${PASSWORD}`, `{password}` and `%s` stand for one that is elsewhere.
        let is_placeholder = password.is_empty()
            || password.contains(['$', '{', '%', '*'])
            || matches!(password, "password" | "pass" | "secret" | "pwd" | "xxx");
        if !is_placeholder {
            let start = begin + user.len() + 1;
            found.push((start..start + password.len(), "a password"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for path in [
            ".env",
            "app/.env.production",
            "prod.env",
            "certs/server.pem",
            "certs/server.KEY",
            ".ssh/id_ed25519",
            "deploy/id_rsa",
            ".npmrc",
            "home/.aws/credentials",
            ".docker/config.json",
            "config/secrets.yml",
            ".ENV",
            ".e\u{200d}nv",
            "deploy/id_r\u{17f}a",
            ".ßh/known_hosts",
            ".env.",
        ] {
            assert!(secret_file(path).is_some(), "{path}");
        }
        for path in [
            ".env.example",
            ".env.sample",
            "src/env.rs",
            "env",
            "src/keys.rs",
            "monkey.py",
            "docs/credentials.md",
            "config.json",
            "id_rsa.pub",
            "locale/en.json",
        ] {
            assert_eq!(secret_file(path), None, "{path}");
        }
    }

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let aws = "AKIAIOSFODNN7EXAMPLE";
        let github = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let text = format!(
            "a = 1\nkey = \"{aws}\"\ntoken: {github}.\n-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----\nurl = postgres://app:hunter2@db/x\n"
        );
        assert_eq!(
            redact(&text),
            "a = 1\nkey = \"[redacted: an AWS access key]\"\ntoken: [redacted: a GitHub token].\n[redacted: a private key]\nurl = postgres://app:[redacted: a password]@db/x\n"
        );
        assert_eq!(find_secret(&text), Some(("an AWS access key", 2)));
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "if line == \"-----BEGIN PRIVATE KEY-----\" { start() } else if line == \"-----END PRIVATE KEY-----\" { end() }",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "postgres://user:${PASSWORD}@host/db",
            "https://example.org/a@b",
            "sk-learn is a library of some renown, and skeletons-are-not-api-keys-at-all-whatever-they-say",
            "let hash = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\";",
            "AKIA",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_key_that_was_cut_off_is_taken_out_to_the_end() {
        let text = format!("x\n-----BEGIN PRIVATE KEY-----\n{KEY}\n{KEY}\n");
        assert_eq!(redact(&text), "x\n[redacted: a private key]");
    }

    proptest::proptest! {
        #[test]
        fn redacting_never_breaks_and_once_is_enough(text in "(?s).{0,200}|[a-zA-Z0-9_.:/@ \n-]{0,200}") {
            let once = redact(&text).into_owned();
            proptest::prop_assert_eq!(redact(&once), once.as_str());
        }
    }
}
