//! A reported event.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::failure::Failure;

const KIND_BYTES: usize = 64;
/// 2^53 - 1: larger integers are not exact in every reader of JSON.
const LARGEST: u64 = (1 << 53) - 1;

pub struct Event {
    /// When it happened, in milliseconds since 1970.
    pub time_ms: u64,
    /// What was done, such as `grayscale`.
    pub kind: String,
    /// Sizes in bytes.
    pub input_size: u64,
    pub output_size: Option<u64>,
    pub duration_ms: Option<f64>,
}

impl Event {
    /// Reads a JSON object. Optional members may be null, and members that are not known are ignored.
    pub fn read(body: &[u8]) -> Result<Self, Failure> {
        let members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
            Failure::Rejected(
                "the body is not a JSON object; expected one with op_type and input_size".into(),
            )
        })?;
        Ok(Event {
            time_ms: time_ms(&members)?,
            kind: kind(&members)?,
            input_size: integer(&members, "input_size")?
                .ok_or_else(|| wrong("input_size", "is missing", INTEGER))?,
            output_size: integer(&members, "output_size")?,
            duration_ms: duration_ms(&members)?,
        })
    }
}

const INTEGER: &str = "an integer from 0 to 2^53 - 1";

fn wrong(name: &str, fault: &str, expected: &str) -> Failure {
    Failure::Rejected(format!("{name} {fault}; expected {expected}"))
}

fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn integer(members: &Map<String, Value>, name: &str) -> Result<Option<u64>, Failure> {
    member(members, name)
        .map(|value| {
            let integer = value.as_u64().filter(|&integer| integer <= LARGEST);
            integer.ok_or_else(|| wrong(name, "is not valid", INTEGER))
        })
        .transpose()
}

fn kind(members: &Map<String, Value>) -> Result<String, Failure> {
    const EXPECTED: &str = "a text of 1 to 64 bytes";
    match member(members, "op_type") {
        Some(Value::String(kind)) if (1..=KIND_BYTES).contains(&kind.len()) => Ok(kind.clone()),
        // The numbers of the original service.
        Some(Value::Number(number)) if number.as_u64() == Some(1) => Ok("grayscale".into()),
        Some(Value::Number(number)) if number.as_u64() == Some(2) => Ok("classify".into()),
        Some(_) => Err(wrong("op_type", "is not valid", EXPECTED)),
        None => Err(wrong("op_type", "is missing", EXPECTED)),
    }
}

fn time_ms(members: &Map<String, Value>) -> Result<u64, Failure> {
    match member(members, "event_ts") {
        // The original service takes any text, and ignores it.
        None | Some(Value::String(_)) => Ok(now_ms()),
        Some(_) => Ok(integer(members, "event_ts")?.unwrap_or_default()),
    }
}

fn now_ms() -> u64 {
    // Before 1970 there are no events.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn duration_ms(members: &Map<String, Value>) -> Result<Option<f64>, Failure> {
    member(members, "duration_ms")
        .map(|value| {
            let number = value.as_f64().filter(|&number| (0.0..=LARGEST as f64).contains(&number));
            number.ok_or_else(|| wrong("duration_ms", "is not valid", "a number from 0 to 2^53 - 1"))
        })
        .transpose()
}
