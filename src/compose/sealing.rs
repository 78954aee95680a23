//! What a command needs to reach, and the seal that leaves it that.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::{Cli, Command, Options, Serve, ServeChat, ServeHttp};
use crate::config::{self, Config};
use crate::door::Harmless;
use crate::error::UserError;
use crate::protocol::{Event, Level};
use crate::sandbox::{self, Files, Network, Seal, program_folders};
use crate::session::SessionFiles;

use super::serve::chat_config;
use super::{configure, find_root, locate_draft, locate_model};

/// Files of the user's home that programs of a session read: git's settings, and how an editor is set up.
const SETTINGS: &[&str] = &[
    ".gitconfig",
    ".config/git",
    ".terminfo",
    ".inputrc",
    ".vimrc",
    ".vim",
    ".nanorc",
    ".config/nvim",
    ".config/helix",
    ".config/micro",
    ".local/share/nvim",
];

/// Seals this process as the command needs it, before its first thread, and says on standard error what is weaker
/// here. Commands that fetch, or look at the machine, stay as they are.
///
/// # Errors
/// When the user wants all or nothing (`--strict`) and not all holds, or when nothing can be given up at all.
pub fn seal(cli: &Cli) -> Result<(), UserError> {
    let options = cli.session_options();
    let Some(seal) = wanted(cli)? else {
        return Ok(());
    };
    if options.as_ref().is_some_and(|options| options.no_seal) {
        return match options.is_some_and(|options| options.strict) {
            true => Err(UserError::usage(
                "--strict and --no-seal contradict each other",
            )),
            false => Ok(()),
        };
    }
    let strict = options.is_some_and(|options| options.strict);
    #[cfg_attr(
        not(feature = "net"),
        expect(unused_mut, reason = "there is no broker")
    )]
    let mut kept = super::containing::take_pipes();
    #[cfg(feature = "net")]
    kept.extend(super::brokering::take_pipes());
    let sealed = match sandbox::seal(&seal, &kept) {
        Ok(sealed) => sealed,
        Err(error) => {
            return Err(UserError::failure(format!("cannot seal walden: {error}"))
                .hint("`--no-seal` starts it without the seal"));
        }
    };
    if let (true, [first, ..]) = (strict, sealed.weaker().as_slice()) {
        return Err(UserError::failure(format!(
            "not everything can be enforced here: {}",
            first.trim_end_matches('.')
        ))
        .hint("`walden doctor` says what this machine lacks; without --strict walden goes on and says what is weaker"));
    }
    Ok(())
}

/// Returns what the worker's environment has besides the user's: passing files lie in the state folder, because other
/// programs' temporary files are out of its reach. Starts the broker, where the configuration allows addresses.
///
/// # Errors
/// When the configuration is wrong, or the broker cannot be started.
pub fn worker_environment(cli: &Cli) -> Result<Vec<(&'static str, OsString)>, UserError> {
    let mut environment = Vec::new();
    let state = state_folder()?;
    let folder = state.join("tmp");
    if make_private(&folder) {
        environment.push(("TMPDIR", folder.into_os_string()));
    }
    let sealed = cli.session_options().filter(|options| !options.no_seal);
    if let Some(options) = &sealed {
        let started = super::containing::start(&find_root(options)?)?;
        environment.extend(started.map(|(name, told)| (name, told.into())));
    }
    #[cfg(feature = "net")]
    if let Some(options) = sealed {
        let started = super::brokering::start(&configure(&options)?, &state)?;
        environment.extend(started.map(|(name, ends)| (name, ends.into())));
    }
    Ok(environment)
}

/// Says on standard error which promises are weaker here, and returns it too where the kernel itself lets walden down:
/// that is to be seen on the screen as well.
pub(super) fn tell_weaker() -> Vec<Event> {
    let (weaker, is_whole) = match sandbox::sealed() {
        Some(sealed) => (sealed.weaker(), sealed.is_whole()),
        None => {
            let text = "walden is not sealed, as you asked: nothing keeps it from the network and from other files.";
            (vec![text.to_owned()], false)
        }
    };
    for text in &weaker {
        // Somebody who closed stderr does not wait for it.
        let _ = writeln!(Harmless::new(std::io::stderr()), "note: {text}");
    }
    let notice = |text| Event::Notice {
        level: Level::Warning,
        text,
    };
    match is_whole {
        true => Vec::new(),
        false => weaker.into_iter().map(notice).collect(),
    }
}

/// Says what a command keeps; `None` for one that is not sealed.
fn wanted(cli: &Cli) -> Result<Option<Seal>, UserError> {
    let mut seal = match &cli.command {
        Some(Command::Serve(serve)) => serving(&cli.options, serve)?,
        _ => match cli.session_options() {
            None => return Ok(None),
            Some(options) => {
                let mut seal = session(&options)?;
                if let (Some(Command::Exec(exec)), Files::Kept { read, .. }) =
                    (&cli.command, &mut seal.files)
                {
                    // What the user names on the command line may lie anywhere.
                    let named = exec.prompt_file.iter().chain(&exec.output_schema);
                    read.extend(named.filter_map(|path| path.canonicalize().ok()));
                }
                seal
            }
        },
    };
    // What is named on the command line is meant.
    if let (Some(Command::Exec(exec)), Files::Kept { read, .. }) = (&cli.command, &mut seal.files) {
        let named = exec.prompt_file.as_ref().map(std::path::absolute);
        read.extend(named.and_then(Result::ok));
    }
    Ok(Some(seal))
}

