//! Splices against the naive way, and what they share with the body.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn span(start: usize, end: usize) -> Span {
    Span::new(start, end)
}

fn spliced(body: &'static str, edits: &[(usize, usize, &'static str)]) -> String {
    let mut splice = Splice::new(Bytes::from_static(body.as_bytes()));
    for (start, end, with) in edits {
        splice.replace(span(*start, *end), *with);
    }
    String::from_utf8(splice.into_bytes().to_vec()).unwrap()
}

/// Whether a piece is a part of the body's own memory.
fn is_within(piece: &Bytes, body: &Bytes) -> bool {
    body.as_ptr_range().contains(&piece.as_ptr())
}

#[test]
fn replacements_insertions_and_removals_are_made() {
    assert_eq!(spliced("0123456789", &[(2, 4, "ab"), (7, 8, "")]), "01ab45689");
    assert_eq!(spliced("0123456789", &[(0, 0, "<"), (10, 10, ">")]), "<0123456789>");
    assert_eq!(spliced("0123456789", &[(0, 10, "x")]), "x");
    assert_eq!(spliced("", &[(0, 0, "x")]), "x");
    assert_eq!(spliced("01", &[(0, 1, "a"), (1, 2, "b")]), "ab");
}

#[test]
fn edits_may_come_in_any_order_and_insertions_keep_theirs() {
    assert_eq!(spliced("0123", &[(3, 4, "d"), (0, 1, "a"), (2, 3, "c"), (1, 2, "b")]), "abcd");
    assert_eq!(spliced("0123", &[(2, 3, "C"), (2, 2, "x"), (2, 2, "y")]), "01xyC3");
    assert_eq!(spliced("0123", &[(2, 2, "x"), (2, 3, "C"), (2, 2, "y")]), "01xyC3");
}

#[test]
fn more_edits_than_fit_in_place_are_made_too() {
    let edits: Vec<_> = (0..10).rev().map(|i| (i, i + 1, "<>")).collect();
    assert_eq!(spliced("0123456789", &edits), "<>".repeat(10));
}

#[test]
fn without_edits_the_body_itself_comes_back() {
    let body = Bytes::from(b"unchanged".to_vec());
    let splice = Splice::new(body.clone());
    assert!(splice.is_empty());
    assert_eq!(splice.len(), 9);
    assert_eq!(splice.clone().into_bytes().as_ptr(), body.as_ptr());
    let pieces: Vec<_> = splice.into_pieces().collect();
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].as_ptr(), body.as_ptr());
    assert_eq!(Splice::new(Bytes::new()).into_pieces().count(), 0);
}

#[test]
fn unchanged_parts_and_new_bytes_are_shared() {
    let body = Bytes::from(b"0123456789".to_vec());
    let new = Bytes::from(b"new".to_vec());
    let mut splice = Splice::new(body.clone());
    splice.replace(span(4, 5), new.clone());
    let pieces: Vec<_> = splice.into_pieces().collect();
    assert_eq!(pieces, ["0123", "new", "56789"]);
    assert!(is_within(&pieces[0], &body) && is_within(&pieces[2], &body));
    assert_eq!(pieces[1].as_ptr(), new.as_ptr());
}

#[test]
fn pieces_know_how_much_is_to_come() {
    let mut splice = Splice::new(Bytes::from_static(b"0123456789"));
    splice.replace(span(4, 5), "new");
    let mut pieces = splice.into_pieces();
    let mut lengths = vec![pieces.len()];
    while pieces.next().is_some() {
        lengths.push(pieces.len());
    }
    assert_eq!(lengths, [12, 8, 5, 0]);
    assert!(pieces.is_empty());
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "overlap")]
fn edits_that_overlap_are_found_in_debug_builds() {
    spliced("0123456789", &[(2, 6, "a"), (5, 7, "b")]);
}

#[test]
fn a_message_on_several_lines_is_put_on_one() {
    let body = Bytes::from_static(b"{\r\n \"a\":\n1}\n");
    assert_eq!(one_line(body), "{   \"a\": 1} ");
    let body = Bytes::from(b"{\"a\":\"\\n\"}".to_vec());
    assert_eq!(one_line(body.clone()).as_ptr(), body.as_ptr(), "nothing to change, nothing copied");
    let shared = Bytes::from(b"a\nb".to_vec());
    assert_eq!(one_line(shared.clone()), "a b");
    assert_eq!(shared, "a\nb", "other holders of the bytes see no change");
}

/// Start, end and what to put there.
type Replacement = (usize, usize, Vec<u8>);

/// Cuts that part a body into ranges, some of them empty, and what to put there.
fn edits() -> impl Strategy<Value = (Vec<u8>, Vec<Replacement>)> {
    (prop::collection::vec(any::<u8>(), 0..60), prop::collection::vec(any::<prop::sample::Index>(), 0..24))
        .prop_flat_map(|(body, cuts)| {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.sort_unstable();
            let ranges: Vec<_> = cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let new = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), ranges.len());
            (Just(body), Just(ranges), new)
        })
        .prop_map(|(body, ranges, new)| {
            (body, ranges.into_iter().zip(new).map(|((start, end), new)| (start, end, new)).collect())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn splicing_equals_the_naive_way((body, edits) in edits(), rotate in any::<prop::sample::Index>()) {
        let mut naive = body.clone();
        for (start, end, new) in edits.iter().rev() {
            naive.splice(start..end, new.iter().copied());
        }
        // Any order, except that insertions at one place keep theirs.
        let mut order: Vec<_> = edits.clone();
        let distinct = edits.windows(2).all(|pair| pair[0].0 != pair[1].0);
        if distinct && !order.is_empty() {
            let by = rotate.index(order.len());
            order.rotate_left(by);
        }
        let mut splice = Splice::new(Bytes::from(body));
        for (start, end, new) in order {
            splice.replace(span(start, end), new);
        }
        prop_assert_eq!(splice.len(), naive.len());
        let pieces: Vec<_> = splice.clone().into_pieces().collect();
        prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
        prop_assert_eq!(pieces.concat(), &naive[..]);
        prop_assert_eq!(splice.into_bytes(), naive);
    }
}
