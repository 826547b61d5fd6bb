//! Copies standard input to standard output, and keeps as much of it in memory as the rules need.

use std::io::{ErrorKind, Read, Result, Write};

use crate::output::Output;
use crate::reading::Readings;
use crate::redactor::Redactor;

/// A longer line is searched in parts.
const BUFFER_BYTES: usize = 256 << 10;

/// Copies `input` to `output` without its secrets.
///
/// All complete lines are written before the next read.
pub fn redact(redactor: &mut Redactor, mut input: impl Read, output: impl Write) -> Result<()> {
    let mut output = Output::new(output);
    let mut readings = Readings::new(BUFFER_BYTES);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    // Of the buffer, all before this place is in the output or belongs to a secret.
    let mut written = 0;
    loop {
        let count = read(&mut input, &mut buffer[filled..])?;
        let fresh = &buffer[filled..filled + count];
        let line_end = fresh.iter().rposition(|&byte| byte == b'\n').map(|place| filled + place + 1);
        filled += count;
        let is_last = count == 0;
        let mut ready = match line_end {
            _ if is_last => filled,
            Some(end) => end,
            None if filled == buffer.len() => filled,
            None => continue,
        };
        let ends_line = is_last || line_end.is_some();

        loop {
            let is_whole = readings.show(&buffer[..ready], ends_line);
            let gone = if !is_whole && readings.is_sparse() {
                let shown_of = readings.main.view.raw_len();
                let kept = readings.compact(&mut buffer[..shown_of], &mut written);
                buffer.copy_within(shown_of..filled, kept);
                shown_of - kept
            } else {
                written = redactor.pass(&buffer, &mut readings, written, &mut output);
                let done = if is_whole { ready } else { readings.raw_done() };
                if written < done {
                    redactor.copy(&buffer, &readings.main.view, written, done, &mut output);
                    written = done;
                }
                readings.leave(&buffer, done);
                if is_whole {
                    readings.end_line();
                }
                buffer.copy_within(done..filled, 0);
                written -= done;
                done
            };
            filled -= gone;
            ready -= gone;
            if is_whole || !ends_line {
                break;
            }
        }
        output.flush()?;
        if is_last {
            return Ok(());
        }
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
