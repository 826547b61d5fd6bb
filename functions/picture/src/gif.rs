//! GIF: reads its blocks, and decodes its first frame on the canvas.
//!
//! As in browsers, data that no pixel depends on is ignored, and the end may be missing: the trailer, and
//! the end of the last frame's data. Unknown data after the last frame is ignored too.

use std::ops::{Range, RangeInclusive};

use weezl::decode::Decoder;
use weezl::BitOrder;

use crate::decode::{check_size, damaged, truncated};
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "GIF";

const HEADER_BYTES: usize = 6;
const SCREEN_BYTES: usize = 7;
const FRAME_BYTES: usize = 9;
/// Initial code sizes that browsers accept.
const CODE_BITS: RangeInclusive<u8> = 1..=11;
/// Codes have at most 12 bits.
const CODES: usize = 1 << 12;

const EXTENSION: u8 = 0x21;
const GRAPHIC_CONTROL: u8 = 0xf9;
const FRAME: u8 = 0x2c;
pub const TRAILER: u8 = 0x3b;
const PADDING: u8 = 0;

const TRANSPARENT: [u8; 4] = [0; 4];
/// Colour of an index that the table does not have.
const BLACK: [u8; 4] = [0, 0, 0, u8::MAX];

pub fn is_gif(body: &[u8]) -> bool {
    body.starts_with(b"GIF87a") || body.starts_with(b"GIF89a")
}

/// A frame, with the positions of its parts in the body.
pub struct Frame {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    is_interlaced: bool,
    transparent: Option<u8>,
    /// The frame's own colour table.
    pub table: Option<Range<usize>>,
    code_bits: u8,
    /// The contents of the blocks of its data.
    blocks: Vec<Range<usize>>,
    /// Whether the body ends before the frame's data does.
    is_cut: bool,
}

/// The blocks of a body for which `is_gif` holds.
pub struct Blocks<'a> {
    body: &'a [u8],
    /// The position after everything that has been read completely.
    at: usize,
    width: u32,
    height: u32,
    /// The colour table for frames without their own.
    pub table: Option<Range<usize>>,
    frames: usize,
}

impl<'a> Blocks<'a> {
    pub fn new(body: &'a [u8]) -> Result<Self, Rejection> {
        let mut blocks = Self { body, at: HEADER_BYTES, width: 0, height: 0, table: None, frames: 0 };
        let screen = blocks.take(SCREEN_BYTES)?;
        blocks.width = short(screen, 0);
        blocks.height = short(screen, 2);
        blocks.table = blocks.colour_table(screen[4])?;
        Ok(blocks)
    }

