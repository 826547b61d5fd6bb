//! What on a picture is its ground, and what is on it: dark on light or light on dark, evenly lit or not.
//!
//! Two guesses are made: the ground is one level all over, or it follows the light that falls on it, from a
//! lamp or past a hand. The second has to explain the picture much better.

use crate::plane::Plane;

/// How far each pixel stands out from the ground, towards the ink, in units of the ink's own distance:
/// 0 = ground, 1 = ink.
pub struct Contrast {
    pub width: usize,
    pub height: usize,
    pub strengths: Vec<f32>,
}

/// Levels of 255 that ink must stand out by.
const LEAST_CONTRAST: f32 = 10.0;
/// Two halves of one noise are 2.7 of its deviations within them apart; ink and ground are further.
const LEAST_CONTRAST_OF_NOISE: f32 = 3.5;
/// Pixels of the longer side of what can be a photograph, rather than an icon.
const LEAST_PHOTO: usize = 48;
/// Levels that an even ground leaves unexplained where it is worth while to look for another.
const LEAST_NOISE: f32 = 4.0;
/// An uneven ground has to leave less than that part of what an even one does.
const UNEVEN_GAIN: f32 = 0.5;
/// Of what is darker and what is lighter than the ground, that which stands out by less than this part of the
/// other is no ink.
const GAP_DISTANCE: f32 = 0.6;

impl Contrast {
    /// `None` where nothing stands out.
    pub fn of(grey: &Plane) -> Option<Self> {
        let levels: Vec<f32> = grey.samples.iter().map(|&sample| f32::from(sample)).collect();
        let mut split = Split::of(levels);
        if split.noise > LEAST_NOISE && grey.width.max(grey.height) >= LEAST_PHOTO {
            let uneven = uneven(grey);
            if uneven.unexplained() < UNEVEN_GAIN * split.unexplained() {
                split = uneven;
            }
        }
        split.contrast(grey.width, grey.height)
    }
}

/// Levels parted into two classes, each as even as can be (Otsu 1979).
struct Split {
    levels: Vec<f32>,
    threshold: f32,
    low_mean: f32,
    high_mean: f32,
    /// Standard deviation within the classes.
    noise: f32,
}

impl Split {
    fn of(levels: Vec<f32>) -> Self {
        const BINS: usize = 256;
        let low = levels.iter().copied().fold(f32::INFINITY, f32::min);
        let high = levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let width = ((high - low) / BINS as f32).max(f32::MIN_POSITIVE);
        let mut counts = [0_u32; BINS];
        for level in &levels {
            counts[(((level - low) / width) as usize).min(BINS - 1)] += 1;
        }

        let middle = |bin: usize| f64::from(low) + (bin as f64 + 0.5) * f64::from(width);
        let sum = |bins: std::ops::Range<usize>| -> (f64, f64, f64) {
            bins.fold((0.0, 0.0, 0.0), |(count, sum, squares), bin| {
                let (more, level) = (f64::from(counts[bin]), middle(bin));
                (count + more, sum + more * level, squares + more * level * level)
            })
        };
        let (all, all_sum, all_squares) = sum(0..BINS);
        let (mut count, mut low_sum) = (0.0, 0.0);
        let mut best = (-1.0, 0, 0.0, 0.0);
        for bin in 0..BINS - 1 {
            count += f64::from(counts[bin]);
            low_sum += f64::from(counts[bin]) * middle(bin);
            let (low_mean, high_mean) =
                (low_sum / f64::max(count, 1.0), (all_sum - low_sum) / f64::max(all - count, 1.0));
            let between = count * (all - count) * (high_mean - low_mean).powi(2);
            if between > best.0 {
                best = (between, bin, low_mean, high_mean);
            }
        }
        let (between, bin, low_mean, high_mean) = best;
        let variance = all_squares / all - (all_sum / all).powi(2) - between / (all * all);
        Self {
            levels,
            threshold: low + (bin + 1) as f32 * width,
            low_mean: low_mean as f32,
            high_mean: high_mean as f32,
            noise: variance.max(0.0).sqrt() as f32,
        }
    }

    /// The noise, in units of the distance between the classes.
    fn unexplained(&self) -> f32 {
        self.noise / f32::max(self.distance(), LEAST_CONTRAST)
    }

    fn distance(&self) -> f32 {
        self.high_mean - self.low_mean
    }

