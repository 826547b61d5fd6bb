//! Zlib streams for filtered picture rows.
//!
//! In a filtered photo nothing repeats but single bytes, so looking for earlier matches takes
//! most of an encoder's time and makes the result larger: here is Huffman coding with runs only.
//! A drawing does repeat itself: what comes out very small is coded again with a full search,
//! and the smaller of the two is taken.

mod huffman;

use huffman::{BitWriter, Codes};
use miniz_oxide::deflate::compress_to_vec_zlib;

/// Below one byte in this many, the picture is taken for a drawing.
const DRAWING_RATIO: usize = 4;
/// Where the code table weighs as much as the picture, the search costs nothing.
const TINY_BYTES: usize = 1024;
/// Of 10. Drawings come within a fifth of what zlib's default makes of them, most below it.
const SEARCH_LEVEL: u8 = 4;

/// A whole zlib stream; `rows` must not be empty.
pub fn zlib(rows: &[u8]) -> Vec<u8> {
    let runs = zlib_of_runs(rows);
    if rows.len() > TINY_BYTES && runs.len() > rows.len() / DRAWING_RATIO {
        return runs;
    }
    let searched = compress_to_vec_zlib(rows, SEARCH_LEVEL);
    if searched.len() < runs.len() {
        searched
    } else {
        runs
    }
}

/// Bytes that share one code table; the compressed size is flat around this value.
const BLOCK_BYTES: usize = 64 * 1024;

fn zlib_of_runs(rows: &[u8]) -> Vec<u8> {
    // A window of 32 KiB, the default level: what zlib itself writes.
    const HEADER: [u8; 2] = [0x78, 0x9c];

    let mut bits = BitWriter::new(HEADER, rows.len() / 2);
    let mut blocks = rows.chunks(BLOCK_BYTES).peekable();
    while let Some(block) = blocks.next() {
        let is_last = blocks.peek().is_none();
        write_block(&mut bits, block, is_last);
    }
    let mut stream = bits.finish();
    stream.extend_from_slice(&adler::adler32_slice(rows).to_be_bytes());
    stream
}

/// Bytes 0 to 255, end of block, 29 lengths.
const SYMBOLS: usize = 286;
const END_OF_BLOCK: usize = 256;
const MAX_CODE_BITS: usize = 15;

fn write_block(bits: &mut BitWriter, block: &[u8], is_last: bool) {
    const DYNAMIC_CODES: u32 = 0b10;
    // The only distance there is, one byte back, needs a code all the same.
    const DISTANCE_CODE: (u32, u32) = (0, 1);

    let pieces: Vec<Piece> = pieces(block).collect();
    let codes = Codes::<SYMBOLS>::new(&symbol_counts(&pieces), MAX_CODE_BITS);
    bits.push(is_last.into(), 1);
    bits.push(DYNAMIC_CODES, 2);
    write_code_lengths(bits, &codes.lengths, DISTANCE_CODE.1 as u8);

    for piece in &pieces {
        bits.push_bytes(&codes, piece.literals);
        if piece.run > 0 {
            let run = run_code(piece.run);
            bits.push_code(&codes, run.symbol);
            bits.push(run.extra, run.extra_bits);
            bits.push(DISTANCE_CODE.0, DISTANCE_CODE.1);
        }
    }
    bits.push_code(&codes, END_OF_BLOCK);
}

fn symbol_counts(pieces: &[Piece]) -> [u32; SYMBOLS] {
    let mut counts = [0; SYMBOLS];
    for piece in pieces {
        for &byte in piece.literals {
            counts[usize::from(byte)] += 1;
        }
        if piece.run > 0 {
            counts[run_code(piece.run).symbol] += 1;
        }
    }
    counts[END_OF_BLOCK] = 1;
    counts
}

/// Bytes as they are, then `run` times the last byte again; 0 at the end of the block.
struct Piece<'a> {
    literals: &'a [u8],
    run: usize,
}

/// Lengths that deflate can express.
const MIN_RUN: usize = 3;
const MAX_RUN: usize = 258;

