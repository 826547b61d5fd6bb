//! BMP: the bitmaps of Windows and of OS/2, in every form that browsers show.
//!
//! Fields that no pixel depends on are ignored: the number of planes, the sizes of file and pixels, the
//! resolution. `image` 0.24 refuses OS/2's second header, and misreads a run that leaves its row.

use crate::decode::{check_size, damaged, truncated, undecodable};
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "BMP";

const FILE_HEADER_BYTES: usize = 14;
const CORE_HEADER_BYTES: usize = 12;
const INFO_HEADER_BYTES: usize = 40;
/// The shortest header that has a mask for alpha.
const ALPHA_HEADER_BYTES: usize = 56;
/// Position of the masks, in the header or after it.
const MASKS_AT: usize = FILE_HEADER_BYTES + INFO_HEADER_BYTES;

type Rgb = [u8; 3];
const BLACK: Rgb = [0; 3];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    /// Pixels of 4, 8 or 24 bits, in runs.
    Runs,
    Masks,
}

struct Bitmap<'a> {
    width: u32,
    height: u32,
    is_top_down: bool,
    bits: usize,
    compression: Compression,
    palette: Vec<Rgb>,
    /// Masks of red, green, blue and alpha, for pixels of 16 and 32 bits.
    masks: [Mask; 4],
    pixels: &'a [u8],
}

/// Decodes a body that begins with `BM`.
pub fn decode(body: &[u8]) -> Result<Raster, Rejection> {
    let bitmap = Bitmap::new(body)?;
    check_size(bitmap.width, bitmap.height)?;
    match (bitmap.compression, bitmap.bits) {
        (Compression::Runs, _) => bitmap.runs(),
        (_, 1 | 2 | 4 | 8) => bitmap.rows(Layout::Rgb, |row, to| {
            let per_byte = 8 / bitmap.bits;
            let mask = 0xff >> (8 - bitmap.bits);
            for (pixel, to) in to.chunks_exact_mut(3).enumerate() {
                let shift = 8 - bitmap.bits * (pixel % per_byte + 1);
                let index = row[pixel / per_byte] >> shift & mask;
                to.copy_from_slice(&bitmap.colour(index));
            }
        }),
        (_, 24) => bitmap.rows(Layout::Rgb, |row, to| {
            for (from, to) in row.chunks_exact(3).zip(to.chunks_exact_mut(3)) {
                to.copy_from_slice(&[from[2], from[1], from[0]]);
            }
        }),
        _ => bitmap.masked(),
    }
}

