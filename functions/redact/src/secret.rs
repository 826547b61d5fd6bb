//! Finds values whose name says that they are secret, and the user and password of a URL.

use crate::kind::{Found, Kind};
use crate::tail::Tail;
use crate::text::{is_blank, Text};

/// Endings of the names of secrets, in lower case and without `_` and `-`.
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
/// Only as a header, and what it holds a list of settings.
const COOKIE: &[u8] = b"cookie";

/// How far the look at a value goes.
const LOOK_BYTES: usize = 256;

/// Of the longest ending, `authorization`.
const ENDING_BYTES: usize = 13;
/// Of the longest name with a `_` before each of its letters.
const NAME_BYTES: usize = 32;
const BLANK_BYTES: usize = 64;
const LEVEL_BYTES: usize = 15;
const USER_BYTES: usize = 4000;

const SCHEMES: [&[u8]; 7] = [b"apikey", b"basic", b"bearer", b"digest", b"negotiate", b"ntlm", b"token"];
/// Values that mean that there is no secret, or that name its type.
const NOTHINGS: [&[u8]; 8] = [b"false", b"nil", b"none", b"null", b"str", b"string", b"true", b"undefined"];

/// The value behind a `=` or `:`.
pub fn value(text: &Text, at: usize) -> Option<Found> {
    if text.before(at).map_or(true, |byte| !may_end_name(byte)) {
        return None;
    }
    let name = name_before(text, at);
    let kind = kind_of(name)?;
    let is_cookie = before_ending(name, COOKIE).is_some();
    if is_cookie && text.at(at) != Some(b':') {
        return None;
    }
    let mut start = separator_end(text, at)?;
    start = text.over(start, BLANK_BYTES, is_gap);
    // Headers are lists of values for some, as in `"Authorization": ["Bearer x"]`.
    if kind == Kind::Token && text.at(start) == Some(b'[') {
        let first = text.over(start + 1, BLANK_BYTES, is_gap);
        let quote = text.over(first, LEVEL_BYTES, |byte| byte == b'\\');
        if matches!(text.at(quote), Some(b'"' | b'\'')) {
            start = first;
        }
    }
    // Python's b'…' and the like.
    let is_quote = |byte: Option<u8>| matches!(byte, Some(b'"' | b'\'' | b'`'));
    if matches!(text.at(start), Some(b'b' | b'B' | b'f' | b'r' | b'u')) && is_quote(text.at(start + 1)) {
        start += 1;
    }
    let level = text.over(start, LEVEL_BYTES, |byte| byte == b'\\') - start;
    let tail = match text.at(start + level) {
        quote if is_quote(quote) => {
            start += level + 1;
            Tail::Quoted { quote: quote?, level }
        }
        _ if is_cookie => Tail::Header,
        _ => Tail::Bare,
    };
    if is_cookie {
        let end = text.over(start, LOOK_BYTES, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
        });
        if end == start || text.at(end) != Some(b'=') {
            return None;
        }
    } else if is_other_sense(text, name, at, start) {
        return None;
    }
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
        || matches!(byte, b'"' | b'\'' | b'`' | b']' | b' ' | b'\t' | b'\r')
}

/// A carriage return without a line end only moves a terminal's cursor.
fn is_gap(byte: u8) -> bool {
    is_blank(byte) || byte == b'\r'
}

/// The last bytes of the name before a separator, without blanks, quotes and brackets around it.
fn name_before<'a>(text: &'a Text, at: usize) -> &'a [u8] {
    let mut end = text.back_over(at, BLANK_BYTES, is_gap);
    if matches!(text.before(end), Some(b'"' | b'\'' | b'`' | b']')) {
        end = text.back_over(end - 1, LEVEL_BYTES, |byte| byte == b'\\');
    }
    // A bracket in a query, as in user%5Bpassword%5D=x.
    if [&b"%5D"[..], b"%5d"].iter().any(|bracket| text.bytes[text.floor.min(end)..end].ends_with(bracket)) {
        end -= 3;
    }
    let is_told = match text.bytes[text.floor.min(end)..end] {
        [.., first, second] => may_be_ending(first, second.to_ascii_lowercase()),
        _ => false,
    };
    if !is_told {
        return &[];
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = text.back_over(end, NAME_BYTES, is_part);
    // What stands before says whether it is whole.
    &text.bytes[text.back_over(start, 1, |byte| !byte.is_ascii_whitespace())..end]
}

