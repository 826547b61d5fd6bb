//! Converts colours with the same results as Pillow's `convert`, to the last bit.

/// ITU-R 601-2 luma in 16-bit fixed point; the three weights add up to 65,536.
pub fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let weighted = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((weighted + 0x8000) >> 16) as u8
}

/// Red, green and blue of printing inks, 255 = full ink.
pub fn rgb_of_inks(cyan: u8, magenta: u8, yellow: u8, black: u8) -> [u8; 3] {
    let light = 255 - black;
    [cyan, magenta, yellow].map(|ink| light - multiplied(ink, light))
}

/// `a * b / 255`, rounded, without a division.
pub fn multiplied(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}
