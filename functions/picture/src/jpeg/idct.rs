//! The inverse cosine transform, with the same results as libjpeg's `jidctint.c`.
//!
//! Loops over columns stand outermost, since the compiler turns them into vector instructions.

use std::num::Wrapping;

/// Samples and coefficients of a damaged file may be any, so sums may overflow.
type Number = Wrapping<i32>;

pub const SIDE: usize = 8;
pub type Block = [Number; SIDE * SIDE];

/// Bits of the fixed-point factors.
const FACTOR_BITS: usize = 13;
/// Further bits that are kept between the two passes.
const PASS_BITS: usize = 2;
/// The two passes make samples 8 times as large as they should be.
const SCALE_BITS: usize = 3;
/// Samples are coded around 0.
const MIDDLE: Number = Wrapping(128);

/// Writes a block's samples into a plane: `side` rows of as many samples, `side` being 1, 2, 4 or 8.
///
/// `coefficients` are dequantized, in rows.
pub fn write_samples(coefficients: &Block, side: usize, plane: &mut [u8], stride: usize) {
    match side {
        8 => write_rows::<8>(&eight(coefficients), plane, stride),
        4 => write_rows::<4>(&four(coefficients), plane, stride),
        2 => write_rows::<2>(&two(coefficients), plane, stride),
        _ => plane[0] = flat(coefficients[0]),
    }
}

/// Writes the samples of a block that has only its first coefficient.
pub fn write_flat(coefficient: Number, side: usize, plane: &mut [u8], stride: usize) {
    let sample = flat(coefficient);
    for row in plane.chunks_mut(stride).take(side) {
        row[..side].fill(sample);
    }
}

fn flat(coefficient: Number) -> u8 {
    sample(descale(coefficient, SCALE_BITS))
}

fn sample(level: Number) -> u8 {
    (level + MIDDLE).0.clamp(0, 255) as u8
}

fn descale(value: Number, bits: usize) -> Number {
    (value + Wrapping(1 << (bits - 1))) >> bits
}

fn write_rows<const SIDE: usize>(samples: &[u8], plane: &mut [u8], stride: usize) {
    for (row, samples) in plane.chunks_mut(stride).zip(samples.chunks_exact(SIDE)) {
        row[..SIDE].copy_from_slice(samples);
    }
}

fn eight(coefficients: &Block) -> [u8; 64] {
    let columns = transform(coefficients, FACTOR_BITS - PASS_BITS);
    let rows = transform(&transposed(&columns), FACTOR_BITS + PASS_BITS + SCALE_BITS);
    let mut samples = [0; SIDE * SIDE];
    for (to, &level) in samples.iter_mut().zip(&rows) {
        *to = sample(level);
    }
    transposed(&samples)
}

fn transposed<T: Copy + Default>(block: &[T; SIDE * SIDE]) -> [T; SIDE * SIDE] {
    let mut turned = [T::default(); SIDE * SIDE];
    for row in 0..SIDE {
        for column in 0..SIDE {
            turned[column * SIDE + row] = block[row * SIDE + column];
        }
    }
    turned
}

/// Transforms each column (Loeffler, Ligtenberg and Moschytz 1989) and drops `bits` of the results.
fn transform(from: &Block, bits: usize) -> Block {
    let mut to = [Wrapping(0); SIDE * SIDE];
    for column in 0..SIDE {
        let at = |row: usize| from[row * SIDE + column];

        let (a, b) = (at(2), at(6));
        let c = (a + b) * Wrapping(4433);
        let (even_2, even_3) = (c - b * Wrapping(15137), c + a * Wrapping(6270));
        let (even_0, even_1) = ((at(0) + at(4)) << FACTOR_BITS, (at(0) - at(4)) << FACTOR_BITS);
        let evens = [even_0 + even_3, even_1 + even_2, even_1 - even_2, even_0 - even_3];

        let (a, b, c, d) = (at(7), at(5), at(3), at(1));
        let e = (a + c + b + d) * Wrapping(9633);
        let (ad, bc) = ((a + d) * Wrapping(-7373), (b + c) * Wrapping(-20995));
        let (ac, bd) = ((a + c) * Wrapping(-16069) + e, (b + d) * Wrapping(-3196) + e);
        let odds = [
            d * Wrapping(12299) + ad + bd,
            c * Wrapping(25172) + bc + ac,
            b * Wrapping(16819) + bc + bd,
            a * Wrapping(2446) + ad + ac,
        ];

        for row in 0..SIDE / 2 {
            to[row * SIDE + column] = descale(evens[row] + odds[row], bits);
            to[(SIDE - 1 - row) * SIDE + column] = descale(evens[row] - odds[row], bits);
        }
    }
    to
}

/// A picture of half the size, from the lower frequencies.
fn four(coefficients: &Block) -> [u8; 16] {
    let mut samples = [0; 16];
    let mut columns = [[Wrapping(0); 4]; 4];
    for (column, to) in columns.iter_mut().enumerate() {
        *to = four_of([0, 1, 2, 3].map(|row| coefficients[row * SIDE + column]), FACTOR_BITS - PASS_BITS);
    }
    for (row, samples) in samples.chunks_exact_mut(4).enumerate() {
        let levels = four_of(columns.map(|column| column[row]), FACTOR_BITS + PASS_BITS + SCALE_BITS);
        samples.copy_from_slice(&levels.map(sample));
    }
    samples
}

fn four_of([a, b, c, d]: [Number; 4], bits: usize) -> [Number; 4] {
    let (even_0, even_1) = ((a + c) << FACTOR_BITS, (a - c) << FACTOR_BITS);
    let e = (b + d) * Wrapping(4433);
    let (odd_0, odd_1) = (e + b * Wrapping(6270), e - d * Wrapping(15137));
    [even_0 + odd_0, even_1 + odd_1, even_1 - odd_1, even_0 - odd_0].map(|level| descale(level, bits))
}

/// A picture of a quarter of the size.
fn two(coefficients: &Block) -> [u8; 4] {
    let [a, b, c, d] = [0, 1, SIDE, SIDE + 1].map(|at| coefficients[at]);
    [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
        .map(|level| sample(descale(level, SCALE_BITS)))
}
