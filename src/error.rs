//! The ways a command can fail, each a sentence for the user.

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM: a scheduler, a container, `timeout` or `kill`.
    Terminate,
    /// SIGHUP: the terminal was closed.
    HangUp,
}

impl Signal {
    pub const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];

    /// Its number, the same on every Unix.
    pub fn number(self) -> u8 {
        match self {
            Self::HangUp => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }

    /// The signal of a number.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.number() == number)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::HangUp => "SIGHUP",
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// A failure with its message: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request was wrong (a file, a flag, a value); exit code 2.
    #[error("{0}")]
    Request(String),
    /// The run failed though the request was fine; exit code 1.
    #[error("{0}")]
    Run(String),
    /// The user or the system stopped the run; exit code 128 and the signal's number: 130, 143 or 129.
    #[error("interrupted by {}: the same command continues where this run stopped", .0.name())]
    Interrupted(Signal),
}

impl Error {
    /// A mistake in what the user asked for.
    pub fn request(message: impl Into<String>) -> Self {
        Error::Request(message.into())
    }

    /// A failure of the run itself.
    pub fn run(message: impl Into<String>) -> Self {
        Error::Run(message.into())
    }

    /// The process exit code of this failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Request(_) => 2,
            Error::Run(_) => 1,
            Error::Interrupted(signal) => 128 + signal.number(),
        }
    }
}

/// Shorthand for results with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
