//! The roots of a client take the place of the current folder's repository.

#![expect(
    deprecated,
    reason = "roots are marked for removal from the protocol, and are what today's clients have"
)]

use std::sync::Mutex;

use rmcp::handler::client::ClientHandler;
use rmcp::model::{ClientCapabilities, ClientConfig, ListRootsResult, Root};
use tokio::sync::mpsc;

use super::*;

/// A client with one root, which tells each time that it is asked.
struct Rooted {
    root: Arc<Mutex<PathBuf>>,
    asked: mpsc::UnboundedSender<()>,
}

impl ClientHandler for Rooted {
    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        let _ = self.asked.send(());
        let root = format!("file://{}", self.root.lock().expect("a root").display());
        Ok(ListRootsResult::new(vec![Root::new(root)]))
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder()
            .enable_roots()
            .enable_roots_list_changed()
            .build();
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }
}

async fn status(client: &RunningService<RoleClient, Rooted>, repo: &Path) -> String {
    let arguments = json!({ "repo_path": repo.to_string_lossy() });
    let request = CallToolRequestParams::new("git_status")
        .with_arguments(arguments.as_object().cloned().expect("an object"));
    let result = client.call_tool(request).await.expect("an answer");
    result.content[0].as_text().expect("a text").text.clone()
}

#[tokio::test]
async fn a_client_reaches_the_repositories_of_its_roots_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let repos = ["own", "theirs", "later"].map(|name| folder.path().join(name));
    repos.iter().for_each(|repo| lay(repo));
    let [own, theirs, later] = &repos;
    let server = Git::full(
        Roots::open(std::slice::from_ref(own)).expect("roots"),
        ClientRoots::Replace,
    );
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let running = server.serve(far).await.expect("serving");
        let _ = running.waiting().await;
    });
    let (asked_tx, mut asked) = mpsc::unbounded_channel();
    let root = Arc::new(Mutex::new(theirs.clone()));
    let client = Rooted {
        root: root.clone(),
        asked: asked_tx,
    };
    let mode = ClientLifecycleMode::Initialize;
    let client = client
        .serve_with_lifecycle(near, mode)
        .await
        .expect("connected");
    has(&status(&client, theirs).await, "On branch main");
    has(
        &status(&client, own).await,
        "is outside the allowed repository",
    );
    *root.lock().expect("a root") = later.clone();
    while asked.try_recv().is_ok() {}
    client.notify_roots_list_changed().await.expect("told");
    asked.recv().await.expect("asked");
    has(&status(&client, later).await, "On branch main");
    has(
        &status(&client, theirs).await,
        "is outside the allowed repository",
    );
}
