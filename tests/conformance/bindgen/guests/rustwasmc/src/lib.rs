//! Functions as modules for WasmEdge's `ExecuteBindgen` have them: bytes or a text in, bytes or a text out.

use std::sync::atomic::{AtomicU32, Ordering};

use wasm_bindgen::prelude::*;

static CALLS: AtomicU32 = AtomicU32::new(0);

#[wasm_bindgen]
pub fn reverse(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().rev().collect()
}

#[wasm_bindgen]
pub fn echo(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

#[wasm_bindgen]
pub fn shout(text: &str) -> String {
    text.to_uppercase()
}

#[wasm_bindgen]
pub fn greet(name: String) -> String {
    format!("hello, {}", name)
}

/// Return how often it was called in this instance.
#[wasm_bindgen]
pub fn count(_: &[u8]) -> String {
    (CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}

/// Return as many bytes as the text says.
#[wasm_bindgen]
pub fn zeros(size: &str) -> Vec<u8> {
    vec![0; size.parse().unwrap()]
}

#[wasm_bindgen]
pub fn fail(_: &str) -> String {
    panic!("ouch")
}

#[wasm_bindgen]
pub fn add(a: i32, b: i32) -> i32 {
    a + b
}
