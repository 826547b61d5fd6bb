//! PNG: reads the chunks, and leaves out those that no pixel depends on.
//!
//! `png` 0.17.7 refuses a file if its end is missing, or if a chunk of metadata is damaged or there twice.
//! So the chunks are read here, and the decoder gets a file with only the chunks that define the pixels.

use std::io::ErrorKind;

use miniz_oxide::inflate::core::{decompress, inflate_flags, DecompressorOxide};
use png::Transformations;

use crate::decode::{check_size, damaged, truncated, undecodable};
use crate::exif;
use crate::raster::{Layout, Raster};
use crate::rejection::Rejection;

const FORMAT: &str = "PNG";

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// Length of a chunk without its content.
const CHUNK_BYTES: usize = 12;
const HEADER_BYTES: usize = 13;
const DEPTH_AT: usize = 8;
const COLOUR_AT: usize = 9;
const INTERLACE_AT: usize = 12;

const GREY: u8 = 0;
const RGB: u8 = 2;
const INDEXED: u8 = 3;

/// Decodes a body that begins as a PNG does.
pub fn decode(body: &[u8]) -> Result<Raster, Rejection> {
    let parts = Parts::new(body)?;
    let mut raster = pixels(&parts.file(Chunk::push_to))
        .or_else(|failure| parts.retry(failure))
        .map_err(|failure| failure.rejection(&parts))?;
    raster.orientation = parts.exif.map_or(raster.orientation, exif::orientation);
    Ok(raster)
}

/// Everything that defines the pixels and the orientation.
#[derive(Default)]
struct Parts<'a> {
    header: &'a [u8],
    palette: Option<&'a [u8]>,
    transparency: Option<&'a [u8]>,
    data: Vec<Chunk<'a>>,
    exif: Option<&'a [u8]>,
    /// Whether the body ends before the PNG does.
    is_cut: bool,
}

impl<'a> Parts<'a> {
    fn new(body: &'a [u8]) -> Result<Self, Rejection> {
        let mut parts = Self { is_cut: true, ..Self::default() };
        if !body.starts_with(SIGNATURE) {
            let is_start = SIGNATURE.starts_with(body);
            return Err(if is_start { truncated(FORMAT) } else { damaged(FORMAT, "its signature is wrong") });
        }
        let mut rest = &body[SIGNATURE.len()..];
        while let Some(chunk) = Chunk::take(&mut rest) {
            match (chunk.kind, parts.header.is_empty()) {
                (b"IHDR", true) => parts.header = chunk.header()?,
                (_, true) => return Err(damaged(FORMAT, "it doesn't begin with its header")),
                (b"IHDR", false) => return Err(damaged(FORMAT, "it has two headers")),
                (b"IEND", _) => {
                    parts.is_cut = false;
                    break;
                }
                (b"IDAT", _) => parts.data.push(chunk),
                (b"PLTE", _) if parts.header[COLOUR_AT] == INDEXED && parts.data.is_empty() => {
                    parts.palette = Some(parts.checked_palette(&chunk)?);
                }
                (b"tRNS", _) if parts.data.is_empty() && parts.transparency.is_none() => {
                    parts.transparency = chunk.right().filter(|content| parts.fits(content));
                }
                (b"eXIf", _) if parts.exif.is_none() => parts.exif = chunk.right(),
                // A critical chunk, which a decoder must understand, may change the meaning of the pixels.
                (kind, _) if parts.data.is_empty() && kind[0].is_ascii_uppercase() && kind != b"PLTE" => {
                    let kind = String::from_utf8_lossy(kind);
                    return Err(undecodable(FORMAT, format!("it has the unknown critical chunk {kind}")));
                }
                _ => {}
            }
        }
        if parts.header.is_empty() {
            return Err(truncated(FORMAT));
        }
        Ok(parts)
    }

