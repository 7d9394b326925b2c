//! What is held, and what releases it.

use super::*;
use crate::model::NoAddress;
use crate::plan::digest;

const BRAKE: HoldReason = HoldReason::MassRemoval {
    going: 3,
    of: 4,
    max_percent: 50,
};

fn gone(numbers: impl IntoIterator<Item = u64>) -> Vec<Step> {
    numbers
        .into_iter()
        .map(|number| remove(number, RemoveWhy::Gone))
        .collect()
}

#[test]
fn the_last_ones_stay_while_all_instances_are_deallocated_but_wanted() {
    for capacity in [None, Some(2)] {
        let mut scene = scene().servers([1, 2]).instances([1, 2], &DEALLOCATED);
        scene.capacity = capacity;
        let plan = scene.plan();
        let both = [
            drain(1, LeavingWhy::Deallocated),
            drain(2, LeavingWhy::Deallocated),
        ];
        assert_eq!(plan.steps, []);
        assert_eq!(plan.held, held(both, HoldReason::WouldEmpty));
    }
}

#[test]
fn an_empty_listing_of_a_set_that_tells_no_capacity_empties_nothing() {
    // 100 percent: the brake is off, the last guard is not.
    let scene = scene()
        .servers([1, 2])
        .with(|upstream| upstream.max_removal_percent = 100);
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    assert_eq!(plan.held, held(gone([1, 2]), HoldReason::WouldEmpty));
}

#[test]
fn a_set_scaled_to_zero_empties_its_upstream() {
    let plan = scene().servers([1, 2]).capacity(0).plan();
    assert_eq!(plan.steps, gone([1, 2]));
    assert_eq!(plan.held, []);
}

#[test]
fn a_server_that_enters_lets_the_last_leaver_go() {
    let plan = scene()
        .servers([1])
        .instances([1], &STOPPED)
        .serving([2])
        .plan();
    assert_eq!(plan.steps, [add(2), drain(1, LeavingWhy::Stopped)]);
}

#[test]
fn a_server_that_is_down_or_draining_does_not_count_as_one_that_stays() {
    let out =
        |down: bool| move |server: &mut Server| (server.down, server.draining) = (down, !down);
    for down in [true, false] {
        let scene = scene()
            .servers([1])
            .server(2, out(down))
            .instances([1], &STOPPED);
        let plan = scene.instances([2], &STARTING).plan();
        assert_eq!(plan.steps, []);
        assert_eq!(
            plan.held,
            held([drain(1, LeavingWhy::Stopped)], HoldReason::WouldEmpty)
        );
    }
}

#[test]
fn only_what_is_in_service_is_kept_for_the_sake_of_service() {
    let draining = |server: &mut Server| server.draining = true;
    let no_brake = |upstream: &mut Upstream| upstream.max_removal_percent = 100;
    let scene = scene().with(no_brake).servers([1]).server(2, draining);
    let plan = scene.instances([1], &STOPPED).plan();
    assert_eq!(plan.steps, gone([2]));
    let last = drain(1, LeavingWhy::Stopped);
    assert_eq!(plan.held, held([last], HoldReason::WouldEmpty));
}

#[test]
fn where_nothing_is_in_service_what_is_gone_goes_as_long_as_something_is_left() {
    let down = |server: &mut Server| server.down = true;
    let scene = || scene().server(1, down).server(2, down);
    assert_eq!(scene().serving([1]).plan().steps, gone([2]));
    let plan = scene().capacity(2).instances([3], &STARTING).plan();
    assert_eq!(plan.steps, []);
    assert_eq!(plan.held, held(gone([1, 2]), HoldReason::WouldEmpty));
}

#[test]
fn what_would_leave_nothing_in_service_cannot_be_released_by_hand() {
    let foreign = |server: &mut Server| server.fixed = true;
    // 5 is only to be added, and 9 is not ours: neither will serve when 1 to 4 are gone.
    let scene = scene().servers(1..=4).server(9, foreign).serving([5]);
    let key = scene.upstream.key.clone();
    let plan = scene.plan();
    assert_eq!(plan.steps, [add(5)]);
    assert_eq!(plan.held, held(gone(1..=4), HoldReason::WouldEmpty));
    assert_eq!(digest(&key, &plan.held), None);
}

#[test]
fn a_mass_removal_without_an_explanation_is_held_and_nginx_is_asked() {
    let plan = scene().servers(1..=4).serving([1]).plan();
    assert_eq!(plan.steps, []);
    assert_eq!(plan.held, held(gone(2..=4), BRAKE));
    assert!(plan.wants_peers);
}

