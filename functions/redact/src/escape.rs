//! Recognises bytes that a reader doesn't see, or sees as other characters: control sequences of terminals
//! (ECMA-48), invisible characters, and escapes such as JSON's.
//!
//! A sequence ends at the latest at the end of its line, and its length is bounded. So it can't hide what follows
//! it, and many sequences without an end take linear time.

/// How a reader sees one unit of the raw bytes. `len` is its length in raw bytes.
pub enum Unit {
    /// Visible, unchanged.
    Plain { len: usize },
    /// Invisible.
    Hidden { len: usize },
    /// Invisible, but the text between `from` and `to` is searched separately: a link, a window's title.
    Message { len: usize, from: usize, to: usize },
    /// Visible as other bytes.
    Shown { len: usize, shown: &'static [u8] },
    /// A letter printed over another one: the byte before, a backspace and a byte, of which this one shows.
    Overstrike { shown: u8 },
    /// A letter deleted: the byte before and `len` bytes.
    Deletion { len: usize },
    /// Undecided, because more bytes are needed.
    Partial,
}

/// The end of a line within a line: `\n` in JSON. It is white space, but lines are not cut there.
pub const SOFT_LINE_END: u8 = 0x0b;

const ESC: u32 = 0x1b;
pub const BACKSPACE: u8 = 0x08;
/// What a terminal and a shell echo for the key that deletes the letter before.
const DELETIONS: [&[u8]; 2] = [b"\x08 \x08", b"\x08\x1b[K"];
/// A sequence's parameters; those for a colour take some 20 bytes.
const PARAMETER_BYTES: usize = 128;
/// A title or link; browsers and terminals take links of some 2,000 bytes.
const MESSAGE_BYTES: usize = 4000;
/// What follows a control character that separates, such as the NUL in `/proc/PID/environ`: a name.
const NAME_BYTES: usize = 64;
/// And what stands before it: a name and a value.
const VALUE_BYTES: usize = 256;
/// Of the longest escape, `\u{00001b}`, and of the longest character.
const ESCAPE_BYTES: usize = 12;

/// Bytes that may begin something else than themselves.
static BEGINNINGS: [bool; 256] = beginnings();

const fn beginnings() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        // Not tab, line end, vertical tab, form feed and carriage return.
        table[byte] = byte < 0x09 || byte > 0x0d;
        byte += 1;
    }
    let others = [0x7f, b'\\', b'^', b'#', 0xc2, 0xcd, 0xd8, 0xe1, 0xe2, 0xe3, 0xef, 0xf3];
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
}

/// The first place from `at` that may begin something else than itself.
pub fn next(raw: &[u8], mut at: usize) -> usize {
    while let Some(offset) = raw[at..].iter().position(|&byte| BEGINNINGS[usize::from(byte)]) {
        at += offset;
        if raw.get(at + 1).map_or(true, |&second| may_begin(raw[at], second)) {
            return at;
        }
        at += 1;
    }
    raw.len()
}

/// What the second byte says; most backslashes and letters of other scripts are told by it.
fn may_begin(first: u8, second: u8) -> bool {
    match first {
        b'\\' => matches!(second, b'n' | b'r' | b't' | b'/' | b'u' | b'x' | b'0' | b'e'),
        b'^' => second == b'[',
        b'#' => second == b'0',
        0xc2 => matches!(second, 0x80..=0xa0 | 0xad),
        0xcd => second == 0x8f,
        0xd8 => second == 0x9c,
        0xe1 | 0xf3 => second == 0xa0,
        0xe2 => matches!(second, 0x80 | 0x81),
        0xe3 => second == 0x80,
        0xef => matches!(second, 0xb8 | 0xbb | 0xbc),
        _ => true,
    }
}

