//! GIF to grey GIF.
//!
//! A GIF's pixels are indices into colour tables, so turning the tables grey turns every frame
//! grey: frames, delays, transparency and loops stay as they are, byte for byte, and nothing
//! has to be decoded.

use picture::colour::luma;
use picture::Rejection;

const HEADER_BYTES: usize = 6;
const SCREEN_BYTES: usize = 7;
const FRAME_BYTES: usize = 9;

const EXTENSION: u8 = 0x21;
const FRAME: u8 = 0x2c;
const TRAILER: u8 = 0x3b;
const PADDING: u8 = 0;

pub fn is_gif(body: &[u8]) -> bool {
    body.starts_with(b"GIF87a") || body.starts_with(b"GIF89a")
}

/// The same GIF with grey colour tables.
pub fn grey(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut gif = Blocks { bytes: body.to_vec(), at: HEADER_BYTES };
    let flags = gif.take(SCREEN_BYTES)?[4];
    gif.grey_table(flags)?;

    let mut frames = 0;
    loop {
        // Many encoders leave the trailer out; all players take the end of the file for it.
        if gif.at == gif.bytes.len() && frames > 0 {
            return Ok(gif.bytes);
        }
        match gif.take(1)?[0] {
            EXTENSION => {
                gif.take(1)?;
                gif.skip_sub_blocks()?;
            }
            FRAME => {
                let flags = gif.take(FRAME_BYTES)?[8];
                gif.grey_table(flags)?;
                gif.take(1)?;
                gif.skip_sub_blocks()?;
                frames += 1;
            }
            TRAILER if frames > 0 => return Ok(gif.bytes),
            TRAILER => return Err(Rejection::new("the GIF has no frame")),
            // Some encoders end a block twice.
            PADDING => {}
            _ => return Err(Rejection::new("the GIF is damaged: what stands where a frame should is none")),
        }
    }
}

struct Blocks {
    bytes: Vec<u8>,
    at: usize,
}

impl Blocks {
    fn take(&mut self, count: usize) -> Result<&mut [u8], Rejection> {
        let taken = self
            .bytes
            .get_mut(self.at..self.at + count)
            .ok_or_else(|| Rejection::new("the GIF is truncated"))?;
        self.at += count;
        Ok(taken)
    }

    /// A colour table's presence and size are in the same bits for the screen and for a frame.
    fn grey_table(&mut self, flags: u8) -> Result<(), Rejection> {
        if flags & 0x80 == 0 {
            return Ok(());
        }
        let colours = 2 << (flags & 7);
        for colour in self.take(3 * colours)?.chunks_exact_mut(3) {
            let grey = luma(colour[0], colour[1], colour[2]);
            colour.fill(grey);
        }
        Ok(())
    }

    fn skip_sub_blocks(&mut self) -> Result<(), Rejection> {
        loop {
            match self.take(1)?[0] {
                0 => return Ok(()),
                length => self.take(length.into())?,
            };
        }
    }
}
