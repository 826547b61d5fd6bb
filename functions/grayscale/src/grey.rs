//! A grey picture in memory, and the turning of colour samples into one.

use picture::colour::{luma, rgb_of_inks};
use picture::raster::{shrink, upright};
use picture::{Layout, Raster};

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

impl Picture {
    /// Takes a decoder's samples and keeps only their grey, and their alpha where they have one.
    ///
    /// It works in the buffer it is given: a phone's photo is 36 MB of colour samples,
    /// and a second buffer would cost as much time to fault in as the arithmetic does.
    pub fn from_raster(raster: Raster) -> Self {
        let Raster { width, height, layout, mut samples, orientation } = raster;
        let channels = match layout {
            Layout::Grey | Layout::Rgb | Layout::Rgbx | Layout::Cmyk => Channels::Grey,
            Layout::GreyAlpha | Layout::Rgba => Channels::GreyAlpha,
        };
        match layout {
            Layout::Grey | Layout::GreyAlpha => {}
            Layout::Rgb => shrink(&mut samples, |[r, g, b]| [luma(r, g, b)]),
            Layout::Rgba => shrink(&mut samples, |[r, g, b, a]| [luma(r, g, b), a]),
            Layout::Rgbx => shrink(&mut samples, |[r, g, b, _]| [luma(r, g, b)]),
            Layout::Cmyk => shrink(&mut samples, |[c, m, y, k]| {
                let [r, g, b] = rgb_of_inks(c, m, y, k);
                [luma(r, g, b)]
            }),
        }
        // A PNG can't say how the camera was held, so what is grey by now is turned.
        let size = (width as usize, height as usize);
        let (samples, (width, height)) = upright(samples, size, channels.count(), orientation);
        debug_assert_eq!(samples.len(), width * height * channels.count());
        Self { width: width as u32, height: height as u32, channels, samples }
    }
}
