//! The address of a page that a server wants opened: shown whole, its host told apart, and what is odd about it said.

use super::super::role::Role;
use super::super::text::{Row, clean_line};

/// Returns the address with its host set apart.
pub(super) fn row(url: &str) -> Row {
    let url = clean_line(url);
    let Some((before, host, after)) = split(&url) else {
        return Row::new(url, Role::Link);
    };
    Row::new(before, Role::TextDim)
        .with(host, Role::TextStrong)
        .with(after, Role::Text)
}

/// Says what a careful reader would notice about an address.
pub(in super::super) fn warnings(url: &str) -> Vec<String> {
    let mut out = Vec::new();
    let Some((before, host, _)) = split(url) else {
        return vec!["this is no web address; look at it before you use it".to_owned()];
    };
    if !before.starts_with("https://") {
        out.push("it is not https: what you enter there can be read on the way".to_owned());
    }
    if before.contains('@') {
        out.push(format!(
            "what stands before the `@` is no host; the page is at `{}`",
            clean_line(host)
        ));
    }
    let name = host_name(host);
    if !name.is_ascii() {
        out.push("the host has letters that can look like others".to_owned());
    }
    for label in name.split('.') {
        let Some(coded) = label
            .get(..4)
            .filter(|start| start.eq_ignore_ascii_case("xn--"))
            .and_then(|_| label.get(4..))
        else {
            continue;
        };
        out.push(match decode(&coded.to_lowercase()) {
            Some(text) => format!(
                "`{}` stands for `{}`, which can look like another name",
                clean_line(label),
                clean_line(&text)
            ),
            None => format!(
                "`{}` stands for letters that cannot be told",
                clean_line(label)
            ),
        });
    }
    let is_number = name.starts_with('[')
        || !name.is_empty() && name.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_number {
        out.push("the host is a number and no name".to_owned());
    }
    out
}

/// Splits an address into what comes before its host, the host with its port, and the rest.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    let scheme = url.find("://")? + 3;
    let rest = &url[scheme..];
    // A backslash ends the host for browsers.
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    (host < end).then(|| (&url[..scheme + host], &rest[host..end], &rest[end..]))
}

fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Decodes a label of a host after RFC 3492 (punycode).
fn decode(coded: &str) -> Option<String> {
    const BASE: u32 = 36;
    let (plain, digits) = coded.rsplit_once('-').unwrap_or(("", coded));
    let mut out: Vec<char> = plain.chars().collect();
    let (mut code, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = digits.chars().peekable();
    while digits.peek().is_some() {
        let before = at;
        let mut weight = 1_u32;
        let mut step = BASE;
        loop {
            let digit = match digits.next()? {
                c @ 'a'..='z' => c as u32 - 'a' as u32,
                c @ '0'..='9' => c as u32 - '0' as u32 + 26,
                _ => return None,
            };
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = step.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            step += BASE;
        }
        let length = u32::try_from(out.len()).ok()? + 1;
        let mut delta = (at - before) / if before == 0 { 700 } else { 2 };
        delta += delta / length;
        let mut rounds = 0;
        while delta > 455 {
            delta /= BASE - 1;
            rounds += BASE;
        }
        bias = rounds + BASE * delta / (delta + 38);
        code = code.checked_add(at / length)?;
        at %= length;
        out.insert(at as usize, char::from_u32(code)?);
        at += 1;
    }
    Some(out.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_told_apart_from_what_only_looks_like_one() {
        for (url, host) in [
            ("https://example.org/a?b=c", "example.org"),
            ("https://example.org@evil.test/", "evil.test"),
            ("https://evil.test\\@example.org/", "evil.test"),
            ("http://[::1]:8080/x", "[::1]:8080"),
            ("https://example.org#@evil.test", "example.org"),
        ] {
            assert_eq!(split(url).map(|(_, host, _)| host), Some(host), "{url}");
        }
        assert_eq!(split("mailto:ada@example.org"), None);
    }

    #[test]
    fn punycode_is_read_out() {
        assert_eq!(decode("bcher-kva").as_deref(), Some("bücher"));
        assert_eq!(decode("80ak6aa92e").as_deref(), Some("аррӏе"));
        assert_eq!(decode("99999999999999999999"), None);
        assert_eq!(decode("ä"), None);
    }

    #[test]
    fn what_is_odd_about_an_address_is_said() {
        for (url, said) in [
            ("http://example.org/", "not https"),
            ("https://ada@example.org/", "before the `@`"),
            ("https://xn--80ak6aa92e.com/", "аррӏе"),
            ("https://аррӏе.com/", "look like others"),
            ("https://127.0.0.1:8080/", "a number"),
            ("javascript:alert(1)", "no web address"),
        ] {
            let warnings = warnings(url).join(" ");
            assert!(warnings.contains(said), "{url}: {warnings}");
        }
        assert_eq!(warnings("https://example.org/login"), Vec::<String>::new());
    }
}
