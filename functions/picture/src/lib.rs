//! What functions that take a picture share: its decoding, and how they speak with the host.
//!
//! A program that links this crate also gets its allocator, which tells a lack of memory as a
//! sentence (`memory`).

mod bmp;
pub mod colour;
pub mod decode;
mod exif;
pub mod gif;
mod jpeg;
mod memory;
mod png;
pub mod raster;
pub mod rejection;
pub mod stdio;
mod webp;

pub use decode::decode;
pub use raster::{Layout, Orientation, Raster};
pub use rejection::Rejection;
