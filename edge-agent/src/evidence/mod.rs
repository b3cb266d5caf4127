//! Pictures that prove: what a camera saw, with what was judged drawn into it.

pub mod canvas;
pub mod grid;
