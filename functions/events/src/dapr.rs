//! Calls to Dapr, through the host's module `wapc`.
//!
//! The files below `/dapr` have no etags, and need none of this.

use serde_json::Value;

pub enum Error {
    /// Somebody else has written first.
    Conflict,
    Failed(String),
}

/// Calls a method of Dapr's API, `dapr.proto.runtime.v1.Dapr`, in the JSON form of its messages.
pub fn call(method: &str, request: &Value) -> Result<Value, Error> {
    let response = host_call("dapr", "json", method, request.to_string().as_bytes());
    match response {
        Ok(response) if response.is_empty() => Ok(Value::Null),
        Ok(response) => serde_json::from_slice(&response).map_err(|error| Error::Failed(error.to_string())),
        // The name of the gRPC status comes first.
        Err(error) if error.starts_with("ABORTED") => Err(Error::Conflict),
        Err(error) => Err(Error::Failed(error)),
    }
}

fn host_call(binding: &str, namespace: &str, operation: &str, payload: &[u8]) -> Result<Vec<u8>, String> {
    // SAFETY: the host reads these regions only, and only during the call.
    let is_answered = unsafe {
        wapc::__host_call(
            binding.as_ptr(),
            binding.len(),
            namespace.as_ptr(),
            namespace.len(),
            operation.as_ptr(),
            operation.len(),
            payload.as_ptr(),
            payload.len(),
        )
    };
    // SAFETY: both have the size that the host says.
    unsafe {
        if is_answered == 0 {
            let error = filled(wapc::__host_error_len(), |at| wapc::__host_error(at));
            return Err(String::from_utf8_lossy(&error).into());
        }
        Ok(filled(wapc::__host_response_len(), |at| wapc::__host_response(at)))
    }
}

fn filled(size: usize, fill: impl Fn(*mut u8)) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fill(bytes.as_mut_ptr());
    bytes
}

mod wapc {
    #[link(wasm_import_module = "wapc")]
    extern "C" {
        pub fn __host_call(
            binding: *const u8,
            binding_len: usize,
            namespace: *const u8,
            namespace_len: usize,
            operation: *const u8,
            operation_len: usize,
            payload: *const u8,
            payload_len: usize,
        ) -> i32;
        pub fn __host_response_len() -> usize;
        pub fn __host_response(at: *mut u8);
        pub fn __host_error_len() -> usize;
        pub fn __host_error(at: *mut u8);
    }
}
