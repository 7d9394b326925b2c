//! Azure Resource Manager: the reads of scale sets, virtual machines and network interfaces.
//!
//! It refuses in Azure's order: the token first, then the api-version, then the permission, and
//! only then what does not exist.

mod body;
mod found;
mod full;
mod list;
mod problem;
mod route;

use std::time::SystemTime;

use crate::answer::{Answer, Seen};
use crate::world::{OrchestrationMode, State};
use found::Found;
use problem::Problem;
use route::{Kind, Target};

/// The RBAC action that a request needs; none for a path that is not known.
pub(crate) fn action(seen: &Seen) -> Option<String> {
    Target::parse(&seen.segments()).map(|target| target.kind.action().to_owned())
}

/// Answers one request.
pub(crate) fn answer(state: &mut State, seen: &Seen, origin: &str) -> Answer {
    let answer = match read(state, seen, origin) {
        Ok(answer) => answer,
        Err(problem) => problem.answer(&state.access.tenant),
    };
    answer
        .with_header("x-ms-request-id", crate::random::guid())
        .with_header("x-ms-ratelimit-remaining-subscription-reads", "249")
        .with_header("cache-control", "no-cache")
}

fn read(state: &State, seen: &Seen, origin: &str) -> Result<Answer, Problem> {
    authenticate(state, seen)?;
    let Some(target) = Target::parse(&seen.segments()) else {
        return Err(Problem::unknown_path(seen));
    };
    check_version(&target.kind, seen)?;
    if seen.method != "GET" {
        return Err(Problem::method_not_allowed(&seen.method));
    }
    check_tenant(state, &target)?;
    authorize(state, &target, seen)?;
    check_group(state, &target)?;
    let found = found::Found {
        state,
        target: &target,
    };
    let expand = expansion(seen)?;
    let body = match &target.kind {
        Kind::ScaleSet { set } => found.scale_set(set)?,
        Kind::ScaleSetView { set } => found.scale_set_view(set)?,
        Kind::ScaleSetNics { set } => {
            return list::page(state, seen, origin, found.scale_set_nics(set)?);
        }
        Kind::ScaleSetMachines { set } => {
            check_flexible_version(&found, set, seen)?;
            return list::page(state, seen, origin, found.scale_set_machines(set, expand)?);
        }
        Kind::ScaleSetMachine { set, instance } => {
            found.scale_set_machine(set, instance, expand)?
        }
        Kind::ScaleSetMachineView { set, instance } => {
            found.scale_set_machine_view(set, instance)?
        }
        Kind::ScaleSetMachineNics { set, instance } => {
            let items = found.scale_set_machine_nics(set, instance)?;
            return list::page(state, seen, origin, items);
        }
        Kind::ScaleSetMachineNic { set, instance, nic } => {
            found.scale_set_machine_nic(set, instance, nic)?
        }
        Kind::Machines => {
            let filter = filter(seen)?;
            if expand && filter.is_none() {
                return Err(Problem::expand_without_filter());
            }
            let items = found.machines(filter.as_deref(), expand);
            return list::page(state, seen, origin, items);
        }
        Kind::Machine { name } => found.machine(name, expand)?,
        Kind::MachineView { name } => found.machine_view(name)?,
        Kind::Nics => return list::page(state, seen, origin, found.nics()),
        Kind::Nic { name } => found.nic(name)?,
    };
    Ok(Answer::json(200, &list::print(state, body)))
}

fn authenticate(state: &State, seen: &Seen) -> Result<(), Problem> {
    let Some(authorization) = seen.header("authorization") else {
        return Err(Problem::no_token());
    };
    let Some(token) = authorization.strip_prefix("Bearer ") else {
        return Err(Problem::bad_token());
    };
    let Some(token) = state.access.tokens.get(token) else {
        return Err(Problem::bad_token());
    };
    if token.expires <= SystemTime::now() {
        return Err(Problem::expired_token());
    }
    if token.audience != state.access.arm_audience {
        return Err(Problem::wrong_audience(&token.audience));
    }
    Ok(())
}

fn check_version(kind: &Kind, seen: &Seen) -> Result<(), Problem> {
    let version = seen.parameter("api-version").unwrap_or_default();
    let supported = kind.versions();
    if version.is_empty() {
        return Err(Problem::missing_version());
    }
    if supported.contains(&version.as_str()) {
        return Ok(());
    }
    Err(Problem::invalid_version(
        &version,
        kind.type_name(),
        supported,
    ))
}

/// Old api-versions refuse to list the machines of a Flexible set.
fn check_flexible_version(found: &Found<'_>, set: &str, seen: &Seen) -> Result<(), Problem> {
    let version = seen.parameter("api-version").unwrap_or_default();
    let flexible = found.set(set)?.mode == OrchestrationMode::Flexible;
    if flexible && version.as_str() < "2021-03-01" {
        return Err(Problem::not_allowed_on(set));
    }
    Ok(())
}

fn authorize(state: &State, target: &Target, seen: &Seen) -> Result<(), Problem> {
    let denied = |action: &str| state.compute.denied.contains(&action.to_lowercase());
    let mut actions = vec![target.kind.action().to_owned()];
    if state.compute.expand_needs_action && seen.parameter("$expand").is_some() {
        actions.push(target.kind.action().replace("/read", "/instanceView/read"));
    }
    let out_of_scope = state.compute.role_scopes.as_ref().is_some_and(|scopes| {
        let path = seen.path.to_lowercase();
        let covers = |scope: &String| {
            path.strip_prefix(scope.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !scopes.iter().any(covers)
    });
    let mut actions = actions.into_iter();
    match actions.find(|action| out_of_scope || denied(action)) {
        Some(action) => Err(Problem::forbidden(
            &state.access.principal,
            &action,
            seen.path.as_str(),
        )),
        None => Ok(()),
    }
}

fn check_tenant(state: &State, target: &Target) -> Result<(), Problem> {
    let subscription = target.subscription.to_lowercase();
    if state.compute.foreign_subscriptions.contains(&subscription) {
        return Err(Problem::wrong_tenant(&state.access.tenant));
    }
    Ok(())
}

fn check_group(state: &State, target: &Target) -> Result<(), Problem> {
    let subscription = target.subscription.to_lowercase();
    let mut known = state.compute.known_groups.iter();
    if !known.any(|(known, _)| *known == subscription) {
        return Err(Problem::no_subscription(&target.subscription));
    }
    if !state
        .compute
        .known_groups
        .contains(&(subscription, target.group.to_lowercase()))
    {
        return Err(Problem::no_group(&target.group));
    }
    Ok(())
}

/// Whether the instance view is asked for.
fn expansion(seen: &Seen) -> Result<bool, Problem> {
    match seen.parameter("$expand") {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("instanceView") => Ok(true),
        Some(text) => Err(Problem::bad_expand(&text)),
    }
}

/// The scale set that the one supported filter names.
fn filter(seen: &Seen) -> Result<Option<String>, Problem> {
    let Some(text) = seen.parameter("$filter") else {
        return Ok(None);
    };
    let quoted = |text: &str| {
        let inner = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        Some(inner.to_owned())
    };
    let parsed = text.split_once(" eq ").and_then(|(left, right)| {
        let property = quoted(left)?;
        let id = quoted(right)?;
        property
            .eq_ignore_ascii_case("virtualMachineScaleSet/id")
            .then_some(id)
    });
    match parsed {
        Some(id) => Ok(Some(id)),
        None => Err(Problem::bad_filter(&text)),
    }
}