#[test]
fn a_capacity_that_agrees_explains_a_mass_removal() {
    assert_eq!(
        scene().servers(1..=4).serving([1]).capacity(1).plan().steps,
        gone(2..=4)
    );
    // Two are wanted and one is listed: the listing is short.
    let plan = scene().servers(1..=4).serving([1]).capacity(2).plan();
    assert_eq!(plan.held, held(gone(2..=4), BRAKE));
}

#[test]
fn leavers_that_were_seen_leaving_explain_themselves() {
    let plan = scene()
        .servers(1..=4)
        .serving([1])
        .instances(2..=4, &STOPPED)
        .plan();
    let drains: Vec<Step> = (2..=4).map(|id| drain(id, LeavingWhy::Stopped)).collect();
    assert_eq!(plan.steps, drains);
    assert_eq!(plan.held, []);
}

#[test]
fn of_a_mass_removal_only_what_nginx_has_given_up_is_released() {
    let scene = scene().servers(1..=4).serving([1]);
    let plan = scene
        .peers(PeerState::Up, [1, 2])
        .peers(PeerState::NotUp, [3])
        .plan();
    // 4 is not in the status: nobody has given it up.
    assert_eq!(plan.steps, gone([3]));
    assert_eq!(plan.held, held(gone([2, 4]), BRAKE));
    assert!(!plan.wants_peers);
}

#[test]
fn a_share_up_to_the_limit_needs_no_explanation() {
    assert_eq!(
        scene().servers(1..=4).serving([1, 2]).plan().steps,
        gone([3, 4])
    );
    let strict = scene().with(|upstream| upstream.max_removal_percent = 0);
    let plan = strict.servers(1..=4).serving([1, 2, 3]).plan();
    let reason = HoldReason::MassRemoval {
        going: 1,
        of: 4,
        max_percent: 0,
    };
    assert_eq!(plan.held, held(gone([4]), reason));
}

#[test]
fn while_a_running_instance_hides_its_address_only_what_nginx_has_given_up_is_removed() {
    let scene = || scene().servers(1..=4).serving([1, 2, 5]);
    let hidden = |phase: &Phase| {
        let mut scene = scene();
        scene.instances[2].address = Address::Missing(NoAddress::InterfaceUnlisted);
        scene.instances[2].phase = phase.clone();
        scene
    };
    let reason = HoldReason::AddressUntold { instances: 1 };
    let plan = hidden(&Phase::Serving).plan();
    assert_eq!(plan.steps, []);
    assert_eq!(plan.held, held(gone([3, 4]), reason));
    assert!(plan.wants_peers);
    assert!(digest(&scene().upstream.key, &plan.held).is_some());
    // A machine that does not run is none of the servers.
    assert_eq!(hidden(&STOPPED).plan().steps, gone([3, 4]));
    let plan = hidden(&Phase::Serving).peers(PeerState::NotUp, [4]).plan();
    assert_eq!(plan.steps, gone([4]));
    assert_eq!(plan.held, held(gone([3]), reason));
}

#[test]
fn upsert_only_holds_what_takes_out_and_does_the_rest() {
    let plan = scene()
        .with(|upstream| upstream.policy = Policy::UpsertOnly)
        .servers(1..=3)
        .serving([1, 4])
        .instances([2], &STOPPED)
        .plan();
    assert_eq!(plan.steps, [add(4)]);
    let leavers = [drain(2, LeavingWhy::Stopped), remove(3, RemoveWhy::Gone)];
    assert_eq!(plan.held, held(leavers, HoldReason::UpsertOnly));
}

#[test]
fn paused_holds_everything() {
    let paused = scene().with(|upstream| upstream.policy = Policy::Paused);
    let plan = paused.servers([1, 2]).serving([1, 3]).plan();
    assert_eq!(plan.steps, []);
    let all = [add(3), remove(2, RemoveWhy::Gone)];
    assert_eq!(plan.held, held(all, HoldReason::Paused));
}

#[test]
fn a_scoped_upstream_removes_only_what_lies_in_its_networks() {
    let scoped = |upstream: &mut Upstream| {
        upstream.ownership = Ownership::Scoped;
        upstream.networks = vec!["10.0.0.0/30".parse().unwrap()];
    };
    let host = |server: &mut Server| server.address = ServerAddress::parse("app.example:80");
    let scene = scene()
        .with(scoped)
        .servers([1, 2, 9])
        .server(5, host)
        .serving([1, 10]);
    // 9 is the operator's; 10 is an instance outside the networks.
    assert_eq!(scene.plan().steps, gone([2]));
}

