//! The secret that a client over HTTP must know.

use sha2::{Digest as _, Sha256};

use super::ServeError;

/// The fewest characters of a token that someone chose.
const SHORTEST: usize = 16;

/// A bearer token, of which only the hash is kept.
///
/// Hashes are compared, which tell nothing of the token by the time that takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Makes a token that nobody can guess. Returns it, too, as the client must write it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<(Self, String), ServeError> {
        let mut random = [0_u8; 32];
        let filled = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
        if filled != Ok(random.len()) {
            return Err(ServeError::NoRandom);
        }
        let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((Self::hash(&text), text))
    }

    /// Takes a token that someone chose.
    ///
    /// # Errors
    /// When it is too short, or cannot stand in a header.
    pub fn chosen(text: &str) -> Result<Self, ServeError> {
        let text = text.trim();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServeError::WeakToken(SHORTEST));
        }
        Ok(Self::hash(text))
    }

    /// Takes the hash of a token, as 64 hexadecimal digits.
    pub(super) fn hashed(digits: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() || !digits.is_ascii() {
            return None;
        }
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Takes a token as a client says it.
    pub(super) fn of(given: &str) -> Self {
        Self::hash(given)
    }

    fn hash(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

/// Finds the token in an `Authorization` header.
pub(super) fn bearer(authorization: Option<&[u8]>) -> Option<&str> {
    let header = std::str::from_utf8(authorization?).ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::super::Clients;
    use super::*;

    #[test]
    fn only_the_very_token_is_admitted() {
        let (token, text) = Token::generate().expect("a token");
        let clients = Clients::one(token);
        let check = |header: &str, admitted: bool| {
            let who = clients.who(Some(header.as_bytes()));
            assert_eq!(who.is_some(), admitted, "{header}");
        };
        check(&format!("Bearer {text}"), true);
        check(&format!("bearer {text}"), true);
        check(&format!("Bearer {text}0"), false);
        check(&format!("Bearer {}", &text[..63]), false);
        check(&format!("Basic {text}"), false);
        check(&text, false);
        check("Bearer ", false);
        check("", false);
        assert!(clients.who(None).is_none());
        assert!(clients.who(Some(b"Bearer \xff")).is_none());
    }

    #[test]
    fn two_tokens_differ_and_none_is_shown() {
        let (token, text) = Token::generate().expect("a token");
        assert_ne!(text, Token::generate().expect("another").1);
        assert!(!format!("{token:?}").contains(&text[..8]));
    }

    #[test]
    fn a_weak_token_is_refused() {
        for text in ["", "secret", "a sentence of many words", "äöüäöüäöüäöüäöü"] {
            assert!(Token::chosen(text).is_err(), "{text}");
        }
        let token = Token::chosen(" 0123456789abcdef\n").expect("strong enough");
        assert!(token == Token::of("0123456789abcdef"));
    }
}
