//! A listing with all its pages.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::page::PageReader;
use super::resource_manager::{Permission, ResourceManager, failure};
use crate::model::{ReadFailure, ReadFailureKind};
use crate::telemetry::clean;

/// More pages than any scale set or resource group can fill; a loop of links ends here at last.
const MAX_PAGES: usize = 200;

/// What a listing yielded: the items that were understood and, if anything is missing, why.
#[derive(Debug, Clone)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
    pub(super) failure: Option<ReadFailure>,
}

impl<T> Items<T> {
    pub(super) fn none() -> Self {
        Self {
            items: Vec::new(),
            failure: None,
        }
    }
}

impl ResourceManager {
    /// Reads every page from `first` on. A failed page ends the reading, an odd item is left out:
    /// both are a failure of the whole, told beside the items that were read.
    pub(super) async fn list<W: DeserializeOwned, T: From<W> + Send>(
        &self,
        first: Url,
        permission: Permission,
        deadline: Instant,
    ) -> Items<T> {
        let mut listed = Items::none();
        let mut visited = BTreeSet::new();
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let page = self.page::<W, T>(&url, permission, deadline, &mut listed);
            match page.await {
                Ok(link) => {
                    visited.insert(url);
                    next = link;
                }
                Err(failed) => {
                    listed.failure = Some(failed);
                    return listed;
                }
            }
            let runs_in_circles =
                next.as_ref().is_some_and(|url| visited.contains(url)) || visited.len() > MAX_PAGES;
            if runs_in_circles {
                listed.failure = Some(malformed(permission, "its pages never end"));
                return listed;
            }
        }
        listed
    }

    async fn page<W: DeserializeOwned, T: From<W> + Send>(
        &self,
        url: &Url,
        permission: Permission,
        deadline: Instant,
        listed: &mut Items<T>,
    ) -> Result<Option<Url>, ReadFailure> {
        let reader: PageReader<W, T> = self.get(url, permission, deadline).await?;
        let page = reader
            .finish()
            .map_err(|error| not_json(permission, &error))?;
        listed.items.extend(page.items);
        if let Some(odd) = page.odd {
            let text = format!("an item cannot be understood: {odd}");
            listed.failure = Some(malformed(permission, &clean(&text, 200)));
        }
        match page.next_link.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(link) => self.pinned(link, permission).map(Some),
        }
    }

    /// A link to a further page is followed as it is, but only on the endpoint's own origin: the
    /// token goes along.
    fn pinned(&self, link: &str, permission: Permission) -> Result<Url, ReadFailure> {
        let url = Url::parse(link)
            .map_err(|_| malformed(permission, "the link to its next page is not a URL"))?;
        if url.origin() == self.endpoint.origin() && url.username().is_empty() {
            return Ok(url);
        }
        let host = clean(url.host_str().unwrap_or_default(), 100);
        Err(malformed(
            permission,
            &format!(
                "the link to its next page leads to another origin ({host}) and is not followed"
            ),
        ))
    }
}

/// Decodes one document.
pub(super) fn decode<'a, T: serde::Deserialize<'a>>(
    body: &'a [u8],
    permission: Permission,
) -> Result<T, ReadFailure> {
    serde_json::from_slice(body).map_err(|error| not_json(permission, &error))
}

fn not_json(permission: Permission, error: &serde_json::Error) -> ReadFailure {
    let text = format!("not the expected JSON: {error}");
    malformed(permission, &clean(&text, 200))
}

pub(super) fn malformed(permission: Permission, text: &str) -> ReadFailure {
    failure(
        ReadFailureKind::Malformed,
        format!("{}: {text}", permission.what),
    )
}
