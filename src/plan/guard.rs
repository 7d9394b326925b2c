//! Decides which changes are allowed now.
//!
//! Three questions, in this order: does the upstream's policy allow it; would too much of the
//! upstream go without an explanation; would nothing be left in service. Later guards see what
//! earlier ones let through.

use std::collections::BTreeSet;

use super::diff::{Difference, in_service, peer};
use super::{Held, HoldReason, Observation, Plan, RemoveWhy, Step, WholePicture};
use crate::model::{PeerState, Policy, Server};

pub(super) fn guard(observation: &Observation<'_>, difference: Difference) -> Plan {
    let Difference {
        steps,
        notes,
        wants_peers,
    } = difference;
    let mut plan = Plan {
        steps,
        notes,
        wants_peers,
        held: Vec::new(),
    };
    plan.steps.sort_by(|a, b| order(a).cmp(&order(b)));
    plan.notes.sort();
    match observation.upstream.policy {
        Policy::Sync => {}
        // A replacement deletes, if only for a moment.
        Policy::UpsertOnly => hold(&mut plan, HoldReason::UpsertOnly, |step| {
            step.takes_out() || is_replacement(step)
        }),
        Policy::Paused => hold(&mut plan, HoldReason::Paused, |_| true),
    }
    brake(observation, &mut plan);
    keep_something(observation, &mut plan);
    bar_release(observation, &mut plan);
    plan
}

/// Adds first, removals last: at no time is there less than before or after.
fn order(step: &Step) -> (u8, &crate::model::ServerAddress, u64) {
    let (rank, id) = match step {
        Step::Add { .. } => (0, 0),
        Step::Undrain { id, .. } => (1, *id),
        Step::Patch { id, .. } => (2, *id),
        Step::Replace { id, .. } => (3, *id),
        Step::Drain { id, .. } => (4, *id),
        Step::Remove { id, .. } => (5, *id),
    };
    (rank, step.address(), id)
}

fn hold(plan: &mut Plan, reason: HoldReason, which: impl Fn(&Step) -> bool) {
    let (held, steps) = std::mem::take(&mut plan.steps).into_iter().partition(which);
    plan.steps = steps;
    let held: Vec<Step> = held;
    plan.held
        .extend(held.into_iter().map(|step| Held { step, reason }));
}

/// Holds what no instance explains, unless NGINX itself has given the server up: always while the
/// address of a running instance is not told, and a mass removal unless it is explained.
fn brake(observation: &Observation<'_>, plan: &mut Plan) {
    let Observation {
        upstream,
        servers,
        picture,
        peers,
        ..
    } = observation;
    let of = servers
        .iter()
        .filter(|server| upstream.owns(server))
        .count();
    let going = plan.steps.iter().filter(|step| step.takes_out()).count();
    let max_percent = upstream.max_removal_percent;
    let reason = if picture.untold > 0 {
        HoldReason::AddressUntold {
            instances: picture.untold,
        }
    } else if going * 100 <= usize::from(max_percent) * of
        || picture.whole().is_some_and(WholePicture::capacities_agree)
    {
        return;
    } else {
        HoldReason::MassRemoval {
            going,
            of,
            max_percent,
        }
    };
    let given_up: BTreeSet<u64> = servers
        .iter()
        .filter(|server| peer(*peers, server).is_some_and(|peer| peer.state != PeerState::Up))
        .map(|server| server.id)
        .collect();
    let unexplained = |step: &Step| match step {
        Step::Remove {
            why: RemoveWhy::Gone,
            id,
            ..
        } => !given_up.contains(id),
        _ => false,
    };
    plan.wants_peers |= peers.is_none() && plan.steps.iter().any(unexplained);
    hold(plan, reason, unexplained);
}

/// Holds whatever would leave an upstream without a server in service, unless every scale set is
/// meant to be empty.
fn keep_something(observation: &Observation<'_>, plan: &mut Plan) {
    let Observation {
        upstream,
        servers,
        picture,
        ..
    } = observation;
    let ours: Vec<&Server> = servers
        .iter()
        .filter(|server| upstream.owns(server))
        .collect();
    let leaving = ids(plan, Step::takes_out);
    let in_service = |server: &Server| in_service(observation, server);
    let staying: Vec<u64> = ours
        .iter()
        .filter(|server| in_service(server) && !leaving.contains(&server.id))
        .map(|server| server.id)
        .collect();
    let entering = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::Add { .. } | Step::Undrain { .. }));

    spare_one(plan, &staying);
    if leaving.is_empty() || !staying.is_empty() || entering {
        return;
    }
    if picture
        .whole()
        .is_some_and(WholePicture::is_meant_to_be_empty)
    {
        return;
    }
    // Where something is in service, that is what must stay. Where nothing is, what is left must.
    let any_in_service = ours.iter().any(|server| in_service(server));
    let precious: BTreeSet<u64> = ours
        .iter()
        .filter(|server| !any_in_service || in_service(server))
        .map(|server| server.id)
        .collect();
    if !any_in_service && ours.len() > leaving.len() {
        return;
    }
    hold(plan, HoldReason::WouldEmpty, |step| {
        step.takes_out() && step.id().is_some_and(|id| precious.contains(&id))
    });
}

/// Takes the held mass removal out of an operator's reach where its release would leave nothing in
/// service: a forced pass carries out the held steps alone, so what is added does not count.
fn bar_release(observation: &Observation<'_>, plan: &mut Plan) {
    let releasable: BTreeSet<u64> = plan
        .held
        .iter()
        .filter(|held| held.reason.is_releasable())
        .filter_map(|held| held.step.id())
        .collect();
    let leaving = ids(plan, Step::takes_out);
    let something_stays = observation
        .servers
        .iter()
        .filter(|server| observation.upstream.owns(server) && in_service(observation, server))
        .any(|server| !releasable.contains(&server.id) && !leaving.contains(&server.id));
    let meant_to_be_empty = observation
        .picture
        .whole()
        .is_some_and(WholePicture::is_meant_to_be_empty);
    if something_stays || meant_to_be_empty {
        return;
    }
    for held in &mut plan.held {
        if held.reason.is_releasable() {
            held.reason = HoldReason::WouldEmpty;
        }
    }
}

/// Replacements run side by side, and each leaves a gap: where they concern all that stays in
/// service, the last one waits for the next pass.
fn spare_one(plan: &mut Plan, staying: &[u64]) {
    let adds = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::Add { .. }));
    let replaced = ids(plan, is_replacement);
    if adds || !staying.iter().all(|id| replaced.contains(id)) {
        return;
    }
    let last = plan.steps.iter().rfind(|step| is_replacement(step));
    let last = last.cloned();
    hold(plan, HoldReason::LastInService, |step| {
        Some(step) == last.as_ref()
    });
}

fn is_replacement(step: &Step) -> bool {
    matches!(step, Step::Replace { .. })
}

fn ids(plan: &Plan, which: impl Fn(&Step) -> bool) -> BTreeSet<u64> {
    let steps = plan.steps.iter().filter(|step| which(step));
    steps.filter_map(Step::id).collect()
}
