//! Finds the numbers of payment cards.

use std::ops::RangeInclusive;

use crate::kind::{Found, Kind};
use crate::text::{is_word, Text};

const DIGITS: RangeInclusive<usize> = 13..=19;
const MOST_GROUPS: usize = 5;

/// Finds the number that begins at a word.
pub fn find(text: &Text, at: usize) -> Option<Found> {
    // No issuer's numbers begin with 0 or 1, as timestamps do, or with 7 to 9.
    if !matches!(text.at(at)?, b'2'..=b'6') || is_fraction(text, at) || is_year(text, at) {
        return None;
    }
    let mut groups = [0; MOST_GROUPS];
    let (mut start, mut digits) = (at, 0);
    let mut end = None;
    for index in 0..MOST_GROUPS {
        let group_end = text.over(start, DIGITS.end() + 1, |byte| byte.is_ascii_digit());
        groups[index] = group_end - start;
        digits += group_end - start;
        let next = text.at(group_end);
        if digits > *DIGITS.end() || next.map_or(false, is_word) {
            break;
        }
        if DIGITS.contains(&digits)
            && is_grouping(&groups[..=index])
            && is_checked(&text.bytes[at..group_end])
        {
            end = Some(group_end);
        }
        // All groups have the separator of the first one.
        let is_separated = matches!(next, Some(b' ' | b'-')) && next == text.at(at + groups[0]);
        if !is_separated
            || groups[0] != 4
            || !text.at(group_end + 1).map_or(false, |byte| byte.is_ascii_digit())
        {
            break;
        }
        start = group_end + 1;
    }
    end.filter(|&end| !has_fraction(text, end)).map(|end| Found::new(Kind::Card, at, end))
}

/// Of the numbers that begin with 2, only those from 22 are of cards; 2024 begins a time.
fn is_year(text: &Text, at: usize) -> bool {
    text.at(at) == Some(b'2') && matches!(text.at(at + 1), Some(b'0' | b'1'))
}

fn is_fraction(text: &Text, at: usize) -> bool {
    text.before(at) == Some(b'.') && text.before(at - 1).map_or(false, |byte| byte.is_ascii_digit())
}

fn has_fraction(text: &Text, end: usize) -> bool {
    text.at(end) == Some(b'.') && text.at(end + 1).map_or(false, |byte| byte.is_ascii_digit())
}

/// Numbers in any other groups are columns of a table.
fn is_grouping(groups: &[usize]) -> bool {
    matches!(groups, [_] | [4, 4, 4, 1..=4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4 | 5])
}

/// Luhn's check: from the right, every second digit counts twice, with its own digits added up.
fn is_checked(number: &[u8]) -> bool {
    let digits = number.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .zip([false, true].into_iter().cycle())
        .map(|(digit, is_double)| match (u32::from(digit - b'0'), is_double) {
            (digit, false) => digit,
            (digit, true) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum % 10 == 0
}
