//! What the functions of the WasmEdge demo of 2021 are made of: a picture in, the name of what is on it out.

#![allow(unused_imports)] // the macro's names come in by globs, as its documentation does it

use wasmedge_bindgen::*;
use wasmedge_bindgen_macro::*;
use wasmedge_tensorflow_interface::{load_jpg_image_to_rgb8, ModelType, Session};

const MODEL: &[u8] = include_bytes!(env!("MODEL"));
const SIDE: usize = 28;

/// Say which digit a JPEG shows, white on black, and how sure that is.
#[wasmedge_bindgen]
pub fn infer(picture: Vec<u8>) -> String {
    let rgb = load_jpg_image_to_rgb8(&picture, SIDE as u32, SIDE as u32);
    let grey: Vec<u8> = rgb.chunks(3).map(|pixel| pixel[1]).collect();
    let mut session = Session::new(MODEL, ModelType::TensorFlowLite);
    session.add_input("serving_default_keras_tensor_27:0", &grey, &[1, SIDE as i64, SIDE as i64, 1]).run();
    let scores: Vec<u8> = session.get_output("StatefulPartitionedCall_1:0");
    let (digit, score) = scores.iter().enumerate().max_by_key(|(_, score)| **score).unwrap();
    format!("{} ({} of 255)", digit, score)
}
