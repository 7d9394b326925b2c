//! Bursts: at most one pass running and one waiting, and every reply is of a pass that began after
//! its request had arrived.

use std::sync::Arc;
use std::time::{Duration, Instant};

use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{Cloud, Fault, Match, Recorded, Service, UpstreamEntry, UpstreamKind};

use crate::safety_support::{SET, SET_NICS, asked, call, reconcile};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

/// The number of the newest request that reads the model of `web-vmss`: where a pass has begun.
fn newest_pass(cloud: &Cloud) -> u64 {
    let is_model = |found: &&Recorded| {
        format!("{}?{}", found.path, found.query)
            .to_lowercase()
            .contains(&SET.to_lowercase())
    };
    let requests = cloud.requests();
    requests
        .iter()
        .filter(is_model)
        .map(|found| found.at)
        .max()
        .unwrap_or_default()
}

fn newest_request(cloud: &Cloud) -> u64 {
    cloud
        .requests()
        .iter()
        .map(|found| found.at)
        .max()
        .unwrap_or_default()
}

/// Waits until the handler has `count` connections with nothing left to be read (Linux tells), and
/// then long enough for a request that was about to be sent or looked at: some other round trips.
async fn until_it_has_read(handler: &Handler, count: usize) {
    let port = format!(":{:04X}", handler.port());
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let read = table.lines().filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1).is_some_and(|local| local.ends_with(&port))
                && fields.get(3) == Some(&"01")
                && fields
                    .get(4)
                    .is_some_and(|queues| queues.ends_with(":00000000"))
        });
        let read = read.count();
        if read >= count {
            break;
        }
        assert!(Instant::now() < limit, "{read} of {count}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..20 {
        assert_eq!(handler.get("/").await.status, 200);
    }
}

