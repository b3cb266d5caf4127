//! Files as people and programs write them, and as they should not.
