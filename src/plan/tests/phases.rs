//! Serving, arriving, leaving, not yet.

use super::*;
use crate::model::NoAddress;

const NO_NOTES: [&str; 0] = [];

#[test]
fn a_serving_instance_is_added_with_the_configured_parameters() {
    assert_eq!(scene().serving([1]).plan().steps, [add(1)]);
}

#[test]
fn a_server_whose_instance_serves_is_left_alone() {
    assert!(scene().servers([1]).serving([1]).plan().is_settled());
}

#[test]
fn a_starting_instance_is_kept_but_not_added_until_it_runs() {
    let plan = scene().servers([1]).instances([1, 2], &STARTING).plan();
    assert!(plan.is_settled());
    assert_eq!(
        notes(&plan),
        [
            "web_1: not added yet: it is starting",
            "web_2: not added yet: it is starting"
        ]
    );
}

#[test]
fn add_before_running_adds_an_instance_as_soon_as_it_has_an_address() {
    let eager = |upstream: &mut Upstream| upstream.add_before_running = true;
    assert_eq!(
        scene().with(eager).instances([1], &STARTING).plan().steps,
        [add(1)]
    );
    let plan = scene().with(eager).instances([1], &STARTING).plan();
    assert_eq!(notes(&plan), NO_NOTES);
    // An interface alone is no machine.
    let alone = Phase::Arriving(ArrivingWhy::InterfaceOnly);
    assert_eq!(scene().with(eager).instances([1], &alone).plan().steps, []);
}

#[test]
fn require_healthy_adds_only_the_healthy_and_keeps_who_falls_ill() {
    let mut scene = scene().servers([1]).serving([1, 2, 3]);
    scene.upstream.require_healthy = true;
    scene.instances[0].healthy = false;
    scene.instances[1].healthy = false;
    let plan = scene.plan();
    assert_eq!(plan.steps, [add(3)]);
    assert_eq!(
        notes(&plan),
        [
            "web_1: not added yet: it is not reported healthy",
            "web_2: not added yet: it is not reported healthy"
        ]
    );
}

#[test]
fn a_leaving_instance_is_never_added() {
    for phase in [DELETING, STOPPED, DEALLOCATED] {
        assert_eq!(scene().instances([1], &phase).plan(), Plan::default());
    }
}

#[test]
fn an_instance_without_an_address_is_named_with_the_reason() {
    let mut scene = scene().serving([1, 2, 3]).instances([4], &DELETING);
    scene.instances[0].address = Address::Missing(NoAddress::NoInterface);
    scene.instances[1].address = Address::Missing(NoAddress::NoPrimaryInterface);
    scene.instances[2].address = Address::Missing(NoAddress::NoPrivateAddress);
    scene.instances[3].address = Address::Missing(NoAddress::NoInterface);
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    assert_eq!(
        notes(&plan),
        [
            "web_1: not added: it has no network interface",
            "web_2: not added: it has no primary network interface",
            "web_3: not added: it has no private address",
        ]
    );
}

#[test]
fn a_public_address_is_refused_unless_networks_lists_it() {
    let public = |networks: &[&str]| {
        let mut scene = scene().serving([1]);
        scene.instances[0].address = Address::Known("8.8.8.8".parse().unwrap());
        scene.upstream.networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        scene.plan()
    };
    assert_eq!(public(&[]).steps, []);
    assert_eq!(
        notes(&public(&[])),
        [
            "web_1: not added: 8.8.8.8 is outside the private ranges and not in this upstream's `networks`"
        ]
    );
    // Of one that leaves nobody asks why it is not added.
    let mut leaving = scene().instances([1], &DELETING);
    leaving.instances[0].address = Address::Known("8.8.8.8".parse().unwrap());
    assert_eq!(notes(&leaving.plan()), NO_NOTES);
    let address = ServerAddress::parse("8.8.8.8:80");
    assert_eq!(
        public(&["8.8.8.0/24"]).steps,
        [Step::Add {
            address,
            parameters: parameters()
        }]
    );
}

#[test]
fn an_ipv6_instance_is_added_in_brackets() {
    let mut scene = scene().serving([1]);
    scene.instances[0].address = Address::Known("fd00::1".parse().unwrap());
    let addresses: Vec<String> = scene
        .plan()
        .steps
        .iter()
        .map(|step| step.address().to_string())
        .collect();
    assert_eq!(addresses, ["[fd00::1]:80"]);
}

#[test]
fn an_address_that_a_leaving_instance_gave_up_belongs_to_the_one_that_serves() {
    for phases in [[DELETING, Phase::Serving], [Phase::Serving, DELETING]] {
        let [first, second] = phases;
        let plan = scene()
            .servers([1])
            .instances([1], &first)
            .instances([1], &second)
            .plan();
        assert!(plan.is_settled(), "{plan:?}");
    }
}

#[test]
fn a_server_that_no_instance_explains_is_deleted_at_once() {
    let plan = scene().servers([1, 2, 3]).serving([1, 2]).plan();
    assert_eq!(plan.steps, [remove(3, RemoveWhy::Gone)]);
    assert!(!plan.wants_peers);
}

#[test]
fn an_incomplete_listing_adds_and_updates_and_takes_nothing_out() {
    let plan = scene()
        .servers([1, 2])
        .server(3, |server| server.max_conns = 5)
        .instances([2], &DEALLOCATED)
        .serving([3, 4])
        .incomplete()
        .plan();
    let verbs: Vec<(&str, &ServerAddress)> = plan
        .steps
        .iter()
        .map(|step| (step.verb(), step.address()))
        .collect();
    assert_eq!(verbs, [("add", &at(4)), ("update", &at(3))]);
    assert_eq!(plan.held, []);
}

#[test]
fn a_listing_of_another_set_is_not_the_listing_of_this_one() {
    let Scene { upstream, .. } = scene();
    let set = ScaleSetId {
        name: "other".into(),
        ..upstream.sources[0].set.clone()
    };
    let listing = CompleteListing {
        set,
        capacity: Some(0),
        instances: Vec::new(),
    };
    let picture = Picture::new(
        &upstream,
        &[(&upstream.sources[0], &Listing::Complete(listing))],
    );
    assert!(picture.whole().is_none());
    assert!(Picture::new(&upstream, &[]).whole().is_none());
}

#[test]
fn every_instance_is_told_with_the_reason_why_it_is_not_added() {
    let mut scene = scene().serving([2]).instances([1], &STARTING);
    scene.instances[0].address = Address::Missing(NoAddress::NoInterface);
    let source = &scene.upstream.sources[0];
    let listing = Listing::Complete(CompleteListing {
        set: source.set.clone(),
        capacity: None,
        instances: scene.instances.clone(),
    });
    let sources = [(source, &listing)];
    let told: Vec<String> = crate::plan::candidates(&scene.upstream, &sources)
        .iter()
        .map(|one| format!("{}: {}", one.name, one.why_not.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            "web_1: not added yet: it is starting",
            "web_2: not added: it has no network interface"
        ]
    );
}
