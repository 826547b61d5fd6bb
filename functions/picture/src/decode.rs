//! Bodies to pictures, by what their first bytes say they are.

use std::error::Error;
use std::fmt::Display;
use std::io::ErrorKind;

use image::ImageError;

use crate::raster::Raster;
use crate::rejection::{panics_mean, Rejection};
use crate::{bmp, gif, jpeg, png, webp};

const EXPECTED: &str = "expected a JPEG, PNG, GIF, BMP or WebP picture";

/// Of one side.
const MAX_SIDE: u32 = 16_384;
/// As many as the usual kinds of JPEG and PNG can have within a manifest's `memory` of 256 MiB;
/// where a costlier kind needs more, the allocator says so.
const MAX_PIXELS: u32 = 24_000_000;

/// How large a picture is at least wanted; a JPEG that is larger costs less if it need not be whole.
pub type LeastSize = Option<(u32, u32)>;

/// The one picture of a body, or the first of an animation: whole, or as a JPEG of half, a quarter or an
/// eighth of its size, each side of it still as long as is wanted.
pub fn decode(body: &[u8], least: LeastSize) -> Result<Raster, Rejection> {
    // The decoders assert here and there what a damaged file doesn't hold to.
    // A panic outside them is a bug of ours and stays a trap.
    let _guard = panics_mean("the picture is damaged and can't be decoded");
    match body {
        [] => Err(Rejection::new(format!("the body is empty; {EXPECTED}"))),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(body, least),
        [0x89, b'P', b'N', b'G', ..] => png::decode(body),
        [b'B', b'M', ..] => bmp::decode(body),
        _ if gif::is_gif(body) => gif::decode(body),
        _ if webp::is_webp(body) => webp::decode(body),
        _ => Err(Rejection::new(format!("the body is no picture that this function knows; {EXPECTED}"))),
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
            "the picture is {width}x{height} pixels, so there is nothing in it"
        )));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Rejection::new(format!(
            "the picture is {width}x{height} pixels; at most {MAX_SIDE} a side are taken"
        )));
    }
    if width * height > MAX_PIXELS {
        return Err(Rejection::new(format!(
            "the picture is {width}x{height} pixels; at most {} million are taken",
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
    // The decoders' words are kept only where they are meant for people.
    if reason.contains('{') {
        return Rejection::new(format!("the {format} is damaged"));
    }
    Rejection::new(format!("the {format} is damaged: {}", reason.trim_end_matches('.')))
}

pub fn undecodable(format: &str, reason: impl Display) -> Rejection {
    Rejection::new(format!("this kind of {format} can't be decoded: {reason}"))
}