/// The unit that begins here, where `next` found it. `before` is the byte shown last, if backspaces go back to it.
/// If `is_whole`, the bytes end with a line or the input. `follows_setting` is what `is_behind_setting` said of
/// where they begin.
pub fn unit(raw: &[u8], at: usize, before: Option<u8>, is_whole: bool, follows_setting: bool) -> Unit {
    let source = Source { raw, is_whole, follows_setting };
    match raw[at] {
        _ if !is_whole && raw.len() - at < ESCAPE_BYTES => Unit::Partial,
        b'\\' => source.escape(at),
        // As `cat -v` and rsyslog write the escape character.
        b'^' if source.has(at, b"^[[") => source.control_sequence(at, at + 3),
        b'#' if source.has(at, b"#033[") => source.control_sequence(at, at + 5),
        b'^' | b'#' => Unit::Plain { len: 1 },
        0x1b => source.after_escape(at, at + 1, false),
        BACKSPACE => source.backspace(at, before),
        byte if byte.is_ascii() => source.control(at),
        _ => source.character(at),
    }
}

/// Whether the word before this place is a name with its value.
///
/// `follows_setting` says it of the place where `raw` begins: what stood before may be gone.
pub fn is_behind_setting(raw: &[u8], at: usize, follows_setting: bool) -> bool {
    raw[..at]
        .iter()
        .rev()
        .take(VALUE_BYTES)
        .find(|&&byte| byte <= b' ' || matches!(byte, b'=' | b':'))
        .map_or(follows_setting && at < VALUE_BYTES, |byte| matches!(byte, b'=' | b':'))
}

struct Source<'a> {
    raw: &'a [u8],
    is_whole: bool,
    follows_setting: bool,
}

