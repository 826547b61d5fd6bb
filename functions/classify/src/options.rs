//! The function's options, which are environment variables.

use std::env::{self, VarError};
use std::fmt;
use std::str::FromStr;

use crate::failure::Failure;

pub struct Options {
    /// The file with the labels, one on each line, in the order of the model's scores.
    pub labels: String,
    pub input: Input,
    pub fit: Fit,
    /// Limit on the number of labels in the answer.
    pub top: usize,
    /// The lowest score of a label in the answer.
    pub threshold: f32,
    pub levels: Levels,
    /// The model's name in the answer.
    pub model: String,
}

/// The shape and type of the model's input.
#[derive(Clone, Copy)]
pub struct Input {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub sample: Sample,
}

impl fmt::Display for Input {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let sample = match self.sample {
            Sample::U8 => "u8",
            Sample::F32 => "f32",
        };
        write!(to, "{}x{}x{}:{sample}", self.height, self.width, self.channels)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    U8,
    F32,
}

/// How a picture with other proportions is fitted to the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The whole picture, stretched.
    Stretch,
    /// The middle of the picture.
    Crop,
    /// The whole picture, on black.
    Pad,
    /// Only what is drawn or printed on the picture, in white on black.
    Ink,
}

/// How a sample becomes a float for the model: (x - mean) * scale, for each channel.
pub struct Levels {
    pub mean: [f32; 3],
    pub scale: [f32; 3],
}

/// Limit on the width and height of the input, in pixels. The largest classifiers have some 800.
const MAX_SIDE: usize = 4096;

const INPUT: &str = "INPUT";
pub const INPUT_FORM: &str =
    "height x width x channels : type of a sample, such as 224x224x3:u8 (channels 1 or 3, type u8 or f32)";

impl Options {
    pub fn from_environment() -> Result<Self, Failure> {
        let input = option(INPUT, "224x224x3:u8", INPUT_FORM, input)?;
        Ok(Self {
            labels: option("LABELS", "/model/labels.txt", "the path of a file", text)?,
            input,
            fit: option("FIT", "stretch", "stretch, crop, pad or ink", fit)?,
            top: option("TOP", "5", "a whole number, 1 or more", |text| number(text).filter(|&top| top > 0))?,
            threshold: option("THRESHOLD", "0", "a number from 0 to 1", |text| {
                number(text).filter(|score| (0.0..=1.0).contains(score))
            })?,
            levels: levels(input)?,
            model: option("MODEL", "default", "a name for the answer", text)?,
        })
    }
}

fn levels(input: Input) -> Result<Levels, Failure> {
    const FORM: &str = "a number, or one for each of red, green and blue with commas between them";
    let levels = Levels {
        mean: option("MEAN", "0", FORM, each_channel)?,
        scale: option("SCALE", "1", FORM, each_channel)?,
    };
    let is_plain = levels.mean == [0.0; 3] && levels.scale == [1.0; 3];
    if input.sample == Sample::U8 && !is_plain {
        return Err(Failure::Misconfigured(
            "MEAN and SCALE: set although INPUT is of type u8, whose samples are passed on unchanged; expected \
             neither, or an INPUT of type f32"
                .into(),
        ));
    }
    Ok(levels)
}

/// Returns the parsed value of a variable, or of `default` if it is not set.
fn option<T>(
    name: &str,
    default: &str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Failure> {
    let value = match env::var(name) {
        Ok(value) => value,
        Err(VarError::NotPresent) => default.into(),
        Err(VarError::NotUnicode(value)) => value.to_string_lossy().into_owned(),
    };
    parse(value.trim())
        .ok_or_else(|| Failure::Misconfigured(format!("{name}: '{value}' is not valid; expected {expected}")))
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.into())
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

fn input(text: &str) -> Option<Input> {
    let (shape, sample) = text.split_once(':')?;
    let sample = match sample.trim() {
        "u8" => Sample::U8,
        "f32" => Sample::F32,
        _ => return None,
    };
    let sides: Option<Vec<usize>> = shape.split('x').map(number).collect();
    match sides?[..] {
        [height @ 1..=MAX_SIDE, width @ 1..=MAX_SIDE, channels @ (1 | 3)] => {
            Some(Input { height, width, channels, sample })
        }
        _ => None,
    }
}

fn fit(text: &str) -> Option<Fit> {
    match text {
        "stretch" => Some(Fit::Stretch),
        "crop" => Some(Fit::Crop),
        "pad" => Some(Fit::Pad),
        "ink" => Some(Fit::Ink),
        _ => None,
    }
}

fn each_channel(text: &str) -> Option<[f32; 3]> {
    let numbers: Option<Vec<f32>> = text.split(',').map(fraction).collect();
    match numbers?[..] {
        [all] => Some([all; 3]),
        [red, green, blue] => Some([red, green, blue]),
        _ => None,
    }
}

/// Parses a finite number, or a fraction such as 1/127.5.
fn fraction(text: &str) -> Option<f32> {
    let value = match text.split_once('/') {
        Some((above, below)) => number::<f32>(above)? / number::<f32>(below)?,
        None => number(text)?,
    };
    value.is_finite().then(|| value)
}
