//! Standard input and output with as few host calls as possible.
//!
//! A host call costs more than copying a picture does, and `std::io::Stdin` would clear the
//! buffer before each read.

use std::io::{Error, ErrorKind, Result};

/// Large enough for most pictures in one read. A page that stays unused costs nothing.
const FIRST_READ_BYTES: usize = 1 << 20;

/// Reads standard input to its end.
pub fn read_body() -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(FIRST_READ_BYTES);
    loop {
        if body.len() == body.capacity() {
            body.reserve(body.len());
        }
        let spare = body.spare_capacity_mut();
        // SAFETY: the host writes at most `spare.len()` bytes, all into `spare`.
        let count = unsafe { libc::read(libc::STDIN_FILENO, spare.as_mut_ptr().cast(), spare.len()) };
        match usize::try_from(count) {
            Ok(0) => return Ok(body),
            // SAFETY: the host has just written that many bytes behind `body.len()`.
            Ok(count) => unsafe { body.set_len(body.len() + count) },
            Err(_) => retry_if_interrupted(Error::last_os_error())?,
        }
    }
}

/// Writes all of `answer` to standard output, in one call if the host accepts that.
pub fn write_answer(mut answer: &[u8]) -> Result<()> {
    while !answer.is_empty() {
        // SAFETY: the host reads at most `answer.len()` bytes, all from `answer`.
        let count = unsafe { libc::write(libc::STDOUT_FILENO, answer.as_ptr().cast(), answer.len()) };
        match usize::try_from(count) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => answer = &answer[count..],
            Err(_) => retry_if_interrupted(Error::last_os_error())?,
        }
    }
    Ok(())
}

fn retry_if_interrupted(error: Error) -> Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
