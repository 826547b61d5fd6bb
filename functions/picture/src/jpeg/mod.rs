//! JPEG: reads the segments, and leaves out those that no pixel depends on.
//!
//! If a scan is truncated, the decoder continues with zeros, and returns a wrong picture. So the segments
//! are read here, and the decoder gets a file with only the segments that define the pixels. Bits with
//! which no code begins follow each scan, so that the decoder reports a truncated one.

mod huffman;
mod idct;
mod planes;
mod sequential;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;

use jpeg_decoder::{Decoder, Error, PixelFormat};

use crate::decode::{check_size, damaged, truncated, undecodable, Wanted};
use crate::exif;
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "JPEG";

const SOF0: u8 = 0xc0;
const SOF1: u8 = 0xc1;
const SOF2: u8 = 0xc2;
const DHT: u8 = 0xc4;
const DAC: u8 = 0xcc;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DNL: u8 = 0xdc;
const DRI: u8 = 0xdd;
const DHP: u8 = 0xde;
const EXP: u8 = 0xdf;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;
const APP15: u8 = 0xef;
const COM: u8 = 0xfe;
const TEM: u8 = 0x01;

/// A byte of ones in a scan. No code has only ones (T.81, C.2), so none can begin here.
const ONES: [u8; 2] = [0xff, 0x00];
/// Longer than any code with its bits, and than the decoder's read-ahead.
const ONES_AFTER_SCAN: usize = 16;
/// The decoder looks for a restart marker in the next seven bytes.
const ONES_BEFORE_RESTART: usize = 4;

/// Colour transforms of Adobe's segment.
const UNCHANGED: u8 = 0;
const YCBCR: u8 = 1;
const YCCK: u8 = 2;

const EXIF: &[u8] = b"Exif\0\0";
/// Makes the decoder take the tables that Motion JPEG leaves out for those of T.81, K.3, as libjpeg does.
const MOTION_JPEG: &[u8] = b"AVI1\0";

/// Decodes a body that begins as a JPEG does, whole or as `decode::decode` says.
pub fn decode(body: &[u8], wanted: Wanted) -> Result<Raster, Rejection> {
    let mut parts = Parts::new(body)?;
    if !parts.is_cut {
        let mut raster = pixels(&parts.file, wanted).map_err(Failure::rejection)?;
        raster.orientation = parts.exif.map_or(raster.orientation, exif::orientation);
        return Ok(raster);
    }

    // If no pixel is missing, the picture is the same whatever bits follow the last code.
    if !parts.scans.is_whole() {
        return Err(truncated(FORMAT));
    }
    let cut = |failure| match failure {
        Failure::Undecoded(Error::Format(_) | Error::Io(_)) => truncated(FORMAT),
        failure => failure.rejection(),
    };
    let in_ones = digest(&pixels(&parts.file, wanted).map_err(cut)?.samples);
    parts.file.truncate(parts.last_scan_end);
    parts.file.extend_from_slice(&[0; ONES_AFTER_SCAN]);
    parts.file.extend_from_slice(&[0xff, EOI]);
    let mut raster = pixels(&parts.file, wanted).map_err(cut)?;
    if digest(&raster.samples) != in_ones {
        return Err(truncated(FORMAT));
    }
    raster.orientation = parts.exif.map_or(raster.orientation, exif::orientation);
    Ok(raster)
}

struct Parts<'a> {
    /// A JPEG with only the segments that define the pixels.
    file: Vec<u8>,
    /// The position in it where the last scan's own bits end.
    last_scan_end: usize,
    exif: Option<&'a [u8]>,
    scans: Scans,
    /// Whether the body ends before the JPEG does.
    is_cut: bool,
}

