//! A picture on standard input, the same picture in grey on standard output.
//!
//! JPEG, PNG, BMP and WebP come back as PNG; a GIF stays a GIF, with all its frames.
//! What is no picture is refused with exit code 65 and one sentence on standard error.

mod gif;
mod grey;
mod png_file;

use picture::report::Work;
use picture::{stdio, Rejection, Wanted};

fn main() {
    let work = Work::begin("grayscale");
    match run() {
        Ok((input_size, output_size)) => work.report(input_size, output_size),
        Err(Failure::Rejected(rejection)) => rejection.exit(),
        Err(Failure::Stream(error)) => {
            eprintln!("standard input or output failed: {error}");
            std::process::exit(EX_IOERR);
        }
    }
}

/// Returns the sizes of the picture and of the answer.
fn run() -> Result<(usize, usize), Failure> {
    let body = stdio::read_body().map_err(Failure::Stream)?;
    let answer = grey(&body).map_err(Failure::Rejected)?;
    let input_size = body.len();
    drop(body);
    stdio::write_answer(&answer).map_err(Failure::Stream)?;
    Ok((input_size, answer.len()))
}

/// `EX_IOERR` of sysexits.h: the host's fault, not the picture's.
const EX_IOERR: i32 = 74;

enum Failure {
    Rejected(Rejection),
    Stream(std::io::Error),
}

fn grey(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    if picture::gif::is_gif(body) {
        return gif::grey(body);
    }
    let picture = grey::Picture::from_raster(picture::decode(body, Wanted { least: None, is_grey: true })?);
    Ok(png_file::encode(&picture))
}
