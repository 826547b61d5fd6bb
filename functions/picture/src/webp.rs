//! The one picture of a WebP file, or the first of an animation.
//!
//! The decoder of `image` 0.24 has the two bitstreams right. What is around them it has not:
//! it takes the file header's word for whether there is alpha, which panics where the bitstream
//! says otherwise, it refuses chunks that it doesn't know, and it decodes every frame.
//! So the file is walked here, and the decoder gets a file that holds one bitstream only.
//! What comes after the picture may be missing or damaged.

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
        return Err(damaged(FORMAT, "its picture is not of the size that it says"));
    }
    let nothing = || chunks.blamed(damaged(FORMAT, "there is no picture in it"));
    let mut raster = raster.ok_or_else(nothing)?;
    raster.orientation = exif.map_or(raster.orientation, exif::orientation);
    Ok(raster)
}

/// An animation's first frame, where it belongs on the animation's canvas.
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
                    return Err(damaged(FORMAT, "its first frame lies outside of the picture"));
                }
                return Ok(picture.on_canvas(width, height, left, top));
            }
            _ => {}
        }
    }
    Err(damaged(FORMAT, "there is no picture in its first frame"))
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    /// As much as is there.
    content: &'a [u8],
}

#[derive(Clone)]
struct Chunks<'a> {
    rest: &'a [u8],
    /// Whether the last chunk goes on behind the end.
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

/// One picture's data, and what its own header says of it.
struct Bitstream<'a> {
    kind: &'a [u8; 4],
    content: &'a [u8],
    /// Of a lossy picture; a lossless one has it within.
    alpha: Option<&'a [u8]>,
    width: u32,
    height: u32,
    layout: Layout,
}

impl<'a> Bitstream<'a> {
    fn new(kind: &'a [u8; 4], content: &'a [u8], alpha: Option<&'a [u8]>) -> Result<Self, Rejection> {
        const SIDE_BITS: u32 = 14;
        const SIDE_MASK: u32 = (1 << SIDE_BITS) - 1;
        let (width, height, layout, alpha) = match (kind, content) {
            // A byte that marks it, then both sides less one, then whether there is alpha.
            (b"VP8L", [0x2f, a, b, c, d, ..]) => {
                let header = u32::from_le_bytes([*a, *b, *c, *d]);
                let has_alpha = header >> (2 * SIDE_BITS) & 1 == 1;
                let layout = if has_alpha { Layout::Rgba } else { Layout::Rgbx };
                ((header & SIDE_MASK) + 1, (header >> SIDE_BITS & SIDE_MASK) + 1, layout, None)
            }
            // A frame tag, three bytes that mark it, then each side under two bits of scaling.
            (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..]) => {
                let side = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high])) & SIDE_MASK;
                let layout = if alpha.is_some() { Layout::Rgba } else { Layout::Rgb };
                (side(a, b), side(c, d), layout, alpha)
            }
            _ => return Err(damaged(FORMAT, "its picture doesn't begin as one")),
        };
        check_size(width, height)?;
        Ok(Self { kind, content, alpha, width, height, layout })
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
        Ok(Raster::new(self.width, self.height, self.layout, samples))
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
        push_chunk(&mut file, self.kind, &[self.content, tail]);
        let length = (file.len() - 8) as u32;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    }
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

/// A number of up to four bytes, the lowest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
