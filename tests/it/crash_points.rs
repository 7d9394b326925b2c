//! SIGKILL at every write of a large mixed plan: whatever was the last step, the next handler
//! finds the rest, and no state on the way is unsafe.

use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Cloud, Match, PowerState, Server, UpstreamEntry, UpstreamKind};

use crate::support::{binary, environment, sorted};
use crate::world::watch::{Fed, Watch};

const SETS: [&str; 2] = ["blue-vmss", "green-vmss"];
/// Writes of the plan in [`mixed_plan`], by method: the adds, the changes with the drains of the
/// first upstream, the removals with the leaving servers of the second.
const WRITES: [(&str, u32); 3] = [("POST", 4), ("PATCH", 6), ("DELETE", 6)];

fn upstreams() -> [Fed; 2] {
    let fed = |name, sets, port| Fed {
        kind: UpstreamKind::Http,
        name,
        sets,
        port,
        strict: false,
    };
    [fed("blue", &SETS[..1], 80), fed("green", &SETS[1..], 8080)]
}

fn entries() -> [UpstreamEntry; 2] {
    let green = UpstreamEntry::http("green", SETS[1]).on_port(8080);
    [
        UpstreamEntry::http("blue", SETS[0]),
        green.with("drain_timeout", "0s"),
    ]
}

/// Two upstreams, in each of which two servers are to be added, two to be changed, two belong to
/// stopped instances and two to nobody.
async fn mixed_plan() -> Cloud {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set(SETS[0], 6);
    world.add_flexible_set(SETS[1], 6);
    for Fed {
        kind,
        name,
        sets,
        port,
        ..
    } in upstreams()
    {
        world.add_upstream(kind, name);
        let instances = world.instances(sets[0]);
        for (place, instance) in instances.iter().enumerate().take(4) {
            let address = instance.server(port).unwrap_or_default();
            let max_fails = if place < 2 { 9 } else { 1 };
            world.put_server(
                kind,
                name,
                Server {
                    max_fails,
                    ..Server::at(&address)
                },
            );
            if place >= 2 {
                world.set_power(sets[0], instance, PowerState::Stopped);
            }
        }
        for gone in ["10.20.99.1", "10.20.99.2"] {
            world.put_server(kind, name, Server::at(&format!("{gone}:{port}")));
        }
    }
    cloud
}

async fn spawn(cloud: &Cloud) -> Handler {
    let env = environment(cloud, &cloud.config_yaml(&entries()));
    Handler::spawn(binary(), env).await
}

/// One life that ends at this write, and then another.
async fn killed_at(method: &str, write: u32, applied: bool) {
    let case = format!("{method} {write}, applied {applied}");
    let cloud = mixed_plan().await;
    let world = cloud.world();
    let watch = Watch::start(&world, &upstreams());
    let at = Match::nginx().method(method).skip(write);
    let gate = if applied {
        cloud.gate_answer(at)
    } else {
        cloud.gate(at)
    };
    let first = spawn(&cloud).await;
    tokio::select! {
        reply = first.timer_tick() => panic!("{case}: the write never came: {}", reply.text),
        () = gate.arrived() => first.kill().await,
    }
    drop(gate);

    let second = spawn(&cloud).await;
    let mut writes = Vec::new();
    for pass in 1..=4 {
        let before = watch.writes();
        let reply = second.timer_tick().await;
        assert!(reply.succeeded(), "{case}, pass {pass}: {}", reply.text);
        writes.push(watch.writes() - before);
        for Fed {
            kind,
            name,
            sets,
            port,
            ..
        } in upstreams()
        {
            let serving = world.serving_addresses(sets[0], port);
            let servers = world.servers(kind, name);
            let fit = servers
                .iter()
                .filter(|server| !server.drain && server.max_fails == 1);
            let fit = sorted(fit.map(|server| server.server.clone()).collect());
            assert_eq!(fit, serving, "{case}, pass {pass}, {name}");
            let all = if pass < 3 {
                servers.len()
            } else {
                serving.len()
            };
            assert_eq!(
                servers.len(),
                all,
                "{case}, pass {pass}, {name}: {servers:?}"
            );
        }
    }
    // Two drains and their ends, and nothing twice (a drain that was under way is not begun again).
    assert!(watch.writes() >= 16 + 2, "{case}: {writes:?}");
    assert_eq!(writes[3], 0, "{case}: {writes:?}");
    assert_eq!(world.violations(), Vec::<String>::new(), "{case}");
}

async fn killed_at_every(applied: bool) {
    for (method, count) in WRITES {
        let points = (0..count).map(|write| tokio::spawn(killed_at(method, write, applied)));
        for point in points.collect::<Vec<_>>() {
            if let Err(error) = point.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_right_after_any_write_leaves_what_the_next_one_completes() {
    killed_at_every(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_right_before_any_write_leaves_what_the_next_one_completes() {
    killed_at_every(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_that_is_cut_short_here_has_exactly_these_writes() {
    let cloud = mixed_plan().await;
    let handler = spawn(&cloud).await;
    let reply = handler.timer_tick().await;
    assert!(reply.succeeded(), "{}", reply.text);
    let requests = cloud.requests_to(simulated_cloud::Service::Nginx);
    for (method, count) in WRITES {
        let sent = requests
            .iter()
            .filter(|request| request.method == method)
            .count();
        assert_eq!(sent, count as usize, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_in_every_pass_still_gets_there_as_long_as_each_writes_something() {
    let cloud = mixed_plan().await;
    let world = cloud.world();
    let watch = Watch::start(&world, &upstreams());
    let mut lives = 0;
    loop {
        // Whatever it writes first is the last thing it does.
        let gates = WRITES.map(|(method, _)| cloud.gate_answer(Match::nginx().method(method)));
        let handler = spawn(&cloud).await;
        let before = watch.writes();
        let ended = tokio::select! {
            reply = handler.timer_tick() => Some(reply),
            () = gates[0].arrived() => None,
            () = gates[1].arrived() => None,
            () = gates[2].arrived() => None,
        };
        handler.kill().await;
        drop(gates);
        let Some(reply) = ended else {
            lives += 1;
            assert!(watch.writes() > before);
            assert!(lives <= 18, "no end");
            continue;
        };
        // Nothing is left but drains, which need two readings of one process.
        assert!(reply.succeeded(), "{}", reply.text);
        break;
    }
    assert!(lives >= 2, "{lives}");
    for Fed {
        kind,
        name,
        sets,
        port,
        ..
    } in upstreams()
    {
        let servers = world.servers(kind, name);
        let fit = servers
            .iter()
            .filter(|server| !server.drain && server.max_fails == 1);
        let fit = sorted(fit.map(|server| server.server.clone()).collect());
        assert_eq!(fit, world.serving_addresses(sets[0], port), "{name}");
    }
    assert_eq!(world.violations(), Vec::<String>::new());
}