fn pieces(block: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == block.len() {
            return None;
        }
        // The byte before the run is a literal, so no run starts at 0.
        let found = block[at.max(1) - 1..]
            .windows(MIN_RUN + 1)
            .position(|bytes| bytes.iter().all(|&byte| byte == bytes[0]));
        let piece = match found {
            None => Piece { literals: &block[at..], run: 0 },
            Some(offset) => {
                let start = at.max(1) + offset;
                let longest = &block[start..block.len().min(start + MAX_RUN)];
                let run = longest.iter().take_while(|&&byte| byte == block[start]).count();
                Piece { literals: &block[at..start], run }
            }
        };
        at += piece.literals.len() + piece.run;
        Some(piece)
    })
}

struct RunCode {
    symbol: usize,
    extra: u32,
    extra_bits: u32,
}

/// RFC 1951, 3.2.5: four symbols for each number of extra bits, but for the ends.
fn run_code(run: usize) -> RunCode {
    debug_assert!((MIN_RUN..=MAX_RUN).contains(&run));
    let offset = (run - MIN_RUN) as u32;
    if run == MAX_RUN {
        return RunCode { symbol: 285, extra: 0, extra_bits: 0 };
    }
    if offset < 8 {
        return RunCode { symbol: 257 + offset as usize, extra: 0, extra_bits: 0 };
    }
    // Two less than the binary logarithm; `u32::ilog2` is younger than Debian's compiler.
    let extra_bits = 29 - offset.leading_zeros();
    RunCode {
        symbol: 257 + (4 * extra_bits + (offset >> extra_bits)) as usize,
        extra: offset & ((1 << extra_bits) - 1),
        extra_bits,
    }
}

/// Symbols in which code lengths are written: lengths 0 to 15, and three kinds of repetition.
const LENGTH_SYMBOLS: usize = 19;
const REPEAT_ZERO_SHORT: u8 = 17;
const REPEAT_ZERO_LONG: u8 = 18;
/// The order in which the lengths of those symbols' own codes are written.
const LENGTH_ORDER: [usize; LENGTH_SYMBOLS] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

fn write_code_lengths(bits: &mut BitWriter, lengths: &[u8; SYMBOLS], distance_length: u8) {
    let used = SYMBOLS - lengths.iter().rev().take_while(|&&length| length == 0).count();
    let mut all = lengths[..used].to_vec();
    all.push(distance_length);
    let tokens = length_tokens(&all);

    let mut counts = [0; LENGTH_SYMBOLS];
    for token in &tokens {
        counts[usize::from(token.symbol)] += 1;
    }
    let codes = Codes::<LENGTH_SYMBOLS>::new(&counts, 7);
    let unused = LENGTH_ORDER.iter().rev().take_while(|&&symbol| codes.lengths[symbol] == 0);
    let written = (LENGTH_SYMBOLS - unused.count()).max(4);

    bits.push((used - 257) as u32, 5);
    bits.push(0, 5);
    bits.push((written - 4) as u32, 4);
    for &symbol in &LENGTH_ORDER[..written] {
        bits.push(codes.lengths[symbol].into(), 3);
    }
    for token in &tokens {
        bits.push_code(&codes, token.symbol.into());
        bits.push(token.extra, token.extra_bits);
    }
}

struct LengthToken {
    symbol: u8,
    extra: u32,
    extra_bits: u32,
}

/// Runs of unused symbols are told as their number; other lengths seldom repeat.
fn length_tokens(mut lengths: &[u8]) -> Vec<LengthToken> {
    let mut tokens = Vec::with_capacity(lengths.len());
    while let Some(&length) = lengths.first() {
        let zeros = lengths.iter().take(138).take_while(|&&length| length == 0).count();
        let (token, count) = match zeros {
            0..=2 => (LengthToken { symbol: length, extra: 0, extra_bits: 0 }, 1),
            3..=10 => {
                (LengthToken { symbol: REPEAT_ZERO_SHORT, extra: zeros as u32 - 3, extra_bits: 3 }, zeros)
            }
            _ => (LengthToken { symbol: REPEAT_ZERO_LONG, extra: zeros as u32 - 11, extra_bits: 7 }, zeros),
        };
        tokens.push(token);
        lengths = &lengths[count..];
    }
    tokens
}
