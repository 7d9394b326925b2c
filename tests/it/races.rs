//! Two handlers, no lock: orders in which slow and fast passes meet, made with gates.

use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{Cloud, Fault, Gate, Match, PowerState, Service, UpstreamKind};

use crate::safety_support::{
    NONE, SET, SET_MACHINES, SET_NICS, address_of, call, failing_tick, filled, server, tick,
};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

/// Handler A with an upstream that is filled, and a handler B beside it.
async fn two(instances: usize) -> (Running, Handler) {
    let a = filled(uniform_cloud(instances).await, &[web()]).await;
    let b = another(&a.cloud).await;
    (a, b)
}

async fn another(cloud: &Cloud) -> Handler {
    Handler::spawn(binary(), environment(cloud, &cloud.config_yaml(&[web()]))).await
}

/// A tick of A that stands at `gate` while `meanwhile` runs; its reply.
async fn held_tick<T>(a: &Running, gate: Gate, meanwhile: impl Future<Output = T>) -> (Reply, T) {
    let slow = a.handler.timer_tick();
    tokio::pin!(slow);
    tokio::select! {
        reply = &mut slow => panic!("it never came to the gate: {}", reply.text),
        () = gate.arrived() => {}
    }
    let result = meanwhile.await;
    gate.release();
    let reply = slow.await;
    assert!(reply.succeeded(), "{}", reply.text);
    (reply, result)
}

async fn good_tick(handler: &Handler) -> Reply {
    let reply = handler.timer_tick().await;
    assert!(reply.succeeded(), "{}", reply.text);
    reply
}

/// How often NGINX answered a method with a status.
fn answers(cloud: &Cloud, method: &str, status: u16) -> usize {
    let requests = cloud.requests_to(Service::Nginx);
    let fits =
        |found: &&simulated_cloud::Recorded| found.method == method && found.status == Some(status);
    requests.iter().filter(fits).count()
}

