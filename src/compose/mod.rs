//! The composition root: builds what a command needs and hands it over.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the prompt file and makes the log file, before any session"
)]

mod auditing;
#[cfg(feature = "net")]
mod brokering;
mod check;
mod confine;
#[cfg(feature = "net")]
mod conformance;
mod containing;
mod editor;
mod exporting;
mod git_folder;
mod guidance;
mod hops;
mod library;
mod mapping;
mod mcp;
mod own;
mod panicking;
mod refactor;
mod review;
mod rules;
mod sealing;
mod serve;
mod tasks;

pub use auditing::audit;
#[cfg(feature = "net")]
pub use brokering::{Brokered, act_as_broker, broker};
pub use confine::sandbox;
#[cfg(feature = "net")]
pub use conformance::conformance;
pub use containing::act_as_keeper;
pub use exporting::export_session;
pub use guidance::trust;
pub use hops::trace_session;
pub use mapping::map;
pub use mcp::mcp;
pub use panicking::tame_panics;
pub use refactor::{Refactored, refactor};
pub use review::review;
pub use rules::rules;
pub use sealing::{seal, worker_environment};
pub use serve::{differences, serve};
pub use tasks::bench_tasks;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use mcp::Treatment;
use tokio::sync::mpsc;

use crate::agent::{CHECKING_SERVER, Settings};
use crate::bench;
use crate::cli::{Bench, Doctor, Exec, Options};
use crate::config::{self, Config};
use crate::doctor::{self, Subject};
use crate::error::{ExitCode, UserError};
use crate::exec::{self, Format};
use crate::mcp::Attended;
use crate::model::llama::{self, LlamaOptions};
use crate::model::speculate::Speculation;
use crate::model::store::{self, Look, Meter, ModelCommand, Store, StoreError};
use crate::protocol::{Event, FileChange, Mechanism, Sampling};
use crate::servers::filesystem::Filesystem;
use crate::servers::run;
use crate::session::{self, Handle, Journal, Recovered, SessionFiles, SessionId, Setup};
use crate::tui;
use crate::workspace::{Checkpoints, Roots, hash_of};

/// How long a run of a single turn waits for the third-party servers.
const SETTLING: std::time::Duration = std::time::Duration::from_secs(90);

