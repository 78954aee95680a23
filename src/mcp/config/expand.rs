//! Variables in a configuration: `${NAME}`, `${NAME:-default}`, and the spelling `${env:NAME}` of other hosts.

/// Puts the values of variables into a text.
///
/// # Errors
/// When one is not set and has no default: an empty text in its place would be another command.
pub fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            return Err(format!("`{}` is not closed", &rest[at..]));
        };
        let (name, default) = match inner[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let name = name.strip_prefix("env:").unwrap_or(name);
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!(
                "`${{{}}}` names no variable",
                super::super::text::short(&inner[..end], 60)
            ));
        }
        match (variable(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the variable `{name}` is not set; set it, or write `${{{name}:-default}}`"
                ));
            }
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/ada".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_put_in_and_an_unset_one_is_never_empty() {
        let ok = |text: &str| expand(text, &variable).expect("expanded");
        assert_eq!(ok("${HOME}/a"), "/home/ada/a");
        assert_eq!(ok("${env:HOME}"), "/home/ada");
        assert_eq!(ok("${NOT:-x}-${EMPTY:-}"), "x-");
        assert_eq!(ok("costs $5 and {this}"), "costs $5 and {this}");
        for bad in [
            "${NOT}", "${EMPTY}", "a ${HOME", "${}", "${a b}", "${$(id)}",
        ] {
            assert!(expand(bad, &variable).is_err(), "{bad}");
        }
    }
}