    fn checked_palette(&self, chunk: &Chunk<'a>) -> Result<&'a [u8], Rejection> {
        let content = chunk.right().ok_or_else(|| chunk.wrong("palette"))?;
        if self.palette.is_some() {
            return Err(damaged(FORMAT, "it has two palettes"));
        }
        if content.is_empty() || content.len() % 3 != 0 || content.len() > 3 * 256 {
            return Err(damaged(FORMAT, format!("its palette has {} bytes", content.len())));
        }
        Ok(content)
    }

    /// Returns whether transparency has the right length for this kind of picture.
    fn fits(&self, transparency: &[u8]) -> bool {
        match self.header[COLOUR_AT] {
            GREY => transparency.len() == 2,
            RGB => transparency.len() == 6,
            INDEXED => {
                let colours = self.palette.map_or(0, |palette| palette.len() / 3);
                (1..=colours).contains(&transparency.len())
            }
            _ => false,
        }
    }

    /// Returns a file with nothing but these parts.
    fn file(&self, push: impl Fn(&Chunk<'a>, &mut Vec<u8>)) -> Vec<u8> {
        let bytes: usize = self.data.iter().map(|chunk| chunk.content.len() + CHUNK_BYTES).sum();
        let mut file = self.head(bytes);
        for chunk in &self.data {
            push(chunk, &mut file);
        }
        push_chunk(&mut file, b"IEND", &[]);
        file
    }

    /// Decodes pixels that the decoder has refused, if one of their two checksums is right.
    fn retry(&self, failure: Failure) -> Result<Raster, Failure> {
        if matches!(failure, Failure::Rejected(_)) {
            return Err(failure);
        }
        if !self.are_sums_right() {
            return pixels(&self.file(Chunk::push_summed_to));
        }
        self.mended().map_or(Err(failure), |file| pixels(&file))
    }

    /// Returns whether each complete chunk of pixels has the right checksum.
    fn are_sums_right(&self) -> bool {
        self.data.iter().all(|chunk| chunk.is_cut() || chunk.is_right())
    }

    /// What comes before the pixels, with room for so many bytes of them.
    fn head(&self, bytes: usize) -> Vec<u8> {
        const HEAD_BYTES: usize = 2048;
        let mut file = Vec::with_capacity(HEAD_BYTES + bytes);
        file.extend_from_slice(SIGNATURE);
        push_chunk(&mut file, b"IHDR", &[self.header]);
        if let Some(palette) = self.palette {
            push_chunk(&mut file, b"PLTE", &[palette]);
        }
        if let Some(transparency) = self.transparency {
            push_chunk(&mut file, b"tRNS", &[transparency]);
        }
        file
    }

    /// A file whose pixels have an end, where they are all there.
    fn mended(&self) -> Option<Vec<u8>> {
        const FLAGS: u32 = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | inflate_flags::TINFL_FLAG_IGNORE_ADLER32
            | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
        let data: Vec<&[u8]> = self.data.iter().map(|chunk| chunk.content).collect();
        let mut raw = vec![0; self.raw_bytes()?];
        let (_, _, count) = decompress(&mut DecompressorOxide::new(), &data.concat(), &mut raw, 0, FLAGS);
        (count == raw.len()).then(|| self.stored(&raw))
    }

    /// A file of pixels that are not packed, only wrapped (RFC 1950 and 1951, 3.2.4).
    fn stored(&self, raw: &[u8]) -> Vec<u8> {
        const ZLIB_HEADER: &[u8] = &[0x78, 0x01];
        const MOST: usize = 0xffff;
        let blocks = raw.len() / MOST + 1;
        let mut file = self.head(raw.len() + blocks * (CHUNK_BYTES + 5));
        push_chunk(&mut file, b"IDAT", &[ZLIB_HEADER]);
        for block in raw.chunks(MOST) {
            let length = block.len() as u16;
            push_chunk(&mut file, b"IDAT", &[&[0], &length.to_le_bytes(), &(!length).to_le_bytes(), block]);
        }
        push_chunk(&mut file, b"IDAT", &[&[1, 0, 0, 0xff, 0xff], &adler_32(raw).to_be_bytes()]);
        push_chunk(&mut file, b"IEND", &[]);
        file
    }

    /// Returns the length of the decompressed rows, with a filter byte for each.
    fn raw_bytes(&self) -> Option<usize> {
        let side = |at: usize| u32::from_be_bytes(self.header[at..at + 4].try_into().unwrap()) as usize;
        let (width, height) = (side(0), side(4));
        let samples = match self.header[COLOUR_AT] {
            GREY | INDEXED => 1,
            RGB => 3,
            4 => 2,
            6 => 4,
            _ => return None,
        };
        let bits = samples * usize::from(self.header[DEPTH_AT]);
        let rows =
            |width: usize, height: usize| if width == 0 { 0 } else { height * (1 + (width * bits + 7) / 8) };
        if self.header[INTERLACE_AT] == 0 {
            return Some(rows(width, height));
        }
        // The start and the steps of each of Adam7's passes.
        let passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        let count = |side: usize, start: usize, step: usize| (side.saturating_sub(start) + step - 1) / step;
        let pass = |(x, y, dx, dy)| rows(count(width, x, dx), count(height, y, dy));
        Some(passes.into_iter().map(pass).sum())
    }
}

struct Chunk<'a> {
    /// All of it.
    bytes: &'a [u8],
    kind: &'a [u8; 4],
    /// As much as is there.
    content: &'a [u8],
    length: usize,
    sum: Option<u32>,
}

impl<'a> Chunk<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let bytes = *rest;
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = rest.get(4..8)?.try_into().ok()?;
        let end = 8_usize.saturating_add(length);
        let content = &rest[8..end.min(rest.len())];
        let after = rest.get(end..).unwrap_or_default();
        let sum = after.get(..4).and_then(|sum| sum.try_into().ok()).map(u32::from_be_bytes);
        *rest = after.get(4..).unwrap_or_default();
        let bytes = &bytes[..bytes.len() - rest.len()];
        Some(Self { bytes, kind, content, length, sum })
    }

    /// Copies the chunk, with its own checksum if it has one.
    fn push_to(&self, file: &mut Vec<u8>) {
        if self.is_cut() {
            return self.push_summed_to(file);
        }
        file.extend_from_slice(self.bytes);
    }

    /// Copies the chunk with the right checksum.
    fn push_summed_to(&self, file: &mut Vec<u8>) {
        push_chunk(file, self.kind, &[self.content]);
    }

    /// Whether the body ends before the chunk's checksum does.
    fn is_cut(&self) -> bool {
        self.sum.is_none()
    }

    fn is_right(&self) -> bool {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.kind);
        hasher.update(self.content);
        self.sum == Some(hasher.finalize())
    }

    /// Returns the content, if its checksum is right.
    fn right(&self) -> Option<&'a [u8]> {
        self.is_right().then_some(self.content)
    }

    fn header(&self) -> Result<&'a [u8], Rejection> {
        let content = self.right().ok_or_else(|| self.wrong("header"))?;
        if content.len() != HEADER_BYTES {
            return Err(damaged(FORMAT, format!("its header has {} bytes", self.length)));
        }
        Ok(content)
    }

    fn wrong(&self, part: &str) -> Rejection {
        if self.is_cut() {
            return truncated(FORMAT);
        }
        damaged(FORMAT, format!("the checksum of its {part} is wrong"))
    }
}

