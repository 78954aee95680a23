//! The built-in server that runs programs: the project's own check, in a copy of the repository, in the sandbox.
//!
//! The check is a command that the user named or that the project's files tell. It runs in a scratch copy, so that it
//! can write what it likes and nothing of the user's is changed: the roots are readable, the copy is writable, there
//! is no network. A call with `walden/trial` in its `_meta` first makes an edit in the copy, and takes it back
//! afterwards: so a change is tried before anybody sees it. Scripts of skills run there as well.

pub use installed::has;
pub use scripts::Scripts;

mod installed;
mod live;
mod probing;
mod report;
mod running;
mod scripts;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, MetaObject, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::json;

use self::live::Live;
use self::probing::Probe;
use self::report::Verdict;
use self::running::{Limit, Ran};
use self::scripts::{SCRIPT, Script};
use super::filesystem::Filesystem;
use crate::sandbox::{Launcher, Limits, Metadata, Profile};
use crate::workspace::{Roots, Scratch};

/// The longest that a check may take.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest that the check of a trial may take before any check has ended. A wrong edit is often one that never
/// ends.
const FIRST: Duration = Duration::from_secs(10);

/// How many times longer than the first check that ended a trial's check may take, and how much more: a start can take
/// longer on a busy machine.
const PATIENCE: u32 = 4;
const GRACE: Duration = Duration::from_secs(2);

/// The server. One call runs at a time: they share the copy.
#[derive(Debug, Clone)]
pub struct Runner {
    roots: Roots,
    launcher: Launcher,
    /// Empty where the project has none.
    check: Vec<String>,
    /// The Python that tries files which are written from nothing.
    python: Option<String>,
    /// The skills whose scripts may be run.
    scripts: Vec<Scripts>,
    /// Where the copy is made.
    dir: PathBuf,
    state: Arc<tokio::sync::Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    scratch: Option<Arc<Mutex<Scratch>>>,
    /// How long the first check took that ended by itself. A later one may be of an edit that nearly never ends.
    took: Option<Duration>,
}

impl Runner {
    /// Makes a server that checks the primary root with a command, in a copy that it makes in `dir`.
    pub fn new(roots: Roots, launcher: Launcher, check: Vec<String>, dir: PathBuf) -> Self {
        Self {
            roots,
            launcher,
            check,
            python: None,
            scripts: Vec::new(),
            dir,
            state: Arc::default(),
        }
    }

    /// Lets the server try Python files that are written from nothing, with a program.
    #[must_use]
    pub fn with_python(mut self, python: &str) -> Self {
        self.python = Some(python.to_owned());
        self
    }

    /// Lets the server run scripts of skills.
    #[must_use]
    pub fn with_scripts(mut self, scripts: Vec<Scripts>) -> Self {
        self.scripts = scripts;
        self
    }

    /// Returns the words of the check; none where the project has none.
    pub fn command(&self) -> &[String] {
        &self.check
    }

    async fn check(&self, trial: Option<Trial>, live: Option<&Live>) -> Result<Verdict, String> {
        let (verdict, _) = self.run(&self.check, &self.check, trial, live).await?;
        Ok(verdict)
    }

    async fn probe(&self, probe: &Probe, trial: Option<Trial>) -> Result<Verdict, String> {
        let python = self.python.as_deref().ok_or("there is no Python")?;
        let (argv, spoken) = probe.command(python);
        let (verdict, output) = self.run(&argv, &spoken, trial, None).await?;
        Ok(probing::with_given(verdict, &output))
    }

    /// Runs a script of a skill, and says what it printed.
    async fn script(&self, script: &Script, live: Option<&Live>) -> Result<String, String> {
        let shown = script.argv.iter().map(Path::new);
        let shown = shown
            .filter_map(|word| word.strip_prefix(&script.folder).ok())
            .next();
        let shown = shown.map_or_else(String::new, |path| path.display().to_string());
        let (ran, ..) = self
            .run_in_copy(&script.argv, Some(&script.folder), None, live)
            .await?;
        scripts::told(&shown, &ran)
    }

    /// Runs a command in the copy, with an edit made in it or without. Returns, too, what it said.
    async fn run(
        &self,
        argv: &[String],
        spoken: &[String],
        trial: Option<Trial>,
        live: Option<&Live>,
    ) -> Result<(Verdict, String), String> {
        let (ran, folder, copy) = self.run_in_copy(argv, None, trial, live).await?;
        let line_of = move |file: &str, row: usize| {
            let file = copy.read(file).ok()?;
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            text.lines().nth(row.checked_sub(1)?).map(str::to_owned)
        };
        let verdict = report::verdict(spoken, &ran, &folder, &line_of);
        Ok((verdict, ran.output))
    }

