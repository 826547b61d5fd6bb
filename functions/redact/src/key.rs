//! Finds private keys: those between lines of hyphens, as in PEM, SSH and PGP, and PuTTY's.
//!
//! A collected log puts a prefix before each line of a key, and other services' lines between them. So a key
//! stays open until its end, or until too many other lines have come. A line belongs to an open key
//!
//! - if it is only base64, apart from the text that also surrounded the first line of the key,
//! - or if it has a run of base64 as long as a key's line.

use crate::escape::SOFT_LINE_END;
use crate::kind::{Found, Kind};
use crate::tail::Tail;
use crate::text::{is_blank, Text};

/// Of a line with what stands around the key's, which has 64 bytes in PEM, 70 for SSH, 76 in PGP: less than `AHEAD`.
const LINE_BYTES: usize = 4000;
const NAME_BYTES: usize = 64;
const HYPHENS_LEAST: usize = 4;
/// Length of base64 on a key's first line from which on it is not prose.
const INLINE_BYTES: usize = 24;
/// Length of a run of base64 that makes a line part of a key, whatever surrounds it.
const RUN_BYTES: usize = 40;
/// Limit on the text around a key's lines.
const AFFIX_BYTES: usize = 512;
/// Limit on keys that are open at the same time, each from another source.
const MOST_OPEN: usize = 4;
/// Number of other lines after which a key counts as ended.
const OTHER_LINES: u32 = 200;

/// The place behind the line of hyphens that begins a private key, whose word `BEGIN` is here.
pub fn begin(text: &Text, at: usize) -> Option<usize> {
    mark(text, at, b"BEGIN ")
}

/// Whether the line that ends a private key has its word `END` here.
pub fn is_end(text: &Text, at: usize) -> bool {
    mark(text, at, b"END ").is_some()
}

/// PuTTY counts the lines instead.
pub fn is_putty(text: &Text, at: usize) -> bool {
    const NAME: &[u8] = b"Private-Lines: ";
    let start = at + NAME.len();
    text.has(at, NAME) && {
        let end = text.over(start, 5, |byte| byte.is_ascii_digit());
        end > start && text.at(end).map_or(true, |byte| is_line_end(byte) || byte == b'\r')
    }
}

