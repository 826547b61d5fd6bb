//! A picture as a model sees it: opaque, in grey or in red, green and blue.

use picture::colour::{luma, multiplied, rgb_of_inks};
use picture::raster::{shrink, upright};
use picture::{Layout, Orientation, Raster};

/// Rows from the top, samples interleaved.
#[derive(Clone)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    /// 1 or 3.
    pub channels: usize,
    pub samples: Vec<u8>,
}

const WHITE: u8 = 255;
const BLACK: u8 = 0;

/// The colour behind transparent pixels.
#[derive(Clone, Copy)]
pub enum Behind {
    /// White, as on a page.
    Page,
    /// A contrast to the opaque pixels, so that a white drawing remains visible.
    Contrast,
}

impl Plane {
    pub fn new(width: usize, height: usize, channels: usize, samples: Vec<u8>) -> Self {
        debug_assert_eq!(samples.len(), width * height * channels);
        Self { width, height, channels, samples }
    }

    pub fn black(width: usize, height: usize, channels: usize) -> Self {
        Self::new(width, height, channels, vec![BLACK; width * height * channels])
    }

    /// A decoder's picture, in the buffer that it came in; not yet turned upright.
    ///
    /// Of three channels only where both the picture has colours and `has_colour` says that they are wanted.
    pub fn from_raster(raster: Raster, has_colour: bool, behind: Behind) -> Self {
        let Raster { width, height, layout, mut samples, .. } = raster;
        let samples = &mut samples;
        let ground = ground(layout, samples, behind);
        let over = |sample, alpha| multiplied(sample, alpha) + multiplied(ground, 255 - alpha);
        let inks = |[c, m, y, k]: [u8; 4]| rgb_of_inks(c, m, y, k);
        let channels = match layout {
            Layout::Grey => 1,
            Layout::GreyAlpha => {
                shrink(samples, |[grey, alpha]| [over(grey, alpha)]);
                1
            }
            _ if has_colour => {
                match layout {
                    Layout::Rgba => shrink(samples, |[r, g, b, a]| [r, g, b].map(|sample| over(sample, a))),
                    Layout::Rgbx => shrink(samples, |[r, g, b, _]| [r, g, b]),
                    Layout::Cmyk => shrink(samples, inks),
                    _ => {}
                }
                3
            }
            _ => {
                let grey = |[r, g, b]: [u8; 3]| luma(r, g, b);
                match layout {
                    Layout::Rgb => shrink(samples, |rgb| [grey(rgb)]),
                    Layout::Rgba => shrink(samples, |[r, g, b, a]| [over(grey([r, g, b]), a)]),
                    Layout::Rgbx => shrink(samples, |[r, g, b, _]| [grey([r, g, b])]),
                    _ => shrink(samples, |cmyk| [grey(inks(cmyk))]),
                }
                1
            }
        };
        Self::new(width as usize, height as usize, channels, std::mem::take(samples))
    }

    /// Copies `other` onto this plane, into which it must fit.
    pub fn lay(&mut self, other: &Plane, left: usize, top: usize) {
        let (row, other_row) = (self.width * self.channels, other.width * other.channels);
        let rows = self.samples.chunks_exact_mut(row).skip(top);
        for (to, from) in rows.zip(other.samples.chunks_exact(other_row)) {
            to[left * self.channels..][..other_row].copy_from_slice(from);
        }
    }

    /// A grey picture whose pixels are the means of nine, which takes two thirds of its noise away.
    pub fn smooth(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let mut samples = Vec::with_capacity(self.samples.len());
        for row in 0..height {
            let rows = row.saturating_sub(1)..(row + 2).min(height);
            for column in 0..width {
                let columns = column.saturating_sub(1)..(column + 2).min(width);
                let count = (rows.len() * columns.len()) as u32;
                let sum: u32 = rows
                    .clone()
                    .flat_map(|row| &self.samples[row * width..][columns.clone()])
                    .map(|&sample| u32::from(sample))
                    .sum();
                samples.push((sum / count) as u8);
            }
        }
        Self::new(width, height, 1, samples)
    }

    /// Returns this picture upright.
    pub fn upright(self, orientation: Orientation) -> Self {
        let size = (self.width, self.height);
        let (samples, (width, height)) = upright(self.samples, size, self.channels, orientation);
        Self::new(width, height, self.channels, samples)
    }

    /// Returns this picture with so many channels. If it is grey, all three are equal.
    pub fn in_channels(self, channels: usize) -> Self {
        if self.channels == channels {
            return self;
        }
        let samples = self.samples.iter().flat_map(|&grey| [grey; 3]).collect();
        Self::new(self.width, self.height, channels, samples)
    }
}

fn ground(layout: Layout, samples: &[u8], behind: Behind) -> u8 {
    let light = |grey: u8, alpha: u8| (u64::from(grey) * u64::from(alpha), u64::from(alpha));
    let sum = |(light, seen): (u64, u64), (more, alpha): (u64, u64)| (light + more, seen + alpha);
    let (light, seen) = match (behind, layout) {
        (Behind::Contrast, Layout::GreyAlpha) => {
            samples.chunks_exact(2).map(|pixel| light(pixel[0], pixel[1])).fold((0, 0), sum)
        }
        (Behind::Contrast, Layout::Rgba) => samples
            .chunks_exact(4)
            .map(|pixel| light(luma(pixel[0], pixel[1], pixel[2]), pixel[3]))
            .fold((0, 0), sum),
        _ => (0, 0),
    };
    if light > seen * 128 {
        BLACK
    } else {
        WHITE
    }
}
