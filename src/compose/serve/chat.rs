//! Building the chat server: the model, and what asks it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::cli::{Options, ServeChat};
use crate::config::Config;
use crate::error::{ExitCode, UserError};
use crate::model::Model;
use crate::model::llama::{self, LlamaOptions};
use crate::protocol::{ModelEvent, ModelFailure, ModelRequest, sanitize_line};
use crate::servers::chat::{Ask, Asked, Chat, ChatOptions};

use super::super::sealing::tell_weaker;
use super::super::{configure, llama_options, locate_model, model_name};
use super::{Served, over};

/// Returns the configuration of the model that answers.
///
/// # Errors
/// When the user's configuration is wrong.
pub(in super::super) fn configured(
    options: &Options,
    chat: &ServeChat,
) -> Result<Config, UserError> {
    Ok(configure(options)?.under(chat.layer()))
}

/// Runs `walden serve chat`. What is wrong with the model's file is said before anything is loaded.
///
/// # Errors
/// When the model cannot be used, or the server cannot be built.
pub(super) fn serve(options: &Options, chat: &ServeChat) -> Result<ExitCode, UserError> {
    let config = configured(options, chat)?;
    let path = locate_model(&config)?;
    let shown = path_name(&config, &path);
    let options = LlamaOptions {
        // It writes ahead for one answer at a time, and takes memory for that.
        draft: None,
        name: shown.clone(),
        ..llama_options(&config, path)
    };
    // What is weaker is said on standard error; there is no screen that shows it, too.
    tell_weaker();
    llama::on_crash(|| ());
    llama::on_abort(gave_up);
    let outlook = llama::examine(&options).map_err(|problem| {
        UserError::failure(format!("cannot load the model `{shown}`: {problem}"))
            .hint("`walden doctor` says what this machine has room for")
    })?;
    if let Some(notice) = outlook.notice {
        tracing::warn!("{notice}");
    }
    let model = Arc::new(Loading {
        options,
        model: OnceLock::new(),
    });
    let answers = ChatOptions {
        tool: chat.tool_name.clone(),
        model: shown,
        sampling: chat.sampling(),
        prompt_suffix: chat.prompt_suffix.clone(),
    };
    let served = Answering {
        chat: Chat::new(Arc::clone(&model) as Arc<dyn Ask>, answers),
        model,
    };
    let code = over(&chat.http, "chat", served)?;
    // The model's thread is not waited for: it may be in the middle of loading.
    llama::end(code.status())
}

/// Names a model as the user does, a file by its name alone: the whole path is nothing for clients.
fn path_name(config: &Config, path: &Path) -> String {
    let name = model_name(config);
    let shown = match Path::new(&name).components().count() {
        1 => name,
        _ => path
            .file_name()
            .map_or(name, |file| file.to_string_lossy().into_owned()),
    };
    sanitize_line(&shown)
}

/// The chat server, with the model that it asks.
struct Answering {
    chat: Chat,
    model: Arc<Loading>,
}

impl Served for Answering {
    type Server = Chat;

    fn for_a_client(&self) -> Chat {
        self.chat.clone()
    }

    fn within(&self, _folders: &[PathBuf]) -> Result<Self, String> {
        Err("this server has no folders: leave `roots` out".to_owned())
    }

    fn begin(&self) {
        self.model.start();
    }
}

/// A model that is loaded once clients can come: what is asked before it is there waits for it.
struct Loading {
    options: LlamaOptions,
    model: OnceLock<Model>,
}

impl Loading {
    fn start(&self) -> &Model {
        self.model.get_or_init(|| {
            let (state, states) = mpsc::unbounded_channel();
            std::thread::spawn(move || note(states));
            llama::spawn(self.options.clone(), state)
        })
    }
}

impl Ask for Loading {
    fn ask(&self, request: ModelRequest) -> Asked {
        let generation = self.start().generate(request);
        Asked::new(generation.events, move || generation.cancel.cancel())
    }
}

/// Notes what the model says of itself, until it is gone.
fn note(mut states: mpsc::UnboundedReceiver<ModelEvent>) {
    while let Some(event) = states.blocking_recv() {
        match event {
            ModelEvent::Loaded { info } => tracing::info!(
                "`{}` answers, with a context of {} tokens; it takes {}",
                sanitize_line(&info.name),
                info.context,
                info.memory
            ),
            ModelEvent::Notice { text } => tracing::warn!("{text}"),
            ModelEvent::Failed {
                failure: failure @ ModelFailure::Load { .. },
            } => tracing::error!("{failure}"),
            // The rest is of an answer, and told to who waits for it.
            _ => {}
        }
    }
}

/// Says why the engine ends the process, just before it does.
fn gave_up(reason: &str) {
    let reason = sanitize_line(reason);
    // Nobody is left to hear that standard error is gone.
    let _ = writeln!(
        std::io::stderr(),
        "walden: the engine gave up: {reason}\n\nhint: a smaller --context takes less memory"
    );
}
