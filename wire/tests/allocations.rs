//! Proof that reading a plain message allocates nothing. Never used outside tests; unsafe, because an allocator that
//! counts can be written in no other way.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use wire::{Envelope, Shape};

/// The system's allocator, which counts what each thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed on as it is; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`, which is that of the system's.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn reading_a_plain_message_allocates_nothing() {
    let call = br#"{"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":{"name":"echo","arguments":
        {"text":"with \"escapes\" and \u00e9 and more","deep":[[[{"a":{"b":[1,2.5,-3e4,true,null]}}]]]},
        "_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},"x":1}}}"#;
    let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}],"isError":false}}"#;
    let count = allocations(|| {
        let found = Envelope::parse(call, 64);
        assert!(found.is_ok_and(|found| found.kind == Shape::Request && found.method(call) == "tools/call"));
        assert!(Envelope::parse(answer, 64).is_ok_and(|found| found.kind == Shape::Response));
    });
    assert_eq!(count, 0);
}

#[test]
fn refusing_a_message_allocates_nothing() {
    let bodies: [&[u8]; 4] =
        [b"{\"jsonrpc\":", b"[[[[[[[[", br#"{"id":1,"id":2}"#, br#"{"jsonrpc":"2.0","id":null,"method":"m"}"#];
    let count = allocations(|| {
        for body in bodies {
            assert!(Envelope::parse(body, 4).is_err());
        }
    });
    assert_eq!(count, 0);
}
