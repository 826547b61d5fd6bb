//! Adds the two tensors of four numbers on standard input, with the model that it embeds.
//!
//! It takes an argument to do what fails: "tensorflow" runs the model as one of full TensorFlow, and "broken" a
//! model that is none.

use std::io::{Read, Write};

use wasmedge_tensorflow_interface::{TFLiteSession, TFSession};

const MODEL: &[u8] = include_bytes!("../model.tflite");

fn main() {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).expect("read standard input");
    let (a, b) = input.split_at(input.len() / 2);
    let sum: Vec<u8> = match std::env::args().nth(1).as_deref() {
        Some("tensorflow") => TFSession::new(MODEL)
            .add_input("a", a, &[1, 4])
            .add_output("sum")
            .run()
            .get_output("sum"),
        Some("broken") => add(b"no model", a, b),
        _ => add(MODEL, a, b),
    };

    std::io::stdout().write_all(&sum).expect("write standard output");
}

fn add(model: &[u8], a: &[u8], b: &[u8]) -> Vec<u8> {
    TFLiteSession::new(model).add_input("a", a).add_input("b", b).run().get_output("sum")
}
