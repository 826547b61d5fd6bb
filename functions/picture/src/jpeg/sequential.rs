//! The usual kind of JPEG: sequential, with Huffman codes, eight bits a sample.

use std::num::Wrapping;

use super::huffman::{Bits, Table};
use super::idct::{write_flat, write_samples, SIDE};
use super::planes::{raster, Model, Plane};
use super::{take_content, take_marker, APP0, APP14, DHT, DQT, DRI, EOI, SOF1, SOS, UNCHANGED};
use crate::raster::Raster;

/// Where in a block's rows its coefficients belong (T.81, A.3.6).
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];
/// Of the difference between first coefficients.
const MAX_DC_BITS: u8 = 11;
/// Of all components in a group.
const MAX_BLOCKS: usize = 10;
const SAMPLE_BITS: u8 = 8;
/// Of a component's blocks in a group, across or down.
const MAX_FACTOR: usize = 4;
/// A run without a value ends its block, unless it is as long as can be.
const ZEROS_RUN: usize = 15;

/// Decodes a file of `super::Parts`; `None` if it is of another kind, or if anything is wrong with it.
///
/// Of each side of a block come `side` samples: 1, 2, 4 or all 8.
pub fn decode(file: &[u8], side: usize, is_grey: bool) -> Option<Raster> {
    let mut decoder = Decoder::default();
    let mut rest = file.get(2..)?;
    loop {
        let marker = take_marker(&mut rest)?;
        if marker == EOI {
            return decoder.raster(is_grey);
        }
        let content = take_content(&mut rest, marker).ok()??;
        match marker {
            DQT => decoder.add_quantizers(content)?,
            DHT => decoder.add_tables(content)?,
            DRI => decoder.restart_interval = u16::from_be_bytes(content.try_into().ok()?).into(),
            SOF1 if decoder.frame.is_none() => decoder.frame = Some(Frame::new(content, side)?),
            SOS => rest = decoder.add_scan(content, rest)?,
            APP0 => {}
            APP14 => decoder.is_unchanged = content.get(11) == Some(&UNCHANGED),
            _ => return None,
        }
    }
}

#[derive(Default)]
struct Decoder {
    /// In the order of the file.
    quantizers: [Option<[u16; 64]>; 4],
    dc_tables: [Option<Table>; 4],
    ac_tables: [Option<Table>; 4],
    /// How many groups of blocks there are from one restart to the next; 0 if there are no restarts.
    restart_interval: usize,
    /// Whether the components are colours or inks themselves.
    is_unchanged: bool,
    frame: Option<Frame>,
}

struct Frame {
    width: usize,
    height: usize,
    /// Samples on each side of a block: 8, or less for a smaller picture.
    side: usize,
    /// How many groups of blocks of all components there are.
    groups_across: usize,
    groups_down: usize,
    components: Vec<Component>,
}

struct Component {
    name: u8,
    quantizer: usize,
    /// Blocks in a group.
    across: usize,
    down: usize,
    /// Blocks that the picture needs; groups may have more.
    blocks_across: usize,
    blocks_down: usize,
    plane: Plane,
    is_decoded: bool,
}

impl Decoder {
    fn add_quantizers(&mut self, mut content: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = content {
            let mut quantizer = [0; 64];
            let bytes = match kind >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            for (factor, bytes) in quantizer.iter_mut().zip(rest.get(..64 * bytes)?.chunks(bytes)) {
                *factor = bytes.iter().fold(0, |factor, &byte| factor << 8 | u16::from(byte));
            }
            if quantizer.contains(&0) {
                return None;
            }
            *self.quantizers.get_mut(usize::from(kind & 15))? = Some(quantizer);
            content = &rest[64 * bytes..];
        }
        Some(())
    }

    fn add_tables(&mut self, mut content: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = content {
            let counts: &[u8; 16] = rest.get(..16)?.try_into().ok()?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = (rest[16..].get(..symbols)?, &rest[16 + symbols..]);
            let tables = match kind >> 4 {
                0 if symbols.iter().all(|&bits| bits <= MAX_DC_BITS) => &mut self.dc_tables,
                1 => &mut self.ac_tables,
                _ => return None,
            };
            *tables.get_mut(usize::from(kind & 15))? = Some(Table::new(counts, symbols)?);
            content = rest;
        }
        Some(())
    }

    /// Decodes a scan, and returns what follows its bits.
    fn add_scan<'a>(&mut self, header: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
        let frame = self.frame.as_mut()?;
        let count = usize::from(*header.first()?);
        // A component that comes alone has no groups: its blocks come row by row, as many as the picture needs.
        let is_alone = count == 1;
        let (mut across, mut down) = (frame.groups_across, frame.groups_down);
        let mut coders = Vec::with_capacity(count);
        // Components come in the order of the frame.
        let mut components = frame.components.iter_mut();
        for name in header.get(1..1 + 2 * count)?.chunks_exact(2) {
            let component = components.find(|component| component.name == name[0])?;
            component.is_decoded = true;
            if is_alone {
                (across, down) = (component.blocks_across, component.blocks_down);
            }
            coders.push(Coder {
                quantizer: self.quantizers.get(component.quantizer)?.as_ref()?,
                dc_table: self.dc_tables.get(usize::from(name[1] >> 4))?.as_ref()?,
                ac_table: self.ac_tables.get(usize::from(name[1] & 15))?.as_ref()?,
                last_dc: 0,
                across: if is_alone { 1 } else { component.across },
                down: if is_alone { 1 } else { component.down },
                side: frame.side,
                plane: &mut component.plane,
            });
        }
        if coders.is_empty()
            || coders.iter().map(|coder| coder.across * coder.down).sum::<usize>() > MAX_BLOCKS
        {
            return None;
        }

