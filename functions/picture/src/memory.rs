//! An allocator that rejects the picture if there is not enough memory for it.
//!
//! The standard library traps if an allocation fails. But the picture decides how much memory it
//! needs, so here it is rejected like any other bad input.

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
    const SENTENCE: &[u8] = b"the picture needs more memory than the function may use\n";
    // Not `eprintln`, which may allocate.
    // SAFETY: the pointer and the length are those of one constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len());
        libc::_exit(EX_DATAERR)
    }
}