    /// Whether the ground is the lighter class: it has most of what lies along the edges.
    fn is_ground_high(&self, width: usize, height: usize) -> bool {
        let band = (width.min(height) / 16).max(1);
        let (mut high, mut low) = (0_u32, 0_u32);
        for (row, levels) in self.levels.chunks_exact(width).enumerate() {
            let is_edge_row = row < band || row >= height - band;
            let inside = if is_edge_row { width..width } else { band..width.saturating_sub(band).max(band) };
            for (column, &level) in levels.iter().enumerate() {
                if !inside.contains(&column) {
                    *(if level >= self.threshold { &mut high } else { &mut low }) += 1;
                }
            }
        }
        high >= low
    }

    fn contrast(self, width: usize, height: usize) -> Option<Contrast> {
        let distance = self.distance();
        if distance < LEAST_CONTRAST || distance < LEAST_CONTRAST_OF_NOISE * self.noise {
            return None;
        }
        let (ground, unit) = if self.is_ground_high(width, height) {
            (self.high_mean, -1.0 / distance)
        } else {
            (self.low_mean, 1.0 / distance)
        };
        let strengths = self.levels.iter().map(|level| ((level - ground) * unit).clamp(0.0, 1.0)).collect();
        Some(Contrast { width, height, strengths })
    }
}

/// How far the levels are from a ground that follows the light: what is left of the picture when all that is
/// narrower than a window is filled with what surrounds it (a closing, or an opening where the ink is light).
fn uneven(grey: &Plane) -> Split {
    let reach = grey.width.max(grey.height) / 8;
    let grey = grey.smooth();
    let over = |ground: Vec<u8>| {
        let pairs = grey.samples.iter().zip(ground);
        Split::of(pairs.map(|(&sample, ground)| f32::from(sample) - f32::from(ground)).collect())
    };
    let (dark, light) =
        (over(filtered(&grey, reach, u8::max, u8::min)), over(filtered(&grey, reach, u8::min, u8::max)));
    // The gaps between the strokes stand out in the other of the two: by no more than the strokes, and within them.
    let extents = [
        extent(&dark, grey.width, |level| level < dark.threshold),
        extent(&light, grey.width, |level| level >= light.threshold),
    ];
    let is_dark = match (dark.distance(), light.distance()) {
        (dark, light) if dark < GAP_DISTANCE * light => false,
        (dark, light) if light < GAP_DISTANCE * dark => true,
        _ => extents[0] >= extents[1],
    };
    if is_dark {
        dark
    } else {
        light
    }
}

/// Width and height, added, of the box around the levels that are ink.
fn extent(split: &Split, width: usize, is_ink: impl Fn(f32) -> bool) -> usize {
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for (pixel, _) in split.levels.iter().enumerate().filter(|(_, &level)| is_ink(level)) {
        let (row, column) = (pixel / width, pixel % width);
        left = left.min(column);
        top = top.min(row);
        right = right.max(column + 1);
        bottom = bottom.max(row + 1);
    }
    right.saturating_sub(left) + bottom.saturating_sub(top)
}

/// For each pixel the `second` of what is `first` in the windows around its neighbours, `reach` pixels each way.
fn filtered(
    grey: &Plane,
    reach: usize,
    first: impl Fn(u8, u8) -> u8,
    second: impl Fn(u8, u8) -> u8,
) -> Vec<u8> {
    // The edge goes on beyond itself, else a picture that gets darker to one side would have ink there.
    let margin = 2 * reach;
    let width = grey.width + 2 * margin;
    let mut levels = Vec::with_capacity(width * (grey.height + 2 * margin));
    for row in 0..grey.height + 2 * margin {
        let row = row.saturating_sub(margin).min(grey.height - 1);
        let row = &grey.samples[row * grey.width..][..grey.width];
        levels.extend(std::iter::repeat(row[0]).take(margin));
        levels.extend_from_slice(row);
        levels.extend(std::iter::repeat(row[grey.width - 1]).take(margin));
    }

    let window = 2 * reach + 1;
    for stride in [1, width] {
        sweep(&mut levels, window, stride, &first);
    }
    for stride in [1, width] {
        sweep(&mut levels, window, stride, &second);
    }
    levels.chunks_exact(width).take(grey.height).flat_map(|row| &row[..grey.width]).copied().collect()
}

/// Puts into each place what is picked of it and those after it, `window` in all and `stride` apart,
/// in ever longer steps. Where fewer follow in a row the next row's are taken, which nobody looks at.
fn sweep(levels: &mut [u8], window: usize, stride: usize, pick: impl Fn(u8, u8) -> u8) {
    let mut done = 1;
    while done < window {
        let step = done.min(window - done);
        for place in 0..levels.len() - step * stride {
            levels[place] = pick(levels[place], levels[place + step * stride]);
        }
        done += step;
    }
}
