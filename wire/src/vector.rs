//! Sixteen bytes at once, where the processor surely can: SSE2 is part of every x86-64.
//!
//! Never reads beyond the block it is given. Unsafe, because the compiler offers these instructions in no other way; other
//! processors take the word-wise way in `skip`, which says the same.

use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

/// One bit a byte, the first byte lowest: those that stop plain text in a string, and those above 0x7f.
#[inline]
pub(crate) fn stops(block: &[u8; 16]) -> (u32, u32) {
    // SAFETY: the load is unaligned and within the array; the instructions are those of SSE2, which x86-64 always has.
    unsafe {
        let bytes = _mm_loadu_si128(block.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        let controls = _mm_cmpeq_epi8(bytes, _mm_min_epu8(bytes, _mm_set1_epi8(0x1f)));
        let stops = _mm_or_si128(_mm_or_si128(quotes, backslashes), controls);
        (_mm_movemask_epi8(stops) as u32, _mm_movemask_epi8(bytes) as u32)
    }
}
