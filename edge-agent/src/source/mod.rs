//! Cameras and clips: getting frames, and getting them back when they stop.
