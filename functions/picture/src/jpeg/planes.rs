//! A JPEG's components, and the picture that they make together.
//!
//! Samples that a component lacks are made as libjpeg makes them, and colours too, to the last bit.

use crate::colour::luma;
use crate::raster::{Layout, Raster};

/// The samples of a component: those of whole blocks, of which the picture may need less.
pub struct Plane {
    pub samples: Vec<u8>,
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    /// How many columns and rows of the picture one sample stands for.
    pub across: usize,
    pub down: usize,
}

impl Plane {
    fn row(&self, row: usize) -> &[u8] {
        &self.samples[row.min(self.height - 1) * self.stride..][..self.width]
    }

    /// Returns the samples for a row of the picture, maybe more of them than it has columns.
    fn widened<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>, sums: &mut Vec<u16>) -> &'a [u8] {
        if (self.across, self.down) == (1, 1) {
            return self.row(row);
        }
        buffer.clear();
        // Of rows between two, the nearer counts three times as much.
        let near = self.row(row / self.down);
        let far = if row % 2 == 0 { (row / 2).saturating_sub(1) } else { row / 2 + 1 };
        let weighted = |(&near, &far): (&u8, &u8)| 3 * u16::from(near) + u16::from(far);
        match (self.across, self.down) {
            (1, 2) => {
                let rounding = if row % 2 == 0 { 1 } else { 2 };
                let between = near.iter().zip(self.row(far)).map(weighted);
                buffer.extend(between.map(|sum| ((sum + rounding) >> 2) as u8));
            }
            (2, 1) if self.width > 2 => {
                sums.clear();
                sums.extend(near.iter().map(|&sample| u16::from(sample)));
                widen::<2>(buffer, sums, [1, 2]);
            }
            (2, 2) if self.width > 2 => {
                sums.clear();
                sums.extend(near.iter().zip(self.row(far)).map(weighted));
                widen::<4>(buffer, sums, [8, 7]);
            }
            _ => {
                for &sample in near {
                    buffer.resize(buffer.len() + self.across, sample);
                }
            }
        }
        buffer
    }
}

/// Makes two samples of each: each counts three times as much as its neighbour on that side.
fn widen<const BITS: u32>(buffer: &mut Vec<u8>, sums: &[u16], [left, right]: [u16; 2]) {
    let last = sums.len() - 1;
    let one = |near: u16, far: u16, rounding: u16| (3 * near + far + rounding) >> BITS;
    buffer.resize(2 * sums.len(), 0);
    buffer[0] = one(sums[0], sums[0], left) as u8;
    buffer[2 * last + 1] = one(sums[last], sums[last], right) as u8;
    for (pair, (&a, &b)) in buffer[1..].chunks_exact_mut(2).zip(sums.iter().zip(&sums[1..])) {
        // Two bytes as one number, and shifts that are constants: both let the compiler use vector instructions.
        let both = one(a, b, right) | one(b, a, left) << 8;
        pair.copy_from_slice(&both.to_le_bytes());
    }
}

/// What the components of a picture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// Puts the planes together, to grey where colours are not wanted and are not inks.
pub fn raster(planes: &[Plane], model: Model, width: usize, height: usize, is_grey: bool) -> Raster {
    let layout = match model {
        Model::Grey => Layout::Grey,
        Model::Rgb | Model::YCbCr if is_grey => Layout::Grey,
        Model::Rgb | Model::YCbCr => Layout::Rgb,
        Model::Cmyk | Model::Ycck => Layout::Cmyk,
    };
    let mut samples = Vec::with_capacity(width * height * layout.count());
    let mut buffers = vec![Vec::new(); planes.len()];
    let mut sums = Vec::new();
    for row in 0..height {
        let mut rows = [&[][..]; 4];
        for ((to, plane), buffer) in rows.iter_mut().zip(planes).zip(&mut buffers) {
            *to = &plane.widened(row, buffer, &mut sums)[..width];
        }
        push_row(&mut samples, rows, model, is_grey);
    }
    Raster::new(width as u32, height as u32, layout, samples)
}

fn push_row(samples: &mut Vec<u8>, [first, second, third, fourth]: [&[u8]; 4], model: Model, is_grey: bool) {
    let threes = first.iter().zip(second).zip(third).map(|((&a, &b), &c)| [a, b, c]);
    let grey = |[r, g, b]: [u8; 3]| luma(r, g, b);
    match model {
        Model::Grey => samples.extend_from_slice(first),
        Model::Rgb if is_grey => samples.extend(threes.map(grey)),
        Model::YCbCr if is_grey => samples.extend(threes.map(|ycc| grey(rgb(ycc)))),
        Model::Rgb => push_pixels(samples, threes),
        Model::YCbCr => push_pixels(samples, threes.map(rgb)),
        // Inks are stored as the light that they leave.
        Model::Cmyk => {
            push_pixels(
                samples,
                threes.zip(fourth).map(|([c, m, y], &k)| [c, m, y, k].map(|light| 255 - light)),
            );
        }
        Model::Ycck => push_pixels(
            samples,
            threes.zip(fourth).map(|(ycc, &k)| {
                let [c, m, y] = rgb(ycc);
                [c, m, y, 255 - k]
            }),
        ),
    }
}

fn push_pixels<const COUNT: usize>(
    samples: &mut Vec<u8>,
    pixels: impl ExactSizeIterator<Item = [u8; COUNT]>,
) {
    let end = samples.len();
    samples.resize(end + COUNT * pixels.len(), 0);
    for (to, pixel) in samples[end..].chunks_exact_mut(COUNT).zip(pixels) {
        to.copy_from_slice(&pixel);
    }
}

/// ITU-R BT.601 in 16-bit fixed point, rounded as in libjpeg's `jdcolor.c`.
fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|level| level.clamp(0, 255) as u8)
}
