//! GIF to grey GIF.
//!
//! A GIF's pixels are indices into colour tables, so turning the tables grey turns every frame
//! grey: frames, delays, transparency and loops stay as they are, byte for byte. The pixels are unpacked
//! only to see that none is missing.

use picture::colour::luma;
use picture::gif::Blocks;
use picture::Rejection;

/// The same GIF with grey colour tables, and with an end where its own is missing.
pub fn grey(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut blocks = Blocks::new(body)?;
    let mut grey = body.to_vec();
    let mut last = None;
    let mut tables = vec![blocks.table.clone()];
    while let Some(frame) = blocks.next_frame()? {
        tables.push(frame.table.clone());
        last = Some(frame);
    }
    for table in tables.into_iter().flatten() {
        for colour in grey[table].chunks_exact_mut(3) {
            let level = luma(colour[0], colour[1], colour[2]);
            colour.fill(level);
        }
    }
    match last {
        Some(last) => Ok(blocks.finished(grey, &last)),
        None => Err(Rejection::new("the GIF has no frame")),
    }
}
