//! Azure Resource Manager: whether it answers, what the identity may read, and each scale set.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use super::finding::{Check, Findings, Remedy};
use super::{Doctor, clock, reach, remedy};
use crate::azure::{Principal, Read, Reason, Refusal, actions};
use crate::model::{CompleteListing, Listing, Phase, ScaleSetId};
use crate::reconcile::{Inventory as _, Mode};
use crate::telemetry::Service;

/// What was listed, for those who come after.
pub(super) type Listings = BTreeMap<ScaleSetId, Listing>;

/// Examines Resource Manager and every configured set.
pub(super) async fn examine(
    doctor: &Doctor<'_>,
    principal: Option<&Principal>,
    findings: &mut Findings,
) -> Listings {
    let endpoint = &doctor.config.resource_manager.endpoint;
    let host = endpoint.host_str().unwrap_or_default();
    let subject = format!("Azure Resource Manager at `{host}`");
    match reach::reach(&doctor.client, Service::ResourceManager, endpoint).await {
        Ok(reached) => {
            findings.ok(Check::AzureReachable, &subject, "answers");
            clock::examine(findings, Check::AzureClock, "Azure", reached.seconds_ahead);
        }
        Err(error) => {
            let remedy = error.remedy(host, "`resource_manager_endpoint` or `cloud`");
            findings.failed(Check::AzureReachable, &subject, error.text, remedy);
            let text = "not examined: Resource Manager is not reached";
            findings.skipped(Check::AzureScaleSet, "scale sets", text);
            return Listings::new();
        }
    }
    let Some(principal) = principal else {
        let text = "not examined: there is no token to read them with";
        findings.skipped(Check::AzureScaleSet, "scale sets", text);
        return Listings::new();
    };
    let sets: BTreeSet<ScaleSetId> = doctor.sets().cloned().collect();
    let listings: Listings = doctor
        .services
        .inventory
        .list(sets.clone(), doctor.deadline)
        .collect()
        .await;
    // The role of a mode can be assigned in the group of every set.
    let groups: BTreeSet<String> = sets.iter().map(remedy::group_scope).collect();
    let patient = Patient {
        doctor,
        principal,
        groups: groups.into_iter().collect(),
    };
    for set in doctor.sets() {
        if let Some(listing) = listings.get(set) {
            patient.examine(set, listing, findings).await;
        }
    }
    listings
}

struct Patient<'a> {
    doctor: &'a Doctor<'a>,
    principal: &'a Principal,
    groups: Vec<String>,
}

