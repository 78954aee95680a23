//! Serving over streamable HTTP: the address, the token, and the end.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the file of the token, or of the clients"
)]

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ServerHandler as _;

use crate::cli::ServeHttp;
use crate::error::{ExitCode, UserError};
use crate::serve;

use super::Served;

/// Serves over streamable HTTP, and says where and with which token.
pub(super) fn over_http<T: Served>(
    http: &ServeHttp,
    address: std::net::SocketAddr,
    name: &str,
    served: T,
) -> Result<ExitCode, UserError> {
    let reach = match http.listen_any {
        true => serve::Reach::Any,
        false => serve::Reach::Loopback,
    };
    let (clients, shown) = clients(http)?;
    let named = clients.clone();
    let server = served.for_a_client();
    for (client, tool) in named.named_tools() {
        if server.get_tool(tool).is_none() {
            tracing::warn!("`{client}` may use `{tool}`, which this server does not have");
        }
    }
    drop(server);
    let bounded = bounded(http, &named, &served)?;
    let options = serve::HttpOptions {
        address,
        reach,
        clients,
        witness: witness(name, named.told())?,
        largest: usize::from(http.max_request) << 20,
        hosts: http.allow_host.clone(),
        origins: http.allow_origin.clone(),
    };
    let runtime = super::super::runtime()?;
    let served = runtime.block_on(async {
        let server = serve::Http::bind(options).await?;
        // Not through the log: a token must not be written into a file.
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "serving {name} at {}", server.url());
        if let Some(shown) = shown {
            let _ = writeln!(
                stderr,
                "clients send the header `Authorization: Bearer {shown}`"
            );
        }
        if reach == serve::Reach::Any {
            let _ = writeln!(
                stderr,
                "other machines can connect, and what is sent is not encrypted"
            );
        }
        drop(stderr);
        served.begin();
        let make = move |client: Option<&str>| {
            let own = client.and_then(|client| bounded.get(client));
            own.unwrap_or(&served).for_a_client()
        };
        server.serve(make, stopped()).await;
        Ok(())
    });
    runtime.shutdown_background();
    served.map_err(|error: serve::ServeError| {
        let hint = match &error {
            serve::ServeError::NotLoopback(_) => "--listen-any allows it",
            _ => "another port may be free: --http PORT",
        };
        UserError::from_error(error).hint(hint)
    })?;
    Ok(ExitCode::Success)
}

/// Opens the folders of each client that has its own.
fn bounded<T: Served>(
    http: &ServeHttp,
    clients: &serve::Clients,
    served: &T,
) -> Result<HashMap<String, T>, UserError> {
    let own = clients.folders().map(|(client, folders)| {
        let part = served.within(folders).map_err(|problem| {
            let file = http.clients.as_deref().unwrap_or(Path::new(""));
            UserError::usage(format!(
                "cannot use the clients in `{}`: `roots` of `{client}`: {problem}",
                file.display()
            ))
            .hint("a client's folders lie in those that are served")
        })?;
        Ok((client.to_owned(), part))
    });
    own.collect()
}

/// Finds who may call; or makes a token, which is then to be shown.
fn clients(http: &ServeHttp) -> Result<(serve::Clients, Option<String>), UserError> {
    let Some(path) = &http.clients else {
        let (token, shown) = token(http)?;
        return Ok((serve::Clients::one(token), shown));
    };
    let refused = |problem: String| {
        UserError::usage(format!(
            "cannot use the clients in `{}`: {problem}",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let read = serve::Clients::read(&text).map_err(|error| refused(error.to_string()))?;
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
    if read.holds_tokens && mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let problem = "others of this machine can read the tokens in it".to_owned();
        let hint = format!(
            "`chmod 600 {}`, or write each token's hash in its place: sha256 = \"…\"",
            path.display()
        );
        return Err(refused(problem).hint(hint));
    }
    Ok((read.clients, None))
}

/// Returns what writes each call into the audit log: a call that cannot be written down is not made.
fn witness(name: &str, clients: Vec<String>) -> Result<serve::Witness, UserError> {
    let log = Mutex::new(super::super::auditing::of_server(name, clients)?);
    Ok(Arc::new(move |number, call| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let serve::ServedCall {
            client,
            tool,
            arguments,
            served,
        } = call;
        let written = match (served, number) {
            (serve::Served::OverRate { rate }, _) => log.over_rate(&client, rate).map(|()| 0),
            (serve::Served::Ended { is_error, answer }, Some(number)) => {
                let outcome = if is_error { "failed" } else { "done" };
                log.ended(number, outcome, &answer).map(|()| number)
            }
            (served, _) => {
                let allowed = served != serve::Served::Refused;
                log.called(&client, &tool, arguments, allowed)
            }
        };
        written.map_err(|error| error.to_string())
    }))
}

/// Finds the token that clients must send, or makes one, which is then to be shown.
fn token(http: &ServeHttp) -> Result<(serve::Token, Option<String>), UserError> {
    let chosen = match &http.token_file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            UserError::usage(format!(
                "cannot read the token in `{}`: {error}",
                path.display()
            ))
        })?),
        None => std::env::var("WALDEN_SERVE_TOKEN")
            .ok()
            .filter(|token| !token.is_empty()),
    };
    match chosen {
        Some(text) => {
            let token = serve::Token::chosen(&text).map_err(|error| {
                UserError::usage(error.to_string()).hint("`openssl rand -hex 32` makes a good one")
            })?;
            Ok((token, None))
        }
        None => {
            let (token, shown) = serve::Token::generate().map_err(UserError::from_error)?;
            Ok((token, Some(shown)))
        }
    }
}

/// Waits until the user or the system asks this process to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!("cannot wait for SIGTERM: {error}");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
