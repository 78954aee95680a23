//! The addresses that may be connected to.

use std::fmt;
use std::net::IpAddr;

/// The port of an entry that names none.
const DEFAULT_PORT: u16 = 443;

/// The longest name of a host.
const LONGEST: usize = 253;

/// What the user's configuration allows. Nothing else is connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Entry>);

/// One entry: a host, or all hosts of a domain, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    /// Every name below this one, and not itself.
    Below(String),
    Ip(IpAddr),
}

/// An entry that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address: write `host`, `host:port`, `*.domain` or `[ipv6]:port`")]
pub struct AllowedError(String);

impl Allowed {
    /// Reads the entries of a configuration.
    ///
    /// # Errors
    /// When one of them means nothing.
    pub fn parse(entries: &[String]) -> Result<Self, AllowedError> {
        entries
            .iter()
            .map(|text| parse(text).ok_or_else(|| AllowedError(text.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Tells whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether a host may be connected to at a port. A name that could be read in two ways is refused.
    pub fn permits(&self, host: &str, port: u16) -> bool {
        let Some(host) = host_of(host) else {
            return false;
        };
        self.0
            .iter()
            .any(|entry| entry.port == port && entry.host.covers(&host))
    }
}

impl Host {
    fn covers(&self, host: &Self) -> bool {
        match (self, host) {
            (Self::Below(domain), Self::Name(name)) => name
                .strip_suffix(domain)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            (entry, host) => entry == host,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Entry { host, port }) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match host {
                Host::Name(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Below(name) => write!(f, "{comma}*.{name}:{port}")?,
                Host::Ip(IpAddr::V6(ip)) => write!(f, "{comma}[{ip}]:{port}")?,
                Host::Ip(ip) => write!(f, "{comma}{ip}:{port}")?,
            }
        }
        Ok(())
    }
}

fn parse(text: &str) -> Option<Entry> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':')?),
            };
            (host, port)
        }
        None => match text.rsplit_once(':') {
            // More than one colon without brackets: an IPv6 address alone.
            Some((host, _)) if host.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
    };
    let host = match host.strip_prefix("*.") {
        None => host_of(host)?,
        Some(domain) => match host_of(domain)? {
            // `*.com` would be everybody.
            Host::Name(name) if name.contains('.') => Host::Below(name),
            _ => return None,
        },
    };
    Some(Entry { host, port })
}

/// Reads a host in its one form; `None` for what is none, or could be taken for another by somebody else: control
/// characters, spaces, percent signs, addresses written as one number.
fn host_of(text: &str) -> Option<Host> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Host::Ip(ip.to_canonical()));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_name = !name.is_empty() && name.len() <= LONGEST && name.split('.').all(is_label);
    // `2130706433` and `0x7f.1` are addresses to some resolvers.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (is_name && !is_number).then_some(Host::Name(name))
}

/// Tells whether a name may lead to an address. This machine's own services and those of its link are reached by a
/// name that says so, or by the address itself: a public name that leads there was turned around by somebody.
pub(super) fn may_lead_to(host: &str, ip: IpAddr) -> bool {
    let names_machine = || matches!(host_of(host), Some(Host::Name(name)) if name == "localhost" || name.ends_with(".localhost"));
    let ip = ip.to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    match host_of(host) {
        Some(Host::Ip(named)) => named == ip,
        _ if ip.is_loopback() => names_machine(),
        _ => !(ip.is_unspecified() || ip.is_multicast() || is_link_local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> Allowed {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Allowed::parse(&entries).expect("entries")
    }

    #[test]
    fn what_is_written_is_allowed_and_nothing_that_looks_like_it() {
        let list = allowed(&[
            "Mcp.Example.com",
            "*.example.org:8443",
            "localhost:8080",
            "[::1]:9",
            "10.0.0.5:80",
        ]);
        let yes = [
            ("mcp.example.com", 443),
            ("MCP.EXAMPLE.COM.", 443),
            ("a.example.org", 8443),
            ("a.b.example.org", 8443),
            ("localhost", 8080),
            ("::1", 9),
            ("10.0.0.5", 80),
            ("::ffff:10.0.0.5", 80),
        ];
        for (host, port) in yes {
            assert!(list.permits(host, port), "{host}:{port}");
        }
        let no = [
            ("mcp.example.com", 80),
            ("xmcp.example.com", 443),
            ("mcp.example.com.evil.net", 443),
            ("mcp.example.com\0.evil.net", 443),
            ("evil.net\0.mcp.example.com", 443),
            ("evil.net\r\n.example.org", 8443),
            ("evil.net/.example.org", 8443),
            ("evil.net%2f.example.org", 8443),
            ("evil.net@a.example.org", 8443),
            (" mcp.example.com", 443),
            ("example.org", 8443),
            ("xexample.org", 8443),
            (".example.org", 8443),
            ("a..example.org", 8443),
            ("localhost", 443),
            ("127.0.0.1", 8080),
            ("167772165", 80),
            ("0xa.0.0.5", 80),
            ("", 443),
        ];
        for (host, port) in no {
            assert!(!list.permits(host, port), "{host:?}:{port}");
        }
        assert!(!Allowed::default().permits("mcp.example.com", 443));
    }

    #[test]
    fn an_entry_that_means_nothing_is_refused() {
        for entry in [
            "",
            "*",
            "*.com",
            "a:b",
            "a:0",
            "a b",
            "https://a",
            "a/b",
            "[::1",
            "[::1]x",
            "127.1",
        ] {
            let parsed = Allowed::parse(&[entry.to_owned()]);
            assert!(parsed.is_err(), "{entry:?} is {parsed:?}");
        }
        assert_eq!(
            allowed(&["A.b", "::1", "*.c.d:1"]).to_string(),
            "a.b:443, [::1]:443, *.c.d:1"
        );
    }

    #[test]
    fn a_public_name_leads_to_no_service_of_this_machine() {
        let check = |host: &str, ip: &str, expected: bool| {
            let ip = ip.parse().expect("an address");
            assert_eq!(may_lead_to(host, ip), expected, "{host} to {ip}");
        };
        check("a.example", "93.184.216.34", true);
        check("a.corp.example", "10.1.2.3", true);
        check("a.example", "127.0.0.1", false);
        check("a.example", "::1", false);
        check("a.example", "::ffff:127.0.0.1", false);
        check("a.example", "169.254.169.254", false);
        check("a.example", "fe80::1", false);
        check("a.example", "0.0.0.0", false);
        check("localhost", "127.0.0.1", true);
        check("localhost", "169.254.169.254", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("169.254.169.254", "169.254.169.254", true);
    }
}