impl<'a> Parts<'a> {
    fn new(body: &'a [u8]) -> Result<Self, Rejection> {
        let mut file = Vec::with_capacity(body.len() + 4096);
        file.extend_from_slice(&[0xff, SOI]);
        let mut parts = Self { file, last_scan_end: 0, exif: None, scans: Scans::default(), is_cut: true };
        let mut colours = Colours::default();
        let mut rest = &body[2..];
        while let Some(marker) = take_marker(&mut rest) {
            match marker {
                EOI => {
                    parts.is_cut = false;
                    break;
                }
                // Some encoders write a restart marker after a scan.
                SOI | TEM | 0xd0..=0xd7 => continue,
                DQT | DHT | DRI | SOS | DNL | DAC | DHP | EXP | COM | 0xc0..=0xcf | APP0..=APP15 => {}
                _ => return Err(damaged(FORMAT, format!("it has the unknown marker {marker:02X}"))),
            }
            let content = match take_content(&mut rest, marker)? {
                Some(content) => content,
                None => break,
            };
            match marker {
                COM | DNL => {}
                APP0 => colours.is_jfif |= content.starts_with(b"JFIF\0"),
                APP1 if parts.exif.is_none() => parts.exif = content.strip_prefix(EXIF),
                APP14 if content.starts_with(b"Adobe") && content.len() >= 12 => {
                    colours.adobe = Some(content[11]);
                }
                APP0..=APP15 => {}
                SOS => {
                    if parts.last_scan_end == 0 {
                        colours.push_to(&mut parts.file);
                    }
                    push_segment(&mut parts.file, SOS, &parts.scans.header(content));
                    parts.scans.add_scan(content);
                    push_scan(&mut parts.file, &mut rest);
                    parts.last_scan_end = parts.file.len();
                    push_ones(&mut parts.file, ONES_AFTER_SCAN);
                }
                0xc0..=0xcf if marker != DHT && marker != DAC => {
                    parts.scans.set_frame(marker, content);
                    colours.set_frame(content);
                    // A baseline picture with more tables than baseline allows is still a sequential one.
                    let marker = if marker == SOF0 { SOF1 } else { marker };
                    if marker == SOF1 {
                        push_segment(&mut parts.file, APP0, MOTION_JPEG);
                    }
                    push_segment(&mut parts.file, marker, content);
                }
                _ => push_segment(&mut parts.file, marker, content),
            }
        }
        parts.file.extend_from_slice(&[0xff, EOI]);
        Ok(parts)
    }
}

/// Returns the next marker, and skips other bytes before it.
fn take_marker(rest: &mut &[u8]) -> Option<u8> {
    loop {
        let at = rest.iter().position(|&byte| byte == 0xff)?;
        *rest = &rest[at + 1..];
        let at = rest.iter().position(|&byte| byte != 0xff)?;
        let marker = rest[at];
        *rest = &rest[at + 1..];
        if marker != 0 {
            return Some(marker);
        }
    }
}

/// Returns a segment's content, or `None` if the body ends before the segment does.
fn take_content<'a>(rest: &mut &'a [u8], marker: u8) -> Result<Option<&'a [u8]>, Rejection> {
    let length = match *rest {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Ok(None),
    };
    if length < 2 {
        return Err(damaged(FORMAT, format!("the length of its segment {marker:02X} is {length}")));
    }
    let content = rest.get(2..length);
    *rest = rest.get(length..).unwrap_or_default();
    Ok(content)
}

fn push_segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    file.extend_from_slice(&[0xff, marker]);
    file.extend_from_slice(&(content.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(content);
}

/// Moves the bits of a scan, up to the next marker that is not a restart.
fn push_scan(file: &mut Vec<u8>, rest: &mut &[u8]) {
    loop {
        let at = position_of_ff(rest);
        file.extend_from_slice(&rest[..at]);
        *rest = &rest[at..];
        match *rest {
            [0xff, 0x00, ..] => {
                file.extend_from_slice(&ONES);
                *rest = &rest[2..];
            }
            [0xff, marker @ 0xd0..=0xd7, ..] => {
                push_ones(file, ONES_BEFORE_RESTART);
                file.extend_from_slice(&[0xff, *marker]);
                *rest = &rest[2..];
            }
            // Any number of these may precede a marker.
            [0xff, 0xff, ..] => *rest = &rest[1..],
            _ => return,
        }
    }
}

/// Returns the position of the first 0xFF, or the end. It tests eight bytes at a time.
fn position_of_ff(bytes: &[u8]) -> usize {
    let eights = bytes.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap()));
    let clear = eights.take_while(|&eight| !has_ff(eight)).count() * 8;
    let rest = &bytes[clear..];
    clear + rest.iter().position(|&byte| byte == 0xff).unwrap_or(rest.len())
}

/// Whether one of eight bytes is 0xFF.
fn has_ff(eight: u64) -> bool {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = LOW_BITS << 7;
    (!eight).wrapping_sub(LOW_BITS) & eight & HIGH_BITS != 0
}

fn push_ones(file: &mut Vec<u8>, count: usize) {
    for _ in 0..count {
        file.extend_from_slice(&ONES);
    }
}

/// Everything that tells the colours of the components.
#[derive(Default)]
struct Colours {
    is_jfif: bool,
    /// The transform in Adobe's segment.
    adobe: Option<u8>,
    components: Vec<u8>,
}

impl Colours {
    fn set_frame(&mut self, content: &[u8]) {
        self.components =
            content.get(6..).unwrap_or_default().chunks(3).map(|component| component[0]).collect();
    }

    /// Returns the decoder's name for the colours that libjpeg would assume.
    fn push_to(&self, file: &mut Vec<u8>) {
        let transform = match (&self.components[..], self.adobe) {
            ([_, _, _], _) if self.is_jfif => YCBCR,
            (b"RGB", None) | ([_, _, _], Some(UNCHANGED)) => UNCHANGED,
            ([_, _, _], _) => YCBCR,
            (_, Some(UNCHANGED) | None) => UNCHANGED,
            _ => YCCK,
        };
        push_segment(file, APP14, &[b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, transform]);
    }
}

