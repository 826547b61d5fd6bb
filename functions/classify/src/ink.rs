//! What is drawn or printed on a picture, made as alike as can be: white on black, in the middle,
//! always of one size.
//!
//! That is how collections of drawn characters are made (in MNIST a digit fills 20 of 28 pixels),
//! so a model can be trained on them and still read what a person draws somewhere, in some size
//! and colour, or photographs.

use crate::ground::Contrast;
use crate::plane::Plane;
use crate::resample::{resample, Window};

/// The longer side of what is looked at.
const LOOK_PIXELS: usize = 320;
/// What is smaller than that on it is looked at once more, closer.
const CLOSE_PIXELS: usize = 120;
/// A pixel that stands out so far belongs to the ink.
const INK: f32 = 0.4;
/// What stands out less is noise.
const NOISE: f32 = 0.15;
/// A spot of fewer pixels than this part of the largest one's is dirt.
const DIRT: f32 = 0.04;

/// Parts of what is taken for a sheet of paper: at least of the picture, at least of its own box,
/// and at its edge what isn't looked at.
const SHEET_OF_PICTURE: f32 = 0.15;
const SHEET_FILLED: f32 = 0.85;
const SHEET_EDGE: f32 = 0.04;

/// What part of the result's sides the ink fills, as in MNIST.
const FILLED: (usize, usize) = (20, 28);

/// The ink of a grey picture in `width` times `height` pixels, or `None` where there is none.
pub fn ink(grey: &Plane, width: usize, height: usize) -> Option<Plane> {
    let mut window = Window::all(grey);
    let mut look = Look::at(grey, window)?;
    if look.is_sheet() {
        let inside = look.inside_ink(window);
        if let Some(closer) = Look::at(grey, inside) {
            (window, look) = (inside, closer);
        }
    }
    for _ in 0..2 {
        let longest = f32::max(look.ink.width, look.ink.height);
        let is_whole = look.scale >= 1.0;
        if is_whole || longest >= CLOSE_PIXELS as f32 {
            break;
        }
        window = look.around_ink(grey, window);
        match Look::at(grey, window) {
            Some(closer) => look = closer,
            None => break,
        }
    }
    Some(look.framed(width, height))
}

/// A picture's window, its ink found.
struct Look {
    strengths: Plane,
    /// Pixels of this look for one of the picture.
    scale: f32,
    /// In pixels of this look.
    ink: Window,
}

impl Look {
    fn at(grey: &Plane, window: Window) -> Option<Self> {
        let scale = f32::min(1.0, LOOK_PIXELS as f32 / f32::max(window.width, window.height));
        let side = |length: f32| ((length * scale) as usize).max(1);
        let seen = resample(grey, window, side(window.width), side(window.height));
        let contrast = Contrast::of(&seen).or_else(|| Contrast::of(&seen.smooth()))?;
        let (strengths, ink) = keep_ink(&contrast)?;
        Some(Self { strengths, scale, ink })
    }

    /// Whether what stands out is rather a sheet on a desk: it fills its box, and much of the picture.
    fn is_sheet(&self) -> bool {
        let Window { left, top, width, height } = self.ink;
        let rows = self.strengths.samples.chunks_exact(self.strengths.width).skip(top as usize);
        let filled: usize = rows
            .take(height as usize)
            .map(|row| row[left as usize..][..width as usize].iter().filter(|&&sample| sample > 0).count())
            .sum();
        let all = (self.strengths.width * self.strengths.height) as f32;
        width * height > SHEET_OF_PICTURE * all && filled as f32 > SHEET_FILLED * width * height
    }

    /// The middle of the ink, without its edge, in pixels of the picture.
    fn inside_ink(&self, window: Window) -> Window {
        let inset = SHEET_EDGE * f32::min(self.ink.width, self.ink.height);
        Window {
            left: window.left + (self.ink.left + inset) / self.scale,
            top: window.top + (self.ink.top + inset) / self.scale,
            width: (self.ink.width - 2.0 * inset) / self.scale,
            height: (self.ink.height - 2.0 * inset) / self.scale,
        }
    }

    /// The ink and half as much again on each side, in pixels of the picture.
    fn around_ink(&self, grey: &Plane, window: Window) -> Window {
        let margin = f32::max(self.ink.width, self.ink.height) / 2.0;
        let left = (window.left + (self.ink.left - margin) / self.scale).max(0.0);
        let top = (window.top + (self.ink.top - margin) / self.scale).max(0.0);
        let width = (self.ink.width + 2.0 * margin) / self.scale;
        let height = (self.ink.height + 2.0 * margin) / self.scale;
        Window {
            left,
            top,
            width: width.min(grey.width as f32 - left),
            height: height.min(grey.height as f32 - top),
        }
    }

