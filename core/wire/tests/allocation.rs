//! Tests that heads keep their memory: parsing and encoding another one allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sanserve_wire::{HeadEncoder, Limits, RequestHead, ResponseHead, Version, encode_chunk};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: forwards every call to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns how often this allocates.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_further_head_allocates_nothing() {
    let limits = Limits::new();
    let requests: [&[u8]; 2] = [
        b"GET /long HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: g\r\nE: \xe9\r\n\r\n",
    ];
    let responses: [&[u8]; 2] = [
        b"HTTP/1.1 200 Very Long\r\nA: b\r\nC: ddddddddd\r\n\r\n",
        b"HTTP/1.1 404 \xe9\r\nE: \xe9\r\n\r\n",
    ];
    let (mut request, mut response) = (RequestHead::new(), ResponseHead::new());
    let mut out = Vec::new();
    let mut round = || {
        for input in requests {
            assert_eq!(request.parse(input, &limits), Ok(Some(input.len())));
        }
        for input in responses {
            assert_eq!(response.parse(input, &limits), Ok(Some(input.len())));
        }
        out.clear();
        let mut head = HeadEncoder::response(&mut out, Version::Http11, 200, "OK").unwrap();
        for (name, value) in response.fields().iter() {
            head.field(name, value).unwrap();
        }
        head.end();
        encode_chunk(&mut out, b"hello");
    };
    assert!(allocations(&mut round) > 0);
    // After two rounds each buffer has its final size.
    round();
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0);
    assert!(request.capacity() > 0 && response.capacity() > 0);
    request.release();
    response.release();
    assert_eq!((request.capacity(), response.capacity()), (0, 0));
}
