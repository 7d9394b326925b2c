//! Parameters of servers: ours, the operator's, and the one that cannot be changed in place.

use super::*;
use crate::plan::Changes;

fn replace(id: u64, optional: OptionalParameters) -> Step {
    let parameters = ServerParameters {
        optional,
        ..parameters()
    };
    Step::Replace {
        id,
        address: at(id),
        parameters,
    }
}

fn backup(wanted: bool) -> impl Fn(&mut Upstream) {
    move |upstream| upstream.parameters.optional.backup = Some(wanted)
}

const AS_BACKUP: OptionalParameters = OptionalParameters {
    weight: None,
    backup: Some(true),
};

#[test]
fn only_the_parameters_that_differ_are_updated() {
    let plan = scene()
        .server(1, |server| {
            server.max_conns = 9;
            server.slow_start = NginxTime::from_seconds(60);
        })
        .serving([1])
        .plan();
    let changes = Changes {
        max_conns: Some(0),
        slow_start: Some(NginxTime::default()),
        ..Changes::default()
    };
    assert_eq!(changes.describe(), "max_conns 0, slow_start 0s");
    assert_eq!(
        plan.steps,
        [Step::Patch {
            id: 1,
            address: at(1),
            changes
        }]
    );
}

#[test]
fn weight_backup_and_down_stay_the_operators_where_the_configuration_is_silent() {
    let set = |server: &mut Server| (server.weight, server.backup, server.down) = (5, true, true);
    assert!(scene().server(1, set).serving([1]).plan().is_settled());
}

#[test]
fn a_configured_weight_is_ours() {
    let heavy = |upstream: &mut Upstream| upstream.parameters.optional.weight = Some(5);
    let plan = scene().with(heavy).servers([1]).serving([1]).plan();
    let changes = Changes {
        weight: Some(5),
        ..Changes::default()
    };
    assert_eq!(
        plan.steps,
        [Step::Patch {
            id: 1,
            address: at(1),
            changes
        }]
    );
}

#[test]
fn a_server_whose_backup_differs_is_replaced_with_everything_configured() {
    let other = |server: &mut Server| server.max_conns = 9;
    let scene = scene()
        .with(backup(true))
        .server(1, other)
        .server(2, |server| server.backup = true);
    assert_eq!(scene.serving([1, 2]).plan().steps, [replace(1, AS_BACKUP)]);
}

#[test]
fn a_replaced_server_keeps_the_weight_that_the_operator_gave_it() {
    let heavy = |server: &mut Server| server.weight = 7;
    let scene = scene()
        .with(backup(true))
        .server(1, heavy)
        .server(2, |server| server.backup = true);
    let kept = OptionalParameters {
        weight: Some(7),
        ..AS_BACKUP
    };
    assert_eq!(scene.serving([1, 2]).plan().steps, [replace(1, kept)]);
}

#[test]
fn the_only_server_in_service_is_not_replaced() {
    let plan = scene().with(backup(true)).servers([1]).serving([1]).plan();
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.held,
        held([replace(1, AS_BACKUP)], HoldReason::LastInService)
    );
}

#[test]
fn a_server_that_is_added_first_lets_the_only_one_be_replaced() {
    let plan = scene()
        .with(backup(true))
        .servers([1])
        .serving([1, 2])
        .plan();
    let verbs: Vec<&str> = plan.steps.iter().map(Step::verb).collect();
    assert_eq!(verbs, ["add", "replace"]);
    assert_eq!(plan.held, []);
}

#[test]
fn not_all_servers_are_replaced_at_once() {
    let plan = scene()
        .with(backup(true))
        .servers([1, 2, 3])
        .serving([1, 2, 3])
        .plan();
    assert_eq!(plan.steps, [replace(1, AS_BACKUP), replace(2, AS_BACKUP)]);
    assert_eq!(
        plan.held,
        held([replace(3, AS_BACKUP)], HoldReason::LastInService)
    );
}

#[test]
fn a_server_that_does_not_serve_is_not_replaced() {
    let note = "its `backup` differs; it is replaced once it serves and is listed once";
    let down = scene()
        .with(backup(true))
        .servers([2])
        .server(1, |server| server.down = true);
    let plan = down.serving([1]).instances([2], &STARTING).plan();
    assert_eq!(plan.steps, []);
    assert_eq!(
        notes(&plan),
        [
            "10.0.0.1:80: is `down` in NGINX although its instance exists; left as it is".into(),
            format!("10.0.0.1:80: {note}"),
            format!("10.0.0.2:80: {note}"),
            "web_2: not added yet: it is starting".into()
        ]
    );
}

#[test]
fn upsert_only_does_not_replace() {
    let plan = scene()
        .with(backup(true))
        .with(|upstream| upstream.policy = Policy::UpsertOnly)
        .servers([1, 2])
        .serving([1, 2])
        .plan();
    assert_eq!(plan.steps, []);
    let both = [replace(1, AS_BACKUP), replace(2, AS_BACKUP)];
    assert_eq!(plan.held, held(both, HoldReason::UpsertOnly));
}

#[test]
fn of_an_address_that_is_listed_twice_the_server_in_service_stays() {
    let twin = |id| move |server: &mut Server| (server.id, server.draining) = (id, id != 12);
    let scene = scene()
        .server(1, twin(11))
        .server(1, twin(12))
        .server(1, twin(13))
        .servers([2, 3]);
    let twice = |id| Step::Remove {
        id,
        address: at(1),
        why: RemoveWhy::Duplicate,
        down_first: false,
    };
    assert_eq!(
        scene.serving([1, 2, 3]).plan().steps,
        [twice(11), twice(13)]
    );
}
