//! What the macro of every later version can do.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "build_run")]
use wasmedge_bindgen_macro::build_run as wasmedge_bindgen;
#[cfg(not(feature = "build_run"))]
use wasmedge_bindgen_macro::wasmedge_bindgen;

static CALLS: AtomicU32 = AtomicU32::new(0);

#[wasmedge_bindgen]
pub fn echo(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    Ok(bytes)
}

#[wasmedge_bindgen]
pub fn echo_text(text: String) -> Result<String, String> {
    Ok(text)
}

#[wasmedge_bindgen]
pub fn no_argument() -> Result<String, String> {
    Ok("no argument".to_owned())
}

#[wasmedge_bindgen]
pub fn calls() -> Result<String, String> {
    Ok((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
}

#[wasmedge_bindgen]
pub fn two(text: String, number: i32) -> Result<String, String> {
    Ok(format!("{} {}", text, number))
}

#[wasmedge_bindgen]
pub fn length(text: String) -> Result<String, String> {
    Ok(text.len().to_string())
}

#[wasmedge_bindgen]
pub fn fail(text: String) -> Result<String, String> {
    Err(text)
}

#[wasmedge_bindgen]
pub fn fail_static(_text: String) -> Result<Vec<u8>, &'static str> {
    Err("told to fail")
}

#[wasmedge_bindgen]
pub fn fail_long(size: u32) -> Result<String, String> {
    Err("x".repeat(size as usize))
}

#[wasmedge_bindgen]
pub fn panic(text: String) -> Result<String, String> {
    panic!("{}", text)
}

#[wasmedge_bindgen]
pub fn print(text: String) -> Result<String, String> {
    print!("out {}", text);
    std::io::stdout().flush().unwrap();
    eprint!("err {}", text);
    Ok(std::env::var("GREETING").unwrap_or_default())
}

#[wasmedge_bindgen]
pub fn long(size: u32) -> Result<Vec<u8>, String> {
    Ok(vec![120; size as usize])
}
