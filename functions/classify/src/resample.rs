//! Makes pictures smaller or larger.
//!
//! A triangle as wide as a pixel of the result, or of the picture where that is the wider one:
//! every pixel counts, and fine patterns don't turn into coarse ones. Rows go first, since
//! adding whole rows is what vector instructions are good at and leaves few for the columns.

use crate::plane::Plane;

/// A part of a picture, in pixels from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Window {
    pub fn all(plane: &Plane) -> Self {
        Self { left: 0.0, top: 0.0, width: plane.width as f32, height: plane.height as f32 }
    }
}

/// Returns the window's content, scaled to `width` times `height` pixels.
pub fn resample(plane: &Plane, window: Window, width: usize, height: usize) -> Plane {
    if window == Window::all(plane) && (width, height) == (plane.width, plane.height) {
        return plane.clone();
    }
    let rows = Filter::new(window.top, window.height, height, plane.height);
    let columns = Filter::new(window.left, window.width, width, plane.width);
    let row_len = plane.width * plane.channels;

    let mut samples = Vec::with_capacity(width * height * plane.channels);
    let mut sums = vec![0_u32; row_len];
    for (first, weights) in rows.taps() {
        sums.fill(ROUNDING);
        for (row, &weight) in plane.samples.chunks_exact(row_len).skip(first).zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(row) {
                *sum += u32::from(sample) * weight;
            }
        }
        for sum in &mut sums {
            *sum >>= BITS;
        }
        match plane.channels {
            1 => push_row::<1>(&mut samples, &sums, &columns),
            _ => push_row::<3>(&mut samples, &sums, &columns),
        }
    }
    Plane::new(width, height, plane.channels, samples)
}

/// Adds the row's pixels that the filter makes of those in `row`.
fn push_row<const CHANNELS: usize>(samples: &mut Vec<u8>, row: &[u32], filter: &Filter) {
    for (first, weights) in filter.taps() {
        let mut sums = [ROUNDING; CHANNELS];
        for (pixel, &weight) in row[first * CHANNELS..].chunks_exact(CHANNELS).zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(pixel) {
                *sum += sample * weight;
            }
        }
        samples.extend(sums.map(|sum| (sum >> BITS) as u8));
    }
}

/// Weights are in units of 1 / 2^BITS: with samples of eight bits their sums stay below 2^24.
const BITS: u32 = 16;
const ROUNDING: u32 = 1 << (BITS - 1);

/// For each pixel of the result, which pixels it is made of along one axis.
struct Filter {
    /// The first of them, and where their weights end, which begin where the last pixel's ended.
    firsts_and_ends: Vec<(usize, usize)>,
    weights: Vec<u32>,
}

impl Filter {
    fn new(start: f32, length: f32, count: usize, available: usize) -> Self {
        let step = length / count as f32;
        let reach = step.max(1.0);
        let mut filter = Filter { firsts_and_ends: Vec::with_capacity(count), weights: Vec::new() };
        for pixel in 0..count {
            let centre = start + (pixel as f32 + 0.5) * step;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).clamp(1, available);
            let first = first.min(end - 1);
            let heights: Vec<f32> = (first..end)
                .map(|source| (1.0 - ((source as f32 + 0.5 - centre) / reach).abs()).max(0.0))
                .collect();
            push_weights(&mut filter.weights, &heights);
            filter.firsts_and_ends.push((first, filter.weights.len()));
        }
        filter
    }

    /// For each pixel of the result the first pixel that it is made of, and the weights of it and the next.
    fn taps(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.firsts_and_ends.iter().scan(0, |begin, &(first, end)| {
            let weights = &self.weights[*begin..end];
            *begin = end;
            Some((first, weights))
        })
    }
}

/// Rounds so that the weights add up to exactly 2^BITS: what is white everywhere stays white.
fn push_weights(weights: &mut Vec<u32>, heights: &[f32]) {
    let unit = f64::from(1 << BITS) / heights.iter().map(|&height| f64::from(height)).sum::<f64>();
    let (mut sum, mut given) = (0.0, 0);
    for &height in heights {
        sum += f64::from(height) * unit;
        let up_to_here = (sum + 0.5) as u32;
        weights.push(up_to_here - given);
        given = up_to_here;
    }
}
