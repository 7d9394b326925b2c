//! What a pass is asked for.

use std::collections::BTreeSet;

use crate::model::UpstreamKey;

/// Which upstreams a pass looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// These.
    Only(BTreeSet<UpstreamKey>),
}

impl Scope {
    /// Both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut a), Self::Only(b)) => {
                a.extend(b);
                Self::Only(a)
            }
            _ => Self::All,
        }
    }

    pub(super) fn has(&self, key: &UpstreamKey) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// What a pass is to do with its plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Carry out what the guards allow.
    Apply,
    /// Say what would be done, and write nothing.
    Show,
    /// As `Show`, and look at every server and instance besides: see [`super::Survey`].
    Survey,
    /// Carry out exactly the held plan with this digest, and nothing else.
    Force(String),
}

impl Intent {
    /// Whether nothing is written, and nothing remembered: who only looks must neither shorten a
    /// drain by looking often nor make a pass take back what it never began.
    pub(super) const fn only_looks(&self) -> bool {
        matches!(self, Self::Show | Self::Survey)
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Show => "show",
            Self::Survey => "survey",
            Self::Force(_) => "force",
        }
    }
}