impl<'a> Bitmap<'a> {
    fn new(body: &'a [u8]) -> Result<Self, Rejection> {
        let short = |at| bytes(body, at).map(u16::from_le_bytes).ok_or_else(|| truncated(FORMAT));
        let long = |at| bytes(body, at).map(u32::from_le_bytes).ok_or_else(|| truncated(FORMAT));

        let header = long(FILE_HEADER_BYTES)? as usize;
        // A field that a short header lacks is 0.
        let field = |at| if at + 4 <= FILE_HEADER_BYTES + header { long(at) } else { Ok(0) };
        let info = || Ok((long(18)? as i32, long(22)? as i32, short(28)?));
        let (width, height, bits) = match header {
            CORE_HEADER_BYTES => (short(18)?.into(), short(20)?.into(), short(24)?),
            42 | 46 | 108 | 124 => info()?,
            16..=64 if header % 4 == 0 => info()?,
            _ => {
                return Err(damaged(
                    FORMAT,
                    format!("its header has {header} bytes, as no version of BMP has"),
                ))
            }
        };
        if width < 0 || height == i32::MIN {
            return Err(damaged(FORMAT, "its size is negative"));
        }
        let (kind, colours) = match header {
            CORE_HEADER_BYTES => (0, 0),
            _ => (field(30)?, field(46)? as usize),
        };
        let is_os2 = header < INFO_HEADER_BYTES || (header < 108 && !matches!(header, 40 | 52 | 56));
        let compression = match (kind, bits) {
            (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) => Compression::None,
            (1, 8) | (2, 4) => Compression::Runs,
            (4, 24) if is_os2 => Compression::Runs,
            (3 | 6, 16 | 32) if !is_os2 => Compression::Masks,
            (0..=6, _) => {
                let reason = format!("pixels of {bits} bits in compression {kind}");
                return Err(undecodable(FORMAT, reason));
            }
            _ => return Err(undecodable(FORMAT, format!("compression {kind}"))),
        };
        if compression == Compression::Runs && height < 0 {
            return Err(damaged(
                FORMAT,
                "its rows are run-length encoded and start at the top, which can't be combined",
            ));
        }

        // A header that has no room for masks is followed by them.
        let masks_behind = match (header, kind) {
            (INFO_HEADER_BYTES, 3) => 12,
            (INFO_HEADER_BYTES, 6) => 16,
            _ => 0,
        };
        let palette_at = FILE_HEADER_BYTES + header + masks_behind;
        let pixels_at = long(10)? as usize;
        if pixels_at < FILE_HEADER_BYTES + header {
            return Err(damaged(FORMAT, "its pixels overlap its header"));
        }
        let most = if bits <= 8 { 1 << bits } else { 0 };
        let colours = if colours == 0 || colours > most { most } else { colours };
        let room = pixels_at.saturating_sub(palette_at);
        // Some files with OS/2's second header have the palette of its first.
        let colour_bytes = if header == CORE_HEADER_BYTES || (is_os2 && room == 3 * colours) { 3 } else { 4 };
        let palette_bytes = body.get(palette_at..).unwrap_or_default();
        let palette: Vec<Rgb> = palette_bytes
            .chunks_exact(colour_bytes)
            .take(colours)
            .map(|colour| [colour[2], colour[1], colour[0]])
            .collect();

        let masks = match (compression, bits) {
            (Compression::Masks, _) => {
                let has_alpha = header >= ALPHA_HEADER_BYTES || kind == 6;
                let alpha = if has_alpha { long(MASKS_AT + 12)? } else { 0 };
                [long(MASKS_AT)?, long(MASKS_AT + 4)?, long(MASKS_AT + 8)?, alpha]
            }
            (_, 16) => [0x7c00, 0x03e0, 0x001f, 0],
            _ => [0xff_0000, 0xff00, 0xff, 0],
        };
        let [red, green, blue, alpha] = masks.map(Mask::new);
        Ok(Self {
            width: width as u32,
            height: height.unsigned_abs(),
            is_top_down: height < 0,
            bits: bits.into(),
            compression,
            palette,
            masks: [red?, green?, blue?, alpha?],
            pixels: body.get(pixels_at..).ok_or_else(|| truncated(FORMAT))?,
        })
    }

    fn colour(&self, index: u8) -> Rgb {
        self.palette.get(usize::from(index)).copied().unwrap_or(BLACK)
    }

    /// Converts row by row. The padding of the last one may be missing.
    fn rows(&self, layout: Layout, convert: impl Fn(&[u8], &mut [u8])) -> Result<Raster, Rejection> {
        let (width, height) = (self.width as usize, self.height as usize);
        let row_bytes = (width * self.bits + 7) / 8;
        let stride = (row_bytes + 3) / 4 * 4;
        if self.pixels.len() < stride * (height - 1) + row_bytes {
            return Err(truncated(FORMAT));
        }
        let to_bytes = width * layout.count();
        let mut samples = vec![0; height * to_bytes];
        for (row, from) in self.pixels.chunks(stride).take(height).enumerate() {
            let row = if self.is_top_down { row } else { height - 1 - row };
            convert(&from[..row_bytes], &mut samples[row * to_bytes..][..to_bytes]);
        }
        Ok(Raster::new(self.width, self.height, layout, samples))
    }

    fn masked(&self) -> Result<Raster, Rejection> {
        let [red, green, blue, alpha] = self.masks;
        let pixels = |row: &[u8], to: &mut [u8], convert: &dyn Fn(u32, &mut [u8])| {
            let (from_bytes, to_bytes) = (self.bits / 8, to.len() / self.width as usize);
            for (from, to) in row.chunks_exact(from_bytes).zip(to.chunks_exact_mut(to_bytes)) {
                let low = u32::from(u16::from_le_bytes([from[0], from[1]]));
                let high = if from_bytes == 4 { u16::from_le_bytes([from[2], from[3]]) } else { 0 };
                convert(u32::from(high) << 16 | low, to);
            }
        };
        let rgb = |pixel| [red.of(pixel), green.of(pixel), blue.of(pixel)];
        if alpha.max > 0 {
            return self.rows(Layout::Rgba, |row, to| {
                pixels(row, to, &|pixel, to| {
                    let [r, g, b] = rgb(pixel);
                    to.copy_from_slice(&[r, g, b, alpha.of(pixel)]);
                })
            });
        }
        self.rows(Layout::Rgb, |row, to| pixels(row, to, &|pixel, to| to.copy_from_slice(&rgb(pixel))))
    }