#[test]
fn a_server_that_nginx_does_not_let_be_changed_is_left_alone() {
    let fixed = |server: &mut Server| (server.fixed, server.max_conns) = (true, 7);
    assert!(
        scene()
            .servers([1])
            .server(2, fixed)
            .server(3, fixed)
            .serving([1, 2])
            .plan()
            .is_settled()
    );
}

#[test]
fn every_reason_says_what_is_held_and_what_releases_it() {
    let told = |reason: HoldReason| (reason.to_string(), reason.release());
    assert_eq!(
        told(HoldReason::WouldEmpty),
        (
            "it would leave nothing in service while the scale set's capacity is not 0".into(),
            "released when another server is in service, or when every scale set's capacity is 0"
        )
    );
    assert_eq!(
        told(BRAKE),
        (
            "3 of 4 servers would go, more than max_removal_percent 50 allows unexplained".into(),
            "released when the scale set's capacity agrees, when the instances are seen leaving, \
             when NGINX no longer reports the servers up, or by Reconcile {\"force\":\"<digest>\"}"
        )
    );
    let release = "released when Azure lists the network interfaces, when NGINX no longer reports the \
                   servers up, or by Reconcile {\"force\":\"<digest>\"}";
    let untold = |instances| told(HoldReason::AddressUntold { instances });
    let one =
        "a running instance has no listed network interface, so one of them may be its server";
    assert_eq!(untold(1), (one.into(), release));
    let two = "2 running instances have no listed network interface, so they may be their servers";
    assert_eq!(untold(2), (two.into(), release));
    assert_eq!(
        told(HoldReason::UpsertOnly),
        ("policy is upsert_only".into(), "released by `policy: sync`")
    );
    assert_eq!(
        told(HoldReason::Paused),
        ("policy is paused".into(), "released by another `policy`")
    );
    assert_eq!(
        told(HoldReason::LastInService),
        (
            "nothing else would be in service meanwhile".into(),
            "released when another server is in service"
        )
    );
}

#[test]
fn only_what_the_operators_policy_holds_needs_no_warning() {
    let mass = HoldReason::MassRemoval {
        going: 1,
        of: 1,
        max_percent: 0,
    };
    for reason in [HoldReason::UpsertOnly, HoldReason::Paused] {
        assert!(reason.is_policy(), "{reason}");
    }
    let untold = HoldReason::AddressUntold { instances: 1 };
    for reason in [
        mass,
        untold,
        HoldReason::WouldEmpty,
        HoldReason::LastInService,
    ] {
        assert!(!reason.is_policy(), "{reason}");
    }
}

#[test]
fn every_removal_says_why() {
    let told = [
        (RemoveWhy::Gone, "no instance has this address"),
        (
            RemoveWhy::Leaving(LeavingWhy::Deallocated),
            "its instance is deallocated",
        ),
        (RemoveWhy::Drained, "it has finished draining"),
        (RemoveWhy::Duplicate, "the address is listed twice"),
    ];
    for (why, text) in told {
        assert_eq!(why.to_string(), text);
    }
}

#[test]
fn a_plan_is_settled_only_without_steps_and_without_held_steps() {
    assert!(scene().servers([1]).serving([1]).plan().is_settled());
    assert!(!scene().serving([1]).plan().is_settled());
    let held = scene().servers([1]).plan();
    assert_eq!((held.steps.len(), held.held.len()), (0, 1));
    assert!(!held.is_settled());
}

#[test]
fn a_picture_tells_why_sources_could_not_be_read() {
    let scene = scene().serving([1]).incomplete();
    let source = &scene.upstream.sources[0];
    let failure = scene.failure.clone().unwrap();
    let listing = Listing::Incomplete {
        set: source.set.clone(),
        seen: scene.instances.clone(),
        failure: failure.clone(),
    };
    let picture = Picture::new(&scene.upstream, &[(source, &listing)]);
    assert_eq!(picture.failures(), [failure]);
}

#[test]
fn only_what_a_guard_holds_has_a_digest_and_it_stays_the_same() {
    let key = scene().upstream.key;
    let digest = |plan: &Plan| crate::plan::digest(&key, &plan.held);
    let held = scene().servers(1..=4).serving([1]).plan();
    assert_eq!(
        digest(&held),
        digest(&scene().servers([3, 1, 4, 2]).serving([1]).plan())
    );
    assert_ne!(
        digest(&held),
        digest(&scene().servers(1..=5).serving([1]).plan())
    );
    assert_eq!(digest(&held).map(|text| text.len()), Some(12));
    let paused = scene()
        .with(|upstream| upstream.policy = Policy::Paused)
        .serving([1])
        .plan();
    assert_eq!(digest(&paused), None);
}
