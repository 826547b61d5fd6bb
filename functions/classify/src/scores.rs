//! Reads the model's output as scores.

use crate::failure::Failure;

/// Limit on the output: 65,536 scores as floats, far more than any classifier has.
pub const LIMIT_BYTES: usize = 256 << 10;

/// Returns one score for each label. Bytes from 0 to 255 become scores from 0 to 1; floats stay unchanged.
///
/// WASI-NN gives only the bytes of an output, so their number decides which of both they are.
pub fn read(output: &[u8], labels: usize) -> Result<Vec<f32>, Failure> {
    let scores: Vec<f32> = match output.len() {
        bytes if bytes == labels => output.iter().map(|&score| f32::from(score) / 255.0).collect(),
        bytes if bytes == 4 * labels => output
            .chunks_exact(4)
            .map(|score| f32::from_le_bytes([score[0], score[1], score[2], score[3]]))
            .collect(),
        bytes => {
            let or_floats = if bytes % 4 == 0 { format!(", or {} as f32", bytes / 4) } else { String::new() };
            return Err(Failure::Misconfigured(format!(
                "LABELS: {labels} labels don't fit the model's output of {bytes} bytes; expected {bytes} labels for \
                 scores as u8{or_floats}"
            )));
        }
    };
    if scores.iter().all(|score| score.is_finite()) {
        Ok(scores)
    } else {
        Err(Failure::Model("the model's output has scores that are not finite numbers".into()))
    }
}

pub fn too_many() -> Failure {
    Failure::Misconfigured(format!(
        "the model's output is larger than {LIMIT_BYTES} bytes; expected a classifier's output, with one score for each label"
    ))
}
