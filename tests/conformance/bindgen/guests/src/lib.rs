//! A guest by the crates wasmedge-bindgen and wasmedge-bindgen-macro, with a function for each type and failure.

pub use wasmedge_bindgen::*;

#[cfg(feature = "run")]
pub mod run;

#[cfg(not(feature = "run"))]
pub mod shared;

#[cfg(feature = "bytes")]
pub mod bytes;

#[cfg(feature = "typed")]
pub mod typed;
