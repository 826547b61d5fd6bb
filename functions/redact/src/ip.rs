//! Finds IP addresses.

use std::net::Ipv4Addr;
use std::str::{self, FromStr};

use crate::kind::{Found, Kind};
use crate::text::{is_word, Text};

/// Longer than the longest IPv6 address, 45, and than a fingerprint, which is none.
const RUN_BYTES: usize = 256;

const GROUP_BYTES: usize = 4;

/// Finds the IPv4 address that begins at a word.
pub fn v4(text: &Text, at: usize) -> Option<Found> {
    let dot = text.over(at, 3, |byte| byte.is_ascii_digit());
    if text.at(dot) != Some(b'.') || is_inner(text, at) {
        return None;
    }
    let run = text.over(dot, RUN_BYTES, |byte| byte.is_ascii_digit() || byte == b'.');
    let end = text.back_over(run, 1, |byte| byte == b'.');
    let address: Ipv4Addr = parse(text, at, end)?;
    let is_one = !address.is_unspecified() && !is_version(text, at, address);
    is_one.then(|| Found::new(Kind::Ip, at, end))
}

/// Whether this is a later number of a row with dots.
fn is_inner(text: &Text, at: usize) -> bool {
    text.before(at) == Some(b'.') && text.before(at - 1).map_or(false, is_word)
}

fn is_version(text: &Text, at: usize, address: Ipv4Addr) -> bool {
    // As in `Chrome/120.0.0.0`: as an address it would be a network of 16 million.
    let is_product = address.octets()[1..] == [0; 3]
        && text.before(at) == Some(b'/')
        && text.before(at - 1).map_or(false, |byte| byte.is_ascii_alphabetic());
    is_product || is_named_version(text, at)
}

/// Behind `version`, `Version=`, `"file_version": "` and the like.
fn is_named_version(text: &Text, at: usize) -> bool {
    const BETWEEN_BYTES: usize = 8;
    let end = text.back_over(at, BETWEEN_BYTES, |byte| {
        matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'=' | b':' | b'(' | b'-' | b'>' | b'\\')
    });
    if end == at {
        return false;
    }
    let start = text.back_over(end, 16, |byte| byte.is_ascii_alphabetic());
    let word = &text.bytes[start..end];
    let ends_in = |expected: &[u8]| {
        word.len() >= expected.len() && word[word.len() - expected.len()..].eq_ignore_ascii_case(expected)
    };
    ends_in(b"version")
        || [&b"ver"[..], b"v", b"build", b"firmware"].iter().any(|&one| word.eq_ignore_ascii_case(one))
}

/// Finds the IPv6 address whose first colon is here.
pub fn v6(text: &Text, colon: usize) -> Option<Found> {
    if !text.at(colon + 1).map_or(false, is_part) {
        return None;
    }
    let start = text.back_over(colon, GROUP_BYTES, |byte| byte.is_ascii_hexdigit());
    if !begins(text, start) {
        return None;
    }
    let run = text.over(start, RUN_BYTES, is_part);
    let mut end = text.back_over(run, 1, |byte| byte == b'.');
    if text.bytes[start..end].ends_with(b":") && !text.bytes[start..end].ends_with(b"::") {
        end -= 1;
    }
    let bytes = &text.bytes[start..end];
    // Times and most code go no farther. Without digits it is sooner a path such as Add::Bad.
    let colons = bytes.iter().filter(|&&byte| byte == b':').count();
    let is_like = colons >= 6 || bytes.windows(2).any(|pair| pair == b"::");
    if !is_like || !bytes.iter().any(u8::is_ascii_digit) {
        return None;
    }
    if text.at(end).map_or(false, is_word) {
        return None;
    }
    is_v6(bytes).then(|| Found::new(Kind::Ip, start, end))
}

/// Whether these are the groups of an address that isn't 0. The parser of the standard library takes longer than
/// all else together.
fn is_v6(bytes: &[u8]) -> bool {
    const GROUPS: usize = 8;
    let (mut groups, mut has_gap, mut is_zero) = (0, false, true);
    let mut at = 0;
    loop {
        if bytes[at..].starts_with(b"::") {
            if has_gap {
                return false;
            }
            has_gap = true;
            at += 2;
        } else if groups > 0 {
            if bytes.get(at) != Some(&b':') {
                return false;
            }
            at += 1;
        }
        let rest = &bytes[at..];
        let digits = rest.iter().take(GROUP_BYTES + 1).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits == 0 {
            // Of colons, only a gap may be last.
            return rest.is_empty() && bytes.ends_with(b"::") && has_gap && groups < GROUPS && !is_zero;
        }
        if digits > GROUP_BYTES {
            return false;
        }
        if rest.get(digits) == Some(&b'.') {
            let last: Option<Ipv4Addr> = str::from_utf8(rest).ok().and_then(|rest| rest.parse().ok());
            return last.map_or(false, |last| {
                (if has_gap { groups + 2 < GROUPS } else { groups + 2 == GROUPS })
                    && !(is_zero && last.is_unspecified())
            });
        }
        groups += 1;
        is_zero &= rest[..digits].iter().all(|&byte| byte == b'0');
        at += digits;
        if at == bytes.len() {
            return (if has_gap { groups < GROUPS } else { groups == GROUPS }) && !is_zero;
        }
        if groups == GROUPS {
            return false;
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

/// Whether a row of groups begins here, and is no part of one that began before.
fn begins(text: &Text, at: usize) -> bool {
    match text.before(at) {
        Some(b':') if text.at(at) != Some(b':') => {
            // After a name, as in `ip:fe80::1`, it does.
            let group = text.back_over(at - 1, RUN_BYTES, |byte| byte.is_ascii_hexdigit());
            text.before(group).map_or(false, is_word)
        }
        Some(byte) => !is_word(byte) && byte != b':' && byte != b'.',
        None => true,
    }
}

fn parse<Address: FromStr>(text: &Text, at: usize, end: usize) -> Option<Address> {
    if text.at(end).map_or(false, is_word) {
        return None;
    }
    str::from_utf8(&text.bytes[at..end]).ok()?.parse().ok()
}