/// Starts the log, where `WALDEN_LOG` asks for one: into the state folder, never onto the screen.
pub fn start_log() {
    let Some(filter) = std::env::var("WALDEN_LOG")
        .ok()
        .filter(|filter| !filter.is_empty())
    else {
        return;
    };
    let Ok(files) = SessionFiles::open() else {
        return;
    };
    let Ok(file) = std::fs::File::create(files.log()) else {
        return;
    };
    // rmcp logs whole requests at debug: a log of proprietary code is asked for by name (`rmcp=debug`).
    let filter = if filter.contains("rmcp") {
        filter
    } else {
        format!("{filter},rmcp=warn")
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .init();
}

/// Runs the terminal UI: a new session, or (`resume`) an earlier one, by its id or the last of this repository.
///
/// # Errors
/// When the session cannot be built, or there is no terminal.
pub fn terminal(options: &Options, resume: Option<Option<String>>) -> Result<ExitCode, UserError> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminal && !options.plain {
        return Err(UserError::usage("the terminal UI needs a terminal")
            .hint("`walden exec PROMPT` runs a turn without one"));
    }
    let mut config = configure(options)?;
    let root = find_root(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let mut resumed = match resume {
        None => None,
        Some(id) => Some(pick(&files, &root, id.as_deref())?),
    };
    llama::on_crash(tui::restore);
    llama::on_abort(gave_up);
    let weaker = sealing::tell_weaker();
    let runtime = runtime()?;
    // One session after the other, as the user goes from one to the next.
    loop {
        let exit = runtime.block_on(one_session(
            &config,
            options.plain,
            &root,
            &files,
            resumed.take(),
            &options.trust_server,
            &weaker,
        ))?;
        let tui::Exit::Switched(to) = exit else {
            // All that had to be finished is; threads that only look something up, or load, are not waited for.
            runtime.shutdown_background();
            llama::end(ExitCode::Success.status());
        };
        // A session without a message is not kept: then a new one is what it was.
        let kept = |id: &str| files.find(id).ok().map(|info| info.id);
        match to {
            tui::Switch::New => {}
            tui::Switch::Session(id) => resumed = kept(&id),
            tui::Switch::Model { name, session } => {
                config.model = Some(name);
                resumed = session.and_then(|id| kept(&id));
            }
        }
    }
}

/// Runs one session in the terminal, and says how it was left.
async fn one_session(
    config: &Config,
    plain: bool,
    root: &Path,
    files: &SessionFiles,
    resumed: Option<SessionId>,
    trusted: &[String],
    weaker: &[Event],
) -> Result<tui::Exit, UserError> {
    let (handle, mut replay) = build(
        config,
        root,
        files,
        resumed,
        config.mode.unwrap_or_default(),
        &Treatment {
            attended: Attended::Yes,
            trusted,
        },
        None,
    )
    .await?;
    replay.extend(weaker.iter().cloned());
    let Handle { ops, events, task } = handle;
    let library = library::Library {
        root: root.to_owned(),
        roots: Roots::open(&[root.to_owned()]).map_err(UserError::from_error)?,
        files: files.clone(),
        code: std::sync::Mutex::default(),
    };
    let options = tui::Options {
        theme: config.theme.clone(),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        model_name: model_name(config),
        root: root.to_owned(),
        enforced: crate::sandbox::enforced(),
        prompts: guidance::prompts(),
        history: Some(files.history()),
        themes: config::folder().map(|folder| folder.join("themes")),
        replay,
        keys: config::folder().map(|folder| folder.join("keys.toml")),
        vim: config.vim.unwrap_or_default(),
        mouse: config.mouse.unwrap_or_default(),
        still: config.reduced_motion.unwrap_or_default(),
        editor: Some(tui::Editor(std::sync::Arc::new(editor::write))),
        library: Some(std::sync::Arc::new(library)),
    };
    let ended = if plain {
        tui::run_plain(ops, events, options).await
    } else {
        tui::run(ops, events, options).await
    };
    if !matches!(ended, Ok(tui::Exit::Switched(_))) {
        // The user waits for the shell now.
        llama::leave();
    }
    // The journal is on the disk and the servers are closed when the task ends; the front end's queue is gone.
    let _ = task.await;
    ended.map_err(UserError::from_error)
}

/// Gives the terminal back and says why, just before the process aborts.
fn gave_up(reason: &str) {
    tui::restore();
    let reason = crate::protocol::sanitize_line(reason);
    // Nobody is left to hear that standard error is gone.
    let _ = writeln!(
        std::io::stderr(),
        "walden: the engine gave up: {reason}\n\nhint: the session is kept; `walden resume` goes on with it"
    );
}

/// Runs `walden exec`.
///
/// # Errors
/// When the session cannot be built or the prompt cannot be read.
pub fn headless(options: &Options, exec: &Exec) -> Result<ExitCode, UserError> {
    llama::on_crash(|| ());
    llama::on_abort(gave_up);
    let config = configure(options)?;
    let prompt = read_prompt(exec)?;
    let answer = read_form(exec)?;
    let root = find_root(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let format = if exec.json {
        Format::Json
    } else {
        Format::Text
    };
    let mode = config
        .mode
        .filter(|_| options.mode.is_some())
        .unwrap_or_else(|| exec.auto.mode());
    // Asked before anything is started: a missing model is the most likely mistake of a first run.
    locate_model(&config)?;
    let treatment = Treatment {
        attended: Attended::No,
        trusted: &options.trust_server,
    };
    sealing::tell_weaker();
    // There is no session after this one.
    llama::leave();
    runtime()?.block_on(async {
        let form = answer.as_ref().map(|form| form.schema().clone());
        let (handle, _) = build(&config, &root, &files, None, mode, &treatment, form).await?;
        exec::run(
            handle,
            exec::Request {
                prompt,
                format,
                answer,
            },
            &mut std::io::stdout().lock(),
            &mut std::io::stderr().lock(),
        )
        .await
    })
}

/// Lists the kept sessions as a table.
///
/// # Errors
/// When the state folder cannot be used.
pub fn sessions() -> Result<String, UserError> {
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let mut text = String::new();
    for info in files.list() {
        let title: String = crate::protocol::sanitize_line(&info.title)
            .chars()
            .take(60)
            .collect();
        text.push_str(&format!(
            "{}  {:>3} turns  {}  {title}\n",
            info.id.0,
            info.turns,
            crate::protocol::sanitize_line(&info.root)
        ));
    }
    if text.is_empty() {
        text.push_str("no session is kept yet\n");
    }
    Ok(text)
}

/// Removes the states of the model that are kept between runs.
///
/// # Errors
/// When the state folder cannot be used, or a file in it cannot be removed.
pub fn clear_sessions() -> Result<String, UserError> {
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let folder = files.snapshots();
    let freed = llama::clear_snapshots(&folder).map_err(|error| {
        UserError::failure(format!("cannot clear `{}`: {error}", folder.display()))
    })?;
    Ok(match freed {
        0 => "no state of a model was kept\n".to_owned(),
        bytes => format!(
            "removed {} MiB of kept states; the sessions stay\n",
            bytes.div_ceil(1 << 20)
        ),
    })
}

/// The context window that is measured in, unless asked for.
const BENCH_CONTEXT: u32 = 4096;

/// Runs `walden bench`, and returns what it measured as text.
pub fn bench(options: &Options, bench: &Bench) -> Result<String, UserError> {
    let config = configure(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    // Its states are its own, and gone with it.
    let states = files.passing("bench");
    let options = LlamaOptions {
        name: model_name(&config),
        context: Some(config.context.unwrap_or(BENCH_CONTEXT)),
        threads: config.threads,
        gpu_layers: config.gpu_layers,
        draft: locate_draft(&config)?,
        kv: config.kv.unwrap_or_default(),
        layout: config.weights.unwrap_or_default(),
        snapshots: Some(states.clone()),
        ..LlamaOptions::new(locate_model(&config)?)
    };
    let extent = if bench.quick {
        bench::Extent::Quick
    } else {
        bench::Extent::Full
    };
    let mut told = |what: &str| {
        // Somebody who closed stderr does not wait for it.
        let _ = writeln!(std::io::stderr(), "measuring: {what}");
    };
    let measured = bench::run(&options, extent, &bench.only, &mut told);
    // What stays behind is swept by the next run.
    let _ = std::fs::remove_dir_all(&states);
    let report = measured
        .map_err(|message| UserError::failure(format!("cannot measure the model: {message}")))?;
    if bench.json {
        let json = serde_json::to_string_pretty(&report).map_err(UserError::from_error)?;
        Ok(crate::protocol::harmless_json(&json) + "\n")
    } else {
        Ok(report.table())
    }
}

/// Runs `walden model …`.
///
/// # Errors
/// When the store or a source refuses.
pub fn model(command: &ModelCommand) -> Result<ExitCode, UserError> {
    let store = Store::open(None).map_err(|error| store_error(&error))?;
    let mut stderr = std::io::stderr().lock();
    let look = if std::io::stderr().is_terminal() {
        let columns =
            rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col.max(20));
        Look::Bar { columns }
    } else {
        Look::Lines
    };
    store::run(
        command,
        &store,
        &mut crate::door::Harmless::new(std::io::stdout().lock()),
        &mut Meter::new(&mut stderr, look),
    )
    .map_err(|error| store_error(&error))?;
    Ok(ExitCode::Success)
}

/// Runs `walden doctor`: what to print, and how it ended.
pub fn doctor(options: &Options, doctor: &Doctor) -> (String, ExitCode) {
    let configured = configure(options);
    let configuration = configured.as_ref().map(|_| ()).map_err(ToString::to_string);
    // What is wrong with the configuration is told; the rest is looked at with what the flags say.
    let config = configured.unwrap_or_else(|_| options.layer());
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let variable = |name: &str| std::env::var(name).ok();
    let depth = tui::Depth::from_environment(
        variable("COLORTERM").as_deref(),
        variable("TERM").as_deref(),
    );
    let report = doctor::examine(Subject {
        configuration,
        state: SessionFiles::open()
            .map(|files| files.log().parent().map(Path::to_owned).unwrap_or_default())
            .map_err(|error| error.to_string()),
        model: locate_model(&config)
            .map(|path| llama_options(&config, path))
            .map_err(|error| (error.message, error.hints)),
        load: doctor.load,
        colours: if no_color {
            "no colours (NO_COLOR)"
        } else {
            depth.name()
        },
        terminal: std::io::stdout().is_terminal(),
        containers: crate::mcp::container_runtime(),
    });
    let text = if doctor.json {
        report.json()
    } else {
        report.text()
    };
    (text, report.exit_code())
}

fn llama_options(config: &Config, path: PathBuf) -> LlamaOptions {
    LlamaOptions {
        name: model_name(config),
        context: config.context,
        threads: config.threads,
        gpu_layers: config.gpu_layers,
        // A draft model that is not there was told of when the session was built.
        draft: locate_draft(config).ok().flatten(),
        kv: config.kv.unwrap_or_default(),
        layout: config.weights.unwrap_or_default(),
        real_arguments: config.real_arguments.unwrap_or(true),
        speculation: match config.without.contains(&Mechanism::Speculation) {
            true => Speculation::Off,
            false => Speculation::default(),
        },
        ..LlamaOptions::new(path)
    }
}

fn store_error(error: &StoreError) -> UserError {
    error
        .hints()
        .into_iter()
        .fold(UserError::failure(error.to_string()), UserError::hint)
}

fn configure(options: &Options) -> Result<Config, UserError> {
    Ok(Config::from_user_file()?
        .under(Config::from_environment()?)
        .under(options.layer()))
}

fn model_name(config: &Config) -> String {
    config
        .model
        .clone()
        .unwrap_or_else(|| store::DEFAULT.to_owned())
}

fn locate_model(config: &Config) -> Result<PathBuf, UserError> {
    let store = Store::open(None).map_err(|error| store_error(&error))?;
    store
        .resolve(&model_name(config))
        .map_err(|error| store_error(&error))
}

fn locate_draft(config: &Config) -> Result<Option<PathBuf>, UserError> {
    let Some(name) = &config.draft else {
        return Ok(None);
    };
    let store = Store::open(None).map_err(|error| store_error(&error))?;
    let path = store.resolve(name).map_err(|error| store_error(&error))?;
    Ok(Some(path))
}

/// Finds the repository that a folder belongs to; outside of any, the folder itself is the root.
fn find_root(options: &Options) -> Result<PathBuf, UserError> {
    let dir = options.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let dir = dir.canonicalize().map_err(|error| {
        UserError::usage(format!("cannot work in `{}`: {error}", dir.display()))
    })?;
    if !dir.is_dir() {
        return Err(UserError::usage(format!(
            "cannot work in `{}`: it is not a folder",
            dir.display()
        )));
    }
    let root = dir
        .ancestors()
        .find(|dir| dir.join(".git").exists())
        .unwrap_or(&dir);
    Ok(root.to_owned())
}

fn read_prompt(exec: &Exec) -> Result<String, UserError> {
    let text = match (&exec.prompt_file, exec.prompt.as_deref()) {
        (Some(path), _) => std::fs::read_to_string(path).map_err(|error| {
            UserError::usage(format!(
                "cannot read the prompt `{}`: {error}",
                path.display()
            ))
        })?,
        (None, None) if std::io::stdin().is_terminal() => {
            return Err(UserError::usage("the prompt is missing")
                .hint("say what is to be done: `walden exec \"Fix …\"`"));
        }
        (None, Some("-") | None) => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| {
                    UserError::usage(format!(
                        "cannot read the prompt from standard input: {error}"
                    ))
                })?;
            text
        }
        (None, Some(prompt)) => own_prompt(prompt).unwrap_or_else(|| prompt.to_owned()),
    };
    if text.trim().is_empty() {
        return Err(UserError::usage("the prompt is empty")
            .hint("say what is to be done: `walden exec \"Fix …\"`"));
    }
    Ok(text.trim().to_owned())
}

