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
/// More than the interfaces that a region of a subscription may have (65,536).
const MAX_ITEMS: usize = 100_000;
/// A thousand instances with their instance views have 6 MB.
const MAX_BYTES: usize = 256 * 1024 * 1024;

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
        let mut size = Size::default();
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let page = self.page::<W, T>(&url, permission, deadline, &mut listed);
            let page = page.await.and_then(|Read { link, bytes }| {
                visited.insert(url);
                let again = link.as_ref().is_some_and(|url| visited.contains(url));
                match size.add(bytes, listed.items.len()) {
                    _ if again => Err(malformed(permission, "its pages never end")),
                    Err(what) => Err(malformed(permission, what)),
                    Ok(()) => Ok(link),
                }
            });
            match page {
                Ok(link) => next = link,
                Err(failed) => {
                    listed.failure = Some(failed);
                    return listed;
                }
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
    ) -> Result<Read, ReadFailure> {
        let reader: PageReader<W, T> = self.get(url, permission, deadline).await?;
        take(reader, permission, &self.endpoint, listed)
    }
}

/// How much of a listing has been read.
#[derive(Debug, Default)]
struct Size {
    pages: usize,
    bytes: usize,
}

impl Size {
    /// Counts a page; `items` is the sum so far.
    fn add(&mut self, bytes: usize, items: usize) -> Result<(), &'static str> {
        self.pages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.pages > MAX_PAGES {
            Err("its pages never end")
        } else if self.bytes > MAX_BYTES || items > MAX_ITEMS {
            Err("it is larger than any listing of Azure")
        } else {
            Ok(())
        }
    }
}

/// What a page leads to.
#[derive(Debug)]
pub(super) struct Read {
    /// The next page, if there is one.
    pub(super) link: Option<Url>,
    bytes: usize,
}

/// Takes the items of a page that has arrived into `listed`.
pub(super) fn take<W: DeserializeOwned, T: From<W>>(
    reader: PageReader<W, T>,
    permission: Permission,
    endpoint: &Url,
    listed: &mut Items<T>,
) -> Result<Read, ReadFailure> {
    let bytes = reader.bytes();
    let page = reader
        .finish()
        .map_err(|error| not_json(permission, &error))?;
    listed.items.extend(page.items);
    if let Some(odd) = page.odd {
        let text = format!("an item cannot be understood: {odd}");
        listed.failure = Some(malformed(permission, &clean(&text, 200)));
    }
    let link = match page.next_link.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(link) => Some(pinned(endpoint, link, permission)?),
    };
    Ok(Read { link, bytes })
}

/// A link to a further page is followed as it is, but only on the endpoint's own origin: the
/// token goes along.
fn pinned(endpoint: &Url, link: &str, permission: Permission) -> Result<Url, ReadFailure> {
    let url = Url::parse(link)
        .map_err(|_| malformed(permission, "the link to its next page is not a URL"))?;
    let bare = url.username().is_empty() && url.password().is_none();
    if url.origin() == endpoint.origin() && bare {
        return Ok(url);
    }
    let host = clean(url.host_str().unwrap_or_default(), 100);
    Err(malformed(
        permission,
        &format!("the link to its next page leads to another origin ({host}) and is not followed"),
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_ends_at_a_number_of_pages_items_and_bytes() {
        let added = |pages: usize, bytes: usize, items: usize| {
            let mut size = Size::default();
            (0..pages).try_for_each(|_| size.add(bytes, items))
        };
        assert_eq!(added(MAX_PAGES, 1_000, MAX_ITEMS), Ok(()));
        assert!(added(MAX_PAGES + 1, 1, 1).is_err());
        assert!(added(1, 1, MAX_ITEMS + 1).is_err());
        assert_eq!(added(16, MAX_BYTES / 16, 1), Ok(()));
        assert!(added(17, MAX_BYTES / 16, 1).is_err());
        assert!(added(2, usize::MAX, 1).is_err());
    }

    #[test]
    fn a_link_with_a_password_alone_is_not_followed() {
        let endpoint = Url::parse("https://management.example/").unwrap();
        let permission = Permission {
            action: "a",
            what: "the list",
        };
        let link = |text: &str| pinned(&endpoint, text, permission);
        assert!(link("https://management.example/x?skiptoken=1").is_ok());
        for other in [
            "https://:pw@management.example/x",
            "https://u@management.example/x",
        ] {
            assert!(link(other).is_err(), "{other}");
        }
    }
}