fn mark(text: &Text, at: usize, word: &[u8]) -> Option<usize> {
    if !text.has(at, word) || at - hyphens_before(text, at) < HYPHENS_LEAST {
        return None;
    }
    let name = at + word.len();
    let end = text
        .over(name, NAME_BYTES, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let is_private = [&b"PRIVATE KEY"[..], b"PRIVATE KEY BLOCK", b"PRIVATE KEY "]
        .iter()
        .any(|private| text.bytes[name..end].ends_with(private));
    let behind = text.over(end, 5, |byte| byte == b'-');
    (is_private && behind - end >= HYPHENS_LEAST).then(|| behind)
}

/// The first of the hyphens before a word, one space between them for SSH2's.
fn hyphens_before(text: &Text, at: usize) -> usize {
    text.back_over(text.back_over(at, 1, is_blank), 5, |byte| byte == b'-')
}

/// The key that follows on the line that begins it, its line ends spaces.
pub fn inline(text: &Text, at: usize) -> Option<Found> {
    let start = text.over(at, NAME_BYTES, |byte| matches!(byte, b' ' | b'\\' | b'\r'));
    let end = text.over(start, INLINE_BYTES, is_base64);
    (end - start == INLINE_BYTES).then(|| Found::open(Kind::Key, start, end, Tail::Run(is_inline)))
}

/// The keys that have not ended yet.
#[derive(Clone, Default)]
pub struct Keys {
    /// In the order in which they began or were last continued.
    open: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    /// What stood around the line that began it.
    begin: Affixes,
    /// What stood around its first line, where that is something else.
    learned: Option<Affixes>,
    has_body: bool,
    /// Lines that are none of its own have come from its source: not any word is one now.
    is_mixed: bool,
    other_lines: u32,
}

/// What stands before and behind a key's lines, all numbers the same, since a time is among them.
#[derive(Clone, PartialEq)]
struct Affixes {
    before: Vec<u8>,
    behind: Vec<u8>,
}

/// A line as it may stand in a key.
pub enum Line {
    /// Nothing but a line of a key that has had one: it can go.
    More {
        next: usize,
    },
    /// A key's content, from `start` to `end`; whether it is the first.
    Body {
        start: usize,
        end: usize,
        is_first: bool,
    },
    Other,
}

/// Where a line lies: behind a line end of one kind and before one of the same or another kind.
pub struct Bounds {
    start: usize,
    end: usize,
    pub next: usize,
    is_soft: bool,
    is_alike: bool,
}

/// The line that begins here, unless it is too long for a key's.
pub fn bounds(text: &Text, at: usize, is_soft: bool) -> Option<Bounds> {
    let end = text.over(at, LINE_BYTES, |byte| !is_line_end(byte));
    let ends_soft = match text.at(end) {
        Some(byte) if is_line_end(byte) => byte == SOFT_LINE_END,
        None if end - at < LINE_BYTES => is_soft,
        _ => return None,
    };
    let next = (end + 1).min(text.bytes.len());
    Some(Bounds { start: at, end, next, is_soft, is_alike: is_soft == ends_soft })
}

impl Keys {
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// A key whose first line is that of `at`, with what begins it from `at` to `end`.
    ///
    /// What stands around it matters where `is_alone` says that no other began on this line.
    pub fn open(&mut self, text: &Text, at: usize, end: usize, is_alone: bool) {
        let begin = if is_alone {
            Affixes {
                before: shape(before(text, hyphens_before(text, at))),
                behind: shape(behind(text, end)),
            }
        } else {
            Affixes { before: Vec::new(), behind: Vec::new() }
        };
        self.open.retain(|key| key.begin != begin);
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(Key { begin, learned: None, has_body: false, is_mixed: false, other_lines: 0 });
    }

    /// Closes the key whose end is on the line of `at`.
    pub fn close(&mut self, text: &Text, at: usize) {
        if self.open.len() > 1 {
            let before = shape(before(text, hyphens_before(text, at)));
            let place =
                self.open.iter().rposition(|key| key.affixes().any(|affixes| affixes.before == before));
            if let Some(place) = place {
                self.open.remove(place);
                return;
            }
        }
        self.open.pop();
    }

    /// What the line is to the open keys.
    pub fn line(&mut self, text: &Text, bounds: &Bounds) -> Line {
        let line = &text.bytes[bounds.start..bounds.end];
        let mut is_head = false;
        let mut found = None;
        for (index, key) in self.open.iter_mut().enumerate().rev() {
            match key.look(line, bounds.is_soft) {
                Look::Body(start, end, is_whole) => {
                    found = Some((index, start, end, is_whole && bounds.is_alike));
                    break;
                }
                Look::Head => {
                    is_head = true;
                    break;
                }
                Look::Other => {}
            }
        }
        if found.is_none() && !is_head {
            found = long_run(line).map(|(start, end)| {
                let index = self.open.len() - 1;
                let key = &mut self.open[index];
                if !key.has_body {
                    key.learned =
                        Some(Affixes { before: shape(&line[..start]), behind: shape(&line[end..]) });
                }
                (index, start, end, false)
            });
        }
        let (index, start, end, is_whole) = match found {
            Some(found) => found,
            None if is_head => return Line::Other,
            None => {
                self.open.iter_mut().for_each(|key| key.other_lines += 1);
                self.open.retain(|key| key.other_lines < OTHER_LINES);
                return Line::Other;
            }
        };
        let key = &mut self.open[index];
        let is_first = !key.has_body;
        key.has_body = true;
        key.other_lines = 0;
        self.open[index..].rotate_left(1);
        if is_whole && !is_first {
            Line::More { next: bounds.next }
        } else {
            Line::Body { start: bounds.start + start, end: bounds.start + end, is_first }
        }
    }
}

enum Look {
    /// A key's content, from here to there, and whether nothing else is on the line.
    Body(usize, usize, bool),
    Head,
    Other,
}

impl Key {
    fn affixes(&self) -> impl Iterator<Item = &Affixes> {
        std::iter::once(&self.begin).chain(&self.learned)
    }

    fn look(&mut self, line: &[u8], is_soft: bool) -> Look {
        let mut is_own = false;
        for affixes in self.affixes() {
            let from = match affixes.behind_before(line) {
                Some(from) => from,
                None => continue,
            };
            is_own = true;
            let (start, end) = run_at(line, from);
            if start < end && affixes.is_behind(&line[end..]) && self.may_be(&line[start..end]) {
                return Look::Body(start, end, affixes.is_all_behind(&line[end..]));
            }
            if !self.has_body && (is_nothing(&line[from..]) || is_header(&line[start..])) {
                return Look::Head;
            }
        }
        let (start, end) = run_at(line, 0);
        let run = &line[start..end];
        let is_alone = is_nothing(&line[end..]) || is_soft && matches!(line[end], b'"' | b'\'');
        let is_body = if is_soft && !self.is_mixed { !run.is_empty() } else { is_like_base64(run) };
        if is_alone && is_body {
            return Look::Body(start, end, is_nothing(&line[end..]));
        }
        self.is_mixed |= is_own && !is_soft;
        Look::Other
    }

    fn may_be(&self, run: &[u8]) -> bool {
        !self.is_mixed || is_like_base64(run)
    }
}

impl Affixes {
    /// The place behind what stands before a key's line, if that stands there.
    fn behind_before(&self, line: &[u8]) -> Option<usize> {
        let mut at = 0;
        for &expected in &self.before {
            let byte = *line.get(at)?;
            at += 1;
            if expected == b'0' && byte.is_ascii_digit() {
                at += line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            } else if expected != byte {
                return None;
            }
        }
        Some(at)
    }

    /// Whether a key's line ends where this follows. The fields behind a message in JSON may be any.
    fn is_behind(&self, rest: &[u8]) -> bool {
        let is_closed = matches!(rest.first(), Some(b'"' | b'\''));
        self.is_all_behind(rest) || is_closed && rest.first() == self.behind.first()
    }

    fn is_all_behind(&self, rest: &[u8]) -> bool {
        is_nothing(rest) || shape(rest) == self.behind
    }
}

/// What stands before this place on its line.
fn before<'a>(text: &'a Text, at: usize) -> &'a [u8] {
    &text.bytes[text.back_over(at, AFFIX_BYTES, |byte| !is_line_end(byte))..at]
}