    /// Decodes runs. As in browsers, pixels without a run are black, and a run ends at the end of its row.
    fn runs(&self) -> Result<Raster, Rejection> {
        const END_OF_ROW: u8 = 0;
        const END_OF_BITMAP: u8 = 1;
        const MOVE: u8 = 2;

        let (width, height) = (self.width as usize, self.height as usize);
        let mut samples = vec![0; width * height * 3];
        let (mut column, mut row) = (0, 0);
        let mut codes = self.pixels;
        let mut take = |count: usize| {
            if codes.len() < count {
                return None;
            }
            let (taken, rest) = codes.split_at(count);
            codes = rest;
            Some(taken)
        };
        let is_whole = loop {
            // All pixels are there, even if the marker for the end of the bitmap is missing.
            if row >= height || (row == height - 1 && column >= width) {
                break true;
            }
            let count = match take(1) {
                Some(count) => count[0],
                None => break false,
            };
            // One unit of a run repeats; what is absolute has all its units.
            let (count, units) = if count > 0 {
                let bytes = if self.bits == 24 { 3 } else { 1 };
                (usize::from(count), take(bytes))
            } else {
                match take(1).map(|code| code[0]) {
                    None => break false,
                    Some(END_OF_ROW) => {
                        column = 0;
                        row += 1;
                        continue;
                    }
                    Some(END_OF_BITMAP) => break true,
                    Some(MOVE) => match take(2) {
                        Some(by) => {
                            column += usize::from(by[0]);
                            row += usize::from(by[1]);
                            continue;
                        }
                        None => break false,
                    },
                    Some(count) => {
                        let bytes = (usize::from(count) * self.bits + 7) / 8;
                        let units = take(bytes);
                        // Padded to an even length, except at the end of the file.
                        if bytes % 2 == 1 {
                            let _ = take(1);
                        }
                        (count.into(), units)
                    }
                }
            };
            let units = match units {
                Some(units) => units,
                None => break false,
            };
            let start = (height - 1 - row) * width;
            let end = (column + count).min(width);
            for (pixel, place) in (column..end).enumerate() {
                let colour = match self.bits {
                    4 => {
                        let byte = units[pixel / 2 % units.len()];
                        self.colour(if pixel % 2 == 0 { byte >> 4 } else { byte & 15 })
                    }
                    8 => self.colour(units[pixel % units.len()]),
                    _ => {
                        let unit = &units[3 * pixel % units.len()..];
                        [unit[2], unit[1], unit[0]]
                    }
                };
                samples[(start + place) * 3..][..3].copy_from_slice(&colour);
            }
            column = column.max(end);
        };
        if !is_whole {
            return Err(truncated(FORMAT));
        }
        Ok(Raster::new(self.width, self.height, Layout::Rgb, samples))
    }
}

/// The bits of a pixel that hold one of its samples.
#[derive(Clone, Copy)]
struct Mask {
    shift: u32,
    /// The largest value of the sample; 0 if there is no such sample.
    max: u32,
}

impl Mask {
    fn new(mask: u32) -> Result<Self, Rejection> {
        if mask == 0 {
            return Ok(Self { shift: 0, max: 0 });
        }
        let shift = mask.trailing_zeros();
        let max = mask >> shift;
        if max & max.wrapping_add(1) != 0 {
            return Err(damaged(FORMAT, "the mask of one of its colours has a gap"));
        }
        Ok(Self { shift, max })
    }

    /// Returns the sample, scaled to eight bits and rounded.
    fn of(self, pixel: u32) -> u8 {
        match self.max {
            0 => 0,
            0xff => (pixel >> self.shift) as u8,
            max => {
                let (sample, max) = (u64::from(pixel >> self.shift & max), u64::from(max));
                ((sample * 255 + max / 2) / max) as u8
            }
        }
    }
}

fn bytes<const COUNT: usize>(body: &[u8], at: usize) -> Option<[u8; COUNT]> {
    body.get(at..at.checked_add(COUNT)?)?.try_into().ok()
}