/// A session: the roots and the state, and what the model, its tools and its checks read.
fn session(options: &Options) -> Result<Seal, UserError> {
    let config = configure(options)?;
    let root = find_root(options)?;
    let state = state_folder()?;
    let mut read = readable(&config);
    // What third-party servers may read, this process must be able to give them.
    let (servers_read, servers_write) = super::mcp::reach(&root);
    read.extend(servers_read);
    let granted = super::git_folder::granted(&config, &root);
    let mut write = vec![root, state];
    write.extend(servers_write);
    write.extend(granted);
    write.extend(config::rules_folder().filter(|folder| make_private(folder)));
    if let Some(seal) = &config.seal {
        read.extend(seal.read.iter().map(|path| expanded(path)));
        write.extend(seal.write.iter().map(|path| expanded(path)));
    }
    let addresses = config.network.as_ref().map_or(0, |net| net.allow.len());
    Ok(Seal {
        files: Files::Kept {
            roots: 1,
            read,
            write,
        },
        network: match addresses {
            0 => Network::Off,
            count => Network::Broker(count),
        },
    })
}

/// A server for another host: what a client's own roots are is not known before it says so.
fn serving(options: &Options, serve: &Serve) -> Result<Seal, UserError> {
    let (http, fixed) = match serve {
        Serve::Filesystem(options) => (
            &options.http,
            options.ignore_client_roots.then(|| options.roots.clone()),
        ),
        Serve::Git(options) => (&options.http, None),
        Serve::Memory(options) => (&options.http, None),
        Serve::Chat(chat) => return chatting(options, chat),
        Serve::Differences => (&ServeHttp::default(), None),
    };
    let network = network_of(http);
    let files = match (fixed, state_folder()) {
        (Some(roots), Ok(state)) => Files::Kept {
            roots: roots.len(),
            read: readable(&Config::default())
                .into_iter()
                .chain(named(http))
                .collect(),
            write: roots.into_iter().chain([state]).collect(),
        },
        _ => Files::Free,
    };
    Ok(Seal { files, network })
}

/// The model as a server: it has no folders, and reads the model's file.
fn chatting(options: &Options, chat: &ServeChat) -> Result<Seal, UserError> {
    let config = chat_config(options, chat)?;
    let mut read: Vec<PathBuf> = named(&chat.http).collect();
    read.extend(config::folder());
    read.extend(std::env::current_exe().ok());
    read.extend(crate::model::store::Store::open(None).map(|store| store.dir().to_owned()));
    read.extend(parts_of(&locate_model(&config)?));
    read.retain(|path| path.is_absolute());
    Ok(Seal {
        files: Files::Kept {
            roots: 0,
            read,
            write: vec![state_folder()?],
        },
        network: network_of(&chat.http),
    })
}

/// Names the files that say who may call: what is named on the command line is meant.
fn named(http: &ServeHttp) -> impl Iterator<Item = PathBuf> {
    http.files().filter_map(|path| path.canonicalize().ok())
}

fn network_of(http: &ServeHttp) -> Network {
    match http.is_asked_for() {
        true => Network::Open,
        false => Network::Off,
    }
}

/// Returns the folder that holds what walden keeps.
pub(super) fn state_folder() -> Result<PathBuf, UserError> {
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    Ok(files.log().parent().map(Path::to_owned).unwrap_or_default())
}

/// Makes a folder for the user alone, and tells whether it is there.
fn make_private(folder: &Path) -> bool {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.is_ok()
}

/// Names what a session reads besides its roots.
fn readable(config: &Config) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut read: Vec<PathBuf> = Vec::new();
    read.extend(config::folder());
    read.extend(std::env::current_exe().ok());
    read.extend(crate::model::store::Store::open(None).map(|store| store.dir().to_owned()));
    let models = [
        locate_model(config).ok(),
        locate_draft(config).ok().flatten(),
    ];
    for model in models.into_iter().flatten() {
        read.extend(parts_of(&model));
    }
    // What the user can start, the user's checks can start.
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path).filter(|folder| folder.is_absolute()) {
        read.extend(program_folders(&folder.join("program"), home.as_deref()));
        read.push(folder);
    }
    if let Some(home) = &home {
        read.extend(SETTINGS.iter().map(|name| home.join(name)));
    }
    for name in [
        "RUSTUP_HOME",
        "VIRTUAL_ENV",
        "GOROOT",
        "GOMODCACHE",
        "JAVA_HOME",
    ] {
        read.extend(
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
        );
    }
    read.retain(|path| path.is_absolute());
    read.sort_unstable();
    read.dedup();
    read
}

/// Names the files of a model: the one file, or the folder of one that is split into several.
fn parts_of(model: &Path) -> Vec<PathBuf> {
    let real = model.canonicalize().unwrap_or_else(|_| model.to_owned());
    let is_split = real
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("-00001-of-"));
    match real.parent() {
        Some(folder) if is_split => vec![folder.to_owned()],
        _ => vec![real],
    }
}

/// Puts the user's home where a configured path says `~/`.
pub(super) fn expanded(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}
