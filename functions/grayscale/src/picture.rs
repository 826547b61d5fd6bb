//! A grey picture in memory, and the turning of colour samples into one.

use crate::luma::{luma, luma_of_inks};

/// What a picture's samples say besides grey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    Grey,
    GreyAlpha,
}

impl Channels {
    pub fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::GreyAlpha => 2,
        }
    }
}

/// Rows from the top, samples interleaved, eight bits each.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub samples: Vec<u8>,
}

/// How a decoder has laid out its samples, eight bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// The fourth sample means nothing.
    Rgbx,
    /// 255 = full ink.
    Cmyk,
}

impl Picture {
    /// Takes a decoder's samples and keeps only their grey, and their alpha where they have one.
    ///
    /// It works in the buffer it is given: a phone's photo is 36 MB of colour samples,
    /// and a second buffer would cost as much time to fault in as the arithmetic does.
    pub fn from_samples(width: u32, height: u32, layout: Layout, mut samples: Vec<u8>) -> Self {
        let channels = match layout {
            Layout::Grey | Layout::Rgb | Layout::Rgbx | Layout::Cmyk => Channels::Grey,
            Layout::GreyAlpha | Layout::Rgba => Channels::GreyAlpha,
        };
        match layout {
            Layout::Grey | Layout::GreyAlpha => {}
            Layout::Rgb => shrink(&mut samples, |[r, g, b]| [luma(r, g, b)]),
            Layout::Rgba => shrink(&mut samples, |[r, g, b, a]| [luma(r, g, b), a]),
            Layout::Rgbx => shrink(&mut samples, |[r, g, b, _]| [luma(r, g, b)]),
            Layout::Cmyk => shrink(&mut samples, |[c, m, y, k]| [luma_of_inks(c, m, y, k)]),
        }
        debug_assert_eq!(samples.len(), width as usize * height as usize * channels.count());
        Self { width, height, channels, samples }
    }

    /// This picture on a larger, transparent one; it must lie within.
    pub fn on_canvas(self, width: u32, height: u32, left: u32, top: u32) -> Self {
        if (self.width, self.height) == (width, height) {
            return self;
        }
        let bytes = Channels::GreyAlpha.count();
        let mut samples = vec![0; width as usize * height as usize * bytes];
        let (from_row, to_row) = (self.width as usize * self.channels.count(), width as usize * bytes);
        let rows = samples.chunks_exact_mut(to_row).skip(top as usize);
        for (to, from) in rows.zip(self.samples.chunks_exact(from_row)) {
            let to = to.chunks_exact_mut(bytes).skip(left as usize);
            for (to, from) in to.zip(from.chunks_exact(self.channels.count())) {
                // What has no alpha of its own is opaque.
                to.copy_from_slice(&[from[0], from.get(1).copied().unwrap_or(255)]);
            }
        }
        Self { width, height, channels: Channels::GreyAlpha, samples }
    }
}

/// Replaces each group of `FROM` samples by `TO` samples, `TO` being the smaller.
fn shrink<const FROM: usize, const TO: usize>(
    samples: &mut Vec<u8>,
    convert: impl Fn([u8; FROM]) -> [u8; TO],
) {
    let pixels = samples.len() / FROM;
    for pixel in 0..pixels {
        let mut from = [0; FROM];
        from.copy_from_slice(&samples[pixel * FROM..][..FROM]);
        samples[pixel * TO..][..TO].copy_from_slice(&convert(from));
    }
    samples.truncate(pixels * TO);
}
