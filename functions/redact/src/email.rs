//! Finds e-mail addresses.

use crate::kind::{Found, Kind};
use crate::text::Text;

/// RFC 5321 allows 64 bytes, and percent-encoding makes three of each.
const LOCAL_BYTES: usize = 192;
const DOMAIN_BYTES: usize = 255;

/// Finds the address around an `@`, or around an encoded one.
pub fn find(text: &Text, at: usize) -> Option<Found> {
    let domain = match text.at(at)? {
        b'@' => at + 1,
        _ if text.has(at, b"%40") => at + 3,
        _ => return None,
    };
    let end = domain_end(text, domain)?;
    let start = local_start(text, at)?;
    let is_other = is_file(&text.bytes[domain..end]) || &text.bytes[start..at] == b"git";
    (!is_other).then(|| Found::new(Kind::Email, start, end))
}

fn local_start(text: &Text, at: usize) -> Option<usize> {
    let least = at.saturating_sub(LOCAL_BYTES);
    let mut start = at;
    while start > least {
        start -= match text.before(start) {
            Some(b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') => 1,
            Some(byte) if byte.is_ascii_alphanumeric() => 1,
            Some(0x80..=0xbf) if text.before(start - 1).is_some() && is_letter(&text.bytes[start - 2..]) => 2,
            _ => break,
        };
    }
    (start..at).find(|&place| !matches!(text.bytes[place], b'.' | b'%' | b'+' | b'-' | b'\''))
}

/// The end of the last label that may be a top-level domain.
fn domain_end(text: &Text, start: usize) -> Option<usize> {
    let mut end = None;
    let (mut label, mut at) = (start, start);
    while at < start + DOMAIN_BYTES {
        let rest = &text.bytes[at.min(text.bytes.len())..];
        match rest.first() {
            Some(byte) if byte.is_ascii_alphanumeric() => at += 1,
            Some(_) if is_letter(rest) => at += 2,
            next => {
                if label > start && is_top_level(&text.bytes[label..at]) {
                    end = Some(at);
                }
                match next {
                    Some(b'-') if at > label => {}
                    Some(b'.') if at > label && !is_scale(&text.bytes[start..at]) => label = at + 1,
                    _ => break,
                }
                at += 1;
            }
        }
    }
    end
}

fn is_top_level(label: &[u8]) -> bool {
    label.starts_with(b"xn--")
        || label.len() >= 2 && label.iter().all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

/// Suffixes of files, as in `logo@dark.png`, and of systemd's units: they are not top-level domains.
fn is_file(domain: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 24] = [
        b"css", b"device", b"gif", b"html", b"jpeg", b"jpg", b"js", b"json", b"log", b"mount", b"path",
        b"png", b"scope", b"service", b"slice", b"socket", b"svg", b"swap", b"timer", b"txt", b"webp",
        b"xml", b"yaml", b"yml",
    ];
    let label = domain.rsplit(|&byte| byte == b'.').next().unwrap_or(domain);
    ENDINGS.iter().any(|ending| label.eq_ignore_ascii_case(ending)) || is_version(domain)
}

/// As in `package@1.2.3-beta.rc`.
fn is_version(domain: &[u8]) -> bool {
    let number = domain.strip_prefix(b"v").unwrap_or(domain);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0
        && number.get(digits) == Some(&b'.')
        && number.get(digits + 1).map_or(false, u8::is_ascii_digit)
}

/// As in `icon@2x.png`.
fn is_scale(label: &[u8]) -> bool {
    matches!(label, [b'1'..=b'9', b'x'])
}

/// Whether a letter of two bytes is first: all of these but the signs in U+0080 to U+00BF.
fn is_letter(bytes: &[u8]) -> bool {
    matches!(bytes, [0xc3..=0xdf, 0x80..=0xbf, ..])
}
