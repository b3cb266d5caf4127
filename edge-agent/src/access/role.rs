//! Roles and what each may see: the one table. SECURITY.md shows it; a test holds the two together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that not everybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// How box, broker and cameras are: numbers and words, no picture.
    Status,
    /// The cameras' latest pictures. They show people.
    Pictures,
    /// Incidents, and their pictures.
    Incidents,
    /// What technicians need: the configuration as loaded, the texts of failures, metrics.
    Diagnostics,
    /// Who has an account, and who is logged in.
    Accounts,
}

impl Right {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 5] = [Self::Status, Self::Pictures, Self::Incidents, Self::Diagnostics, Self::Accounts];
}

/// What an account is for. Roles do not contain each other: who keeps the accounts need not see people, who aims the
/// cameras need not know what was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees that the box works.
    Viewer,
    /// Follows the traffic.
    Operator,
    /// Sets the box up, and finds its faults.
    Integrator,
    /// Keeps the accounts.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Integrator, Self::Admin];

    /// As files and command lines write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Integrator => "integrator",
            Self::Admin => "admin",
        }
    }

    /// The role of this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.label() == label)
    }

    /// What it may see.
    #[must_use]
    pub const fn rights(self) -> &'static [Right] {
        match self {
            Self::Viewer => &[Right::Status],
            Self::Operator => &[Right::Status, Right::Pictures, Right::Incidents],
            Self::Integrator => &[Right::Status, Right::Pictures, Right::Diagnostics],
            Self::Admin => &[Right::Status, Right::Diagnostics, Right::Accounts],
        }
    }

    /// Whether it may see this.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }
}

impl clap::ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.label()))
    }
}
