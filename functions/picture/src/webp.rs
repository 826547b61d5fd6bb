//! The one picture of a WebP file, or the first of an animation.
//!
//! The decoder of `image` 0.24 has the two bitstreams right. What is around them it has not:
//! it takes the file header's word for whether there is alpha, which panics where the bitstream
//! says otherwise, it refuses chunks that it doesn't know, and it decodes every frame.
//! So the file is walked here, and the decoder gets a file that holds one bitstream only.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{ImageDecoder, ImageResult};

use crate::decode::{check_size, damaged, image_rejection, truncated};
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
    let chunks = body.get(RIFF_BYTES..end).ok_or_else(|| truncated(FORMAT))?;

    let mut alpha = None;
    let mut canvas = None;
    for chunk in Chunks(chunks) {
        let Chunk { kind, content } = chunk?;
        match (kind, content.len()) {
            (b"VP8X", 10..) => canvas = Some((number(&content[4..7]) + 1, number(&content[7..10]) + 1)),
            (b"ALPH", _) => alpha = Some(content),
            (b"VP8 " | b"VP8L", _) => return Bitstream::new(kind, content, alpha)?.decode(),
            (b"ANMF", FRAME_HEADER_BYTES..) => return first_frame(content, canvas),
            _ => {}
        }
    }
    Err(damaged(FORMAT, "there is no picture in it"))
}

/// An animation's first frame, where it belongs on the animation's canvas.
fn first_frame(frame: &[u8], canvas: Option<(u32, u32)>) -> Result<Raster, Rejection> {
    let (left, top) = (2 * number(&frame[..3]), 2 * number(&frame[3..6]));
    let mut alpha = None;
    for chunk in Chunks(&frame[FRAME_HEADER_BYTES..]) {
        let Chunk { kind, content } = chunk?;
        match kind {
            b"ALPH" => alpha = Some(content),
            b"VP8 " | b"VP8L" => {
                let picture = Bitstream::new(kind, content, alpha)?.decode()?;
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
    content: &'a [u8],
}

struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, Rejection>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.take().ok_or_else(|| truncated(FORMAT)))
    }
}

impl<'a> Chunks<'a> {
    fn take(&mut self) -> Option<Chunk<'a>> {
        let kind = self.0.get(..4)?.try_into().ok()?;
        let end = 8_usize.checked_add(number(self.0.get(4..8)?) as usize)?;
        let content = self.0.get(8..end)?;
        // A chunk of odd length is followed by a byte of padding, which some writers leave out at the end.
        self.0 = self.0.get(end + end % 2..).unwrap_or_default();
        Some(Chunk { kind, content })
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

    fn decode(self) -> Result<Raster, Rejection> {
        let samples = self.samples().map_err(|error| image_rejection(FORMAT, error))?;
        Ok(Raster::new(self.width, self.height, self.layout, samples))
    }

    fn samples(&self) -> ImageResult<Vec<u8>> {
        let decoder = WebPDecoder::new(Cursor::new(self.file()))?;
        let mut samples = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut samples)?;
        Ok(samples)
    }

    /// A file with nothing else in it.
    fn file(&self) -> Vec<u8> {
        const HAS_ALPHA: u32 = 0x10;
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        if let Some(alpha) = self.alpha {
            let mut header = HAS_ALPHA.to_le_bytes().to_vec();
            header.extend_from_slice(&(self.width - 1).to_le_bytes()[..3]);
            header.extend_from_slice(&(self.height - 1).to_le_bytes()[..3]);
            push_chunk(&mut file, b"VP8X", &header);
            push_chunk(&mut file, b"ALPH", alpha);
        }
        push_chunk(&mut file, self.kind, self.content);
        let length = (file.len() - 8) as u32;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    }
}

fn push_chunk(file: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    file.extend_from_slice(kind);
    file.extend_from_slice(&(content.len() as u32).to_le_bytes());
    file.extend_from_slice(content);
    if content.len() % 2 == 1 {
        file.push(0);
    }
}

/// A number of up to four bytes, the lowest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
