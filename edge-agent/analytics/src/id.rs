//! Identifiers: `[a-z0-9-]{1,40}`, each a type of its own, so that a zone is never passed for a camera.

use std::fmt;
use std::sync::Arc;

/// A text that is no identifier, with the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an identifier: use 1 to 40 of a-z, 0-9 and '-'")]
pub struct InvalidId(pub String);

fn parse(text: &str) -> Result<Arc<str>, InvalidId> {
    let valid = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid { Ok(text.into()) } else { Err(InvalidId(text.chars().take(60).collect())) }
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses `[a-z0-9-]{1,40}`.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

id! {
    /// A junction or commune: never an administrative name, those change.
    SiteId;
    /// One box of a site.
    BoxId;
    /// One camera of a box.
    CameraId;
    /// One rule of a camera.
    RuleId;
    /// One zone of a camera.
    ZoneId;
    /// One line of a camera.
    LineId;
    /// One traffic signal (a head, or all heads of one phase) as a camera's rules refer to it.
    SignalId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_lower_case_ascii_digits_and_dashes() {
        for good in ["a", "ql10-nut-01", &"x".repeat(40)] {
            assert_eq!(CameraId::new(good).expect("valid").as_str(), good);
        }
        for bad in ["", "A", "hướng-nam", "a b", "a.b", "a/b", "a+", &"x".repeat(41)] {
            assert!(CameraId::new(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
