//! Reports to the demo's events service, if the function may call it.

use std::fs::OpenOptions;
use std::io::{Read, Result, Write};
use std::time::{Duration, Instant};

/// The method as a file. There is none if the function was granted no calls to Dapr.
const CREATE_EVENT: &str = "/dapr/invoke/events-service/create_event?content-type=application/json";

/// A function's work on one picture.
pub struct Work {
    function: &'static str,
    began: Instant,
}

impl Work {
    pub fn begin(function: &'static str) -> Self {
        Work { function, began: Instant::now() }
    }

    /// Reports the work, with the sizes of picture and answer in bytes. Call it after the answer is written.
    ///
    /// The answer is what counts, so a report that fails is dropped. `limits.dapr_timeout` bounds how long one takes.
    pub fn report(self, input_size: usize, output_size: usize) {
        let Work { function, began } = self;
        let duration = milliseconds(began.elapsed());
        let event = format!(
            r#"{{"op_type":"{function}","input_size":{input_size},"output_size":{output_size},"duration_ms":{duration}}}"#
        );
        drop(send(event.as_bytes()));
    }
}

fn send(event: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(CREATE_EVENT)?;
    file.write_all(event)?;
    // The first read sends the event. Without it, closing the file would send it, and an error would be the
    // function's.
    file.read(&mut [0; 64]).map(drop)
}

/// Decimal digits of a duration, in milliseconds. This is smaller than Rust's code for floating-point numbers.
fn milliseconds(duration: Duration) -> String {
    let micros = duration.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}