    /// Runs a command in the copy, which may read one more folder. Returns, too, the copy.
    async fn run_in_copy(
        &self,
        argv: &[String],
        more: Option<&Path>,
        trial: Option<Trial>,
        live: Option<&Live>,
    ) -> Result<(Ran, PathBuf, Roots), String> {
        let mut state = self.state.lock().await;
        let scratch = match &state.scratch {
            Some(scratch) => Arc::clone(scratch),
            None => {
                let (roots, dir) = (self.roots.clone(), self.dir.join("copy"));
                let made = tokio::task::spawn_blocking(move || Scratch::make(&roots, &dir));
                let made = made.await.map_err(|error| error.to_string())?;
                let scratch = Arc::new(Mutex::new(made.map_err(|error| error.to_string())?));
                state.scratch = Some(Arc::clone(&scratch));
                scratch
            }
        };
        let tried = trial.is_some();
        let prepared = tokio::task::spawn_blocking({
            let scratch = Arc::clone(&scratch);
            move || {
                prepare(
                    &mut scratch.lock().unwrap_or_else(PoisonError::into_inner),
                    trial,
                )
            }
        });
        let folder = prepared.await.map_err(|error| error.to_string())??;
        let limit = match (tried, state.took) {
            (true, Some(took)) => (took * PATIENCE + GRACE).min(LONGEST),
            (true, None) => FIRST,
            (false, _) => LONGEST,
        };
        let home = self.dir.join("home");
        let profile = Profile {
            read: {
                let roots = self.roots.dirs().into_iter().map(PathBuf::from);
                roots.chain(more.map(Path::to_owned)).collect()
            },
            write: vec![folder.clone()],
            scratch: home.clone(),
            lacking: crate::sandbox::Lacking::default(),
            metadata: Metadata::Free,
            limits: Limits::default(),
        };
        let ran = running::run(
            &self.launcher,
            argv,
            &folder,
            &profile,
            &Limit { time: limit },
            live,
        )
        .await?;
        if !ran.timed_out && state.took.is_none() && more.is_none() {
            state.took = Some(ran.took);
        }
        let copy = scratch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .roots()
            .clone();
        Ok((ran, folder, copy))
    }

    fn tools(&self) -> Vec<Tool> {
        let check = (!self.check.is_empty()).then(|| self.describe());
        let probe = self.python.as_ref().map(|_| {
            let mut meta = MetaObject::new();
            meta.insert("walden/risk".to_owned(), "command".into());
            let what = "Tries a Python file that is being written.";
            Tool::new("probe", what, Probe::schema())
                .with_annotations(ToolAnnotations::new().read_only(true).open_world(false))
                .with_meta(meta)
        });
        let script = (!self.scripts.is_empty()).then(|| {
            let mut meta = MetaObject::new();
            meta.insert("walden/risk".to_owned(), "command".into());
            let what =
                "Runs a script of a skill that was told; it can change no file of the project.";
            Tool::new(SCRIPT, what, Script::schema(&self.scripts))
                .with_annotations(ToolAnnotations::new().read_only(true).open_world(false))
                .with_meta(meta)
        });
        check.into_iter().chain(probe).chain(script).collect()
    }

    fn describe(&self) -> Tool {
        let mut meta = MetaObject::new();
        meta.insert("walden/risk".to_owned(), "command".into());
        meta.insert("walden/check".to_owned(), self.check.clone().into());
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), json!({}));
        Tool::new(
            "check",
            format!("Runs `{}`.", report::spoken(&self.check)),
            schema,
        )
        .with_annotations(ToolAnnotations::new().read_only(true).open_world(false))
        .with_meta(meta)
    }
}

/// An edit to be made in the copy before the check.
#[derive(Debug)]
struct Trial {
    tool: String,
    arguments: JsonObject,
}

impl Trial {
    fn of(meta: &JsonObject) -> Result<Option<Self>, String> {
        let Some(trial) = meta.get("walden/trial") else {
            return Ok(None);
        };
        match (trial["tool"].as_str(), trial["arguments"].as_object()) {
            (Some(tool), Some(arguments)) => Ok(Some(Self {
                tool: tool.to_owned(),
                arguments: arguments.clone(),
            })),
            _ => Err("`walden/trial` must have `tool` and `arguments`".to_owned()),
        }
    }
}

/// Brings the copy up to date and makes the trial's edit in it. Returns the copy's folder.
fn prepare(scratch: &mut Scratch, trial: Option<Trial>) -> Result<PathBuf, String> {
    scratch.sync().map_err(|error| error.to_string())?;
    if let Some(trial) = trial {
        let path = Filesystem::new(scratch.roots().clone()).change(&trial.tool, trial.arguments)?;
        scratch.touched(&path);
    }
    Ok(scratch.dir().to_owned())
}

impl ServerHandler for Runner {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("walden-run", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&request.name).is_none() {
            let message = format!("unknown tool `{}`", request.name);
            return Err(ErrorData::invalid_params(message, None));
        }
        let trial = match Trial::of(&context.meta) {
            Ok(trial) => trial,
            Err(problem) => return Err(ErrorData::invalid_params(problem, None)),
        };
        let probe = match request.name == "probe" {
            true => match Probe::of(request.arguments.as_ref()) {
                Ok(probe) => Some(probe),
                Err(problem) => return Err(ErrorData::invalid_params(problem, None)),
            },
            false => None,
        };
        let live = Live::of(&context);
        if request.name == SCRIPT {
            let script = Script::of(&self.scripts, request.arguments.as_ref());
            let ran = async {
                match &script {
                    Ok(script) => self.script(script, live.as_ref()).await,
                    Err(problem) => Err(problem.clone()),
                }
            };
            let ran = tokio::select! {
                ran = ran => ran,
                () = context.ct.cancelled() => Err("cancelled".to_owned()),
            };
            let result = match ran {
                Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
                Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
            };
            return Ok(result.into());
        }
        let checked = async {
            match &probe {
                Some(probe) => self.probe(probe, trial).await,
                None => self.check(trial, live.as_ref()).await,
            }
        };
        let checked = tokio::select! {
            checked = checked => checked,
            // Dropping the run ends its process group.
            () = context.ct.cancelled() => Err("cancelled".to_owned()),
        };
        let result = match checked {
            Ok(verdict) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(verdict.text)]);
                result.structured_content = Some(json!({"check": verdict.result}));
                result
            }
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        };
        Ok(result.into())
    }
}