/// Fills in one of the user's own prompts, where a line calls it: `/name arguments`.
fn own_prompt(line: &str) -> Option<String> {
    let rest = line.strip_prefix('/')?;
    let (word, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
    let prompts = guidance::prompts();
    let prompt = prompts.iter().find(|prompt| prompt.name == word)?;
    Some(prompt.message(arguments.trim()))
}

/// Reads the form of the answer, where one is asked for.
fn read_form(exec: &Exec) -> Result<Option<exec::AnswerForm>, UserError> {
    let Some(path) = &exec.output_schema else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        UserError::usage(format!(
            "cannot read the output schema `{}`: {error}",
            path.display()
        ))
    })?;
    exec::AnswerForm::read(&text).map(Some)
}

fn pick(files: &SessionFiles, root: &Path, id: Option<&str>) -> Result<SessionId, UserError> {
    let unknown =
        |error: String| UserError::usage(error).hint("`walden sessions` lists the kept ones");
    match id {
        Some(id) => files
            .find(id)
            .map(|info| info.id)
            .map_err(|error| unknown(error.to_string())),
        None => {
            let root = root.display().to_string();
            let last = files.list().into_iter().find(|info| info.root == root);
            last.map(|info| info.id)
                .ok_or_else(|| unknown(format!("no session of `{root}` is kept")))
        }
    }
}