    /// The ink in the middle of a black plane.
    fn framed(&self, width: usize, height: usize) -> Plane {
        let room = |side: usize| ((side * FILLED.0 + FILLED.1 / 2) / FILLED.1).max(1);
        let scale = f32::min(room(width) as f32 / self.ink.width, room(height) as f32 / self.ink.height);
        let side = |length: f32, room: usize| ((length * scale + 0.5) as usize).clamp(1, room);
        let (ink_width, ink_height) =
            (side(self.ink.width, room(width)), side(self.ink.height, room(height)));
        let mut ink = resample(&self.strengths, self.ink, ink_width, ink_height);
        brighten(&mut ink.samples);
        let mut framed = Plane::black(width, height, 1);
        framed.lay(&ink, (width - ink_width) / 2, (height - ink_height) / 2);
        framed
    }
}

/// A thin line is faint once it is made small: the brightest tenth of the ink becomes white.
fn brighten(samples: &mut [u8]) {
    let mut lit: Vec<u8> = samples.iter().copied().filter(|&sample| sample > 0).collect();
    if lit.is_empty() {
        return;
    }
    let place = lit.len() * 9 / 10;
    let (_, &mut bright, _) = lit.select_nth_unstable(place);
    for sample in samples {
        *sample = (u32::from(*sample) * 255 / u32::from(bright)).min(255) as u8;
    }
}

/// The strengths of all ink but dirt, and the box that it fills.
fn keep_ink(contrast: &Contrast) -> Option<(Plane, Window)> {
    let spots = Spots::of(contrast);
    let kept = spots.kept(contrast.width.max(contrast.height));
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for (spot, _) in spots.found.iter().zip(&kept).filter(|(_, &is_kept)| is_kept) {
        left = left.min(spot.left);
        top = top.min(spot.top);
        right = right.max(spot.right);
        bottom = bottom.max(spot.bottom);
    }
    if right == 0 {
        return None;
    }

    let samples = contrast
        .strengths
        .iter()
        .zip(&spots.of_pixels)
        .map(|(&strength, &spot)| match spot {
            0 => level(strength),
            spot if kept[spot as usize - 1] => level(strength),
            _ => 0,
        })
        .collect();
    let window = Window {
        left: left as f32,
        top: top as f32,
        width: (right - left) as f32,
        height: (bottom - top) as f32,
    };
    Some((Plane::new(contrast.width, contrast.height, 1, samples), window))
}

fn level(strength: f32) -> u8 {
    (((strength - NOISE) / (1.0 - 2.0 * NOISE)).clamp(0.0, 1.0) * 255.0) as u8
}

/// Pixels of ink that touch each other, by a side or a corner.
struct Spot {
    left: usize,
    top: usize,
    /// Beyond its last column, and row.
    right: usize,
    bottom: usize,
    pixels: usize,
    /// Of them at the picture's edge.
    edge_pixels: usize,
}

struct Spots {
    found: Vec<Spot>,
    /// For each pixel the number of its spot, from 1; 0 = no ink.
    of_pixels: Vec<u32>,
}

impl Spots {
    fn of(contrast: &Contrast) -> Self {
        let (width, height) = (contrast.width, contrast.height);
        let is_ink = |pixel: usize| contrast.strengths[pixel] >= INK;
        let mut spots = Self { found: Vec::new(), of_pixels: vec![0; width * height] };
        let mut open = Vec::new();
        for start in 0..width * height {
            if !is_ink(start) || spots.of_pixels[start] != 0 {
                continue;
            }
            let number = spots.found.len() as u32 + 1;
            let mut spot = Spot { left: width, top: height, right: 0, bottom: 0, pixels: 0, edge_pixels: 0 };
            spots.of_pixels[start] = number;
            open.push(start);
            while let Some(pixel) = open.pop() {
                let (row, column) = (pixel / width, pixel % width);
                spot.add(row, column, width, height);
                for row in row.saturating_sub(1)..(row + 2).min(height) {
                    for column in column.saturating_sub(1)..(column + 2).min(width) {
                        let next = row * width + column;
                        if is_ink(next) && spots.of_pixels[next] == 0 {
                            spots.of_pixels[next] = number;
                            open.push(next);
                        }
                    }
                }
            }
            spots.found.push(spot);
        }
        spots
    }

    /// Which of them are ink.
    fn kept(&self, longest_side: usize) -> Vec<bool> {
        // What runs along the picture's edge is rather a shadow, or the paper's end, if there is anything else.
        let is_edge = |spot: &Spot| spot.edge_pixels * 3 > longest_side;
        let largest =
            |spots: &mut dyn Iterator<Item = &Spot>| spots.map(|spot| spot.pixels).max().unwrap_or(0);
        let of_all = largest(&mut self.found.iter());
        let of_inner = largest(&mut self.found.iter().filter(|spot| !is_edge(spot)));
        let has_inner = of_inner as f32 >= DIRT * of_all as f32;
        let least = DIRT * (if has_inner { of_inner } else { of_all }) as f32;
        self.found.iter().map(|spot| spot.pixels as f32 >= least && !(has_inner && is_edge(spot))).collect()
    }
}

impl Spot {
    fn add(&mut self, row: usize, column: usize, width: usize, height: usize) {
        self.left = self.left.min(column);
        self.top = self.top.min(row);
        self.right = self.right.max(column + 1);
        self.bottom = self.bottom.max(row + 1);
        self.pixels += 1;
        self.edge_pixels += usize::from(row == 0 || column == 0 || row + 1 == height || column + 1 == width);
    }
}
