//! The reasons why there is no output, each with its exit code.

use std::fmt;

/// `EX_DATAERR` of sysexits.h: the caller's fault.
const EX_DATAERR: i32 = 65;
/// `EX_IOERR`: standard input or output failed.
const EX_IOERR: i32 = 74;

#[derive(Debug)]
pub enum Failure {
    Rejected(String),
    Stream(std::io::Error),
}

impl Failure {
    pub fn exit(self) -> ! {
        eprintln!("{self}");
        std::process::exit(match self {
            Failure::Rejected(_) => EX_DATAERR,
            Failure::Stream(_) => EX_IOERR,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Rejected(sentence) => to.write_str(sentence),
            Failure::Stream(error) => write!(to, "standard input or output failed: {error}"),
        }
    }
}
