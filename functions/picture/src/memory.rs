//! Running out of memory, told as a sentence.
//!
//! The standard library's answer to a failed allocation is a trap. How much a picture needs is
//! the picture's doing, so here it is a rejection like any other.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::rejection::EX_DATAERR;

struct Rejecting;

#[global_allocator]
static ALLOCATOR: Rejecting = Rejecting;

// SAFETY: every call goes to `System`, unchanged; a null pointer is never handed on.
unsafe impl GlobalAlloc for Rejecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        present(System.alloc(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        present(System.alloc_zeroed(layout))
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        present(System.realloc(block, layout, size))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        System.dealloc(block, layout);
    }
}

fn present(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        reject();
    }
    block
}

#[cold]
fn reject() -> ! {
    const SENTENCE: &[u8] = b"the picture needs more memory than the function is granted\n";
    // Nothing may be allocated any more, so not through `eprintln`.
    // SAFETY: the pointer and the length are those of one constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len());
        libc::_exit(EX_DATAERR)
    }
}
