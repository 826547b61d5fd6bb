//! Reads the orientation of the camera from Exif, which JPEG, PNG and WebP may contain.
//!
//! Exif is a TIFF (Exif 2.32, 4.5): eight bytes of header, then a directory of twelve-byte entries.
//! If it can't be read, the picture counts as upright, as in other programs.

use crate::raster::Orientation;

const ORIENTATION_TAG: u16 = 0x0112;
const ENTRY_BYTES: usize = 12;

pub fn orientation(exif: &[u8]) -> Orientation {
    // This prefix belongs to JPEG, but some writers put it into other formats too.
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    match tag(tiff) {
        Some(2) => Orientation { is_mirrored: true, ..Orientation::UPRIGHT },
        Some(3) => Orientation { is_mirrored: true, is_upside_down: true, ..Orientation::UPRIGHT },
        Some(4) => Orientation { is_upside_down: true, ..Orientation::UPRIGHT },
        Some(5) => Orientation { is_transposed: true, ..Orientation::UPRIGHT },
        Some(6) => Orientation { is_transposed: true, is_mirrored: true, is_upside_down: false },
        Some(7) => Orientation { is_transposed: true, is_mirrored: true, is_upside_down: true },
        Some(8) => Orientation { is_transposed: true, is_mirrored: false, is_upside_down: true },
        _ => Orientation::UPRIGHT,
    }
}

fn tag(tiff: &[u8]) -> Option<u16> {
    let tiff = match tiff.get(..4)? {
        b"II*\0" => Tiff { bytes: tiff, is_little_endian: true },
        b"MM\0*" => Tiff { bytes: tiff, is_little_endian: false },
        _ => return None,
    };
    let directory = usize::try_from(tiff.long(4)?).ok()?;
    let first = directory.checked_add(2)?;
    (0..usize::from(tiff.short(directory)?))
        .map(|entry| first + entry * ENTRY_BYTES)
        .find(|&entry| tiff.short(entry) == Some(ORIENTATION_TAG))
        .and_then(|entry| tiff.short(entry + 8))
}

struct Tiff<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

impl Tiff<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }
}
