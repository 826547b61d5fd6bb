//! Private keys between lines of hyphens, as PEM and PGP have them.

use crate::kind::{Found, Kind};
use crate::tail::Tail;
use crate::text::Text;

/// Of a line; PEM has 64, PGP 76.
const LINE_BYTES: usize = 128;
const NAME_BYTES: usize = 64;
/// So much on the line that begins a key is no prose.
const INLINE_BYTES: usize = 24;

/// The place behind the line of hyphens that begins a private key, whose word `BEGIN` is here.
pub fn begin(text: &Text, at: usize) -> Option<usize> {
    const BEGIN: &[u8] = b"BEGIN ";
    if !text.has(at, BEGIN) || at - text.back_over(at, 5, |byte| byte == b'-') < 5 {
        return None;
    }
    let name = at + BEGIN.len();
    let end = text
        .over(name, NAME_BYTES, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let is_private = [&b"PRIVATE KEY"[..], b"PRIVATE KEY BLOCK"]
        .iter()
        .any(|private| text.bytes[name..end].ends_with(private));
    (is_private && text.has(end, b"-----")).then(|| end + 5)
}

/// The key that follows on the line that begins it, its line ends spaces or escapes.
pub fn inline(text: &Text, at: usize) -> Option<Found> {
    let mut start = at;
    loop {
        start = match text.at(start)? {
            b' ' => start + 1,
            b'\\' if matches!(text.at(start + 1), Some(b'n' | b'r' | b'\\')) => start + 2,
            b'n' if text.before(start) == Some(b'\\') => start + 1,
            _ => break,
        };
        if start - at > NAME_BYTES {
            return None;
        }
    }
    let end = text.over(start, INLINE_BYTES, is_base64);
    (end - start == INLINE_BYTES).then(|| Found::open(Kind::Key, start, end, Tail::Run(is_inline)))
}

/// A line as it may stand after the one that begins a key.
pub enum Line {
    /// Part of the key: its content, and where the next line starts.
    Body {
        end: usize,
        next: usize,
    },
    /// What stands before the key itself: a header, or nothing.
    Head,
    Other,
}

/// The line that begins here; `has_body` says that lines of the key went before it.
pub fn line(text: &Text, at: usize, has_body: bool) -> Line {
    let next = text.over(at, LINE_BYTES, |byte| byte != b'\n');
    let line = &text.bytes[at..next];
    let content = trimmed(line);
    let is_whole =
        text.at(next).map_or(next == text.bytes.len() && line.len() < LINE_BYTES, |byte| byte == b'\n');
    if !is_whole {
        return Line::Other;
    }
    if !content.is_empty() && content.iter().all(|&byte| is_base64(byte)) {
        let trailing = line.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        return Line::Body { end: next - trailing, next: (next + 1).min(text.bytes.len()) };
    }
    let is_header = [&b"Proc-Type:"[..], b"DEK-Info:", b"Version:", b"Comment:", b"Hash:"]
        .iter()
        .any(|name| content.starts_with(name));
    if !has_body && (content.is_empty() || is_header) {
        Line::Head
    } else {
        Line::Other
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let is_content = |byte: &u8| !byte.is_ascii_whitespace();
    match (line.iter().position(is_content), line.iter().rposition(is_content)) {
        (Some(first), Some(last)) => &line[first..=last],
        _ => &[],
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn is_inline(byte: u8) -> bool {
    is_base64(byte) || matches!(byte, b'\\' | b' ')
}