fn assert_converged(running: &Running) {
    assert_eq!(
        running.http("web"),
        running.world().serving_addresses("web-vmss", 80)
    );
    assert_eq!(running.world().violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_pass_with_an_old_list_does_not_delete_what_a_newer_pass_has_added() {
    // The old list is on its way (answered), or about to be made (arrived).
    for site in [SET, SET_NICS, SET_MACHINES] {
        for answered in [true, false] {
            let (a, b) = two(3).await;
            let world = a.world();
            let at = call(site);
            let gate = if answered {
                a.cloud.gate_answer(at)
            } else {
                a.cloud.gate(at)
            };
            held_tick(&a, gate, async {
                world.scale("web-vmss", 6);
                good_tick(&b).await;
                assert_converged(&a);
            })
            .await;
            assert_converged(&a);
            assert_eq!(
                answers(&a.cloud, "DELETE", 200),
                0,
                "{site}, answered {answered}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_is_not_asked_before_nginx_has_answered() {
    let a = Running::start(uniform_cloud(3).await, &[web()]).await;
    let gate = a.cloud.gate_answer(Match::nginx().method("GET"));
    held_tick(&a, gate, async { assert_eq!(a.arm_requests().len(), 0) }).await;
    let first_of_azure = a.arm_requests().iter().map(|request| request.at).min();
    let reads = a
        .cloud
        .requests_to(Service::Nginx)
        .into_iter()
        .filter(|request| !request.is_write());
    let last_read = reads.map(|request| request.at).max();
    assert!(
        last_read < first_of_azure,
        "{last_read:?} {first_of_azure:?}"
    );
    assert_converged(&a);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_pass_that_saw_an_empty_nginx_adds_nothing_twice() {
    let a = Running::start(uniform_cloud(5).await, &[web()]).await;
    let b = another(&a.cloud).await;
    let gate = a.cloud.gate_answer(Match::nginx().method("GET"));
    let (reply, _) = held_tick(&a, gate, good_tick(&b)).await;
    assert!(reply.logs()[0].contains("Added: []"), "{}", reply.text);
    assert_eq!(answers(&a.cloud, "POST", 409), 5);
    assert_converged(&a);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_that_add_at_once_both_succeed_and_name_each_server_once() {
    let a = Running::start(uniform_cloud(24).await, &[web()]).await;
    let b = another(&a.cloud).await;
    // Both know everything before either writes.
    let gates = [0, 1].map(|_| a.cloud.gate_answer(call(SET_NICS)));
    let release = async {
        for gate in &gates {
            gate.arrived().await;
        }
        gates.iter().for_each(Gate::release);
    };
    let (first, second, ()) = tokio::join!(good_tick(&a.handler), good_tick(&b), release);
    assert_converged(&a);
    let (created, refused) = (
        answers(&a.cloud, "POST", 201),
        answers(&a.cloud, "POST", 409),
    );
    assert_eq!((created, created + refused), (24, 48));
    // What one has added the other has not.
    let named = |reply: &Reply| {
        let line = reply.logs().remove(0);
        let added = line
            .split("Added: [")
            .nth(1)
            .and_then(|rest| rest.split(']').next());
        let list = added
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned);
        list.collect::<Vec<_>>()
    };
    assert_eq!(
        sorted([named(&first), named(&second)].concat()),
        a.http("web")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_that_remove_at_once_both_succeed() {
    let (a, b) = two(12).await;
    a.world().scale("web-vmss", 4);
    // Both have read everything, and taken their last look, before either writes.
    let last_look = || {
        let list = Match::nginx().method("GET");
        list.path("/upstreams/web/servers").skip(2)
    };
    let read = [0, 1].map(|_| a.cloud.gate_answer(call(SET_NICS)));
    let looked = [0, 1].map(|_| a.cloud.gate_answer(last_look()));
    let release = async {
        for gates in [&read, &looked] {
            for gate in gates {
                gate.arrived().await;
            }
            gates.iter().for_each(Gate::release);
        }
    };
    tokio::join!(good_tick(&a.handler), good_tick(&b), release);
    assert_converged(&a);
    let (done, refused) = (
        answers(&a.cloud, "DELETE", 200),
        answers(&a.cloud, "DELETE", 404),
    );
    assert_eq!((done, done + refused), (8, 16));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_whose_removals_were_done_by_another_succeeds_and_claims_none() {
    let (a, b) = two(4).await;
    a.world().scale("web-vmss", 2);
    let gates = [0, 1].map(|_| a.cloud.gate(Match::nginx().method("DELETE")));
    let [first, second] = gates;
    let (reply, _) = held_tick(&a, first, async {
        second.arrived().await;
        let reply = good_tick(&b).await;
        second.release();
        reply
    })
    .await;
    assert!(reply.logs()[0].contains("Removed: []"), "{}", reply.text);
    assert_eq!(answers(&a.cloud, "DELETE", 404), 2);
    assert_converged(&a);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_held_in_the_middle_of_its_removals_does_no_harm_to_a_set_that_grows_again() {
    let (a, b) = two(14).await;
    let world = a.world();
    world.scale("web-vmss", 2);
    let gate = a.cloud.gate(Match::nginx().method("DELETE").skip(2));
    held_tick(&a, gate, async {
        world.scale("web-vmss", 9);
        good_tick(&b).await;
        assert_converged(&a);
    })
    .await;
    assert_converged(&a);
    // And nothing is left to be done.
    a.cloud.clear_requests();
    tick(&a).await;
    assert_eq!(a.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_removal_does_not_hit_the_server_that_has_the_same_address_again() {
    let (a, b) = two(3).await;
    let world = a.world();
    let address = address_of(&world, "web-vmss", 2);
    world.scale("web-vmss", 2);
    let gate = a.cloud.gate(Match::nginx().method("DELETE"));
    held_tick(&a, gate, async {
        good_tick(&b).await;
        assert_converged(&a);
        // Azure gives the address to a new instance, and B adds it.
        let ip = address.split(':').next().unwrap_or_default();
        world.use_address_next(ip);
        world.scale("web-vmss", 3);
        good_tick(&b).await;
        assert_converged(&a);
    })
    .await;
    assert!(server(&world, "web", &address).is_some());
    assert_converged(&a);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_pass_adds_too_late_is_removed_by_the_next_pass_of_either() {
    for of_the_other in [true, false] {
        let (a, b) = two(3).await;
        let world = a.world();
        world.scale("web-vmss", 4);
        let gate = a.cloud.gate(Match::nginx().method("POST"));
        held_tick(&a, gate, async {
            world.scale("web-vmss", 3);
            good_tick(&b).await;
        })
        .await;
        assert_eq!(a.http("web").len(), 4);
        good_tick(if of_the_other { &b } else { &a.handler }).await;
        assert_converged(&a);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_one_handler_began_is_ended_by_either() {
    for of_the_other in [true, false] {
        let (a, b) = two(3).await;
        let world = a.world();
        let leaving = address_of(&world, "web-vmss", 1);
        world.mark_deleting("web-vmss", 1);
        good_tick(&a.handler).await;
        assert!(server(&world, "web", &leaving).is_some_and(|server| server.drain));
        let ends_it = if of_the_other { &b } else { &a.handler };
        for pass in 1..=2 {
            assert_eq!(
                world.server_addresses(UpstreamKind::Http, "web").len(),
                3,
                "pass {pass}"
            );
            good_tick(ends_it).await;
        }
        assert_converged(&a);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_passes_that_saw_different_instances_leave_do_not_empty_the_upstream_together() {
    for drain_timeout in ["30s", "0s"] {
        let entry = web().with("drain_timeout", drain_timeout);
        let a = filled(uniform_cloud(2).await, std::slice::from_ref(&entry)).await;
        let yaml = a.cloud.config_yaml(&[entry]);
        let b = Handler::spawn(binary(), environment(&a.cloud, &yaml)).await;
        let world = a.world();
        let first = address_of(&world, "web-vmss", 0);
        world.on_nginx_write(|write| {
            let in_service = |server: &simulated_cloud::Server| !server.drain && !server.down;
            match write.servers.iter().any(in_service) {
                true => Ok(()),
                false => Err(format!("nothing is left in service: {:?}", write.change)),
            }
        });
        // A sees the first one leave, and the second one stay; B the other way round.
        world.set_power("web-vmss", 0, PowerState::Stopped);
        let gate = a.cloud.gate_answer(call(SET_MACHINES));
        let (reply, _) = held_tick(&a, gate, async {
            world.set_power("web-vmss", 0, PowerState::Running);
            world.set_power("web-vmss", 1, PowerState::Stopped);
            good_tick(&b).await;
        })
        .await;
        assert_eq!(world.violations(), NONE, "{drain_timeout}");
        if drain_timeout == "0s" {
            let line = reply.logs().remove(0);
            let held = format!("Held: [{first}] (it would leave nothing in service");
            assert!(line.contains(&held), "{line}");
            assert_converged(&a);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_numbers_the_servers_anew_in_the_middle_of_a_pass_costs_no_good_server() {
    let (a, _b) = two(4).await;
    let world = a.world();
    let gone = address_of(&world, "web-vmss", 1);
    // Its place is taken by others, so that its id will be another server's.
    world.take_server(
        UpstreamKind::Http,
        "web",
        &address_of(&world, "web-vmss", 0),
    );
    world.delete_instance("web-vmss", 1);
    let before = server(&world, "web", &gone).expect("it is still there").id;
    let gate = a.cloud.gate_answer(call(SET_MACHINES));
    held_tick(&a, gate, async {
        world.reload_upstream(UpstreamKind::Http, "web");
    })
    .await;
    let servers = world.servers(UpstreamKind::Http, "web");
    let now = servers.iter().find(|server| server.id == before);
    assert!(
        now.is_some_and(|server| server.server != gone),
        "{servers:?}"
    );
    assert_eq!(answers(&a.cloud, "DELETE", 200), 0);
    good_tick(&a.handler).await;
    assert_converged(&a);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_last_look_fails_nothing_is_taken_out() {
    let (a, _b) = two(3).await;
    let world = a.world();
    let before = a.http("web");
    world.scale("web-vmss", 2);
    let list = Match::nginx().method("GET").path("/upstreams/web/servers");
    a.cloud.fault(list.skip(1), Fault::HtmlError(503), None);
    let lines = failing_tick(&a).await;
    assert!(lines.contains("nothing is taken out"), "{lines}");
    assert_eq!(a.http("web"), before);
    a.cloud.clear_faults();
    good_tick(&a.handler).await;
    assert_converged(&a);
}
