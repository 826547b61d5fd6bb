//! Adds the two tensors of four numbers on standard input, with the model that it embeds.
//!
//! It takes an argument to do what fails: "tensorflow" runs the model as one of full TensorFlow, and "broken" a
//! model that is none.

use std::io::{Read, Write};

use wasmedge_tensorflow_interface::{ModelType, Session};

const MODEL: &[u8] = include_bytes!("../model.tflite");
const SHAPE: &[i64] = &[1, 4];

fn main() {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).expect("read standard input");
    let (a, b) = input.split_at(input.len() / 2);
    let (model, kind) = match std::env::args().nth(1).as_deref() {
        Some("tensorflow") => (MODEL, ModelType::TensorFlow),
        Some("broken") => (&b"no model"[..], ModelType::TensorFlowLite),
        _ => (MODEL, ModelType::TensorFlowLite),
    };

    let mut session = Session::new(model, kind);
    session.add_input("a", a, SHAPE).add_input("b", b, SHAPE).run();
    let sum: Vec<u8> = session.get_output("sum");

    std::io::stdout().write_all(&sum).expect("write standard output");
}