    /// Returns the next frame, or `None` after the last one.
    ///
    /// A truncated frame is rejected, unless all of its pixels are there.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Rejection> {
        let mut transparent = None;
        loop {
            let kind = match self.body.get(self.at) {
                None if self.frames == 0 => return Err(truncated(FORMAT)),
                None | Some(&TRAILER) => break,
                Some(&kind) => kind,
            };
            let start = self.at;
            self.at += 1;
            match kind {
                EXTENSION => {
                    let is_control = self.body.get(self.at) == Some(&GRAPHIC_CONTROL);
                    self.at += 1;
                    let (blocks, is_cut) = self.sub_blocks();
                    if is_cut && (is_control || self.frames == 0) {
                        return Err(truncated(FORMAT));
                    }
                    if is_cut {
                        self.at = start;
                        break;
                    }
                    if let (true, Some(block)) = (is_control, blocks.first()) {
                        transparent = match self.body[block.clone()] {
                            [flags, _, _, index, ..] if flags & 1 == 1 => Some(index),
                            _ => None,
                        };
                    }
                }
                FRAME => return self.frame(transparent).map(Some),
                // Some encoders write the end of a block twice.
                PADDING => {}
                _ if self.frames == 0 => {
                    return Err(damaged(FORMAT, "it has an unknown block where a frame should begin"))
                }
                _ => {
                    self.at = start;
                    break;
                }
            }
        }
        if self.frames == 0 {
            return Err(Rejection::new("the GIF has no frame"));
        }
        Ok(None)
    }

    fn frame(&mut self, transparent: Option<u8>) -> Result<Frame, Rejection> {
        let descriptor = self.take(FRAME_BYTES)?;
        let table = self.colour_table(descriptor[8])?;
        let code_bits = self.take(1)?[0];
        let (blocks, is_cut) = self.sub_blocks();
        let frame = Frame {
            left: short(descriptor, 0),
            top: short(descriptor, 2),
            width: short(descriptor, 4),
            height: short(descriptor, 6),
            is_interlaced: descriptor[8] & 0x40 != 0,
            transparent,
            table,
            code_bits,
            blocks,
            is_cut,
        };
        frame.check(self.body)?;
        self.frames += 1;
        Ok(frame)
    }

    /// Returns the body up to the last block that was read, and a trailer. `body` may have other colours.
    pub fn finished(&self, mut body: Vec<u8>, last: &Frame) -> Vec<u8> {
        if body.get(self.at) == Some(&TRAILER) {
            return body;
        }
        body.truncate(self.at);
        if last.is_cut {
            if let Some(block) = last.blocks.last() {
                body[block.start - 1] = block.len() as u8;
                body.truncate(block.end);
            }
            body.push(0);
        }
        body.push(TRAILER);
        body
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Rejection> {
        let taken = self.body.get(self.at..self.at + count).ok_or_else(|| truncated(FORMAT))?;
        self.at += count;
        Ok(taken)
    }

    /// The screen and a frame have the same bits for the presence and the size of a colour table.
    fn colour_table(&mut self, flags: u8) -> Result<Option<Range<usize>>, Rejection> {
        if flags & 0x80 == 0 {
            return Ok(None);
        }
        let start = self.at;
        self.take(3 * (2 << (flags & 7)))?;
        Ok(Some(start..self.at))
    }

    /// Returns the contents of the sub-blocks, and whether the body ends before they do.
    fn sub_blocks(&mut self) -> (Vec<Range<usize>>, bool) {
        let mut blocks = Vec::new();
        loop {
            let length = match self.body.get(self.at) {
                None => {
                    self.at = self.body.len();
                    return (blocks, true);
                }
                Some(&length) => usize::from(length),
            };
            let start = self.at + 1;
            let end = (start + length).min(self.body.len());
            self.at = end;
            if length == 0 {
                return (blocks, false);
            }
            if end > start {
                blocks.push(start..end);
            }
            if end < start + length {
                return (blocks, true);
            }
        }
    }
}

