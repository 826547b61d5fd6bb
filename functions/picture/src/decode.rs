//! Decodes the body as a picture. Its first bytes tell the format.

use std::error::Error;
use std::fmt::Display;
use std::io::ErrorKind;

use image::ImageError;

use crate::raster::Raster;
use crate::rejection::{panics_mean, Rejection};
use crate::{bmp, gif, jpeg, png, webp};

const EXPECTED: &str = "expected a JPEG, PNG, GIF, BMP or WebP picture";

/// Limit on the width and on the height, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Limit on the number of pixels. The usual kinds of JPEG and PNG need at most 256 MiB for so many, which is the
/// manifest's `memory`. If another kind needs more, the allocator rejects it.
const MAX_PIXELS: u32 = 24_000_000;

/// What a picture is decoded for. A JPEG costs less if it need not be whole.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// How large it has to be at least.
    pub least: Option<(u32, u32)>,
    /// Whether its colours don't matter.
    pub is_grey: bool,
}

/// The one picture of a body, or the first of an animation: whole, or as a JPEG of half, a quarter or an
/// eighth of its size, each side of it still as long as is wanted.
///
/// Where only grey is wanted, a JPEG may come in grey; other pictures come as they are.
pub fn decode(body: &[u8], wanted: Wanted) -> Result<Raster, Rejection> {
    // The decoders have assertions that a damaged file may violate.
    // A panic outside of them is a bug of ours and remains a trap.
    let _guard = panics_mean("the picture is damaged and can't be decoded");
    match body {
        [] => Err(Rejection::new(format!("the body is empty; {EXPECTED}"))),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(body, wanted),
        [0x89, b'P', b'N', b'G', ..] => png::decode(body),
        [b'B', b'M', ..] => bmp::decode(body),
        _ if gif::is_gif(body) => gif::decode(body),
        _ if webp::is_webp(body) => webp::decode(body),
        _ => {
            Err(Rejection::new(format!("the body is not a picture that this function can read; {EXPECTED}")))
        }
    }
}

pub fn image_rejection(format: &str, error: ImageError) -> Rejection {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => truncated(format),
        // What `image` itself adds is that decoding failed.
        ImageError::Decoding(error) => match error.source() {
            Some(reason) => damaged(format, reason),
            None => damaged(format, error),
        },
        other => undecodable(format, other),
    }
}

pub fn check_size(width: u32, height: u32) -> Result<(), Rejection> {
    if width == 0 || height == 0 {
        return Err(Rejection::new(format!(
            "the picture has {width}x{height} pixels; expected at least 1x1"
        )));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Rejection::new(format!(
            "the picture has {width}x{height} pixels; expected at most {MAX_SIDE} in width and height"
        )));
    }
    if width * height > MAX_PIXELS {
        return Err(Rejection::new(format!(
            "the picture has {width}x{height} pixels; expected at most {} million",
            MAX_PIXELS / 1_000_000
        )));
    }
    Ok(())
}

pub fn truncated(format: &str) -> Rejection {
    Rejection::new(format!("the {format} is truncated"))
}

pub fn damaged(format: &str, reason: impl Display) -> Rejection {
    let reason = reason.to_string();
    // A decoder's own message is used only if it is written for people.
    if reason.contains('{') {
        return Rejection::new(format!("the {format} is damaged"));
    }
    Rejection::new(format!("the {format} is damaged: {}", reason.trim_end_matches('.')))
}

pub fn undecodable(format: &str, reason: impl Display) -> Rejection {
    Rejection::new(format!("this kind of {format} can't be decoded: {reason}"))
}
