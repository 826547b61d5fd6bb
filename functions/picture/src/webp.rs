//! WebP: decodes the picture of a file, or the first one of an animation.
//!
//! The decoder of `image` 0.24 reads both kinds of bitstream correctly, if a lossy picture has segments. It
//! has faults with the rest: it trusts the file header on whether there is alpha, and panics if the bitstream
//! contradicts it; it refuses uncompressed alpha and unknown chunks; and it decodes every frame.
//! So the chunks are read here, and the decoder gets a file with a single bitstream.
//!
//! Everything after the picture may be missing or damaged.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{ImageDecoder, ImageResult};

use crate::decode::{check_size, damaged, image_rejection, truncated};
use crate::exif;
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "WebP";
const RIFF_BYTES: usize = 12;
const FRAME_HEADER_BYTES: usize = 16;
const ALPHA_IS_PACKED: u8 = 3;

pub fn is_webp(body: &[u8]) -> bool {
    body.len() >= RIFF_BYTES && body.starts_with(b"RIFF") && &body[8..RIFF_BYTES] == b"WEBP"
}

/// Decodes a body for which `is_webp` holds.
pub fn decode(body: &[u8]) -> Result<Raster, Rejection> {
    let end = 8_usize.saturating_add(number(&body[4..8]) as usize);
    let mut chunks = Chunks::new(&body[RIFF_BYTES..end.clamp(RIFF_BYTES, body.len())]);

    let mut alpha = None;
    let mut canvas = None;
    let mut raster = None;
    let mut exif = None;
    while let Some(chunk) = chunks.next() {
        let Chunk { kind, content, .. } = chunk;
        match (kind, content.len()) {
            (b"VP8X", 10..) => canvas = Some((number(&content[4..7]) + 1, number(&content[7..10]) + 1)),
            (b"ALPH", _) => alpha = alpha.or(Some(content)),
            (b"EXIF", _) => exif = exif.or(Some(content)),
            (b"VP8 " | b"VP8L", _) if raster.is_none() => {
                let picture =
                    Bitstream::new(kind, content, alpha).and_then(|bits| bits.decode(chunks.are_sound()));
                raster = Some(picture.map_err(|rejection| chunks.blamed(rejection))?);
            }
            (b"ANMF", FRAME_HEADER_BYTES..) if raster.is_none() => {
                let frame = first_frame(content, canvas, chunks.are_sound());
                raster = Some(frame.map_err(|rejection| chunks.blamed(rejection))?);
            }
            _ => {}
        }
    }
    if matches!((canvas, &raster), (Some(canvas), Some(raster)) if canvas != (raster.width, raster.height)) {
        return Err(damaged(FORMAT, "its header gives another size than its picture has"));
    }
    let nothing = || chunks.blamed(damaged(FORMAT, "it contains no picture"));
    let mut raster = raster.ok_or_else(nothing)?;
    raster.orientation = exif.map_or(raster.orientation, exif::orientation);
    Ok(raster)
}

/// Decodes an animation's first frame, and places it on the animation's canvas.
fn first_frame(frame: &[u8], canvas: Option<(u32, u32)>, is_sound: bool) -> Result<Raster, Rejection> {
    let (left, top) = (2 * number(&frame[..3]), 2 * number(&frame[3..6]));
    let mut alpha = None;
    let mut chunks = Chunks::new(&frame[FRAME_HEADER_BYTES..]);
    while let Some(Chunk { kind, content, .. }) = chunks.next() {
        match kind {
            b"ALPH" => alpha = Some(content),
            b"VP8 " | b"VP8L" => {
                let picture = Bitstream::new(kind, content, alpha)?.decode(is_sound && chunks.are_sound())?;
                let (width, height) = canvas.unwrap_or((picture.width, picture.height));
                check_size(width, height)?;
                if left + picture.width > width || top + picture.height > height {
                    return Err(damaged(FORMAT, "its first frame reaches beyond its canvas"));
                }
                return Ok(picture.on_canvas(width, height, left, top));
            }
            _ => {}
        }
    }
    Err(damaged(FORMAT, "its first frame contains no picture"))
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    /// The content, or its beginning if the body ends first.
    content: &'a [u8],
}

#[derive(Clone)]
struct Chunks<'a> {
    rest: &'a [u8],
    /// Whether the body ends before the last chunk does.
    is_cut: bool,
}

