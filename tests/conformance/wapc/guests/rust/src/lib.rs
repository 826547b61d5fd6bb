//! A waPC guest by the crate wapc-guest. Its operations are those of `../c/guest.c`.

use std::error::Error;

use wapc_guest::prelude::*;

#[link(wasm_import_module = "wapc")]
extern "C" {
    fn __guest_error(text: *const u8, size: usize);
}

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("echo", |payload| Ok(payload.to_vec()));
    register_function("fail", |_| Err("told to fail".into()));
    register_function("ask", ask);
    register_function("trap", trap);
    register_function("log", log);
}

fn ask(payload: &[u8]) -> CallResult {
    host_call("dapr", "json", "GetState", payload)
}

fn trap(_: &[u8]) -> CallResult {
    let error = "told to trap";
    unsafe { __guest_error(error.as_ptr(), error.len()) };
    std::process::abort()
}

fn log(payload: &[u8]) -> CallResult {
    let text = std::str::from_utf8(payload).map_err(Box::<dyn Error + Sync + Send>::from)?;
    console_log(text);
    print!("{text}");
    eprint!("{text}");
    Ok(Vec::new())
}
