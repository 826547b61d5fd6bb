//! Copies standard input to standard output, and keeps as much of it in memory as the rules need.

use std::io::{ErrorKind, Read, Result, Write};

use crate::output::Output;
use crate::redactor::{Progress, Redactor};
use crate::text::{AHEAD, BEHIND};
use crate::view::View;

/// A longer line is searched in parts.
const BUFFER_BYTES: usize = 256 << 10;
/// If less than this is visible in a full buffer, the invisible bytes are dropped: they could hide a secret.
const SHOWN_LEAST_BYTES: usize = 4 * AHEAD;

/// Copies `input` to `output` without its secrets.
///
/// All complete lines are written before the next read.
pub fn redact(redactor: &mut Redactor, mut input: impl Read, output: impl Write) -> Result<()> {
    let mut output = Output::new(output);
    let mut view = View::new(BUFFER_BYTES);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    // Of what the buffer shows, all before this place was looked at.
    let mut scanned = 0;
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
            view.show(&buffer[..ready], ends_line);
            let is_whole = ends_line && view.raw_len() == ready;
            let shown = view.bytes(&buffer).len();
            let gone = if !is_whole && shown < SHOWN_LEAST_BYTES {
                let shown_of = view.raw_len();
                let kept = view.compact(&mut buffer[..shown_of]);
                buffer.copy_within(shown_of..filled, kept);
                shown_of - kept
            } else {
                let to = if is_whole { shown } else { shown - AHEAD };
                let Progress { scanned: reached, written, raw_written } =
                    redactor.pass(&buffer, &view, scanned, to, &mut output);
                let done = if is_whole { shown } else { written.max(reached.min(to).saturating_sub(BEHIND)) };
                let raw_done = if is_whole { ready } else { view.raw_end(done).max(raw_written) };
                redactor.copy(&buffer, &view, raw_written, raw_done, &mut output);
                scanned = reached.max(done) - done;
                view.leave(&buffer, raw_done);
                buffer.copy_within(raw_done..filled, 0);
                raw_done
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
