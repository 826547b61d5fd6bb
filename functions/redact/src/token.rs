//! Finds tokens by their prefixes.

use crate::kind::{Found, Kind};
use crate::tail::Tail;
use crate::text::{is_word, Text};

struct Form {
    prefix: &'static [u8],
    /// The least number of bytes after the prefix.
    least: usize,
    is_part: fn(u8) -> bool,
    /// Whether it must have a digit; otherwise words with hyphens would match.
    has_digit: bool,
}

const fn form(prefix: &'static str, least: usize, is_part: fn(u8) -> bool) -> Form {
    Form { prefix: prefix.as_bytes(), least, is_part, has_digit: false }
}

static FORMS: [Form; 25] = [
    form("AGE-SECRET-KEY-1", 50, is_upper),
    form("AIza", 35, is_url_safe),
    form("AKIA", 16, is_upper),
    form("ASIA", 16, is_upper),
    form("ghp_", 20, is_word),
    form("gho_", 20, is_word),
    form("ghu_", 20, is_word),
    form("ghs_", 20, is_word),
    form("ghr_", 20, is_word),
    form("github_pat_", 22, is_word),
    form("glpat-", 20, is_url_safe),
    form("hf_", 30, is_word),
    form("npm_", 36, is_word),
    form("rk_live_", 16, is_word),
    form("rk_test_", 16, is_word),
    form("sk_live_", 16, is_word),
    form("sk_test_", 16, is_word),
    Form { prefix: b"sk-", least: 20, is_part: is_url_safe, has_digit: true },
    form("xapp-", 10, is_url_safe),
    form("xoxa-", 10, is_url_safe),
    form("xoxb-", 10, is_url_safe),
    form("xoxe-", 10, is_url_safe),
    form("xoxp-", 10, is_url_safe),
    form("xoxr-", 10, is_url_safe),
    form("xoxs-", 10, is_url_safe),
];

/// The longest header of a JWT that is waited for; they have some 40 to 200 bytes.
const JWT_HEADER_BYTES: usize = 4000;
const JWT_HEADER_LEAST_BYTES: usize = 10;

/// Words are short, and so is the part of a token that tells it from one.
const CREDENTIALS_LEAST_BYTES: usize = 8;
const CREDENTIALS_LOOK_BYTES: usize = 64;

/// Finds the token that begins at a word.
pub fn find(text: &Text, at: usize, run: &mut Run) -> Option<Found> {
    match text.at(at)? {
        b'e' => jwt(text, at, run),
        b'B' | b'b' => credentials(text, at),
        first @ (b'A' | b'g' | b'h' | b'n' | b'r' | b's' | b'x') => FORMS
            .iter()
            .filter(|form| form.prefix[0] == first)
            .find(|form| form.fits(text, at))
            .map(|form| Found::open(Kind::Token, at, at + form.prefix.len(), Tail::Run(form.is_part))),
        _ => None,
    }
}

impl Form {
    fn fits(&self, text: &Text, at: usize) -> bool {
        let start = at + self.prefix.len();
        text.has(at, self.prefix) && {
            let end = text.over(start, self.least, self.is_part);
            end - start == self.least
                && (!self.has_digit || text.bytes[start..end].iter().any(u8::is_ascii_digit))
        }
    }
}

/// The letters of which it is known that they may be a JWT's header.
///
/// In a row of words with hyphens each would be looked at as far as the row goes.
#[derive(Default)]
pub struct Run {
    from: usize,
    to: usize,
}

impl Run {
    /// The first place from `at` whose byte is no such letter, or that `JWT_HEADER_BYTES` lie before.
    fn end(&mut self, text: &Text, at: usize) -> usize {
        if !(self.from..self.to).contains(&at) {
            (self.from, self.to) = (at, at);
        }
        let most = at + JWT_HEADER_BYTES;
        if self.to < most {
            self.to = text.over(self.to, most - self.to, is_url_safe);
        }
        self.to.min(most)
    }
}

/// A JSON object's first bytes in base64, a dot, more.
fn jwt(text: &Text, at: usize, run: &mut Run) -> Option<Found> {
    if !text.has(at, b"eyJ") {
        return None;
    }
    let dot = run.end(text, at);
    let is_one = dot - at >= JWT_HEADER_LEAST_BYTES
        && text.at(dot) == Some(b'.')
        && text.at(dot + 1).map_or(false, is_url_safe);
    is_one.then(|| Found::open(Kind::Token, at, dot + 1, Tail::Run(is_jwt)))
}

/// Finds what follows the word `Bearer` or `Basic`, unless it is another word.
fn credentials(text: &Text, at: usize) -> Option<Found> {
    let scheme = text.over(at, 7, |byte| byte.is_ascii_alphabetic());
    let name = &text.bytes[at..scheme];
    if !name.eq_ignore_ascii_case(b"bearer") && !name.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let start = text.over(scheme, 16, |byte| byte == b' ');
    let end = text.over(start, CREDENTIALS_LOOK_BYTES, is_token68);
    let look = &text.bytes[start..end];
    let is_one = start > scheme && look.len() >= CREDENTIALS_LEAST_BYTES && !is_prose(look);
    let from = start + CREDENTIALS_LEAST_BYTES;
    is_one.then(|| Found::open(Kind::Token, start, from, Tail::Run(is_token68)))
}

/// Whether these are words: no digit, and capitals at most where one begins.
fn is_prose(bytes: &[u8]) -> bool {
    !bytes.iter().any(u8::is_ascii_digit)
        && !bytes.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_url_safe(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn is_jwt(byte: u8) -> bool {
    is_url_safe(byte) || byte == b'.'
}

/// RFC 7235's name for the value after a scheme.
fn is_token68(byte: u8) -> bool {
    is_jwt(byte) || matches!(byte, b'~' | b'+' | b'/' | b'=')
}
