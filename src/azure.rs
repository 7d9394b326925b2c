//! Azure: the identity, Resource Manager's listings and the Key Vault secret.
//!
//! Everything goes through the SDK's pipeline ([`azure_core`]) on one HTTP client. Wire types stay
//! in here; what leaves are the values of [`crate::model`].

mod assemble;
mod credential;
mod flexible;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gate;
mod inspect;
mod key_vault;
mod listing;
mod observe;
mod page;
mod principal;
mod refusal;
mod resource_manager;
mod scale_set;
mod transport;
mod uniform;
pub mod wire;

use crate::model::Instance;
use crate::reconcile::Mode;
use crate::telemetry::{clean, without_ephemera};

pub use credential::{Identity, IdentityKind};
pub use inspect::{Inspection, Read, actions};
pub use key_vault::{KeyVault, KeyVaultError, KeyVaultTrouble, SecretFacts};
pub use page::{Page, PageReader};
pub use principal::{Assigned, Principal};
pub use refusal::{Reason, Refusal};
pub use resource_manager::ResourceManager;
pub use scale_set::ScaleSets;
pub use transport::{Transports, USER_AGENT, http_client, http_client_builder};

/// The instances that one page of a set's machines and one of its interfaces tell: what a pass
/// computes between its calls, for who measures that without a network.
///
/// # Errors
///
/// One of them is no page.
pub fn instances(
    mode: Mode,
    machines: &[u8],
    interfaces: &[u8],
) -> Result<Vec<Instance>, serde_json::Error> {
    match mode {
        Mode::Uniform => uniform::of_pages(machines, interfaces),
        Mode::Flexible => flexible::of_pages(machines, interfaces),
    }
}

/// The error chain of the SDK in one line, cut short, without control characters and without what
/// differs in every answer: its outermost message alone often says nothing, a proxy's page must not
/// fill the log, and the same reason must be the same line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = without_ephemera(&error.to_string());
        let part = clean(&part, 300);
        if !part.is_empty() && !parts.iter().any(|known| known.contains(&part)) {
            parts.push(part);
        }
        next = error.source();
    }
    clean(&parts.join(": "), 600)
}
