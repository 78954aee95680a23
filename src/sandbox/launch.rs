//! Starting a confined program.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::confine::Told;
use super::small::small;
use super::{HELPER, Profile, SandboxError};

/// Variables that a child keeps. Everything else may hold a secret, or steer a program.
const KEPT: &[&str] = &[
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_HOME",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VIRTUAL_ENV",
    "GOROOT",
    "GOPATH",
    "GOMODCACHE",
    "JAVA_HOME",
    "NVM_DIR",
];

/// Starts confined programs.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// This program, which is its own helper where the small one cannot be started.
    helper: PathBuf,
    through: Through,
}

/// What confines itself and becomes the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    /// The small helper, where it can be started.
    Small,
    Walden,
}

impl Launcher {
    /// Uses this running program as the helper.
    ///
    /// # Errors
    /// When the system does not say where this program is.
    pub fn of_this_program() -> Result<Self, SandboxError> {
        std::env::current_exe()
            .map(Self::at)
            .map_err(|error| SandboxError::Prepare(format!("where walden itself is: {error}")))
    }

    /// Uses a walden program at a path as the helper.
    pub fn at(helper: impl Into<PathBuf>) -> Self {
        Self {
            helper: helper.into(),
            through: Through::Small,
        }
    }

    /// Leaves the small helper out, as it is done where that cannot be started.
    #[must_use]
    pub fn without_small(self) -> Self {
        Self {
            through: Through::Walden,
            ..self
        }
    }

    /// Returns the path of the helper.
    pub(super) fn helper(&self) -> &Path {
        &self.helper
    }

    /// Prepares a command that runs confined in `folder`: in a process group of its own, with nothing on its standard
    /// input, and with an environment that is rebuilt.
    ///
    /// # Errors
    /// When the command is empty, or its program is not on the PATH.
    pub fn command(
        &self,
        argv: &[String],
        folder: &Path,
        profile: &Profile,
    ) -> Result<Command, SandboxError> {
        self.command_with(argv, folder, profile, &[])
    }

    /// Prepares a command as [`Self::command`] does, with variables that somebody else chose.
    ///
    /// They are the program's and never the helper's: what loads a program's libraries obeys some of them
    /// (`LD_PRELOAD`), and would run a stranger's code before anything is confined.
    ///
    /// # Errors
    /// When the command is empty, or its program is not on the PATH.
    pub fn command_with(
        &self,
        argv: &[String],
        folder: &Path,
        profile: &Profile,
        variables: &[(String, String)],
    ) -> Result<Command, SandboxError> {
        let (program, rest) = argv.split_first().ok_or(SandboxError::NoCommand)?;
        let program =
            launchable(program, folder).ok_or_else(|| SandboxError::NoProgram(program.clone()))?;
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let mut profile = profile.clone();
        profile
            .read
            .extend(super::program_folders(&program, home.as_deref()));
        let small = match self.through {
            Through::Small => small(),
            Through::Walden => None,
        };
        let (helper, words) = match small {
            Some(small) => (small.path(), small.words(&profile)?),
            None => {
                let told = Told {
                    profile,
                    variables: variables.to_vec(),
                };
                let described = serde_json::to_string(&told)
                    .map_err(|error| SandboxError::Prepare(error.to_string()))?;
                profile = told.profile;
                (self.helper.clone(), vec![described.into()])
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that starts confined programs"
        )]
        let mut command = Command::new(helper);
        command
            .arg0(HELPER)
            .args(words)
            .arg(&program)
            .args(rest)
            .current_dir(folder)
            .stdin(Stdio::null())
            .process_group(0)
            .env_clear()
            .envs(
                KEPT.iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("HOME", &profile.scratch)
            .env("TMPDIR", &profile.scratch)
            .env("TERM", "dumb")
            .env("NO_COLOR", "1");
        if let Some(home) = home {
            // Toolchains look for their own folders beneath the home that is hidden from them.
            for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
                if std::env::var_os(name).is_none() && home.join(folder).exists() {
                    command.env(name, home.join(folder));
                }
            }
        }
        if small.is_some() {
            // It has no libraries that these could choose.
            command.envs(variables.iter().map(|(name, value)| (name, value)));
        }
        Ok(command)
    }
}

/// Finds the program of a command: a path beneath the folder or an absolute one, or a name on the PATH.
pub fn launchable(program: &str, folder: &Path) -> Option<PathBuf> {
    let runs = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = folder.join(program);
        return runs(&path).then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(OsStr::new(program)))
        .find(|path| runs(path))
}
