//! The first frame of a GIF, on the GIF's canvas.

use std::io::ErrorKind;

use gif::{ColorOutput, DecodeOptions, DecodingError};

use crate::decode::{check_size, damaged, truncated};
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "GIF";

pub fn is_gif(body: &[u8]) -> bool {
    body.starts_with(b"GIF87a") || body.starts_with(b"GIF89a")
}

/// Decodes a body for which `is_gif` holds.
pub fn decode(body: &[u8]) -> Result<Raster, Rejection> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let mut decoder = options.read_info(body).map_err(rejection)?;
    let (width, height) = (decoder.width().into(), decoder.height().into());
    let frame = decoder.next_frame_info().map_err(rejection)?;
    let frame = frame.ok_or_else(|| Rejection::new("the GIF has no frame"))?;
    let (left, top, frame_width, frame_height) =
        (frame.left.into(), frame.top.into(), frame.width.into(), frame.height.into());
    check_size(frame_width, frame_height)?;

    // A canvas of no size, or one that its frame leaves, is widened, as browsers do.
    let (width, height) = (u32::max(width, left + frame_width), u32::max(height, top + frame_height));
    check_size(width, height)?;
    let mut samples = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut samples).map_err(rejection)?;
    Ok(Raster::new(frame_width, frame_height, Layout::Rgba, samples).on_canvas(width, height, left, top))
}

fn rejection(error: DecodingError) -> Rejection {
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => truncated(FORMAT),
        DecodingError::Io(error) => damaged(FORMAT, error),
        // The decoder tells an early end only in words.
        DecodingError::Format(error) => match error.to_string() {
            reason if reason.contains("EOF") || reason.contains("truncated") => truncated(FORMAT),
            reason => damaged(FORMAT, reason),
        },
    }
}
