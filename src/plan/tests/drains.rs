//! How servers of leaving instances go.

use super::*;

fn draining(server: &mut Server) {
    server.draining = true;
}

#[test]
fn the_server_of_a_leaving_instance_is_drained_first() {
    for (phase, why) in [
        (DELETING, LeavingWhy::Deleting),
        (STOPPED, LeavingWhy::Stopped),
        (DEALLOCATED, LeavingWhy::Deallocated),
    ] {
        let plan = scene()
            .servers([1, 2])
            .serving([1])
            .instances([2], &phase)
            .plan();
        assert_eq!(plan.steps, [drain(2, why)]);
        assert!(plan.wants_peers);
    }
}

#[test]
fn a_draining_server_waits_and_says_so() {
    let scene = scene().servers([1]).server(2, draining).serving([1]);
    let plan = scene.instances([2], &STOPPED).drained_for(2, 12, 1).plan();
    assert!(plan.is_settled());
    assert_eq!(
        notes(&plan),
        ["10.0.0.2:80: draining for 12 of at most 30 s: its instance is stopped"]
    );
}

#[test]
fn a_drain_that_only_the_run_time_status_tells_is_not_started_again() {
    let scene = scene()
        .servers([1, 2])
        .serving([1])
        .instances([2], &STOPPED);
    assert!(
        scene
            .peers(PeerState::Up, [1])
            .peers(PeerState::Draining, [2])
            .plan()
            .is_settled()
    );
}

#[test]
fn two_idle_readings_end_a_drain() {
    let after = |readings| {
        let scene = scene().servers([1]).server(2, draining).serving([1]);
        scene
            .instances([2], &STOPPED)
            .drained_for(2, 1, readings)
            .plan()
            .steps
    };
    assert_eq!(after(1), []);
    assert_eq!(after(2), [remove(2, RemoveWhy::Drained)]);
}

#[test]
fn the_drain_timeout_ends_a_drain_that_still_has_connections() {
    let after = |seconds| {
        let scene = scene().servers([1]).server(2, draining).serving([1]);
        scene
            .instances([2], &STOPPED)
            .drained_for(2, seconds, 0)
            .plan()
            .steps
    };
    assert_eq!(after(29), []);
    assert_eq!(after(30), [remove(2, RemoveWhy::Drained)]);
}

#[test]
fn a_draining_server_whose_instance_is_gone_is_deleted_at_once() {
    let plan = scene().servers([1]).server(2, draining).serving([1]).plan();
    assert_eq!(plan.steps, [remove(2, RemoveWhy::Gone)]);
}

#[test]
fn a_drain_timeout_of_zero_deletes_without_draining() {
    let plan = scene()
        .with(|upstream| upstream.drain_timeout = Duration::ZERO)
        .servers([1, 2])
        .serving([1])
        .instances([2], &STOPPED)
        .plan();
    assert_eq!(
        plan.steps,
        [remove(2, RemoveWhy::Leaving(LeavingWhy::Stopped))]
    );
}

#[test]
fn a_stream_server_is_set_down_and_deleted() {
    let stream = |upstream: &mut Upstream| upstream.key.kind = Kind::Stream;
    let plan = scene()
        .with(stream)
        .servers([1, 2])
        .serving([1])
        .instances([2], &DELETING)
        .plan();
    let why = RemoveWhy::Leaving(LeavingWhy::Deleting);
    assert_eq!(
        plan.steps,
        [Step::Remove {
            id: 2,
            address: at(2),
            why,
            down_first: true
        }]
    );
    // Nobody is left to finish anything on a machine that is gone.
    let plan = scene().with(stream).servers([1, 2]).serving([1]).plan();
    assert_eq!(plan.steps, [remove(2, RemoveWhy::Gone)]);
}

#[test]
fn an_instance_that_returns_gets_its_draining_server_back() {
    let undrain = [Step::Undrain {
        id: 1,
        address: at(1),
        parameters: parameters(),
    }];
    let told = scene().server(1, draining).serving([1]).plan();
    let by_peers = scene()
        .servers([1])
        .serving([1])
        .peers(PeerState::Draining, [1])
        .plan();
    let remembered = scene()
        .servers([1])
        .serving([1])
        .drained_for(1, 5, 0)
        .plan();
    assert_eq!(told.steps, undrain);
    assert_eq!(by_peers.steps, undrain);
    assert_eq!(remembered.steps, undrain);
}

#[test]
fn a_restarting_instance_stays_drained_until_it_runs() {
    let plan = scene()
        .servers([2])
        .server(1, draining)
        .serving([2])
        .instances([1], &STARTING)
        .plan();
    assert!(plan.is_settled());
}

#[test]
fn a_server_that_an_operator_took_down_is_not_put_back_into_service() {
    let down = |server: &mut Server| (server.down, server.draining) = (true, true);
    assert!(
        scene()
            .servers([2])
            .server(1, down)
            .serving([1, 2])
            .plan()
            .is_settled()
    );
}

#[test]
fn the_run_time_status_is_asked_for_where_only_it_could_tell_that_a_server_drains() {
    let silent = |server: &mut Server| server.tells_draining = false;
    let asks = |change: &dyn Fn(&mut Upstream)| {
        let scene = scene().with(change).servers([2]).server(1, silent);
        scene.serving([1, 2]).plan().wants_peers
    };
    assert!(asks(&|_| {}));
    assert!(!asks(&|upstream| upstream.drain_timeout = Duration::ZERO));
    assert!(!asks(&|upstream| upstream.key.kind = Kind::Stream));
    // It was asked already, or the list tells.
    let asked = scene().server(1, silent).serving([1]);
    assert!(!asked.peers(PeerState::Up, [1]).plan().wants_peers);
    assert!(!scene().servers([1]).serving([1]).plan().wants_peers);
}

#[test]
fn a_stream_server_that_this_process_has_set_down_serves_again_with_its_instance() {
    let down = |server: &mut Server| server.down = true;
    let stream = |upstream: &mut Upstream| upstream.key.kind = Kind::Stream;
    let scene = || scene().with(stream).server(1, down).serving([1]);
    let back = Step::Undrain {
        id: 1,
        address: at(1),
        parameters: parameters(),
    };
    let plan = scene().drained_for(1, 5, 0).plan();
    assert_eq!(plan.steps, [back]);
    assert_eq!(plan.notes, []);
    // An operator's stays down, and is told.
    let plan = scene().plan();
    assert_eq!(plan.steps, []);
    assert_eq!(
        notes(&plan),
        ["10.0.0.1:80: is `down` in NGINX although its instance exists; left as it is"]
    );
}