async fn ended<T>(task: tokio::task::JoinHandle<T>) -> T {
    match task.await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn burst(events: usize) {
    let Running { cloud, handler } = Running::start(uniform_cloud(3).await, &[web()]).await;
    let (cloud, handler) = (Arc::new(cloud), Arc::new(handler));
    let world = cloud.world();
    let set = world.set_id("web-vmss");
    let send = || {
        let (cloud, handler, set) = (Arc::clone(&cloud), Arc::clone(&handler), set.clone());
        let sent = newest_request(&cloud);
        tokio::spawn(async move {
            let reply = handler.scale_set_written(&set).await;
            let servers = cloud.world().server_addresses(UpstreamKind::Http, "web");
            (reply, sent, newest_pass(&cloud), servers)
        })
    };
    let gate = cloud.gate_answer(call(SET_NICS));
    let first = send();
    gate.arrived().await;
    let before = world.addresses("web-vmss", 80);
    // The first pass has its list; what comes now must be seen by another one.
    world.scale("web-vmss", 5);
    let later: Vec<_> = (1..events).map(|_| send()).collect();
    until_it_has_read(&handler, events).await;
    let second = cloud.gate(call(SET_NICS));
    gate.release();
    // Whoever was late all the same waits behind the second pass.
    second.arrived().await;
    until_it_has_read(&handler, 0).await;
    second.release();

    let (reply, _, _, _) = ended(first).await;
    let list = before.join(" ");
    assert!(
        reply.logs()[0].contains(&format!("Added: [{list}]")),
        "{}",
        reply.text
    );
    let after = world.addresses("web-vmss", 80);
    for task in later {
        let (reply, sent, pass, servers) = ended(task).await;
        assert!(reply.succeeded(), "{}", reply.text);
        assert!(pass > sent, "no pass began after {sent}");
        assert!(
            !reply.logs()[0].contains(&list),
            "the reply of the first pass: {}",
            reply.text
        );
        assert_eq!(servers, after);
    }
    let passes = asked(&cloud, SET);
    assert!(
        (2..=3).contains(&passes),
        "{passes} passes for {events} events"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_at_once_are_served_by_at_most_three_passes_none_older_than_its_event() {
    burst(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_are_two_passes_when_the_second_comes_while_the_first_is_read() {
    burst(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_pass_looks_at_everything_that_was_asked_for_meanwhile() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    let names = ["a", "b", "c"];
    for name in names {
        world.add_uniform_set(&format!("{name}-vmss"), 2);
        world.add_upstream(UpstreamKind::Http, name);
    }
    let entries = names.map(|name| UpstreamEntry::http(name, &format!("{name}-vmss")));
    let running = Running::start(cloud, &entries).await;
    let gate = running.cloud.gate(call("a-vmss?api-version"));
    let release = async {
        gate.arrived().await;
        until_it_has_read(&running.handler, 4).await;
        gate.release();
    };
    let later = async {
        gate.arrived().await;
        tokio::join!(
            running.event("b-vmss"),
            running.event("c-vmss"),
            running.event("B-VMSS")
        )
    };
    let (first, (b, c, again), ()) = tokio::join!(running.event("a-vmss"), later, release);
    let upstreams = |reply: &Reply| -> Vec<String> {
        assert!(reply.succeeded(), "{}", reply.text);
        let named = |line: &String| {
            line.split_whitespace()
                .nth(4)
                .unwrap_or_default()
                .to_owned()
        };
        reply.logs().iter().map(named).collect()
    };
    assert_eq!(upstreams(&first), ["a"]);
    for reply in [b, c, again] {
        assert_eq!(upstreams(&reply), ["b", "c"]);
    }
    for name in names {
        assert_eq!(
            asked(&running.cloud, &format!("{name}-vmss?api-version")),
            1,
            "{name}"
        );
        assert_eq!(
            running.http(name),
            running.world().addresses(&format!("{name}-vmss"), 80)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_goes_on_when_its_caller_has_gone() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    let gate = running.cloud.gate(call(SET));
    tokio::select! {
        reply = running.event("web-vmss") => panic!("{}", reply.text),
        () = gate.arrived() => {}
    }
    // The connection is closed here.
    gate.release();
    let added = |found: &[Recorded]| {
        found
            .iter()
            .filter(|found| found.method == "POST" && found.status == Some(201))
            .count()
            == 3
    };
    assert!(
        running
            .cloud
            .wait_until(Duration::from_secs(20), added)
            .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_answered_within_its_25_seconds_even_when_all_of_them_were_spent_waiting() {
    let cloud = uniform_cloud(2).await;
    let env = environment(&cloud, &cloud.config_yaml(&[web()]));
    let handler = Arc::new(Handler::spawn(binary(), env).await);
    let _ = cloud.fault(Match::arm(), Fault::Hang, None);
    let timer = tokio::spawn({
        let handler = Arc::clone(&handler);
        async move { handler.timer_tick().await }
    });
    let asked = |found: &[Recorded]| found.iter().any(|found| found.service == Service::Arm);
    assert!(cloud.wait_until(Duration::from_secs(20), asked).await);
    let begun = Instant::now();
    let reply = handler
        .scale_set_written(&cloud.world().set_id("web-vmss"))
        .await;
    let waited = begun.elapsed();
    assert_eq!(reply.status, 500, "{}", reply.text);
    assert!(reply.logs()[0].contains("in time"), "{}", reply.text);
    assert!(
        Duration::from_secs(24) < waited && waited < Duration::from_secs(28),
        "{waited:?}"
    );
    assert!(
        !timer.is_finished(),
        "the timer's pass has more time, and is still in front"
    );
    handler.kill().await;
}

/// The pass ends before its reply is due: else nobody would hear what was done, and what was not.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_nginx_keeps_until_its_deadline_still_tells_its_lines() {
    let cloud = uniform_cloud(24).await;
    let running = Running::start(cloud, &[web()]).await;
    let post = Match::nginx().method("POST");
    let _ = running.cloud.fault(post, Fault::Hang, None);
    let reply = running.event("web-vmss").await;
    assert_eq!(reply.status, 500, "{}", reply.text);
    let lines = reply.logs();
    assert!(
        lines[0].starts_with("Couldn't fully update HTTP servers of web "),
        "{lines:?}"
    );
    running.assert_on_stdout(&lines).await;
}

/// A script that asks again and again must not spend the subscription's quota of readings.
#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_that_come_at_once_share_one_look_that_began_after_they_came() {
    let running = Arc::new(Running::start(uniform_cloud(3).await, &[web()]).await);
    let world = running.cloud.world();
    let ask = || {
        let running = Arc::clone(&running);
        tokio::spawn(async move { reconcile(&running, r#"{"dry_run":true}"#).await })
    };
    let gate = running.cloud.gate_answer(call(SET_NICS));
    let first = ask();
    gate.arrived().await;
    let others: Vec<_> = (0..40).map(|_| ask()).collect();
    until_it_has_read(&running.handler, 41).await;
    world.scale("web-vmss", 4);
    gate.release();
    assert_eq!(ended(first).await.0, 200);
    let wanted = sorted(world.addresses("web-vmss", 80));
    for other in others {
        let (status, body) = ended(other).await;
        assert_eq!(status, 200, "{body}");
        let planned = body["upstreams"][0]["planned"].as_array().into_iter();
        let added = planned.flatten().filter_map(|step| step["server"].as_str());
        assert_eq!(sorted(added.map(str::to_owned).collect()), wanted, "{body}");
    }
    let lists = running.cloud.requests();
    let lists = lists
        .iter()
        .filter(|found| found.path.ends_with("/networkInterfaces"));
    assert_eq!(lists.count(), 2);
}
