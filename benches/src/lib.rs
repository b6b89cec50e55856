//! What Hostler costs, beside what others cost, in the same run on the same machine.
//!
//! One program for each benchmark, run by `cargo xtask bench <name>`. What they measure and how is in
//! `docs/benchmarks.md`. Never part of what is shipped, and never a judge: figures and ratios, no verdict.

pub mod client;
pub mod load;
pub mod machine;
pub mod process;
pub mod report;
pub mod script;
pub mod stage;
