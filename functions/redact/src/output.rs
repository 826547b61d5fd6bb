//! What is written, in as few pieces as its bounded memory allows.

use std::io::{Result, Write};

const BUFFER_BYTES: usize = 128 << 10;

pub struct Output<W> {
    to: W,
    buffer: Vec<u8>,
    result: Result<()>,
}

impl<W: Write> Output<W> {
    pub fn new(to: W) -> Self {
        Self { to, buffer: Vec::with_capacity(BUFFER_BYTES), result: Ok(()) }
    }

    /// An error stays until `flush` gives it.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.write();
        }
        if bytes.len() > BUFFER_BYTES {
            if self.result.is_ok() {
                self.result = self.to.write_all(bytes);
            }
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    pub fn flush(&mut self) -> Result<()> {
        self.write();
        std::mem::replace(&mut self.result, Ok(()))?;
        self.to.flush()
    }

    fn write(&mut self) {
        if self.result.is_ok() {
            self.result = self.to.write_all(&self.buffer);
        }
        self.buffer.clear();
    }
}
