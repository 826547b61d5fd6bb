//! Values whose name says that they are secret, and what a URL says of its user.

use crate::kind::{Found, Kind};
use crate::tail::Tail;
use crate::text::{is_blank, Text};

/// What names of secrets end with, in small letters and without `_` and `-`.
const NAMES: [&[u8]; 17] = [
    b"accesskey",
    b"accountkey",
    b"apikey",
    b"authkey",
    b"credential",
    b"credentials",
    b"encryptionkey",
    b"passcode",
    b"passphrase",
    b"passwd",
    b"password",
    b"privatekey",
    b"pwd",
    b"secret",
    b"secretkey",
    b"signature",
    b"token",
];
/// The same, but only as a name or after a `_`, `-`, `.` or the like in one.
const WHOLE_NAMES: [&[u8]; 2] = [b"pass", b"sig"];
const AUTHORIZATION: &[u8] = b"authorization";

/// Of the longest name with a `_` before each of its letters.
const NAME_BYTES: usize = 32;
const BLANK_BYTES: usize = 64;
const LEVEL_BYTES: usize = 15;
const USER_BYTES: usize = 4000;

const SCHEMES: [&[u8]; 7] = [b"apikey", b"basic", b"bearer", b"digest", b"negotiate", b"ntlm", b"token"];
/// They say that there is none.
const NOTHINGS: [&[u8]; 6] = [b"false", b"nil", b"none", b"null", b"true", b"undefined"];

/// The value behind a `=` or `:`.
pub fn value(text: &Text, at: usize) -> Option<Found> {
    if text.before(at).map_or(true, |byte| !may_end_name(byte)) {
        return None;
    }
    let kind = kind_of(name_before(text, at))?;
    let mut start = separator_end(text, at)?;
    start = text.over(start, BLANK_BYTES, is_blank);
    // Python's b'…'.
    let is_quote = |byte: Option<u8>| matches!(byte, Some(b'"' | b'\'' | b'`'));
    if text.at(start).map_or(false, |byte| byte.is_ascii_alphabetic()) && is_quote(text.at(start + 1)) {
        start += 1;
    }
    let level = text.over(start, LEVEL_BYTES, |byte| byte == b'\\') - start;
    let tail = match text.at(start + level) {
        quote if is_quote(quote) => {
            start += level + 1;
            Tail::Quoted { quote: quote?, level }
        }
        _ => Tail::Bare,
    };
    start = scheme_end(text, start);
    // A list, an object or a mark.
    let is_other = matches!(text.at(start), Some(b'[' | b'{')) || is_nothing(text, start);
    if matches!(tail, Tail::Bare) && is_other {
        return None;
    }
    (!tail.is_empty(text.bytes, start)).then(|| Found::open(kind, start, start, tail))
}

/// Whether it may be the last byte before a separator; most are told by it.
fn may_end_name(byte: u8) -> bool {
    matches!(byte.to_ascii_lowercase(), b'd' | b'e' | b'g' | b'l' | b'n' | b's' | b't' | b'y')
        || matches!(byte, b'"' | b'\'' | b'`' | b']' | b' ' | b'\t')
}

/// The last bytes of the name before a separator, without blanks, quotes and brackets around it.
fn name_before<'a>(text: &'a Text, at: usize) -> &'a [u8] {
    let mut end = text.back_over(at, BLANK_BYTES, is_blank);
    if matches!(text.before(end), Some(b'"' | b'\'' | b'`' | b']')) {
        end = text.back_over(end - 1, LEVEL_BYTES, |byte| byte == b'\\');
    }
    let start = text.back_over(end, NAME_BYTES, |byte| !byte.is_ascii_whitespace());
    let name = &text.bytes[start..end];
    // A bracket in a query, as in user%5Bpassword%5D=x.
    name.strip_suffix(b"%5D").or_else(|| name.strip_suffix(b"%5d")).unwrap_or(name)
}

fn kind_of(name: &[u8]) -> Option<Kind> {
    if !name.last()?.is_ascii_alphabetic() {
        return None;
    }
    let is_end = |ending: &&[u8]| before_ending(name, ending).is_some();
    let is_whole = |ending: &&[u8]| {
        before_ending(name, ending)
            .map_or(false, |rest| !rest.last().map_or(false, u8::is_ascii_alphanumeric))
    };
    if is_end(&AUTHORIZATION) {
        Some(Kind::Token)
    } else if NAMES.iter().any(is_end) || WHOLE_NAMES.iter().any(is_whole) {
        Some(Kind::Secret)
    } else {
        None
    }
}

/// What stands before this ending, if the name has it.
fn before_ending<'a>(name: &'a [u8], ending: &[u8]) -> Option<&'a [u8]> {
    let mut rest = name;
    for expected in ending.iter().rev() {
        loop {
            let (last, before) = rest.split_last()?;
            let is_filler = matches!(last, b'_' | b'-') && rest.len() < name.len();
            rest = before;
            if last.to_ascii_lowercase() == *expected {
                break;
            }
            if !is_filler {
                return None;
            }
        }
    }
    Some(rest)
}

/// Behind `=`, `:`, `=>` or `:=`; `==` compares, and `::` is a path.
fn separator_end(text: &Text, at: usize) -> Option<usize> {
    match (text.at(at)?, text.at(at + 1)) {
        (b'=', Some(b'=')) | (b':', Some(b':')) => None,
        (b'=', Some(b'>')) | (b':', Some(b'=')) => Some(at + 2),
        _ => Some(at + 1),
    }
}

/// Behind the name of a scheme and its space, which are no secret, else `at`.
fn scheme_end(text: &Text, at: usize) -> usize {
    let end = text.over(at, 10, |byte| byte.is_ascii_alphabetic());
    let start = text.over(end, BLANK_BYTES, |byte| byte == b' ');
    let name = &text.bytes[at..end];
    let is_scheme = start > end && SCHEMES.iter().any(|scheme| name.eq_ignore_ascii_case(scheme));
    if is_scheme {
        start
    } else {
        at
    }
}

fn is_nothing(text: &Text, at: usize) -> bool {
    let end = text.over(at, 10, |byte| byte.is_ascii_alphabetic());
    let name = &text.bytes[at..end];
    Tail::Bare.is_empty(text.bytes, end) && NOTHINGS.iter().any(|nothing| name.eq_ignore_ascii_case(nothing))
}

/// What stands before the last `@` of a URL's authority, whose `://` begins here.
pub fn userinfo(text: &Text, at: usize) -> Option<Found> {
    let is_url = text.has(at, b"://") && text.before(at).map_or(false, |byte| byte.is_ascii_alphanumeric());
    if !is_url {
        return None;
    }
    let start = at + 3;
    let end = text.over(start, USER_BYTES, |byte| {
        !byte.is_ascii_whitespace()
            && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
    });
    let at_sign = start + text.bytes[start..end].iter().rposition(|&byte| byte == b'@')?;
    (at_sign > start).then(|| Found::new(Kind::Secret, start, at_sign))
}
