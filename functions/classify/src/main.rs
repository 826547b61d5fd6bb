//! Reads a picture from standard input, and writes a model's labels for it to standard output.
//!
//! The model is the one that the manifest grants as `default`. Everything else about it is set in the
//! environment (`options`). A body that is not a picture is rejected with exit code 65 and one sentence
//! on standard error.

mod answer;
mod failure;
mod ground;
mod ink;
mod nn;
mod options;
mod plane;
mod resample;
mod scores;
mod tensor;

use std::{env, fs};

use answer::Form;
use failure::Failure;
use nn::{Errno, Kind, Model};
use options::{Options, Sample};
use picture::report::Work;
use picture::stdio;

/// The name by which the manifest grants the model.
const MODEL: &str = "default";

fn main() {
    let work = Work::begin("classify");
    match run() {
        Ok((input_size, output_size)) => work.report(input_size, output_size),
        Err(failure) => failure.exit(),
    }
}

/// Returns the sizes of the picture and of the answer, without the answer's header lines.
fn run() -> Result<(usize, usize), Failure> {
    let options = Options::from_environment()?;
    let labels = read_labels(&options.labels)?;
    let labels: Vec<&str> = labels.lines().map(str::trim_end).collect();
    let body = stdio::read_body().map_err(Failure::Stream)?;
    let raster = picture::decode(&body, tensor::wanted(&options))?;
    let input_size = body.len();
    drop(body);

    let output = infer(&tensor::tensor(raster, &options)?, &options)?;
    let scores = scores::read(&output, labels.len())?;
    let found = answer::best(&labels, &scores, options.top, options.threshold);
    let form = Form::accepted(&env::var("HTTP_ACCEPT").unwrap_or_default());
    let answer = form.write(&options.model, &found);
    stdio::write_answer(respond(form, &answer).as_bytes()).map_err(Failure::Stream)?;
    Ok((input_size, answer.len()))
}

/// The labels, one on each line, without empty lines at the end.
fn read_labels(path: &str) -> Result<String, Failure> {
    let expected = "expected a text with one label on each line, in the order of the model's scores";
    let wrong = |fault: String| Failure::Misconfigured(format!("LABELS: {path}: {fault}; {expected}"));
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| wrong("is not UTF-8".into()))?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    if text.is_empty() {
        return Err(wrong("is empty".into()));
    }
    Ok(text.into())
}

fn infer(tensor: &[u8], options: &Options) -> Result<Vec<u8>, Failure> {
    let model = Model::named(MODEL).map_err(|errno| match errno {
        Errno::NOT_FOUND => Failure::Misconfigured(format!(
            "there is no model '{MODEL}'; expected it under capabilities.nn.models in function.toml"
        )),
        errno => Failure::Model(format!("the model '{MODEL}' can't be loaded: {errno}")),
    })?;

    let input = &options.input;
    let dimensions = [1, input.height as u32, input.width as u32, input.channels as u32];
    let kind = match input.sample {
        Sample::U8 => Kind::U8,
        Sample::F32 => Kind::F32,
    };
    model.set_input(&dimensions, kind, tensor).map_err(|errno| match errno {
        Errno::INVALID_ARGUMENT | Errno::TOO_LARGE => Failure::Misconfigured(format!(
            "INPUT: {input} is not the input of the model '{MODEL}' ({errno}); expected {}",
            options::INPUT_FORM
        )),
        errno => Failure::Model(format!("the model '{MODEL}' rejects its input: {errno}")),
    })?;
    model.compute().map_err(|errno| Failure::Model(format!("the model '{MODEL}' failed: {errno}")))?;
    model.output(scores::LIMIT_BYTES).map_err(|errno| match errno {
        Errno::TOO_LARGE => scores::too_many(),
        errno => Failure::Model(format!("the model '{MODEL}' returns no output: {errno}")),
    })
}

/// The answer below its header lines, where the host expects them.
fn respond(form: Form, answer: &str) -> String {
    match env::var_os("GATEWAY_INTERFACE") {
        Some(_) => format!("Content-Type: {}\nVary: Accept\n\n{answer}", form.content_type()),
        None => answer.into(),
    }
}
