//! The seeds of the fuzz targets, as a plain test: what a run of the fuzzer has mended stays mended. Never makes new ones.

#![allow(clippy::unwrap_used)]

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

/// A seed is a case that somebody can read.
const SMALL: usize = 4096;

fn every_seed(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        let bytes = std::fs::read(&seed).unwrap();
        assert!(bytes.len() <= SMALL, "{} is no small seed", seed.display());
        eprintln!("{}", seed.display());
        holds(&bytes);
    }
}

#[test]
fn the_envelope_holds_for_its_seeds() {
    every_seed("envelope", fuzz::envelope);
}

#[test]
fn event_streams_hold_for_their_seeds() {
    every_seed("sse", fuzz::sse);
}

#[test]
fn the_stdio_framing_holds_for_its_seeds() {
    every_seed("lines", fuzz::lines);
}

#[test]
fn the_bridge_holds_for_its_seeds() {
    every_seed("bridge", fuzz::bridge);
}