fn kind_of(name: &[u8]) -> Option<Kind> {
    let last = name.last()?.to_ascii_lowercase();
    if !may_be_ending(*name.get(name.len().checked_sub(2)?)?, last) {
        return None;
    }
    let mut buffer = [0; ENDING_BYTES];
    let folded = folded(name, &mut buffer);
    let rest = |ending: &[u8]| {
        if ending.last() == Some(&last) && folded.ends_with(ending) {
            before_ending(name, ending)
        } else {
            None
        }
    };
    let is_whole = |ending: &&[u8]| rest(ending).map_or(false, |rest| !ends_in_word(rest));
    if rest(AUTHORIZATION).is_some() || is_whole(&COOKIE) {
        Some(Kind::Token)
    } else if NAMES.iter().any(|ending| rest(ending).is_some()) || WHOLE_NAMES.iter().any(is_whole) {
        Some(Kind::Secret)
    } else {
        None
    }
}

/// Whether names of secrets may end with these two bytes: most of the others' are told by them.
fn may_be_ending(first: u8, second: u8) -> bool {
    matches!(
        &[first.to_ascii_lowercase(), second],
        b"al"
            | b"de"
            | b"en"
            | b"et"
            | b"ey"
            | b"ie"
            | b"ig"
            | b"ls"
            | b"on"
            | b"rd"
            | b"re"
            | b"se"
            | b"ss"
            | b"wd"
    ) || matches!(first, b'_' | b'-')
}

/// The end of a name in small letters and without `_` and `-`, as far as the longest ending.
fn folded<'a>(name: &[u8], buffer: &'a mut [u8; ENDING_BYTES]) -> &'a [u8] {
    let mut start = buffer.len();
    for &byte in name.iter().rev().filter(|byte| !matches!(byte, b'_' | b'-')).take(ENDING_BYTES) {
        start -= 1;
        buffer[start] = byte.to_ascii_lowercase();
    }
    &buffer[start..]
}

fn ends_in_word(bytes: &[u8]) -> bool {
    bytes.last().map_or(false, u8::is_ascii_alphanumeric)
}

/// Whether this is what a name of a secret also stands for: a folder, a test's result, a signal, a variable.
fn is_other_sense(text: &Text, name: &[u8], at: usize, start: usize) -> bool {
    let ending = &name[name.len().saturating_sub(3)..];
    let may_be = [&b"pwd"[..], b"ass", b"sig"].iter().any(|one| ending.eq_ignore_ascii_case(one));
    if !may_be && !text.has(start, b"${") {
        return false;
    }
    let rest = &text.bytes[start..text.over(start, LOOK_BYTES, |byte| !Tail::Bare.ends_with(byte))];
    let is_name = |names: &[&[u8]]| {
        names.iter().any(|&expected| {
            name.strip_suffix(expected).map_or(false, |before| {
                before
                    .last()
                    .map_or(true, |&byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'))
            })
        })
    };
    let is_drive = matches!(rest, [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    let is_path = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'~' | b'@' | b'+')
    };
    if is_name(&[b"PWD", b"OLDPWD"]) {
        return is_drive || matches!(rest, [b'/' | b'~', ..]) && rest.iter().all(is_path);
    }
    if is_name(&[b"pwd", b"oldpwd"]) {
        let is_deep = rest.iter().filter(|&&byte| byte == b'/').count() > 1;
        return is_drive || rest.first() == Some(&b'/') && is_deep && rest.iter().all(is_path);
    }
    if is_name(&[b"PASS"]) && text.bytes[at] == b':' {
        // As tests end: `--- PASS: TestName (0.00s)`.
        return true;
    }
    if is_name(&[b"sig"]) {
        return rest.len() < 3 && rest.iter().all(u8::is_ascii_digit);
    }
    // `${NAME}`, whose brace ends the value.
    let end = start + rest.len();
    let is_variable = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'{');
    rest.starts_with(b"${")
        && text.at(end) == Some(b'}')
        && rest.iter().all(is_variable)
        && text.at(end + 1).map_or(true, |byte| Tail::Bare.ends_with(byte))
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
    // A user of ssh logs in with a key, so there is no password in the URL.
    let scheme = &text.bytes[text.back_over(at, 8, |byte| byte.is_ascii_alphanumeric() || byte == b'+')..at];
    let is_ssh = [&b"ssh"[..], b"sftp", b"scp", b"git"].iter().any(|name| scheme.eq_ignore_ascii_case(name))
        || scheme.ends_with(b"+ssh");
    if is_ssh && !text.bytes[start..at_sign].contains(&b':') {
        return None;
    }
    (at_sign > start).then(|| Found::new(Kind::Secret, start, at_sign))
}