/// The bits of the coefficients that the scans have provided so far.
#[derive(Default)]
struct Scans {
    is_sequential: bool,
    is_progressive: bool,
    /// The components' names, and which of their 64 coefficients are complete.
    components: Vec<(u8, u64)>,
}

impl Scans {
    fn set_frame(&mut self, marker: u8, content: &[u8]) {
        self.is_sequential = matches!(marker, SOF0 | SOF1);
        self.is_progressive = marker == SOF2;
        let components = content.get(6..).unwrap_or_default().chunks(3);
        self.components = components.map(|component| (component[0], 0)).collect();
    }

    /// A scan's header, which says of a sequential picture that the scan has all of all coefficients.
    fn header(&self, content: &[u8]) -> Vec<u8> {
        let mut header = content.to_vec();
        if let (true, Some(at)) = (self.is_sequential, header.len().checked_sub(3)) {
            header[at..].copy_from_slice(&[0, 63, 0]);
        }
        header
    }

    fn add_scan(&mut self, content: &[u8]) {
        let count = usize::from(content.first().copied().unwrap_or_default());
        let (names, bits) = match (content.get(1..1 + 2 * count), content.get(1 + 2 * count..)) {
            (Some(names), Some(&[first, last, bits, ..])) if self.is_progressive => {
                let is_last = bits & 15 == 0 && first <= last && last < 64;
                (names, if is_last { u64::MAX >> (63 - (last - first)) << first } else { 0 })
            }
            (Some(names), _) => (names, u64::MAX),
            _ => return,
        };
        for name in names.chunks(2) {
            for (_, whole) in self.components.iter_mut().filter(|(component, _)| *component == name[0]) {
                *whole |= bits;
            }
        }
    }

    fn is_whole(&self) -> bool {
        !self.components.is_empty() && self.components.iter().all(|&(_, whole)| whole == u64::MAX)
    }
}

fn digest(samples: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    samples.hash(&mut hasher);
    hasher.finish()
}

enum Failure {
    Rejected(Rejection),
    Undecoded(Error),
}

impl Failure {
    fn rejection(self) -> Rejection {
        match self {
            Failure::Rejected(rejection) => rejection,
            Failure::Undecoded(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                truncated(FORMAT)
            }
            Failure::Undecoded(Error::Format(reason)) => damaged(FORMAT, reason),
            Failure::Undecoded(other) => undecodable(FORMAT, other),
        }
    }
}

fn pixels(file: &[u8], wanted: Wanted) -> Result<Raster, Failure> {
    let mut decoder = Decoder::new(file);
    decoder.read_info().map_err(Failure::Undecoded)?;
    let info = decoder.info().ok_or_else(|| Failure::Rejected(damaged(FORMAT, "it has no frame")))?;
    let (mut width, mut height) = (info.width.into(), info.height.into());
    check_size(width, height).map_err(Failure::Rejected)?;
    let side = wanted.least.map_or(8, |least| scaled_side((width, height), least));
    if let Some(raster) = sequential::decode(file, side as usize, wanted.is_grey) {
        return Ok(raster);
    }
    if side < 8 {
        let (fewer_columns, fewer_rows) = (scaled(width, side) as u16, scaled(height, side) as u16);
        let (columns, rows) = decoder.scale(fewer_columns, fewer_rows).map_err(Failure::Undecoded)?;
        (width, height) = (columns.into(), rows.into());
    }

    let samples = decoder.decode().map_err(Failure::Undecoded)?;
    let (layout, samples) = match info.pixel_format {
        PixelFormat::L8 => (Layout::Grey, samples),
        PixelFormat::L16 => (Layout::Grey, high_bytes(&samples)),
        PixelFormat::RGB24 => (Layout::Rgb, samples),
        PixelFormat::CMYK32 => (Layout::Cmyk, samples),
    };
    Ok(Raster::new(width, height, layout, samples))
}

/// How many samples of each eight are needed so that each side is as long as is wanted: 1, 2, 4 or 8.
fn scaled_side((width, height): (u32, u32), (least_width, least_height): (u32, u32)) -> u32 {
    let is_enough = |&side: &u32| scaled(width, side) >= least_width && scaled(height, side) >= least_height;
    [1, 2, 4].into_iter().find(is_enough).unwrap_or(8)
}

fn scaled(length: u32, side: u32) -> u32 {
    (length * side + 7) / 8
}

/// The decoder returns 16-bit samples in the byte order of the machine, which is little-endian.
fn high_bytes(samples: &[u8]) -> Vec<u8> {
    samples.chunks_exact(2).map(|sample| sample[1]).collect()
}
