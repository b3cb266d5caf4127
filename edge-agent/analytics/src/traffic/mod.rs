//! What rules and measures both ask of traffic: who crossed a line, how full a lane is, how fast what is in it moves,
//! which vehicles stand in a queue.

pub(crate) mod crossing;
pub(crate) mod lane;
pub(crate) mod pace;
pub(crate) mod queue;
