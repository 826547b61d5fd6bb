//! The part of the input that the rules search.

/// Limit on how far a rule looks back from a place.
///
/// With `AHEAD`, it makes the result independent of how the input is split into reads: a rule runs at a place
/// once so much of its line has arrived on both sides, and no rule looks farther.
pub const BEHIND: usize = 512;
/// Limit on how far a rule looks ahead of a place.
pub const AHEAD: usize = 4096;

/// Bytes of the input. Those before `floor` are already written or replaced.
pub struct Text<'a> {
    pub bytes: &'a [u8],
    pub floor: usize,
}

impl Text<'_> {
    pub fn at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub fn before(&self, at: usize) -> Option<u8> {
        (at > self.floor).then(|| self.bytes[at - 1])
    }

    pub fn has(&self, at: usize, expected: &[u8]) -> bool {
        self.bytes[at.min(self.bytes.len())..].starts_with(expected)
    }

    /// The first place from `at` whose byte is none of these, or that `limit` bytes lie before.
    pub fn over(&self, at: usize, limit: usize, is_one: impl Fn(u8) -> bool) -> usize {
        let most = self.bytes.len().min(at + limit);
        (at..most).find(|&place| !is_one(self.bytes[place])).unwrap_or_else(|| most.max(at))
    }

    /// The same to the left: the place behind the last byte before `at` that is none of these.
    pub fn back_over(&self, at: usize, limit: usize, is_one: impl Fn(u8) -> bool) -> usize {
        let least = self.floor.max(at.saturating_sub(limit));
        (least..at).rev().find(|&place| !is_one(self.bytes[place])).map_or(least.min(at), |place| place + 1)
    }
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
