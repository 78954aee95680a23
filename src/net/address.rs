//! Addresses: what a URL names, and whether two URLs name the same server.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

/// The most bytes of a URL.
const LONGEST: usize = 4_096;

/// An `http` or `https` URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    origin: Origin,
    /// The path, which begins with `/`.
    path: String,
    /// What follows the `?`.
    query: Option<String>,
}

/// What two addresses share when they are of the same server: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    tls: bool,
    /// In lower case; an IPv6 address without its brackets.
    host: String,
    port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("it is no URL: {0}")]
    Malformed(String),
    #[error("it begins with neither `https://` nor `http://`")]
    Scheme,
    #[error("it holds a user name or password; put a token into `headers` instead")]
    Credentials,
    #[error("it is longer than {LONGEST} bytes")]
    Long,
}

/// Where an origin is, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// A network of one's own: addresses that are not routed.
    Private,
    /// Addresses at which clouds and links keep their own services: never meant.
    LinkLocal,
    Public,
}

impl Address {
    /// Takes a URL apart. A fragment is dropped: it is never sent.
    ///
    /// # Errors
    /// When it is no `http` or `https` URL, or holds credentials.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(AddressError::Long);
        }
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text
            .parse()
            .map_err(|error: hyper::http::uri::InvalidUri| {
                AddressError::Malformed(error.to_string())
            })?;
        let tls = match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(AddressError::Scheme),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| AddressError::Malformed("it names no host".to_owned()))?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        if host.is_empty() {
            return Err(AddressError::Malformed("it names no host".to_owned()));
        }
        let path = match uri.path() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        Ok(Self {
            origin: Origin {
                tls,
                host,
                port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            },
            path,
            query: uri.query().map(str::to_owned),
        })
    }

    /// Returns the server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the path, with its first `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what follows the `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns path and query, as a request names them.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Returns another address of the same server.
    pub fn at(&self, path: &str) -> Self {
        Self {
            origin: self.origin.clone(),
            path: path.to_owned(),
            query: None,
        }
    }

    /// Resolves what an answer of this address refers to.
    ///
    /// # Errors
    /// When it is no address.
    pub fn join(&self, reference: &str) -> Result<Self, AddressError> {
        let reference = reference.trim();
        if reference.contains("://") && !reference.starts_with(['/', '?', '.']) {
            return Self::parse(reference);
        }
        let scheme = if self.origin.tls { "https" } else { "http" };
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let whole = match reference.chars().next() {
            Some('/') => reference.to_owned(),
            Some('?') => format!("{}{reference}", self.path),
            _ => {
                let folder = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
                format!("{folder}{reference}")
            }
        };
        Self::parse(&format!("{}{whole}", self.origin))
    }

    /// Returns the address with `pairs` added to its query.
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> String {
        let query = form(pairs);
        match &self.query {
            Some(before) if !before.is_empty() => {
                format!("{}{}?{before}&{query}", self.origin, self.path)
            }
            _ => format!("{}{}?{query}", self.origin, self.path),
        }
    }

    /// Returns the query's value of a name, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        values(self.query.as_deref().unwrap_or_default(), name).next()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target())
    }
}

impl Origin {
    /// Returns whether the bytes are encrypted.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Returns the host's name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns host and port, as a request's `Host` names them.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Returns where the host is, as far as its name tells.
    pub fn reach(&self) -> Reach {
        match self.host.parse() {
            Ok(ip) => reach(ip),
            Err(_) if self.host == "localhost" || self.host.ends_with(".localhost") => {
                Reach::Loopback
            }
            Err(_) => Reach::Public,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => Reach::Loopback,
        IpAddr::V4(ip) if ip.is_link_local() => Reach::LinkLocal,
        IpAddr::V4(ip) if ip.is_private() => Reach::Private,
        IpAddr::V4(_) => Reach::Public,
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => reach(IpAddr::V4(ip)),
            None if ip.is_loopback() || ip.is_unspecified() => Reach::Loopback,
            None if ip.is_unicast_link_local() => Reach::LinkLocal,
            None if ip.is_unique_local() => Reach::Private,
            None => Reach::Public,
        },
    }
}

/// Writes pairs as a form or a query.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Escapes all but the unreserved characters.
pub(crate) fn escape(text: &str) -> String {
    use fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            byte => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// Returns the decoded values of a name in a query.
pub(crate) fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescape(key) == name).then(|| unescape(value))
    })
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.clone().take(2).collect();
                let value = std::str::from_utf8(&digits)
                    .ok()
                    .filter(|digits| digits.len() == 2)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match value {
                    Some(value) => {
                        bytes.push(value);
                        rest.nth(1);
                    }
                    None => bytes.push(b'%'),
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Address::parse(text) {
            Ok(address) => address.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_is_read_in_one_form() {
        assert_eq!(parsed("HTTPS://Example.COM"), "https://example.com/");
        assert_eq!(parsed("https://a:443/x?y#z"), "https://a/x?y");
        assert_eq!(parsed("http://[::1]:80/mcp"), "http://[::1]/mcp");
        assert_eq!(
            parsed("http://127.0.0.1:8080/mcp"),
            "http://127.0.0.1:8080/mcp"
        );
        assert_eq!(
            parsed("ftp://a/"),
            "it begins with neither `https://` nor `http://`"
        );
        assert_eq!(
            parsed("https://user:secret@a/"),
            "it holds a user name or password; put a token into `headers` instead"
        );
        assert!(parsed("not a url").starts_with("it is no URL"));
    }

    #[test]
    fn a_reference_is_resolved_and_another_server_is_told_apart() {
        let base = Address::parse("https://a.example/one/two?q").expect("an address");
        let joined = |text: &str| base.join(text).expect("an address").to_string();
        assert_eq!(joined("/x?y"), "https://a.example/x?y");
        assert_eq!(joined("x"), "https://a.example/one/x");
        assert_eq!(joined("?z"), "https://a.example/one/two?z");
        assert_eq!(joined("//b.example/x"), "https://b.example/x");
        assert_eq!(joined("http://a.example/x"), "http://a.example/x");
        let other = base.join("http://a.example/").expect("an address");
        assert_ne!(base.origin(), other.origin());
        let other = base.join("https://a.example:8443/").expect("an address");
        assert_ne!(base.origin(), other.origin());
    }

    #[test]
    fn what_a_name_reaches_is_told_also_in_disguise() {
        let reach = |host: &str| {
            Address::parse(&format!("https://{host}/"))
                .expect("an address")
                .origin()
                .reach()
        };
        assert_eq!(reach("localhost"), Reach::Loopback);
        assert_eq!(reach("127.9.9.9"), Reach::Loopback);
        assert_eq!(reach("[::ffff:127.0.0.1]"), Reach::Loopback);
        assert_eq!(reach("10.0.0.1"), Reach::Private);
        assert_eq!(reach("169.254.169.254"), Reach::LinkLocal);
        assert_eq!(reach("[::ffff:169.254.169.254]"), Reach::LinkLocal);
        assert_eq!(reach("[fe80::1]"), Reach::LinkLocal);
        assert_eq!(reach("example.com"), Reach::Public);
    }

    proptest::proptest! {
        #[test]
        fn what_is_put_into_a_query_comes_out_again(name in "[a-z]{1,8}", value in ".{0,40}") {
            let address = Address::parse("https://a/b?c=d").expect("an address");
            let with = Address::parse(&address.with_query(&[(&name, &value)])).expect("an address");
            let found = values(with.query().unwrap_or_default(), &name).last();
            proptest::prop_assert_eq!(found, Some(value));
        }
    }
}
