//! Shared fixtures of the benches: input that repeats to the bit, and what a process has used.

pub mod numbers;
pub mod process;
pub mod rules;
pub mod traffic;
