//! The name of a held plan, by which an operator releases exactly it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::Held;
use crate::model::UpstreamKey;

/// Twelve hexadecimal digits over the upstream and its held steps (verb and address, in plan
/// order). The same held plan has the same digest in every process and pass, because nothing that
/// changes by itself (ids, times) goes into it.
///
/// `None` where nothing is held that an operator may release.
#[must_use]
pub fn digest(upstream: &UpstreamKey, held: &[Held]) -> Option<String> {
    let mut hash = Sha256::new();
    hash.update(upstream.to_string());
    let mut any = false;
    for held in held.iter().filter(|held| held.reason.is_releasable()) {
        any = true;
        hash.update(format!("\n{} {}", held.step.verb(), held.step.address()));
    }
    any.then(|| {
        let mut text = String::with_capacity(12);
        for byte in &hash.finalize()[..6] {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    })
}
