//! The message to the caller if the body is not a usable picture.

use std::{fmt, panic};

/// `EX_DATAERR` of sysexits.h, which the server reports as `INVALID_ARGUMENT`.
pub const EX_DATAERR: i32 = 65;

/// One sentence that says what is wrong with the body.
#[derive(Debug)]
pub struct Rejection(String);

impl Rejection {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    pub fn exit(&self) -> ! {
        eprintln!("{self}");
        std::process::exit(EX_DATAERR);
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// Turns a panic into a rejection with this sentence, until the guard is dropped.
pub fn panics_mean(sentence: &'static str) -> PanicGuard {
    panic::set_hook(Box::new(move |_| Rejection::new(sentence).exit()));
    PanicGuard
}

#[must_use]
pub struct PanicGuard;

impl Drop for PanicGuard {
    fn drop(&mut self) {
        drop(panic::take_hook());
    }
}
