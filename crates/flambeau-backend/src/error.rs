//! Errors carry PyTorch's exception type, so that the Python side raises the same one.

use std::fmt;

/// Which Python exception an error becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    Runtime,
    Value,
    Type,
    Index,
    NotImplemented,
    /// An allocation that failed.
    OutOfMemory,
    /// A failure of `torch.linalg` (singular matrix, no convergence).
    Linalg,
    /// Raised by user code (a hook, a custom function); the payload is the front end's own error object.
    Foreign,
}

/// A failed operation: its kind and its message, in PyTorch's words where people search for them.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    payload: Option<Box<dyn std::any::Any + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { inner: Box::new(Inner { kind, message: message.into(), payload: None }) }
    }

    #[cold]
    pub fn runtime(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Runtime, message)
    }

    #[cold]
    pub fn value(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, message)
    }

    #[cold]
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Type, message)
    }

    #[cold]
    pub fn index(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Index, message)
    }

    #[cold]
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotImplemented, message)
    }

    /// `"exp" not implemented for 'Bool'`, PyTorch's text for a dtype that a kernel does not take.
    #[cold]
    pub fn dtype(op: &str, dtype: crate::DType) -> Self {
        Self::not_implemented(format!("\"{op}\" not implemented for '{}'", dtype.scalar_name()))
    }

    /// An error raised by user code, kept whole so that the front end can raise it again.
    #[cold]
    pub fn foreign(message: impl Into<String>, payload: Box<dyn std::any::Any + Send + Sync>) -> Self {
        Error { inner: Box::new(Inner { kind: ErrorKind::Foreign, message: message.into(), payload: Some(payload) }) }
    }

    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The same error with `context` put before its message.
    #[cold]
    pub fn context(mut self, context: &str) -> Self {
        self.inner.message = format!("{context}{}", self.inner.message);
        self
    }

    /// Takes out what [`Error::foreign`] was given.
    pub fn into_payload(self) -> Option<Box<dyn std::any::Any + Send + Sync>> {
        self.inner.payload
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}Error: {}", self.inner.kind, self.inner.message)
    }
}

impl std::error::Error for Error {}

/// `bail!(Index, "...")` returns early with an error of that kind.
#[macro_export]
macro_rules! bail {
    ($kind:ident, $($arg:tt)*) => {
        return Err($crate::Error::new($crate::ErrorKind::$kind, format!($($arg)*)))
    };
}

/// `check!(cond, Runtime, "...")` returns early with an error unless the condition holds.
#[macro_export]
macro_rules! check {
    ($cond:expr, $kind:ident, $($arg:tt)*) => {
        if !$cond {
            $crate::bail!($kind, $($arg)*)
        }
    };
}