impl Source<'_> {
    fn at(&self, at: usize) -> Option<u8> {
        self.raw.get(at).copied()
    }

    fn has(&self, at: usize, expected: &[u8]) -> bool {
        self.raw[at.min(self.raw.len())..].starts_with(expected)
    }

    /// What `Partial` says, if more bytes could decide it.
    fn or_partial(&self, at: usize, otherwise: Unit) -> Unit {
        if at >= self.raw.len() && !self.is_whole {
            Unit::Partial
        } else {
            otherwise
        }
    }

    /// Behind a backslash.
    fn escape(&self, at: usize) -> Unit {
        let shown: &[u8] = match self.at(at + 1) {
            Some(b'n') => &[SOFT_LINE_END],
            Some(b'r') => b"\r",
            Some(b't') => b"\t",
            Some(b'/') => b"/",
            _ => return self.escaped_code(at),
        };
        Unit::Shown { len: 2, shown }
    }

    fn escaped_code(&self, at: usize) -> Unit {
        let Escaped { code, len } = match self.code(at) {
            Some(escaped) => escaped,
            None => return Unit::Plain { len: 1 },
        };
        match code {
            ESC => self.after_escape(at, at + len, true),
            0x9b => self.control_sequence(at, at + len),
            0x90 | 0x98 | 0x9d..=0x9f => self.message(at, at + len),
            0x0a | 0x85 | 0x2028 | 0x2029 => Unit::Shown { len, shown: &[SOFT_LINE_END] },
            0x22 | 0x27 => {
                // An escape of its own level stays a quote with an odd number of backslashes, as it is one.
                let backslashes =
                    self.raw[..at].iter().rev().take(15).take_while(|&&byte| byte == b'\\').count();
                let shown: &[u8] = match (code, backslashes % 2) {
                    (0x22, 0) => b"\\\"",
                    (0x22, _) => b"\\\\\"",
                    (_, 0) => b"\\'",
                    _ => b"\\\\'",
                };
                Unit::Shown { len, shown }
            }
            code if is_blank(code) => Unit::Shown { len, shown: b" " },
            code if code < 0x20 || (0x7f..0xa0).contains(&code) || is_invisible(code) => Unit::Hidden { len },
            code => match u8::try_from(code).ok().filter(|&byte| is_plain_escaped(byte)) {
                Some(byte) => Unit::Shown { len, shown: byte_as_slice(byte) },
                None => Unit::Plain { len: 1 },
            },
        }
    }

    /// `\u001b`, `\u{1b}`, `\x1b`, `\033` and `\e`.
    fn code(&self, at: usize) -> Option<Escaped> {
        let hex = |from: usize, count: usize| {
            (from..from + count)
                .try_fold(0, |code, place| Some(code << 4 | char::from(self.at(place)?).to_digit(16)?))
        };
        match self.at(at + 1)? {
            b'u' if self.at(at + 2) == Some(b'{') => {
                let count = (1..=6).find(|&count| self.at(at + 3 + count) == Some(b'}'))?;
                Some(Escaped { code: hex(at + 3, count)?, len: 4 + count })
            }
            b'u' => Some(Escaped { code: hex(at + 2, 4)?, len: 6 }),
            b'x' => Some(Escaped { code: hex(at + 2, 2)?, len: 4 }),
            b'0' if self.has(at, b"\\033") => Some(Escaped { code: ESC, len: 4 }),
            b'e' if self.at(at + 2) == Some(b'[') => Some(Escaped { code: ESC, len: 2 }),
            _ => None,
        }
    }

    /// Behind the escape character, itself escaped or not.
    fn after_escape(&self, start: usize, at: usize, is_escaped: bool) -> Unit {
        let hidden = |end: usize| Unit::Hidden { len: end - start };
        match self.at(at) {
            None => self.or_partial(at, hidden(at)),
            Some(b'[') => self.control_sequence(start, at + 1),
            Some(b']' | b'P' | b'X' | b'^' | b'_') => self.message(start, at + 1),
            Some(b'(' | b')' | b'*' | b'+' | b'#' | b'%' | b' ') => match self.at(at + 1) {
                Some(0x30..=0x7e) => hidden(at + 2),
                _ => self.or_partial(at + 1, hidden(at)),
            },
            Some(b'\\') if is_escaped && self.at(at + 1) == Some(b'\\') => hidden(at + 2),
            // Not all that a terminal might take: a token may begin here.
            Some(
                b'7' | b'8' | b'D' | b'E' | b'H' | b'M' | b'N' | b'O' | b'Z' | b'\\' | b'c' | b'l' | b'm'
                | b'n' | b'o',
            ) if !is_escaped => hidden(at + 1),
            Some(_) => hidden(at),
        }
    }

    /// Behind what introduces parameters and a letter, as for colours.
    fn control_sequence(&self, start: usize, at: usize) -> Unit {
        let most = self.raw.len().min(at + PARAMETER_BYTES);
        let end = (at..most).find(|&place| !matches!(self.raw[place], 0x20..=0x3f)).unwrap_or(most);
        match self.at(end) {
            None => self.or_partial(end, Unit::Hidden { len: at - start }),
            Some(0x40..=0x7e) if end - at < PARAMETER_BYTES => Unit::Hidden { len: end + 1 - start },
            Some(_) => Unit::Hidden { len: at - start },
        }
    }

    /// Behind what introduces a string for the terminal, which ends with a bell or with `ESC \`.
    fn message(&self, start: usize, from: usize) -> Unit {
        let without_end = Unit::Hidden { len: from - start };
        for at in from..from + MESSAGE_BYTES {
            let (code, len) = match self.at(at) {
                None => return self.or_partial(at, without_end),
                Some(b'\n') => return without_end,
                Some(b'\\') if self.raw.len() - at < ESCAPE_BYTES && !self.is_whole => return Unit::Partial,
                Some(b'\\') => match self.code(at) {
                    Some(escaped) => (escaped.code, escaped.len),
                    None => continue,
                },
                Some(0xc2) if self.at(at + 1) == Some(0x9c) => (0x9c, 2),
                Some(0xc2) if matches!(self.at(at + 1), Some(0x80..=0x9f)) => return without_end,
                Some(byte @ (0x07 | 0x1b)) => (u32::from(byte), 1),
                Some(_) => continue,
            };
            let end = at + len;
            let end = match code {
                0x07 | 0x9c => end,
                ESC if end >= self.raw.len() => return self.or_partial(end, without_end),
                ESC if self.has(end, b"\\\\") && len > 1 => end + 2,
                ESC if self.has(end, b"\\") => end + 1,
                ESC => return without_end,
                _ => continue,
            };
            return Unit::Message { len: end - start, from, to: at };
        }
        without_end
    }

    /// A character printed twice is bold, and one printed with `_` is underlined. Any other character replaces
    /// the letter or digit before it, but not a sign: a value could lose its closing quote.
    fn backspace(&self, at: usize, before: Option<u8>) -> Unit {
        match (before, self.at(at + 1)) {
            (Some(before), Some(b'_')) if before.is_ascii_graphic() => Unit::Overstrike { shown: before },
            (Some(before), Some(after))
                if after.is_ascii_graphic()
                    && (before == b'_'
                        || before == after
                        || before.is_ascii_alphanumeric() && after != b'\\') =>
            {
                Unit::Overstrike { shown: after }
            }
            (Some(b' '..=b'~'), _) => DELETIONS
                .iter()
                .find(|deletion| self.has(at, deletion))
                .map_or(Unit::Hidden { len: 1 }, |deletion| Unit::Deletion { len: deletion.len() }),
            _ => Unit::Hidden { len: 1 },
        }
    }

    /// Any other control character: invisible, but for one that stands between two settings.
    fn control(&self, at: usize) -> Unit {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let most = self.raw.len().min(at + 1 + NAME_BYTES);
        let end = (at + 1..most).find(|&place| !is_name(self.raw[place])).unwrap_or(most);
        if end == self.raw.len() && !self.is_whole {
            return Unit::Partial;
        }
        let is_before_name = end > at + 1 && matches!(self.at(end), Some(b'=' | b':'));
        if is_before_name && is_behind_setting(self.raw, at, self.follows_setting) {
            Unit::Plain { len: 1 }
        } else {
            Unit::Hidden { len: 1 }
        }
    }

    /// A character of several bytes.
    fn character(&self, at: usize) -> Unit {
        let rest = &self.raw[at..];
        match rest {
            [0xc2, 0x9b, ..] => self.control_sequence(at, at + 2),
            [0xc2, 0x90 | 0x98 | 0x9d..=0x9f, ..] => self.message(at, at + 2),
            // Full-width signs, as East Asian keyboards write them.
            [0xef, 0xbc, 0x9a, ..] => Unit::Shown { len: 3, shown: b":" },
            [0xef, 0xbc, 0x9d, ..] => Unit::Shown { len: 3, shown: b"=" },
            _ => {
                let (code, len) = match *rest {
                    [first @ 0xc2..=0xdf, second @ 0x80..=0xbf, ..] => {
                        (u32::from(first & 0x1f) << 6 | u32::from(second & 0x3f), 2)
                    }
                    [first @ 0xe1..=0xef, second @ 0x80..=0xbf, third @ 0x80..=0xbf, ..] => (
                        u32::from(first & 0xf) << 12
                            | u32::from(second & 0x3f) << 6
                            | u32::from(third & 0x3f),
                        3,
                    ),
                    [0xf3, 0xa0, 0x80..=0xbf, 0x80..=0xbf, ..] => (0xe0000, 4),
                    _ => return Unit::Plain { len: 1 },
                };
                if matches!(code, 0x85 | 0x2028 | 0x2029) {
                    Unit::Shown { len, shown: &[SOFT_LINE_END] }
                } else if is_blank(code) {
                    Unit::Shown { len, shown: b" " }
                } else if code < 0xa0 || is_invisible(code) {
                    Unit::Hidden { len }
                } else {
                    Unit::Plain { len }
                }
            }
        }
    }
}

struct Escaped {
    code: u32,
    len: usize,
}

/// Those that Unicode calls default ignorable and that no letter needs.
fn is_invisible(code: u32) -> bool {
    matches!(
        code,
        0xad | 0x34f | 0x61c | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
            | 0xfe00..=0xfe0f | 0xfeff | 0xe0000
    )
}

fn is_blank(code: u32) -> bool {
    matches!(code, 0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000)
}

/// Not the backslash and the backtick, nor what ends a value but for those that HTML's escapes stand for.
fn is_plain_escaped(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'=' | b':' | b'&' | b'<' | b'>' | b'_' | b'-' | b'.' | b'@' | b'/' | b'+')
}

fn byte_as_slice(byte: u8) -> &'static [u8] {
    static BYTES: [u8; 128] = ascii();
    std::slice::from_ref(&BYTES[usize::from(byte)])
}

const fn ascii() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = byte as u8;
        byte += 1;
    }
    table
}
