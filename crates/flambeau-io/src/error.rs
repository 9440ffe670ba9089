//! Why a file could not be read or written.

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system's answer: not found, no permission, disk full.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is damaged, is not of the expected format, or uses a feature that is not supported.
    #[error("{0}")]
    Format(String),
    /// The pickle names something that is not plain data (`pickle.UnpicklingError` in PyTorch).
    #[error("Weights only load failed. {0}")]
    Unsafe(String),
    /// The value cannot be expressed in the format.
    #[error("{0}")]
    Unsupported(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    pub(crate) fn format(message: impl Into<String>) -> Self {
        Error::Format(message.into())
    }
}

impl From<Error> for flambeau_core::Error {
    fn from(e: Error) -> Self {
        match e {
            Error::Unsupported(m) => flambeau_core::Error::type_error(m),
            e => flambeau_core::Error::runtime(e.to_string()),
        }
    }
}