        let mut bits = Bits::new(bytes);
        for group in 0..across * down {
            if self.restart_interval > 0 && group > 0 && group % self.restart_interval == 0 {
                bits.restart((group / self.restart_interval - 1) as u8)?;
                coders.iter_mut().for_each(|coder| coder.last_dc = 0);
            }
            for coder in &mut coders {
                coder.decode_group(&mut bits, group / across, group % across)?;
            }
        }
        Some(bits.rest())
    }

    fn raster(self, is_grey: bool) -> Option<Raster> {
        let frame = self.frame?;
        if !frame.components.iter().all(|component| component.is_decoded) {
            return None;
        }
        let model = match (frame.components.len(), self.is_unchanged) {
            (1, _) => Model::Grey,
            (3, true) => Model::Rgb,
            (3, false) => Model::YCbCr,
            (4, true) => Model::Cmyk,
            (4, false) => Model::Ycck,
            _ => return None,
        };
        let planes: Vec<_> = frame.components.into_iter().map(|component| component.plane).collect();
        Some(raster(&planes, model, frame.width, frame.height, is_grey))
    }
}

impl Frame {
    fn new(content: &[u8], side: usize) -> Option<Self> {
        let (height, width, specifications) = match *content {
            [SAMPLE_BITS, a, b, c, d, _, ref specifications @ ..] => {
                (u16::from_be_bytes([a, b]).into(), u16::from_be_bytes([c, d]).into(), specifications)
            }
            _ => return None,
        };
        let specifications: Vec<_> = specifications
            .chunks_exact(3)
            .map(|each| (each[0], usize::from(each[1] >> 4), usize::from(each[1] & 15), usize::from(each[2])))
            .collect();
        let most_across = specifications.iter().map(|&(_, across, _, _)| across).max()?;
        let most_down = specifications.iter().map(|&(_, _, down, _)| down).max()?;
        if width == 0 || height == 0 || most_across > MAX_FACTOR || most_down > MAX_FACTOR {
            return None;
        }
        let groups_across = divided_up(width, most_across * SIDE);
        let groups_down = divided_up(height, most_down * SIDE);

        let mut components = Vec::with_capacity(specifications.len());
        for (name, across, down, quantizer) in specifications {
            if across == 0 || down == 0 || most_across % across != 0 || most_down % down != 0 {
                return None;
            }
            let stride = groups_across * across * side;
            let plane = Plane {
                samples: vec![0; stride * groups_down * down * side],
                stride,
                width: divided_up(width * across * side, most_across * SIDE),
                height: divided_up(height * down * side, most_down * SIDE),
                across: most_across / across,
                down: most_down / down,
            };
            components.push(Component {
                name,
                quantizer,
                across,
                down,
                blocks_across: divided_up(plane.width, side),
                blocks_down: divided_up(plane.height, side),
                plane,
                is_decoded: false,
            });
        }
        let (width, height) = (divided_up(width * side, SIDE), divided_up(height * side, SIDE));
        Some(Self { width, height, side, groups_across, groups_down, components })
    }
}

fn divided_up(number: usize, by: usize) -> usize {
    (number + by - 1) / by
}

/// A component of a scan.
struct Coder<'a> {
    quantizer: &'a [u16; 64],
    dc_table: &'a Table,
    ac_table: &'a Table,
    last_dc: i16,
    /// Blocks in a group.
    across: usize,
    down: usize,
    side: usize,
    plane: &'a mut Plane,
}

impl Coder<'_> {
    fn decode_group(&mut self, bits: &mut Bits, row: usize, column: usize) -> Option<()> {
        for row in row * self.down..(row + 1) * self.down {
            for column in column * self.across..(column + 1) * self.across {
                self.decode_block(bits, row, column)?;
            }
        }
        Some(())
    }

    fn decode_block(&mut self, scan: &mut Bits, row: usize, column: usize) -> Option<()> {
        let mut bits = *scan;
        let mut coefficients = [Wrapping(0); SIDE * SIDE];
        let dequantized = |at: usize, value: i16| Wrapping(i32::from(value) * i32::from(self.quantizer[at]));
        self.last_dc = self.last_dc.wrapping_add(bits.value(self.dc_table)?.value);
        coefficients[0] = dequantized(0, self.last_dc);

        let mut at = 1;
        let mut is_flat = true;
        while at < coefficients.len() {
            let found = bits.value(self.ac_table)?;
            let (value, run) = (found.value, found.run());
            at += run;
            if value != 0 && at < coefficients.len() {
                coefficients[usize::from(ZIGZAG[at])] = dequantized(at, value);
                is_flat = false;
            } else if value == 0 && run < ZEROS_RUN {
                break;
            }
            at += 1;
        }
        *scan = bits;

        let Plane { samples, stride, .. } = &mut *self.plane;
        let samples = &mut samples[(row * *stride + column) * self.side..];
        if is_flat {
            write_flat(coefficients[0], self.side, samples, *stride);
        } else {
            write_samples(&coefficients, self.side, samples, *stride);
        }
        Some(())
    }
}
