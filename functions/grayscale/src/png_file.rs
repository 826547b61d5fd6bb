//! A grey picture as a PNG file.

use crate::deflate::zlib;
use crate::picture::{Channels, Picture};

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// The whole file, built in one piece so that it can be written in one call.
pub fn encode(picture: &Picture) -> Vec<u8> {
    let pixels = zlib(&filtered(picture));
    let mut file = Vec::with_capacity(pixels.len() + 64);
    file.extend_from_slice(SIGNATURE);
    push_chunk(&mut file, b"IHDR", &header(picture));
    push_chunk(&mut file, b"IDAT", &pixels);
    push_chunk(&mut file, b"IEND", &[]);
    file
}

fn header(picture: &Picture) -> [u8; 13] {
    const BIT_DEPTH: u8 = 8;
    let colour_type = match picture.channels {
        Channels::Grey => 0,
        Channels::GreyAlpha => 4,
    };
    let mut header = [0; 13];
    header[..4].copy_from_slice(&picture.width.to_be_bytes());
    header[4..8].copy_from_slice(&picture.height.to_be_bytes());
    // What follows, 0, is what the standard has but one of: compression, filters, no interlace.
    header[8..10].copy_from_slice(&[BIT_DEPTH, colour_type]);
    header
}

fn push_chunk(file: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    file.extend_from_slice(&(content.len() as u32).to_be_bytes());
    let checked_from = file.len();
    file.extend_from_slice(kind);
    file.extend_from_slice(content);
    let checksum = crc32fast::hash(&file[checked_from..]);
    file.extend_from_slice(&checksum.to_be_bytes());
}

/// Filter types of the PNG standard, in its numbering.
const NONE: u8 = 0;
const SUB: u8 = 1;
const UP: u8 = 2;
const AVERAGE: u8 = 3;
const PAETH: u8 = 4;

/// Each row behind its filter type: the filter that leaves the least to be coded.
fn filtered(picture: &Picture) -> Vec<u8> {
    let step = picture.channels.count();
    let row_bytes = picture.width as usize * step;
    let mut rows = Vec::with_capacity((row_bytes + 1) * picture.height as usize);
    let mut candidate = vec![0; row_bytes];
    let mut best = vec![0; row_bytes];
    // Rows stand behind one black pixel, which is what the standard puts left of and above a picture.
    let mut above = vec![0; step + row_bytes];
    let mut row = above.clone();

    for samples in picture.samples.chunks_exact(row_bytes) {
        row[step..].copy_from_slice(samples);
        let mut best_kind = NONE;
        best.copy_from_slice(samples);
        let mut least = weight(&best);
        for kind in [SUB, UP, AVERAGE, PAETH] {
            filter(kind, &row, &above, step, &mut candidate);
            let weight = weight(&candidate);
            if weight < least {
                least = weight;
                best_kind = kind;
                std::mem::swap(&mut best, &mut candidate);
            }
        }
        rows.push(best_kind);
        rows.extend_from_slice(&best);
        std::mem::swap(&mut row, &mut above);
    }
    rows
}

/// The usual guess at how large a filtered row will be: the sum of its distances from 0.
fn weight(row: &[u8]) -> u64 {
    row.iter().map(|&byte| u64::from((byte as i8).unsigned_abs())).sum()
}

/// Takes from each byte what the filter predicts from those left of it and above it.
fn filter(kind: u8, row: &[u8], above: &[u8], step: usize, out: &mut [u8]) {
    let count = out.len();
    let (here, left) = (&row[step..][..count], &row[..count]);
    let (up, up_left) = (&above[step..][..count], &above[..count]);
    match kind {
        SUB => (0..count).for_each(|i| out[i] = here[i].wrapping_sub(left[i])),
        UP => (0..count).for_each(|i| out[i] = here[i].wrapping_sub(up[i])),
        AVERAGE => (0..count).for_each(|i| {
            let average = (u16::from(left[i]) + u16::from(up[i])) / 2;
            out[i] = here[i].wrapping_sub(average as u8);
        }),
        _ => (0..count).for_each(|i| out[i] = here[i].wrapping_sub(paeth(left[i], up[i], up_left[i]))),
    }
}

/// Of the three neighbours the one nearest to where a plane through them would continue.
fn paeth(left: u8, up: u8, up_left: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(up_left));
    let (from_left, from_up, from_up_left) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if from_left <= from_up && from_left <= from_up_left {
        left
    } else if from_up <= from_up_left {
        up
    } else {
        up_left
    }
}
