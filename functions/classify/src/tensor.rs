//! Converts a picture to the bytes of a model's input.

use picture::{Raster, Rejection, Wanted};

use crate::ink::ink;
use crate::options::{Fit, Input, Levels, Options, Sample};
use crate::plane::{Behind, Plane};
use crate::resample::{resample, Window};

/// Minimum size for `FIT = "ink"`, since the ink may be a small part of the picture.
const INK_PIXELS: u32 = 1024;

/// Returns what a picture is decoded for.
pub fn wanted(options: &Options) -> Wanted {
    // Width and height may change places when the picture is turned upright.
    let longest = options.input.width.max(options.input.height) as u32;
    let is_ink = options.fit == Fit::Ink;
    let least = if is_ink { longest.max(INK_PIXELS) } else { longest };
    Wanted { least: Some((least, least)), is_grey: is_ink || options.input.channels == 1 }
}

pub fn tensor(raster: Raster, options: &Options) -> Result<Vec<u8>, Rejection> {
    let Input { height, width, channels, sample } = options.input;
    let orientation = raster.orientation;
    // The picture is turned when it is small, so until then the model's sides may change places.
    let (columns, rows) = if orientation.is_transposed { (height, width) } else { (width, height) };
    let fitted = fitted(raster, options.fit, channels == 3, columns, rows)?;
    let samples = fitted.upright(orientation).in_channels(channels).samples;
    Ok(match sample {
        Sample::U8 => samples,
        Sample::F32 => floats(&samples, channels, &options.levels),
    })
}

fn fitted(
    raster: Raster,
    fit: Fit,
    has_colour: bool,
    width: usize,
    height: usize,
) -> Result<Plane, Rejection> {
    if fit == Fit::Ink {
        let grey = Plane::from_raster(raster, false, Behind::Contrast);
        return ink(&grey, width, height).ok_or_else(|| {
            Rejection::new("nothing is drawn on the picture: nothing stands out from the background")
        });
    }
    let plane = Plane::from_raster(raster, has_colour, Behind::Page);
    Ok(match fit {
        Fit::Crop => resample(&plane, middle(&plane, width, height), width, height),
        Fit::Pad => padded(&plane, width, height),
        _ => resample(&plane, Window::all(&plane), width, height),
    })
}

/// Returns the largest window in the middle with the proportions of `width` to `height`.
fn middle(plane: &Plane, width: usize, height: usize) -> Window {
    let all = Window::all(plane);
    let scale = f32::min(all.width / width as f32, all.height / height as f32);
    let (window_width, window_height) = (width as f32 * scale, height as f32 * scale);
    Window {
        left: (all.width - window_width) / 2.0,
        top: (all.height - window_height) / 2.0,
        width: window_width,
        height: window_height,
    }
}

fn padded(plane: &Plane, width: usize, height: usize) -> Plane {
    let scale = f32::min(width as f32 / plane.width as f32, height as f32 / plane.height as f32);
    let side = |length: usize, most: usize| ((length as f32 * scale + 0.5) as usize).clamp(1, most);
    let (inner_width, inner_height) = (side(plane.width, width), side(plane.height, height));
    let inner = resample(plane, Window::all(plane), inner_width, inner_height);
    let mut padded = Plane::black(width, height, plane.channels);
    padded.lay(&inner, (width - inner_width) / 2, (height - inner_height) / 2);
    padded
}

fn floats(samples: &[u8], channels: usize, levels: &Levels) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(samples.len() * 4);
    for pixel in samples.chunks_exact(channels) {
        for ((&sample, mean), scale) in pixel.iter().zip(levels.mean).zip(levels.scale) {
            bytes.extend_from_slice(&((f32::from(sample) - mean) * scale).to_le_bytes());
        }
    }
    bytes
}
