//! Bodies to pictures, by what their first bytes say they are.

use std::error::Error;
use std::fmt::Display;
use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};
use jpeg_decoder::PixelFormat;
use png::Transformations;

use crate::raster::{Layout, Raster};
use crate::rejection::{panics_mean, Rejection};
use crate::{exif, gif, webp};

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
        [0xff, 0xd8, 0xff, ..] => jpeg(body, least),
        [0x89, b'P', b'N', b'G', ..] => png(body),
        [b'B', b'M', ..] => bmp(body),
        _ if gif::is_gif(body) => gif::decode(body),
        _ if webp::is_webp(body) => webp::decode(body),
        _ => Err(Rejection::new(format!("the body is no picture that this function knows; {EXPECTED}"))),
    }
}

fn jpeg(body: &[u8], least: LeastSize) -> Result<Raster, Rejection> {
    let mut decoder = jpeg_decoder::Decoder::new(body);
    decoder.read_info().map_err(jpeg_rejection)?;
    let info = decoder.info().ok_or_else(|| damaged("JPEG", "it has no frame"))?;
    let (mut width, mut height) = (info.width.into(), info.height.into());
    check_size(width, height)?;
    if let Some(least) = least {
        let (fewer_columns, fewer_rows) = scaled_size((width, height), least);
        let (columns, rows) = decoder.scale(fewer_columns, fewer_rows).map_err(jpeg_rejection)?;
        (width, height) = (columns.into(), rows.into());
    }

    let samples = decoder.decode().map_err(jpeg_rejection)?;
    let (layout, samples) = match info.pixel_format {
        PixelFormat::L8 => (Layout::Grey, samples),
        PixelFormat::L16 => (Layout::Grey, high_bytes(&samples)),
        PixelFormat::RGB24 => (Layout::Rgb, samples),
        PixelFormat::CMYK32 => (Layout::Cmyk, samples),
    };
    let mut raster = Raster::new(width, height, layout, samples);
    raster.orientation = decoder.exif_data().map_or(raster.orientation, exif::orientation);
    Ok(raster)
}

/// The smallest size that the decoder can make of a JPEG, each side as long as is wanted.
fn scaled_size((width, height): (u32, u32), (least_width, least_height): (u32, u32)) -> (u16, u16) {
    let scaled = |eighths: u32| ((width * eighths + 7) / 8, (height * eighths + 7) / 8);
    let (width, height) = [1, 2, 4]
        .map(scaled)
        .into_iter()
        .find(|&(width, height)| width >= least_width && height >= least_height)
        .unwrap_or((width, height));
    (width as u16, height as u16)
}

/// The decoder gives 16-bit samples in the order of the machine, which is little-endian.
fn high_bytes(samples: &[u8]) -> Vec<u8> {
    samples.chunks_exact(2).map(|sample| sample[1]).collect()
}

fn jpeg_rejection(error: jpeg_decoder::Error) -> Rejection {
    use jpeg_decoder::Error;
    match error {
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => truncated("JPEG"),
        Error::Format(reason) => damaged("JPEG", reason),
        other => undecodable("JPEG", other),
    }
}

fn png(body: &[u8]) -> Result<Raster, Rejection> {
    let png_rejection = |error| png_rejection(body, error);
    let mut decoder = png::Decoder::new(body);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let (width, height) = decoder.read_header_info().map_err(png_rejection)?.size();
    check_size(width, height)?;

    let mut reader = decoder.read_info().map_err(png_rejection)?;
    let mut samples = vec![0; reader.output_buffer_size()];
    let frame = reader.next_frame(&mut samples).map_err(png_rejection)?;
    let layout = match frame.color_type {
        png::ColorType::Grayscale => Layout::Grey,
        png::ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        png::ColorType::Rgb => Layout::Rgb,
        png::ColorType::Rgba => Layout::Rgba,
        png::ColorType::Indexed => return Err(damaged("PNG", "it has no palette")),
    };
    samples.truncate(frame.buffer_size());
    Ok(Raster::new(frame.width, frame.height, layout, samples))
}

fn png_rejection(body: &[u8], error: png::DecodingError) -> Rejection {
    use png::DecodingError;
    // The decoder tells an early end only in words.
    let has_end = body.windows(4).any(|bytes| bytes == b"IEND");
    match error {
        DecodingError::Format(_) if !has_end => truncated("PNG"),
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => truncated("PNG"),
        DecodingError::Format(reason) => damaged("PNG", reason),
        other => undecodable("PNG", other),
    }
}

fn bmp(body: &[u8]) -> Result<Raster, Rejection> {
    let rejection = |error| image_rejection("BMP", error);
    let decoder = BmpDecoder::new(Cursor::new(body)).map_err(rejection)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let layout = match decoder.color_type() {
        ColorType::L8 => Layout::Grey,
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        other => return Err(undecodable("BMP", format!("its samples are {other:?}"))),
    };
    let mut samples = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut samples).map_err(rejection)?;
    Ok(Raster::new(width, height, layout, samples))
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

fn undecodable(format: &str, reason: impl Display) -> Rejection {
    Rejection::new(format!("this kind of {format} can't be decoded: {reason}"))
}
