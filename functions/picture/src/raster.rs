//! A decoded picture, in its decoder's layout.

/// The order of a picture's samples, of eight bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// The fourth sample is unused.
    Rgbx,
    /// 255 = full ink.
    Cmyk,
}

impl Layout {
    /// Returns the number of samples of a pixel.
    pub fn count(self) -> usize {
        match self {
            Layout::Grey => 1,
            Layout::GreyAlpha => 2,
            Layout::Rgb => 3,
            Layout::Rgba | Layout::Rgbx | Layout::Cmyk => 4,
        }
    }
}

/// The camera's orientation (Exif's tag 0x0112): the steps that turn the picture upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// Whether to exchange rows and columns, as the first step.
    pub is_transposed: bool,
    pub is_mirrored: bool,
    pub is_upside_down: bool,
}

impl Orientation {
    pub const UPRIGHT: Self = Self { is_transposed: false, is_mirrored: false, is_upside_down: false };
}

/// Rows from the top, samples interleaved.
pub struct Raster {
    pub width: u32,
    pub height: u32,
    pub layout: Layout,
    pub samples: Vec<u8>,
    /// The orientation, which is not applied yet.
    pub orientation: Orientation,
}

impl Raster {
    pub fn new(width: u32, height: u32, layout: Layout, samples: Vec<u8>) -> Self {
        debug_assert_eq!(samples.len(), width as usize * height as usize * layout.count());
        Self { width, height, layout, samples, orientation: Orientation::UPRIGHT }
    }

    /// This picture on a larger, transparent one; it must lie within.
    pub(crate) fn on_canvas(self, width: u32, height: u32, left: u32, top: u32) -> Self {
        if (self.width, self.height) == (width, height) {
            return self;
        }
        let count = self.layout.count();
        let bytes = Layout::Rgba.count();
        let mut samples = vec![0; width as usize * height as usize * bytes];
        let rows = samples.chunks_exact_mut(width as usize * bytes).skip(top as usize);
        for (to, from) in rows.zip(self.samples.chunks_exact(self.width as usize * count)) {
            let to = to.chunks_exact_mut(bytes).skip(left as usize);
            for (to, from) in to.zip(from.chunks_exact(count)) {
                to.copy_from_slice(&rgba(self.layout, from));
            }
        }
        Self::new(width, height, Layout::Rgba, samples)
    }
}

/// One pixel of a frame of an animation.
fn rgba(layout: Layout, pixel: &[u8]) -> [u8; 4] {
    match (layout, pixel) {
        (Layout::Rgba, &[r, g, b, a]) => [r, g, b, a],
        // A pixel without alpha is opaque.
        (Layout::Rgb | Layout::Rgbx, &[r, g, b, ..]) => [r, g, b, 255],
        _ => unreachable!("no animation has frames in {layout:?}"),
    }
}

/// Samples of a picture as it was meant to be looked at, with its width and height.
pub fn upright(
    samples: Vec<u8>,
    (width, height): (usize, usize),
    count: usize,
    orientation: Orientation,
) -> (Vec<u8>, (usize, usize)) {
    if orientation == Orientation::UPRIGHT {
        return (samples, (width, height));
    }
    let (columns, rows) = if orientation.is_transposed { (height, width) } else { (width, height) };
    let mut turned = Vec::with_capacity(samples.len());
    for row in 0..rows {
        let row = if orientation.is_upside_down { rows - 1 - row } else { row };
        for column in 0..columns {
            let column = if orientation.is_mirrored { columns - 1 - column } else { column };
            let pixel =
                if orientation.is_transposed { column * width + row } else { row * width + column };
            turned.extend_from_slice(&samples[pixel * count..][..count]);
        }
    }
    (turned, (columns, rows))
}

/// Replaces each group of `FROM` samples by `TO` samples. `TO` must not be the larger.
pub fn shrink<const FROM: usize, const TO: usize>(
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
