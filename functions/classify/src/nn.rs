//! Runs the model through WASI-NN (`wasi_ephemeral_nn`).

use std::fmt;

#[link(wasm_import_module = "wasi_ephemeral_nn")]
extern "C" {
    fn load_by_name(name: *const u8, name_len: usize, graph: *mut u32) -> u32;
    fn init_execution_context(graph: u32, context: *mut u32) -> u32;
    fn set_input(context: u32, index: u32, tensor: *const Tensor) -> u32;
    fn compute(context: u32) -> u32;
    fn get_output(context: u32, index: u32, buffer: *mut u8, size: usize, written: *mut usize) -> u32;
}

#[repr(C)]
struct Tensor {
    dimensions: *const u32,
    dimension_count: usize,
    kind: u8,
    data: *const u8,
    data_len: usize,
}

/// WASI-NN's numbers of the two types. Older hosts have 2 for u8; this project's host accepts both.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    F32 = 1,
    U8 = 3,
}

/// The result of a call, as WASI-NN numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(u32);

impl Errno {
    pub const INVALID_ARGUMENT: Self = Self(1);
    pub const TOO_LARGE: Self = Self(7);
    pub const NOT_FOUND: Self = Self(8);

    fn check(self) -> Result<(), Self> {
        match self {
            Self(0) => Ok(()),
            errno => Err(errno),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        const NAMES: [&str; 9] = [
            "success",
            "invalid_argument",
            "invalid_encoding",
            "missing_memory",
            "busy",
            "runtime_error",
            "unsupported_operation",
            "too_large",
            "not_found",
        ];
        match NAMES.get(self.0 as usize) {
            Some(name) => to.write_str(name),
            None => write!(to, "errno {}", self.0),
        }
    }
}

/// A model that is ready to compute.
pub struct Model {
    context: u32,
}

impl Model {
    /// Loads the model that the manifest grants under this name.
    pub fn named(name: &str) -> Result<Self, Errno> {
        let (mut graph, mut context) = (0, 0);
        // SAFETY: the host reads the name and writes the one handle; so below.
        Errno(unsafe { load_by_name(name.as_ptr(), name.len(), &mut graph) }).check()?;
        Errno(unsafe { init_execution_context(graph, &mut context) }).check()?;
        Ok(Self { context })
    }

    /// Sets the model's only input.
    pub fn set_input(&self, dimensions: &[u32], kind: Kind, data: &[u8]) -> Result<(), Errno> {
        let tensor = Tensor {
            dimensions: dimensions.as_ptr(),
            dimension_count: dimensions.len(),
            kind: kind as u8,
            data: data.as_ptr(),
            data_len: data.len(),
        };
        // SAFETY: the host reads the tensor and what it points to, during the call.
        Errno(unsafe { set_input(self.context, 0, &tensor) }).check()
    }

    pub fn compute(&self) -> Result<(), Errno> {
        // SAFETY: the host touches no memory.
        Errno(unsafe { compute(self.context) }).check()
    }

    /// Returns the bytes of the model's first output, which may be at most `limit`.
    pub fn output(&self, limit: usize) -> Result<Vec<u8>, Errno> {
        let mut output = Vec::with_capacity(limit);
        let mut written = 0;
        // SAFETY: the host writes at most `limit` bytes, and how many they were.
        Errno(unsafe { get_output(self.context, 0, output.as_mut_ptr(), limit, &mut written) }).check()?;
        unsafe { output.set_len(written.min(limit)) };
        Ok(output)
    }
}