impl Patient<'_> {
    async fn examine(&self, set: &ScaleSetId, listing: &Listing, findings: &mut Findings) {
        let inventory = &self.doctor.services.inventory;
        let subject = format!("scale set `{set}`");
        let complete = match listing {
            Listing::Complete(listing) => Some(listing),
            Listing::Incomplete { .. } => None,
        };
        let mode = inventory.mode(set);
        // A complete listing has made every read of its mode, unless it did without the states.
        if let (Some(_), Some(mode), None) = (complete, mode, inventory.states_forbidden(set)) {
            for action in actions(mode) {
                findings.ok(
                    Check::AzurePermission,
                    &subject,
                    format!("`{action}` is granted"),
                );
            }
        } else {
            let inspection = inventory.inspect(set, self.doctor.deadline).await;
            let mut told = false;
            for read in &inspection.reads {
                told |= self.judge(set, inspection.mode, read, findings);
            }
            if let (Listing::Incomplete { failure, .. }, false) = (listing, told) {
                findings.failed(
                    Check::AzureScaleSet,
                    &subject,
                    failure.message.clone(),
                    Remedy::new(
                        "see whether it goes away by itself; `RUST_LOG=debug` shows each try",
                    ),
                );
            }
        }
        if let Some(listing) = complete {
            describe(&subject, mode, listing, findings);
        }
    }

    /// One read; tells whether it was found wanting.
    fn judge(
        &self,
        set: &ScaleSetId,
        mode: Option<Mode>,
        read: &Read,
        findings: &mut Findings,
    ) -> bool {
        let subject = format!("scale set `{set}`");
        let (action, scope) = (read.action, &read.scope);
        let refusal = match &read.outcome {
            Ok(()) => {
                findings.ok(
                    Check::AzurePermission,
                    &subject,
                    format!("`{action}` is granted"),
                );
                return false;
            }
            Err(refusal) => refusal,
        };
        if refusal.reason != Reason::Denied {
            return self.missing(set, refusal, findings);
        }
        let said = &refusal.code;
        let states_only = mode == Some(Mode::Uniform) && action == actions(Mode::Uniform)[1];
        let text = match read.needed_by {
            Some(needed) => format!(
                "`{action}` is not granted at `{scope}`; it is needed if the set is {needed:?} ({said})"
            ),
            None if states_only => format!(
                "`{action}` is not granted at `{scope}`: instance states are unknown, so a stopped instance stays in its upstream ({said})"
            ),
            None => format!("`{action}` is not granted at `{scope}` ({said})"),
        };
        let remedy = self.grant(set, mode);
        if states_only || read.needed_by.is_some() {
            findings.warning(Check::AzurePermission, &subject, text, remedy);
        } else {
            findings.failed(Check::AzurePermission, &subject, text, remedy);
        }
        true
    }

    /// The role, and where the set itself could not be read, first a look whether it is there.
    fn grant(&self, set: &ScaleSetId, mode: Option<Mode>) -> Remedy {
        let role = |mode| remedy::grant(mode, set, &self.groups, self.principal);
        let about = remedy::about(self.principal);
        match mode {
            Some(mode) => Remedy::new(format!(
                "define the role (once) and assign it to the identity{about}:"
            ))
            .paste(role(mode)),
            None => Remedy::new(format!(
                "see whether the set is there, because Azure says the same of what is not; if so, \
                 define the role (once) and assign it to the identity{about}:"
            ))
            .paste([
                remedy::find_set(set),
                "# if it is a Uniform set:".to_owned(),
            ])
            .paste(role(Mode::Uniform))
            .paste(["# if it is a Flexible set:".to_owned()])
            .paste(role(Mode::Flexible)),
        }
    }

    /// A read that failed for another reason than a missing role.
    fn missing(&self, set: &ScaleSetId, refusal: &Refusal, findings: &mut Findings) -> bool {
        let subject = format!("scale set `{set}`");
        let ScaleSetId {
            subscription,
            resource_group,
            ..
        } = set;
        let said = &refusal.code;
        let accounts = "az account list --query \"[].{name:name, subscription:id, tenant:tenantId}\" --output table";
        let (text, remedy) = match refusal.reason {
            Reason::NoSubscription => (
                format!("subscription `{subscription}` does not exist, or this identity has no role in it ({said})"),
                Remedy::new("correct `subscription_id`; these are yours:").paste([accounts]),
            ),
            Reason::OtherTenant => (
                format!("subscription `{subscription}` belongs to another tenant than the identity ({said})"),
                Remedy::new("correct `subscription_id`, or use an identity of that tenant; these are yours:")
                    .paste([accounts]),
            ),
            Reason::NoResourceGroup => (
                format!("resource group `{resource_group}` does not exist in subscription `{subscription}` ({said})"),
                Remedy::new("correct `resource_group_name`; this finds the set:")
                    .paste([remedy::find_set(set)]),
            ),
            Reason::NoResource => (
                format!("it is not in resource group `{resource_group}` of subscription `{subscription}` ({said})"),
                Remedy::new("correct `virtual_machine_scale_set` or `resource_group_name`; this finds the set:")
                    .paste([remedy::find_set(set)]),
            ),
            Reason::Denied | Reason::Other => (
                refusal.failure.message.clone(),
                Remedy::new("see whether it goes away by itself; `RUST_LOG=debug` shows each try"),
            ),
        };
        findings.failed(Check::AzureScaleSet, &subject, text, remedy);
        true
    }
}

/// How many instances, and in which states.
fn describe(subject: &str, mode: Option<Mode>, listing: &CompleteListing, findings: &mut Findings) {
    let count = |wanted: fn(&Phase) -> bool| {
        let of = listing.instances.iter();
        of.filter(|instance| wanted(&instance.phase)).count()
    };
    let serving = count(|phase| matches!(phase, Phase::Serving));
    let arriving = count(|phase| matches!(phase, Phase::Arriving(_)));
    let leaving = count(|phase| matches!(phase, Phase::Leaving(_)));
    let mode = mode.map_or_else(String::new, |mode| format!("{mode:?}, "));
    let total = listing.instances.len();
    let states = format!("{serving} serving, {arriving} arriving, {leaving} leaving");
    let capacity = listing
        .capacity
        .map_or_else(|| "not told".to_owned(), |capacity| capacity.to_string());
    let text = format!("{mode}{total} instances ({states}), capacity {capacity}");
    if total == 0 && listing.capacity != Some(0) {
        findings.warning(
            Check::AzureScaleSet,
            subject,
            text,
            Remedy::new("see in the portal why the set has none of the instances that it wants"),
        );
    } else {
        findings.ok(Check::AzureScaleSet, subject, text);
    }
}
