//! The durable outbox: what was committed is delivered.
