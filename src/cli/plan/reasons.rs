//! Why each step is taken, in words.

use crate::plan::Step;

/// The reason of a step; never empty.
pub(super) fn of(step: &Step) -> String {
    match step {
        Step::Add { .. } => "an instance serves there".to_owned(),
        Step::Patch { changes, .. } => format!("the configuration has {}", changes.describe()),
        Step::Undrain { .. } => "its instance serves again".to_owned(),
        Step::Replace { .. } => {
            "its `backup` differs, which NGINX cannot change in place".to_owned()
        }
        Step::Drain { why, .. } => format!("its instance is {why}"),
        Step::Remove { why, .. } => why.to_string(),
    }
}
