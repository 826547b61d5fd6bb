//! The reasons why there is no answer, each with its exit code.

use std::fmt;

use picture::Rejection;

/// `EX_SOFTWARE` of sysexits.h: the model failed.
const EX_SOFTWARE: i32 = 70;
/// `EX_IOERR`: standard input or output failed.
const EX_IOERR: i32 = 74;
/// `EX_CONFIG`: an option is wrong, or doesn't fit the model.
const EX_CONFIG: i32 = 78;

#[derive(Debug)]
pub enum Failure {
    Rejected(Rejection),
    Misconfigured(String),
    Model(String),
    Stream(std::io::Error),
}

impl Failure {
    pub fn exit(self) -> ! {
        let code = match self {
            Failure::Rejected(rejection) => rejection.exit(),
            Failure::Misconfigured(_) => EX_CONFIG,
            Failure::Model(_) => EX_SOFTWARE,
            Failure::Stream(_) => EX_IOERR,
        };
        eprintln!("{self}");
        std::process::exit(code);
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Rejected(rejection) => rejection.fmt(to),
            Failure::Misconfigured(sentence) | Failure::Model(sentence) => to.write_str(sentence),
            Failure::Stream(error) => write!(to, "standard input or output failed: {error}"),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Failure::Rejected(rejection)
    }
}
