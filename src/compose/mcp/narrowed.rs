//! Connections on behalf of one server, which go no further than its entry says.

use std::io;
use std::sync::Arc;

use crate::broker::Allowed;
use crate::net::{Address, Connect, Connecting, Origin};
use crate::protocol::sanitize_line;

/// Connects to a server's own address and to those that its entry names. What is allowed at all, the broker decides.
pub(super) struct Narrowed {
    connect: Arc<dyn Connect>,
    own: Origin,
    allowed: Allowed,
}

impl Narrowed {
    /// Narrows a way out to what an entry names.
    ///
    /// # Errors
    /// When it names something that is no address: it would mean nothing, and whoever wrote it meant something.
    pub(super) fn new(
        connect: Arc<dyn Connect>,
        own: &Address,
        list: &[String],
    ) -> Result<Self, String> {
        Ok(Self {
            connect,
            own: own.origin().clone(),
            allowed: Allowed::parse(list)
                .map_err(|error| format!("its `sandbox.network` cannot be used: {error}"))?,
        })
    }
}

impl Connect for Narrowed {
    fn connect(&self, origin: &Origin) -> Connecting {
        let (host, port) = (origin.host(), origin.port());
        let is_own = self.own.host() == host && self.own.port() == port;
        if is_own || self.allowed.permits(host, port) {
            return self.connect.connect(origin);
        }
        let problem = format!(
            "`{}` is no address of this server: its entry allows its own and what `sandbox.network` names",
            sanitize_line(&format!("{host}:{port}"))
        );
        Box::pin(async move { Err(io::Error::new(io::ErrorKind::PermissionDenied, problem)) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes where it was to connect to, and connects nowhere.
    #[derive(Default)]
    struct Noted(Mutex<Vec<String>>);

    impl Connect for Noted {
        fn connect(&self, origin: &Origin) -> Connecting {
            let to = format!("{}:{}", origin.host(), origin.port());
            self.0.lock().expect("nobody panicked").push(to);
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }
    }

    #[tokio::test]
    async fn a_server_leads_nowhere_but_where_its_entry_says() {
        let address = |text: &str| Address::parse(text).expect("an address");
        let check = async |list: &[&str], to: &str, connects: bool| {
            let noted = Arc::new(Noted::default());
            let list: Vec<String> = list.iter().map(|one| (*one).to_owned()).collect();
            let own = address("https://mcp.example.com/mcp");
            let narrowed = Narrowed::new(noted.clone(), &own, &list).expect("a list");
            let problem = match narrowed.connect(address(to).origin()).await {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            let tried = noted.0.lock().expect("nobody panicked").len();
            assert_eq!(tried, usize::from(connects), "{to}: {problem}");
            assert_eq!(
                problem.contains("`sandbox.network`"),
                !connects,
                "{problem}"
            );
        };
        let list = ["login.example.com", "*.cdn.example.net:8443"];
        check(&list, "https://mcp.example.com/other", true).await;
        check(&list, "https://login.example.com/token", true).await;
        check(&list, "https://a.cdn.example.net:8443/", true).await;
        check(&list, "https://mcp.example.com:8443/", false).await;
        check(&list, "https://other.example.com/", false).await;
        check(&list, "https://login.example.com.evil.example/", false).await;
        check(&[], "https://mcp.example.com/mcp", true).await;
        check(&[], "https://login.example.com/", false).await;
    }

    #[test]
    fn what_is_no_address_is_no_limit_and_refused() {
        let own = Address::parse("https://mcp.example.com").expect("an address");
        for wrong in ["", "*", "https://a", "a b"] {
            let made = Narrowed::new(Arc::new(Noted::default()), &own, &[wrong.to_owned()]);
            assert!(made.is_err(), "{wrong}");
        }
    }
}
