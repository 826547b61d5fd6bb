//! Finds the places where a rule may find a secret, in blocks: it runs on every line, and few need a rule.

use crate::escape::SOFT_LINE_END;

/// Size of a block. The compiler turns its plain comparisons into vector instructions, for sixteen bytes each.
const BLOCK_BYTES: usize = 64;
/// The byte before a block, and the three behind it, tell too.
const BEFORE: usize = 1;
const WINDOW_BYTES: usize = BEFORE + BLOCK_BYTES + 3;

/// The places of a text, one after the other.
pub struct Places<'a> {
    bytes: &'a [u8],
    block: usize,
    /// A bit for each byte of the block; those that were given are cleared.
    bits: u64,
}

impl<'a> Places<'a> {
    pub fn new(bytes: &'a [u8], from: usize) -> Self {
        let mut places = Self { bytes, block: from / BLOCK_BYTES * BLOCK_BYTES, bits: 0 };
        if from < bytes.len() {
            places.bits = bits(&places.window());
        }
        places
    }

    /// The first place from `from`, which isn't before the last that was given, if it is before `to`.
    pub fn next(&mut self, from: usize, to: usize) -> Option<usize> {
        if from >= to {
            return None;
        }
        if from >= self.block + BLOCK_BYTES {
            *self = Self::new(self.bytes, from);
        }
        self.bits &= u64::MAX << (from.max(self.block) - self.block);
        while self.bits == 0 {
            // A later call may look farther.
            if self.block + BLOCK_BYTES >= to {
                return None;
            }
            self.block += BLOCK_BYTES;
            self.bits = bits(&self.window());
        }
        Some(self.block + self.bits.trailing_zeros() as usize).filter(|&place| place < to)
    }

    /// The block and what is around it, 0 where there is nothing.
    fn window(&self) -> [u8; WINDOW_BYTES] {
        let mut window = [0; WINDOW_BYTES];
        let start = self.block.saturating_sub(BEFORE);
        let end = self.bytes.len().min(self.block + WINDOW_BYTES - BEFORE);
        let skipped = BEFORE - (self.block - start);
        window[skipped..][..end - start].copy_from_slice(&self.bytes[start..end]);
        window
    }
}

/// Which bytes of the window's block are places, the first in the lowest bit.
fn bits(window: &[u8; WINDOW_BYTES]) -> u64 {
    let mut flags = [0_u8; BLOCK_BYTES];
    for (index, flag) in flags.iter_mut().enumerate() {
        let [before, byte, second, third, fourth] =
            [window[index], window[index + 1], window[index + 2], window[index + 3], window[index + 4]];
        let is_first = !is_word(before) & (is_number(byte, second, third, fourth) | is_token(byte, second));
        *flag = u8::from(is_sign(byte) | is_first);
    }
    let mut bits = 0;
    for (index, flags) in flags.chunks_exact(8).enumerate() {
        let mut eight = [0; 8];
        eight.copy_from_slice(flags);
        // Moves the lowest bit of each byte into the highest byte.
        let row = u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= row << (8 * index);
    }
    bits
}

// No `&&` and `||` below: as branches, they would prevent vector instructions.

fn is_sign(byte: u8) -> bool {
    (byte == b'@')
        | (byte == b'%')
        | (byte == b':')
        | (byte == b'=')
        | (byte == b'\n')
        | (byte == SOFT_LINE_END)
}

/// A number that a dot follows soon, or of four digits and more.
fn is_number(first: u8, second: u8, third: u8, fourth: u8) -> bool {
    let is_dotted = (second == b'.') | (third == b'.') | (fourth == b'.');
    is_digit(first) & (is_dotted | is_digit(second) & is_digit(third) & is_digit(fourth))
}

/// The first two bytes of what `token` knows, and of `BEGIN`, `END` and `Private-`.
fn is_token(first: u8, second: u8) -> bool {
    let is = |one: u8, other: u8| (first == one) & (second == other);
    let is_scheme = (first | 0x20 == b'b') & ((second | 0x20 == b'a') | (second | 0x20 == b'e'));
    is_scheme
        | is(b'A', b'G')
        | is(b'A', b'I')
        | is(b'A', b'K')
        | is(b'A', b'S')
        | is(b'E', b'N')
        | is(b'P', b'r')
        | is(b'e', b'y')
        | is(b'g', b'h')
        | is(b'g', b'i')
        | is(b'g', b'l')
        | is(b'h', b'f')
        | is(b'n', b'p')
        | is(b'r', b'k')
        | is(b's', b'k')
        | is(b'x', b'a')
        | is(b'x', b'o')
}

fn is_digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10
}

fn is_word(byte: u8) -> bool {
    is_digit(byte) | ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte == b'_')
}