impl<'a> Chunks<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, is_cut: false }
    }

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (kind, length) = match (self.rest.get(..4), self.rest.get(4..8)) {
            (Some(kind), Some(length)) => (kind.try_into().ok()?, number(length) as usize),
            _ => {
                self.is_cut |= !self.rest.is_empty();
                return None;
            }
        };
        let end = 8_usize.saturating_add(length);
        self.is_cut = end > self.rest.len();
        let content = &self.rest[8..end.min(self.rest.len())];
        // A chunk of odd length is followed by a byte of padding, which some writers leave out at the end.
        self.rest = self.rest.get(end.saturating_add(end % 2)..).unwrap_or_default();
        Some(Chunk { kind, content })
    }

    /// Whether this chunk and all that follow end where they say, and have names: so the lengths are right.
    fn are_sound(&self) -> bool {
        let is_name = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        let mut rest = self.clone();
        while let Some(chunk) = rest.next() {
            if !chunk.kind.iter().all(is_name) {
                return false;
            }
        }
        !self.is_cut && !rest.is_cut
    }

    /// What is wrong with the last chunk, which is that it is cut where it is.
    fn blamed(&self, rejection: Rejection) -> Rejection {
        if self.is_cut {
            return truncated(FORMAT);
        }
        rejection
    }
}

/// The data of one picture, with the values of its header.
struct Bitstream<'a> {
    kind: &'a [u8; 4],
    content: Cow<'a, [u8]>,
    /// Of a lossy picture; a lossless one has it within.
    alpha: Option<&'a [u8]>,
    /// Such alpha that isn't packed, which the decoder refuses where its length is odd.
    plain_alpha: Option<&'a [u8]>,
    width: u32,
    height: u32,
    layout: Layout,
}

impl<'a> Bitstream<'a> {
    fn new(kind: &'a [u8; 4], content: &'a [u8], alpha: Option<&'a [u8]>) -> Result<Self, Rejection> {
        const SIDE_BITS: u32 = 14;
        const SIDE_MASK: u32 = (1 << SIDE_BITS) - 1;
        let (packed_alpha, plain_alpha) = match alpha {
            Some(&[flags, ..]) if flags & ALPHA_IS_PACKED == 0 => (None, alpha),
            alpha => (alpha, None),
        };
        let (width, height, layout, alpha, plain_alpha) = match (kind, content) {
            // A byte that marks it, then both sides less one, then whether there is alpha.
            (b"VP8L", [0x2f, a, b, c, d, ..]) => {
                let header = u32::from_le_bytes([*a, *b, *c, *d]);
                let has_alpha = header >> (2 * SIDE_BITS) & 1 == 1;
                let layout = if has_alpha { Layout::Rgba } else { Layout::Rgbx };
                ((header & SIDE_MASK) + 1, (header >> SIDE_BITS & SIDE_MASK) + 1, layout, None, None)
            }
            // A frame tag, three bytes that mark it, then each side under two bits of scaling.
            (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..]) => {
                let side = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high])) & SIDE_MASK;
                let layout = if packed_alpha.is_some() { Layout::Rgba } else { Layout::Rgb };
                (side(a, b), side(c, d), layout, packed_alpha, plain_alpha)
            }
            _ => return Err(damaged(FORMAT, "its picture begins with an invalid header")),
        };
        check_size(width, height)?;
        let segmented = if kind == b"VP8 " { segmented(content) } else { None };
        let content = segmented.map_or(Cow::Borrowed(content), Cow::Owned);
        Ok(Self { kind, content, alpha, plain_alpha, width, height, layout })
    }

    /// Decodes it; where it isn't sure that the content is whole, twice.
    fn decode(self, is_sound: bool) -> Result<Raster, Rejection> {
        let samples = self.samples(&[]).map_err(|error| image_rejection(FORMAT, error))?;
        // The decoder takes what is missing of a lossy picture for zeros. What it is taken for makes no
        // difference where all pixels are there.
        if !is_sound && self.kind == b"VP8 " {
            let others = self.samples(&[0xff; 16]).map_err(|error| image_rejection(FORMAT, error))?;
            if samples != others {
                return Err(truncated(FORMAT));
            }
        }
        let raster = Raster::new(self.width, self.height, self.layout, samples);
        match self.plain_alpha {
            Some(alpha) => with_alpha(&raster, alpha),
            None => Ok(raster),
        }
    }

    fn samples(&self, tail: &[u8]) -> ImageResult<Vec<u8>> {
        let decoder = WebPDecoder::new(Cursor::new(self.file(tail)))?;
        let mut samples = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut samples)?;
        Ok(samples)
    }

    /// A file with nothing else in it, and `tail` behind its data.
    fn file(&self, tail: &[u8]) -> Vec<u8> {
        const HAS_ALPHA: u32 = 0x10;
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        if let Some(alpha) = self.alpha {
            let mut header = HAS_ALPHA.to_le_bytes().to_vec();
            header.extend_from_slice(&(self.width - 1).to_le_bytes()[..3]);
            header.extend_from_slice(&(self.height - 1).to_le_bytes()[..3]);
            push_chunk(&mut file, b"VP8X", &[&header]);
            push_chunk(&mut file, b"ALPH", &[alpha]);
        }
        push_chunk(&mut file, self.kind, &[&self.content, tail]);
        let length = (file.len() - 8) as u32;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    }
}

