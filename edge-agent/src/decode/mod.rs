//! From decoder caps to [`Picture`](crate::frame::Picture)s.