enum Failure {
    Rejected(Rejection),
    Undecoded(png::DecodingError),
}

impl Failure {
    fn rejection(self, parts: &Parts) -> Rejection {
        use png::DecodingError;
        match self {
            Failure::Rejected(rejection) => rejection,
            Failure::Undecoded(_) if parts.is_cut => truncated(FORMAT),
            Failure::Undecoded(_) if !parts.are_sums_right() => {
                damaged(FORMAT, "the checksums of its pixels are wrong")
            }
            Failure::Undecoded(DecodingError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                truncated(FORMAT)
            }
            Failure::Undecoded(DecodingError::Format(reason)) => damaged(FORMAT, reason),
            Failure::Undecoded(other) => undecodable(FORMAT, other),
        }
    }
}

fn pixels(file: &[u8]) -> Result<Raster, Failure> {
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let (width, height) = decoder.read_header_info().map_err(Failure::Undecoded)?.size();
    check_size(width, height).map_err(Failure::Rejected)?;

    let mut reader = decoder.read_info().map_err(Failure::Undecoded)?;
    let mut samples = vec![0; reader.output_buffer_size()];
    let frame = reader.next_frame(&mut samples).map_err(Failure::Undecoded)?;
    let layout = match frame.color_type {
        png::ColorType::Grayscale => Layout::Grey,
        png::ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        png::ColorType::Rgb => Layout::Rgb,
        png::ColorType::Rgba => Layout::Rgba,
        png::ColorType::Indexed => return Err(Failure::Rejected(damaged(FORMAT, "it has no palette"))),
    };
    samples.truncate(frame.buffer_size());
    Ok(Raster::new(frame.width, frame.height, layout, samples))
}

fn push_chunk(file: &mut Vec<u8>, kind: &[u8; 4], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    file.extend_from_slice(&(length as u32).to_be_bytes());
    let start = file.len();
    file.extend_from_slice(kind);
    for part in parts {
        file.extend_from_slice(part);
    }
    let sum = crc32fast::hash(&file[start..]);
    file.extend_from_slice(&sum.to_be_bytes());
}

fn adler_32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    /// The number of bytes that can be added up before a sum overflows.
    const MOST: usize = 5552;
    let (mut low, mut high) = (1, 0);
    for part in bytes.chunks(MOST) {
        for &byte in part {
            low += u32::from(byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}