/// A lossy picture of one segment, told to be of four equal ones.
///
/// Where there are no segments, the decoder takes the quantizer for 0, and gives a picture that is wrong.
/// Up to the probabilities, a header's bits stand in the data as they are (RFC 6386, 7 and 9.2: each is even
/// odds, and the range is 128 once the first is 0), so that others can be put in between.
fn segmented(content: &[u8]) -> Option<Vec<u8>> {
    const HEADER_BYTES: usize = 10;
    const SIZE_BIT: u32 = 5;
    const MOST: usize = (1 << 19) - 1;
    /// The first bit of the data is the colour space, which is 0; the third says that there are segments.
    const IS_ELSE: u8 = 0b1010_0000;
    /// There are segments: no map of them comes, but their data does, relative; four quantizers and four
    /// filters stay as they are.
    const SEGMENTS: u32 = 0b1_0_1_0_0000_0000;
    const SEGMENTS_BITS: u32 = 12;

    let tag = number(&content[..3]);
    let size = (tag >> SIZE_BIT) as usize;
    let (first, others) = content.get(HEADER_BYTES..HEADER_BYTES + size)?.split_first()?;
    let added = 2;
    if tag & 1 == 1 || first & IS_ELSE != 0 || size + added > MOST {
        return None;
    }

    let mut segmented = Vec::with_capacity(content.len() + added);
    let tag = tag & ((1 << SIZE_BIT) - 1) | ((size + added) as u32) << SIZE_BIT;
    segmented.extend_from_slice(&tag.to_le_bytes()[..3]);
    segmented.extend_from_slice(&content[3..HEADER_BYTES]);
    // Two bits as they are, those of the segments, and the five behind the one that they replace.
    let mut bits = (u32::from(first >> 6) << SEGMENTS_BITS | SEGMENTS) << 5 | u32::from(first & 0x1f);
    let mut count = 2 + SEGMENTS_BITS + 5;
    for &byte in others.iter().chain(&[0; 1]) {
        while count >= 8 {
            count -= 8;
            segmented.push((bits >> count) as u8);
        }
        bits = bits << 8 | u32::from(byte);
        count += 8;
    }
    segmented.push((bits >> (count - 8)) as u8);
    segmented.extend_from_slice(&content[HEADER_BYTES + size..]);
    debug_assert_eq!(segmented.len(), content.len() + added);
    Some(segmented)
}

/// An opaque picture with alpha that is filtered, but not packed.
fn with_alpha(raster: &Raster, alpha: &[u8]) -> Result<Raster, Rejection> {
    let (width, height) = (raster.width as usize, raster.height as usize);
    let filter = alpha[0] >> 2 & 3;
    let mut plane = alpha.get(1..=width * height).ok_or_else(|| truncated(FORMAT))?.to_vec();
    for at in 0..plane.len() {
        let (row, column) = (at / width, at % width);
        let left = || plane[at - 1];
        let above = || plane[at - width];
        let predicted = match (filter, row, column) {
            (0, ..) | (_, 0, 0) => 0,
            (_, 0, _) => left(),
            (_, _, 0) => above(),
            (1, ..) => left(),
            (2, ..) => above(),
            _ => {
                let gradient = i16::from(left()) + i16::from(above()) - i16::from(plane[at - width - 1]);
                gradient.clamp(0, 255) as u8
            }
        };
        plane[at] = plane[at].wrapping_add(predicted);
    }
    let pixels = raster.samples.chunks_exact(3).zip(plane);
    let samples = pixels.flat_map(|(rgb, alpha)| [rgb[0], rgb[1], rgb[2], alpha]).collect();
    Ok(Raster::new(raster.width, raster.height, Layout::Rgba, samples))
}

fn push_chunk(file: &mut Vec<u8>, kind: &[u8; 4], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    file.extend_from_slice(kind);
    file.extend_from_slice(&(length as u32).to_le_bytes());
    for part in parts {
        file.extend_from_slice(part);
    }
    if length % 2 == 1 {
        file.push(0);
    }
}

/// Returns a little-endian number of up to four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