fn behind<'a>(text: &'a Text, at: usize) -> &'a [u8] {
    &text.bytes[at..text.over(at, AFFIX_BYTES, |byte| !is_line_end(byte))]
}

/// The bytes with one `0` for each number, without white space at their end.
fn shape(bytes: &[u8]) -> Vec<u8> {
    let mut shape: Vec<u8> = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if !byte.is_ascii_digit() {
            shape.push(byte);
        } else if shape.last() != Some(&b'0') {
            shape.push(b'0');
        }
    }
    shape.truncate(shape.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1));
    shape
}

/// The run of base64 behind white space.
fn run_at(line: &[u8], from: usize) -> (usize, usize) {
    let count =
        |from: usize, is_one: fn(u8) -> bool| line[from..].iter().take_while(|&&byte| is_one(byte)).count();
    let start = from + count(from, |byte| byte.is_ascii_whitespace());
    (start, start + count(start, is_base64))
}

/// The first run that is as long as a key's lines are.
fn long_run(line: &[u8]) -> Option<(usize, usize)> {
    let mut start = 0;
    for (at, &byte) in line.iter().enumerate() {
        if !is_base64(byte) {
            if at - start >= RUN_BYTES {
                return Some((start, at));
            }
            start = at + 1;
        }
    }
    (line.len() - start >= RUN_BYTES).then(|| (start, line.len()))
}

/// Whether it is nothing but white space, and the backslash of an escape in an escape.
fn is_nothing(rest: &[u8]) -> bool {
    rest.iter().all(|&byte| byte.is_ascii_whitespace() || byte == b'\\')
}

fn is_header(content: &[u8]) -> bool {
    [&b"Proc-Type:"[..], b"DEK-Info:", b"Version:", b"Comment:", b"Hash:", b"Charset:", b"Subject:"]
        .iter()
        .any(|name| content.starts_with(name))
}

/// Whether it is sooner base64 than a word. The check of PGP's form has five bytes.
fn is_like_base64(run: &[u8]) -> bool {
    let is_mixed = || run.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    let has_sign = || run.iter().any(|&byte| !byte.is_ascii_alphabetic());
    let is_check = run.len() == 5 && run[0] == b'=';
    is_check || run.len() >= 4 && run.len() % 4 == 0 && (has_sign() || is_mixed())
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | SOFT_LINE_END)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn is_inline(byte: u8) -> bool {
    is_base64(byte) || matches!(byte, b'\\' | b' ' | b'\r')
}
