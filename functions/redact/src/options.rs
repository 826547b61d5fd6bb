//! The function's options: the caller's, in the query, before those of its environment.

use std::env;

use crate::failure::Failure;
use crate::kind::Kind;

pub struct Options {
    wanted: [bool; Kind::COUNT],
    marks: [Vec<u8>; Kind::COUNT],
}

const MASK_BYTES: usize = 64;

impl Options {
    /// Reads `ONLY` and `MASK`, and then `only` and `mask` in `QUERY_STRING`, which override them.
    pub fn from_environment() -> Result<Self, Failure> {
        let mut options = Options {
            wanted: [true; Kind::COUNT],
            marks: Kind::ALL.map(|kind| format!("[{}]", kind.name()).into_bytes()),
        };
        if let Some(value) = variable("ONLY") {
            options.set_only("ONLY", &value)?;
        }
        if let Some(value) = variable("MASK") {
            options.set_mask("MASK", &value)?;
        }
        let query = variable("QUERY_STRING").unwrap_or_default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = decoded(value);
            match name {
                "only" => options.set_only("only", &value)?,
                "mask" => options.set_mask("mask", &value)?,
                _ => {
                    let sentence = format!("'{name}' is not an option; expected only or mask");
                    return Err(Failure::Rejected(sentence));
                }
            }
        }
        Ok(options)
    }

    pub fn wants(&self, kind: Kind) -> bool {
        self.wanted[kind as usize]
    }

    /// The text that replaces a secret.
    pub fn mark(&self, kind: Kind) -> &[u8] {
        &self.marks[kind as usize]
    }

    fn set_only(&mut self, option: &str, value: &str) -> Result<(), Failure> {
        self.wanted = [false; Kind::COUNT];
        for name in value.split(',').map(str::trim) {
            let kind = Kind::named(name).ok_or_else(|| {
                let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
                Failure::Rejected(format!(
                    "{option}: '{name}' is not a kind of secret; expected one or more of {}, with commas between them",
                    known.join(", ")
                ))
            })?;
            self.wanted[kind as usize] = true;
        }
        Ok(())
    }

    fn set_mask(&mut self, option: &str, value: &str) -> Result<(), Failure> {
        let is_fit = (1..=MASK_BYTES).contains(&value.len()) && !value.contains(char::is_control);
        if !is_fit {
            return Err(Failure::Rejected(format!(
                "{option}: '{}' can't replace a secret; expected 1 to {MASK_BYTES} bytes without control characters",
                value.escape_debug()
            )));
        }
        self.marks = Kind::ALL.map(|_| value.as_bytes().to_vec());
        Ok(())
    }
}

fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A value of a query: `+` is a space, `%5B` a bracket.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let digit = |place: usize| others.get(place).and_then(|&digit| char::from(digit).to_digit(16));
        let code = digit(0).zip(digit(1)).map(|(high, low)| (high << 4 | low) as u8);
        rest = others;
        bytes.push(match (first, code) {
            (b'%', Some(code)) => {
                rest = &others[2..];
                code
            }
            (b'+', _) => b' ',
            _ => first,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
