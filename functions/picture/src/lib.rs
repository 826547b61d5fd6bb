//! Code that functions for pictures share: decoding, input and output, and a report of what was done.
//!
//! A program that links this crate also gets its allocator, which reports a lack of memory in one
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
pub mod report;
pub mod stdio;
mod webp;

pub use decode::{decode, Wanted};
pub use raster::{Layout, Orientation, Raster};
pub use rejection::Rejection;
