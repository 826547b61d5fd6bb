//! Standard input to standard output, with as much of it in memory as a rule needs.

use std::io::{ErrorKind, Read, Result, Write};

use crate::redactor::{Progress, Redactor};
use crate::text::{AHEAD, BEHIND};

/// A line that is longer is looked at in parts.
const BUFFER_BYTES: usize = 256 << 10;

/// Copies `input` to `output` without its secrets.
///
/// All complete lines that a read brought are written, in one piece, before the next.
pub fn redact(redactor: &mut Redactor, mut input: impl Read, mut output: impl Write) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut redacted = Vec::new();
    // What is before `scanned` was looked at, what is before `filled` was read.
    let (mut scanned, mut filled) = (0, 0);
    loop {
        let count = read(&mut input, &mut buffer[filled..])?;
        let fresh = &buffer[filled..filled + count];
        let line_end = fresh.iter().rposition(|&byte| byte == b'\n').map(|place| filled + place + 1);
        filled += count;
        let is_full = filled == buffer.len();
        let (visible, to) = match line_end {
            _ if count == 0 => (filled, filled),
            Some(end) => (end, end),
            None if is_full => (filled, filled - AHEAD),
            None => continue,
        };

        let text = &buffer[..visible];
        let Progress { scanned: reached, written } = redactor.pass(text, scanned, to, &mut redacted);
        let done = if to == visible { visible } else { written.max(reached.min(to) - BEHIND) };
        if redacted.is_empty() {
            output.write_all(&text[written..done])?;
        } else {
            redacted.extend_from_slice(&text[written..done]);
            output.write_all(&redacted)?;
            redacted.clear();
        }
        output.flush()?;
        if count == 0 {
            return Ok(());
        }
        buffer.copy_within(done..filled, 0);
        filled -= done;
        scanned = reached.max(done) - done;
    }
}

fn read(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
