//! The reasons why there is no answer, each with its exit code.

use std::fmt;

/// `EX_DATAERR` of sysexits.h: the caller's fault.
const EX_DATAERR: i32 = 65;
/// `EX_UNAVAILABLE`: the state store can't be used.
const EX_UNAVAILABLE: i32 = 69;
/// `EX_IOERR`: standard input or output failed.
const EX_IOERR: i32 = 74;
/// `EX_CONFIG`: an option is wrong, or the state store has something else under the key.
const EX_CONFIG: i32 = 78;

#[derive(Debug)]
pub enum Failure {
    Rejected(String),
    Unavailable(String),
    Misconfigured(String),
    Stream(std::io::Error),
}

impl Failure {
    pub fn exit(self) -> ! {
        eprintln!("{self}");
        std::process::exit(match self {
            Failure::Rejected(_) => EX_DATAERR,
            Failure::Unavailable(_) => EX_UNAVAILABLE,
            Failure::Misconfigured(_) => EX_CONFIG,
            Failure::Stream(_) => EX_IOERR,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Rejected(sentence)
            | Failure::Unavailable(sentence)
            | Failure::Misconfigured(sentence) => to.write_str(sentence),
            Failure::Stream(error) => write!(to, "standard input or output failed: {error}"),
        }
    }
}