impl Frame {
    /// Rejects a frame with missing pixels.
    ///
    /// It only adds up how many pixels each code stands for, in a fifth of the time that decompression takes.
    fn check(&self, body: &[u8]) -> Result<(), Rejection> {
        if !CODE_BITS.contains(&self.code_bits) {
            return Err(damaged(FORMAT, format!("its initial code size is {} bits", self.code_bits)));
        }
        let wanted = self.width as usize * self.height as usize;
        let clear = 1_usize << self.code_bits;
        let end = clear + 1;
        let mut lengths = [1; CODES];
        let (mut next, mut bits, mut before) = (end + 1, u32::from(self.code_bits) + 1, None);
        let (mut buffer, mut buffered, mut count) = (0_u32, 0, 0);
        'data: for &byte in self.blocks.iter().flat_map(|block| &body[block.clone()]) {
            buffer |= u32::from(byte) << buffered;
            buffered += 8;
            while buffered >= bits {
                let code = buffer as usize & ((1 << bits) - 1);
                buffer >>= bits;
                buffered -= bits;
                if code == clear {
                    (next, bits, before) = (end + 1, u32::from(self.code_bits) + 1, None);
                    continue;
                }
                if count >= wanted || code == end {
                    break 'data;
                }
                let length = match before {
                    // The first code stands for one pixel, a new one for one more than the code before it.
                    None if code < clear => 1,
                    Some(before) if code == next && next < CODES => lengths[before] + 1,
                    Some(_) if code < next => lengths[code],
                    _ => return Err(damaged(FORMAT, "its pixels can't be decompressed")),
                };
                count += usize::from(length);
                if let (Some(before), true) = (before, next < CODES) {
                    lengths[next] = lengths[before] + 1_u16;
                    next += 1;
                    if next == 1 << bits && next < CODES {
                        bits += 1;
                    }
                }
                before = Some(code);
            }
        }
        if count < wanted {
            return Err(truncated(FORMAT));
        }
        Ok(())
    }

    /// Returns the frame's pixels, from the top.
    fn raster(&self, body: &[u8], table: Option<Range<usize>>) -> Result<Raster, Rejection> {
        let (width, height) = (self.width as usize, self.height as usize);
        let data: Vec<u8> = self.blocks.iter().flat_map(|block| &body[block.clone()]).copied().collect();
        let mut indices = vec![0; width * height];
        let mut decoder = Decoder::new(BitOrder::Lsb, self.code_bits);
        let (mut read, mut filled) = (0, 0);
        while filled < indices.len() {
            let step = decoder.decode_bytes(&data[read..], &mut indices[filled..]);
            read += step.consumed_in;
            filled += step.consumed_out;
            if step.consumed_in == 0 && step.consumed_out == 0 {
                return Err(damaged(FORMAT, "its pixels can't be decompressed"));
            }
        }

        let table = self.table.clone().or(table).map(|table| &body[table]);
        let table = table.ok_or_else(|| damaged(FORMAT, "it has no colour table"))?;
        let mut colours = [BLACK; 256];
        for (colour, entry) in colours.iter_mut().zip(table.chunks_exact(3)) {
            colour[..3].copy_from_slice(entry);
        }
        if let Some(index) = self.transparent {
            colours[usize::from(index)] = TRANSPARENT;
        }
        let mut samples = vec![0; width * height * 4];
        for (from, to) in self.rows().zip(0..height) {
            // If the frame is interlaced, its rows come in four passes.
            let row = &mut samples[from * width * 4..][..width * 4];
            let indices = &indices[to * width..][..width];
            for (pixel, &index) in row.chunks_exact_mut(4).zip(indices) {
                pixel.copy_from_slice(&colours[usize::from(index)]);
            }
        }
        Ok(Raster::new(self.width, self.height, Layout::Rgba, samples))
    }

    /// Returns the rows in their order in the data.
    fn rows(&self) -> Box<dyn Iterator<Item = usize>> {
        let height = self.height as usize;
        if !self.is_interlaced {
            return Box::new(0..height);
        }
        let passes = [(0, 8), (4, 8), (2, 4), (1, 2)];
        Box::new(passes.into_iter().flat_map(move |(first, step)| (first..height).step_by(step)))
    }
}

/// Decodes a body for which `is_gif` holds.
pub fn decode(body: &[u8]) -> Result<Raster, Rejection> {
    let mut blocks = Blocks::new(body)?;
    let frame = blocks.next_frame()?.ok_or_else(|| Rejection::new("the GIF has no frame"))?;
    check_size(frame.width, frame.height)?;

    // As in browsers, the canvas grows if it has no size, or if its frame reaches beyond it.
    let (left, top) = (frame.left, frame.top);
    let (width, height) =
        (u32::max(blocks.width, left + frame.width), u32::max(blocks.height, top + frame.height));
    check_size(width, height)?;
    Ok(frame.raster(body, blocks.table)?.on_canvas(width, height, left, top))
}

fn short(bytes: &[u8], at: usize) -> u32 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]]).into()
}
