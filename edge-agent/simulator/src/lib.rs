//! Simulated traffic, for statistics that no clip can give.
//!
//! A [`World`](world::World) moves vehicles and people on the ground, in metres; a [`Camera`](camera::Camera) sees them as
//! boxes; a [`Detector`](detector::Detector) misses, shifts, confuses and invents boxes as a real one was measured to. What
//! comes out goes to [`analytics::Core`] as a live camera's detections would. What truly happened is judged on the ground
//! by [`Truth`](truth::Truth), from the definitions of the catalogue, and is what the core's incidents are scored against
//! ([`run`]). `docs/simulator.md` holds the definitions and the fit.
//!
//! # Invariants
//! - A simulation is a function of its seed: no clock, environment, file or other source of chance.
//! - The world has its own step; the rate at which pictures are taken changes neither it nor the truth.
#![forbid(unsafe_code)]

pub mod camera;
pub mod detector;
pub mod feed;
pub mod ground;
pub mod mot;
pub mod place;
pub mod places;
pub mod random;
pub mod road;
pub mod rules;
pub mod run;
pub mod script;
pub mod traffic;
pub mod truth;
pub mod vehicle;
pub mod walker;
pub mod world;
