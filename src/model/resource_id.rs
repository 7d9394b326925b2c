//! Azure resource ids, which change their case from one answer to the next.

use std::cmp::Ordering;
use std::fmt;

/// An Azure resource id, lower-cased, because Resource Manager compares ids without case and
/// prints the same id in several cases.
///
/// An id read from an event or a listing is only ever *compared*; no request is built from one
/// except by the inventory, which checks it first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(String);

impl ResourceId {
    /// Reads an id such as `/subscriptions/S/resourceGroups/G/providers/N/T/name[/T/name…]`.
    ///
    /// Returns `None` for anything that does not have this shape.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let trimmed = text
            .trim_start()
            .trim_end_matches(|end: char| end == '/' || end.is_whitespace());
        let id = Self(trimmed.to_lowercase());
        let mut segments = id.0.split('/');
        let shape = [segments.next()?, segments.next()?];
        segments
            .next()
            .filter(|subscription| !subscription.is_empty())?;
        let group_word = segments.next()?;
        segments.next().filter(|group| !group.is_empty())?;
        let providers = segments.next()?;
        let (rest, mut empty) = (segments.clone(), segments.filter(|part| part.is_empty()));
        let plausible = shape == ["", "subscriptions"]
            && group_word == "resourcegroups"
            && providers == "providers"
            && rest.count() >= 3
            && empty.next().is_none()
            && !trimmed.chars().any(char::is_control);
        plausible.then_some(id)
    }

    /// The id in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn segment(&self, index: usize) -> &str {
        self.0.split('/').nth(index).unwrap_or_default()
    }

    /// The subscription, in lower case.
    #[must_use]
    pub fn subscription(&self) -> &str {
        self.segment(2)
    }

    /// The resource group, in lower case.
    #[must_use]
    pub fn resource_group(&self) -> &str {
        self.segment(4)
    }

    /// The provider and the first type, e.g. `microsoft.compute/virtualmachines`.
    #[must_use]
    pub fn top_type(&self) -> String {
        format!("{}/{}", self.segment(6), self.segment(7))
    }

    /// Whether this is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &ResourceId) -> bool {
        self.0
            .strip_prefix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The name that follows the segment `kind` (in lower case), e.g. the instance id after
    /// `virtualmachines`.
    #[must_use]
    pub fn name_of(&self, kind: &str) -> Option<&str> {
        let mut segments = self.0.split('/').skip(7);
        loop {
            let (found, name) = (segments.next()?, segments.next()?);
            if found == kind {
                return Some(name);
            }
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One Virtual Machine Scale Set. Compared without case; printed as configured.
#[derive(Debug, Clone)]
pub struct ScaleSetId {
    /// The subscription's GUID.
    pub subscription: String,
    /// The resource group's name.
    pub resource_group: String,
    /// The scale set's name.
    pub name: String,
}

impl ScaleSetId {
    /// The id as a [`ResourceId`].
    #[must_use]
    pub fn resource_id(&self) -> ResourceId {
        ResourceId(self.path().to_lowercase())
    }

    /// The id as it is written in a filter expression, in the configuration's case.
    #[must_use]
    pub fn path(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachineScaleSets/{}",
            self.subscription, self.resource_group, self.name
        )
    }

    fn parts(&self) -> [&str; 3] {
        [&self.subscription, &self.resource_group, &self.name]
    }
}

/// Compares without case, and without making a copy to do so: sets are keys of maps, and a pass
/// over many upstreams looks them up thousands of times.
fn compare_without_case(a: &str, b: &str) -> Ordering {
    fn lower(text: &str) -> impl Iterator<Item = char> {
        text.chars().flat_map(char::to_lowercase)
    }
    lower(a).cmp(lower(b))
}

impl PartialEq for ScaleSetId {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ScaleSetId {}

impl PartialOrd for ScaleSetId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ScaleSetId {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs
            .map(|(a, b)| compare_without_case(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for ScaleSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VM: &str = "/subscriptions/S1/resourceGroups/Rg/providers/Microsoft.Compute/virtualMachineScaleSets/Web/virtualMachines/3/networkInterfaces/nic0";

    #[test]
    fn ids_are_compared_without_case() {
        assert_eq!(ResourceId::parse(VM), ResourceId::parse(&VM.to_uppercase()));
        let id = ResourceId::parse(VM).unwrap();
        assert_eq!(id.as_str(), VM.to_lowercase());
    }

    #[test]
    fn what_stands_behind_an_id_is_no_part_of_it() {
        for end in ["/", " ", "/ ", " /", "//", "\u{a0}/\u{a0}"] {
            let id = ResourceId::parse(&format!(" {VM}{end}"));
            assert_eq!(id, ResourceId::parse(VM), "{end:?}");
        }
    }

    #[test]
    fn an_instance_lies_within_its_set_and_not_within_a_set_with_a_longer_name() {
        let set = |name: &str| ScaleSetId {
            subscription: "s1".into(),
            resource_group: "RG".into(),
            name: name.into(),
        };
        let id = ResourceId::parse(VM).unwrap();
        assert!(id.is_within(&set("web").resource_id()));
        assert!(!id.is_within(&set("we").resource_id()));
        assert_eq!(id.name_of("virtualmachines"), Some("3"));
        assert_eq!(id.resource_group(), "rg");
        assert_eq!(id.top_type(), "microsoft.compute/virtualmachinescalesets");
    }

    #[test]
    fn sets_are_one_set_however_their_ids_are_spelled() {
        let set = |subscription: &str, group: &str, name: &str| ScaleSetId {
            subscription: subscription.into(),
            resource_group: group.into(),
            name: name.into(),
        };
        let spelled = set("S1", "Gruppe-Ä", "WEB");
        assert_eq!(spelled, set("s1", "gruppe-ä", "web"));
        assert_eq!(spelled.cmp(&set("s1", "gruppe-ä", "web")), Ordering::Equal);
        for other in [
            set("s2", "gruppe-ä", "web"),
            set("s1", "gruppe-a", "web"),
            set("s1", "gruppe-ä", "web2"),
        ] {
            assert_ne!(spelled, other);
            assert_eq!(spelled.cmp(&other), other.cmp(&spelled).reverse());
        }
    }

    #[test]
    fn what_is_no_resource_id_is_refused() {
        for bad in [
            "",
            "/",
            "web",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/rg",
            "/subscriptions//resourceGroups/rg/providers/N/T/x",
            "/subscriptions/s/resourceGroups/rg/providers/N/T",
            "/subscriptions/s/resourceGroups/rg/providers/N//x",
            "https://evil.example/subscriptions/s/resourceGroups/rg/providers/N/T/x",
        ] {
            assert_eq!(ResourceId::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_id(text in "(/[a-zA-Z0-9._-]{1,8}){0,12}") {
            if let Some(id) = ResourceId::parse(&text) {
                prop_assert_eq!(ResourceId::parse(&id.to_string()), Some(id));
            }
        }
    }
}
