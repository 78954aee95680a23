//! Errors as a person meets them: what failed, on what, and what can be done now.

use std::fmt;

/// An error for the person at the terminal.
#[derive(Debug)]
pub struct UserError {
    pub kind: ErrorKind,
    /// What failed, on what; lower case, no final dot.
    pub message: String,
    /// What can be done now, the most helpful first.
    pub hints: Vec<String>,
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of error it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line or the configuration is wrong.
    Usage,
    /// Something failed while running.
    Failure,
}

/// How a headless run ended, as an exit code.
///
/// The codes are part of the interface; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    Success,
    Failure,
    Usage,
    /// A call needed an approval that this run could not give.
    Denied,
    /// A change was asked for, and no file was changed.
    NothingChanged,
    /// A budget was used up.
    Budget,
    /// The agent went round in circles and was stopped.
    Loop,
    /// No answer came that fits the form that was asked for.
    NoAnswer,
    /// A review found something at least as severe as was asked for.
    Findings,
    Interrupted,
}

impl ExitCode {
    /// All codes with what they mean, for `--help` and the README.
    pub const TABLE: [(Self, &'static str); 10] = [
        (
            Self::Success,
            "the turn ended with an answer, and with a change where one was asked for",
        ),
        (Self::Failure, "something failed; the message says what"),
        (
            Self::Usage,
            "the command line or the configuration is wrong",
        ),
        (
            Self::Denied,
            "a call needed an approval that --auto does not give",
        ),
        (
            Self::NothingChanged,
            "a change was asked for and no file was changed",
        ),
        (Self::Budget, "the step or token budget was used up"),
        (
            Self::Loop,
            "the same step came again and again without effect",
        ),
        (
            Self::NoAnswer,
            "no answer came that fits the schema of --output-schema",
        ),
        (
            Self::Findings,
            "a review found something at least as severe as --fail-on says",
        ),
        (Self::Interrupted, "interrupted"),
    ];

    /// Returns the process's exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::NothingChanged => 4,
            Self::Budget => 5,
            Self::Loop => 6,
            Self::NoAnswer => 7,
            Self::Findings => 10,
            Self::Interrupted => 130,
        }
    }
}

impl UserError {
    /// Creates an error of something that failed.
    pub fn failure(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Failure,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    /// Creates an error of a wrong command line or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Usage,
            ..Self::failure(message)
        }
    }

    /// Creates an error from another layer's error, whose text is the message.
    pub fn from_error(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            source: None,
            ..Self::failure(error.to_string())
        }
    }

    /// Adds something that can be done now.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            ErrorKind::Usage => ExitCode::Usage,
            ErrorKind::Failure => ExitCode::Failure,
        }
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for hint in &self.hints {
            write!(f, "\n\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UserError {}
