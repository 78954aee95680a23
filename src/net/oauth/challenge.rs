//! What a refusal asks for: the parameters of `WWW-Authenticate: Bearer`.

/// A server's wish for a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) resource_metadata: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) error: Option<String>,
}

impl Challenge {
    /// Reads the Bearer challenge of a header, which may hold others besides.
    pub(super) fn read(header: &str) -> Self {
        let mut challenge = Self::default();
        let mut bearer = false;
        for piece in pieces(header) {
            // `Scheme name=value` begins another challenge; `name=value` goes on with the one before.
            let mut rest = piece.as_str();
            if let Some((word, after)) = rest.split_once(' ')
                && !word.contains('=')
            {
                bearer = word.eq_ignore_ascii_case("bearer");
                rest = after.trim_start();
            } else if !rest.contains('=') {
                bearer = rest.eq_ignore_ascii_case("bearer");
                continue;
            }
            let Some((name, value)) = rest.split_once('=') else {
                continue;
            };
            if !bearer {
                continue;
            }
            let place = match name.trim().to_ascii_lowercase().as_str() {
                "resource_metadata" => &mut challenge.resource_metadata,
                "scope" => &mut challenge.scope,
                "error" => &mut challenge.error,
                _ => continue,
            };
            // The first one counts: a second one is an attempt to say two things.
            place.get_or_insert_with(|| unquote(value.trim()));
        }
        challenge
    }
}

/// Splits at the commas that stand outside quotes.
fn pieces(header: &str) -> Vec<String> {
    let (mut pieces, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in header.chars() {
        if c == ',' && !quoted {
            pieces.push(String::new());
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
        .into_iter()
        .map(|piece| piece.trim().to_owned())
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn unquote(value: &str) -> String {
    let Some(inner) = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
    else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            c => {
                escaped = false;
                text.push(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> (Option<String>, Option<String>, Option<String>) {
        let challenge = Challenge::read(header);
        (
            challenge.resource_metadata,
            challenge.scope,
            challenge.error,
        )
    }

    #[test]
    fn the_parameters_of_a_bearer_challenge_are_read_in_all_forms() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read("Bearer"), (None, None, None));
        assert_eq!(
            read(r#"Bearer scope="a b", resource_metadata="https://a/x,y", error="invalid_token""#),
            (text("https://a/x,y"), text("a b"), text("invalid_token"))
        );
        assert_eq!(
            read(r#"Basic realm="x", bearer error=insufficient_scope,scope=write"#),
            (None, text("write"), text("insufficient_scope"))
        );
        assert_eq!(
            read(r#"Bearer realm="a \" scope=\"b", scope="c""#),
            (None, text("c"), None)
        );
        assert_eq!(
            read(r#"DPoP scope="not mine", Bearer scope="mine", scope="second""#),
            (None, text("mine"), None)
        );
    }
}
