//! The integration tests, one module for each subject, in one program: each program links all of Burn.
//!
//! `cargo test --test suite parity::` runs one subject.

#![allow(clippy::float_cmp)] // equality is meant where it is asserted

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/programs.rs"]
mod programs;

mod accuracy;
mod architecture;
mod blocks;
mod bounds;
mod checkpointing;
mod checkpoints;
mod command_line;
mod errors;
mod files;
mod gradients;
mod greedy;
mod hostile;
mod lbfgs;
mod losses;
#[cfg(feature = "wgpu")]
mod lost;
mod metrics;
mod names;
mod networks;
mod optimisers;
mod options;
mod paintings;
mod parity;
mod precision;
mod properties;
mod reads;
mod recipes;
#[cfg(feature = "remote-server")]
mod remote;
mod reproduce;
mod resampled;
mod surface;
mod tasks;
mod weights;