/// Tells whether a file has the bytes that a change would leave.
fn stands(roots: &Roots, change: &FileChange) -> bool {
    roots
        .read(&change.path)
        .ok()
        .map(|file| hash_of(&file.bytes))
        == change.after
}

fn runtime() -> Result<tokio::runtime::Runtime, UserError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| UserError::failure(format!("cannot start the runtime: {error}")))
}

/// Builds a session and starts it. Returns, too, the events of an earlier run that are to be shown again.
async fn build(
    config: &Config,
    root: &Path,
    files: &SessionFiles,
    resumed: Option<SessionId>,
    mode: crate::protocol::Mode,
    treatment: &Treatment<'_>,
    answer: Option<serde_json::Value>,
) -> Result<(Handle, Vec<Event>), UserError> {
    locate_draft(config)?;
    let roots = Roots::open(&[root.to_owned()]).map_err(UserError::from_error)?;
    let (id, dir) = match resumed {
        Some(id) => (id.clone(), files.dir(&id)),
        None => files.create().map_err(UserError::from_error)?,
    };
    let (journal, entries) = Journal::open(&files.journal(&id)).map_err(UserError::from_error)?;
    let state = files.log();
    let audit = auditing::open(state.parent().unwrap_or(&dir), &id.0)?;
    let journal = journal.audited(audit);
    let checkpoints = Checkpoints::open(&dir.join("blobs")).map_err(UserError::from_error)?;
    let recovered = (!entries.is_empty())
        .then(|| session::recover(entries, |change: &FileChange| stands(&roots, change)));
    let replay = recovered
        .as_ref()
        .map(|recovered: &Recovered| recovered.events.clone())
        .unwrap_or_default();

    let configured = mcp::configured(root);
    let mut host = mcp::host(configured.definitions, root, files, treatment)?;
    for problem in configured.problems {
        host.tell(format!("MCP servers: {problem}."));
    }
    host.attach("fs", Filesystem::new(roots.clone()))
        .await
        .map_err(UserError::from_error)?;
    let git_roots = git_folder::roots(config, root, &roots);
    own::attach(&mut host, root, &git_roots, files).await?;
    let told = guidance::of_repository(files, &roots, root);
    let mut guidance = guidance::of_user();
    let mut scripts = guidance::scripts(&guidance, root);
    let mut notices = Vec::new();
    let mut trust: Option<session::Truster> = None;
    if told.trusted {
        // A skill of the same name takes the other's place, with what can be run of it.
        scripts.retain(|one| {
            told.guidance
                .skills
                .iter()
                .all(|skill| skill.name != one.skill)
        });
        scripts.extend(told.scripts);
        guidance.add(told.guidance);
    } else if !told.guidance.is_empty() {
        notices.push(guidance::untrusted_notice(&told.guidance));
        let (files, root) = (files.clone(), root.to_owned());
        // What is trusted is what was read when the session began, and not what may stand there by then.
        trust = Some(std::sync::Arc::new(move || {
            session::Trust::at(files.trust())
                .grant(&root, &told.hash)
                .map_err(|error| format!("cannot keep the trust: {error}"))?;
            Ok(told.guidance.clone())
        }));
    }
    let check = check::find(config, &roots, &dir)?;
    let check = check::with_scripts(check, scripts, &roots, &dir)?;
    if let Some((runner, _)) = &check {
        host.attach(CHECKING_SERVER, runner.clone())
            .await
            .map_err(UserError::from_error)?;
    }
    if treatment.attended == Attended::No {
        // A single turn has no later one in which a slow server's tools could come.
        host.settle(SETTLING).await;
    }
    let tools = host.tools().await.map_err(UserError::from_error)?;

    let (state, model_state) = mpsc::unbounded_channel();
    let model = match locate_model(config) {
        Ok(path) => llama::spawn(
            LlamaOptions {
                snapshots: Some(files.snapshots()),
                gives_way: treatment.attended == Attended::Yes,
                ..llama_options(config, path)
            },
            state,
        ),
        Err(error) => crate::model::Model::missing(error.to_string(), &state),
    };
    let rules = own::rule_files(root, files);
    let defaults = Settings::default();
    let settings = Settings {
        repository: root.file_name().map_or_else(
            || "project".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        ),
        mode,
        check_is_named: check.as_ref().is_some_and(|(_, named)| *named),
        check: check
            .map(|(runner, _)| runner.command().to_vec())
            .unwrap_or_default(),
        asks_check: treatment.attended == Attended::Yes,
        tries: config.tries.unwrap_or(defaults.tries),
        search_seconds: config.search_time.unwrap_or(defaults.search_seconds),
        answer,
        guidance,
        max_steps: config.max_turns.unwrap_or(defaults.max_steps),
        max_tokens: config.budget.unwrap_or(defaults.max_tokens),
        sampling: Sampling {
            temperature: config.temperature.unwrap_or(defaults.sampling.temperature),
            ..defaults.sampling
        },
        rules: rules.load().map_err(UserError::from_error)?,
        // It lets in what is not of this conversation, and nobody is there to be asked because of it.
        recalls: treatment.attended == Attended::Yes,
        without: config.without.clone(),
        confined: own::confined(),
    };
    let setup = Setup {
        id,
        settings,
        trust,
        notices,
        changes: review::change_reader(&git_roots, root),
        roots,
        host,
        tools,
        model,
        model_name: model_name(config),
        model_state,
        journal,
        checkpoints,
        recovered,
        rules,
    };
    Ok((session::start(setup), replay))
}
