//! Version 0.1.0 exports one function, whatever its name, as `run_e`.

use wasmedge_bindgen_macro::build_run;

#[cfg(feature = "text")]
#[build_run]
pub fn run(text: String) -> Result<String, String> {
    match text.split_once(' ') {
        Some(("fail", reason)) => Err(reason.to_owned()),
        Some(("panic", reason)) => panic!("{}", reason),
        _ => Ok(text),
    }
}

#[cfg(not(feature = "text"))]
#[build_run]
pub fn run(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    Ok(bytes)
}
