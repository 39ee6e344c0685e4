//! The two ways a command can fail, each a sentence for the user.

/// A failure with its message: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request was wrong (a file, a flag, a value); exit code 2.
    #[error("{0}")]
    Request(String),
    /// The run failed though the request was fine; exit code 1.
    #[error("{0}")]
    Run(String),
    /// The user stopped the run; exit code 130.
    #[error("interrupted: the same command continues where this run stopped")]
    Interrupted,
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
            Error::Interrupted => 130,
        }
    }
}

/// Shorthand for results with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
