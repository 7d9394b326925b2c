//! The story: what happens in Azure, how the handler hears of it, what NGINX has afterwards.

use std::collections::BTreeMap;

use simulated_cloud::functions_host::Reply;
use simulated_cloud::{TrafficCount, TrafficHandle, UpstreamKind};

use crate::narrator;
use crate::stage::{BACKENDS, Backend, ONE, Stage, TWO};

/// How many clients send requests through each upstream.
const CLIENTS: usize = 4;

/// How many requests pass between two acts of a step, so that those under way have ended.
const REQUESTS_BETWEEN: u64 = 40;

/// How the handler hears of a change.
#[derive(Clone, Copy)]
enum Wake {
    /// Event Grid delivers "scale set written".
    Event,
    /// No event; the next timer tick finds out.
    Timer,
}

/// What happens in Azure at the beginning of a step.
#[derive(Clone, Copy)]
enum Act {
    /// Nothing; the handler looks around.
    Nothing,
    /// The set grows; Azure tells when the instances run.
    Grow(usize),
    /// The set is to shrink; the superfluous instances are being deleted and still answer.
    Shrink(usize),
    /// The deletion ends: machines and addresses are gone.
    Finish,
}

struct Step {
    backend: Backend,
    act: Act,
    wake: Wake,
    title: &'static str,
}

const fn step(backend: Backend, act: Act, wake: Wake, title: &'static str) -> Step {
    Step {
        backend,
        act,
        wake,
        title,
    }
}

const STORY: [Step; 8] = [
    step(
        TWO,
        Act::Nothing,
        Wake::Timer,
        "the first timer tick finds two Flexible instances",
    ),
    step(
        ONE,
        Act::Grow(3),
        Wake::Event,
        "the Uniform set grows from 0 to 3, an event says so",
    ),
    step(
        ONE,
        Act::Grow(5),
        Wake::Timer,
        "it grows to 5, the event is lost, the timer notices",
    ),
    step(
        TWO,
        Act::Grow(4),
        Wake::Event,
        "the Flexible set grows from 2 to 4, an event says so",
    ),
    step(
        ONE,
        Act::Shrink(2),
        Wake::Event,
        "the Uniform set shrinks to 2: three are being deleted",
    ),
    step(
        ONE,
        Act::Finish,
        Wake::Timer,
        "the three are gone, and a timer tick follows",
    ),
    step(
        TWO,
        Act::Shrink(1),
        Wake::Timer,
        "the Flexible set shrinks to 1, only the timer notices",
    ),
    step(
        TWO,
        Act::Finish,
        Wake::Event,
        "its three are gone, and an event follows",
    ),
];

/// Plays the story. An error is the first thing that did not go as it should.
pub(crate) async fn play(stage: &Stage) -> Result<(), String> {
    introduce(stage);
    forbid_emptying(stage);
    let mut traffic: BTreeMap<&str, TrafficHandle> = BTreeMap::new();
    for (number, step) in STORY.iter().enumerate() {
        narrator::step(number + 1, STORY.len(), step.title);
        act(stage, step);
        narrator::azure(&stage.cloud.world(), step.backend);
        let reply = wake(stage, step).await;
        narrator::reply(&reply);
        narrator::nginx(&stage.cloud.world());
        judge(stage, &reply)?;
        for backend in BACKENDS {
            let servers = stage
                .cloud
                .world()
                .servers(UpstreamKind::Http, backend.upstream);
            if !servers.is_empty() && !traffic.contains_key(backend.upstream) {
                let clients = stage.cloud.traffic(backend.upstream, CLIENTS);
                traffic.insert(backend.upstream, clients);
                let text = format!(
                    "{CLIENTS} clients now send requests to {}",
                    backend.upstream
                );
                narrator::say("Traffic", &text);
            }
        }
        for clients in traffic.values() {
            clients.wait_for(REQUESTS_BETWEEN).await;
        }
    }
    end(traffic).await?;
    contrast(stage).await
}

/// The same shrinking without the handler seeing it come: what draining is worth, in requests.
async fn contrast(stage: &Stage) -> Result<(), String> {
    println!(
        "\nFor comparison: the Uniform set grows to 5 and shrinks to 2 again, but this time the three are\n\
         gone at once (a crash, an eviction), before the handler can see them leave and drain them."
    );
    let world = stage.cloud.world();
    let grow = step(ONE, Act::Grow(5), Wake::Event, "");
    act(stage, &grow);
    judge(stage, &wake(stage, &grow).await)?;
    let clients = stage.cloud.traffic(ONE.upstream, CLIENTS);
    clients.wait_for(REQUESTS_BETWEEN).await;
    world.scale(ONE.set, 2);
    clients.wait_for(REQUESTS_BETWEEN).await;
    let shrunk = step(ONE, Act::Nothing, Wake::Event, "");
    let reply = wake(stage, &shrunk).await;
    narrator::reply(&reply);
    judge(stage, &reply)?;
    clients.wait_for(REQUESTS_BETWEEN).await;
    let count = clients.stop().await;
    narrator::say(
        ONE.upstream,
        &format!(
            "  {} ok, {} failed until the event came (seen leaving first: 0)",
            count.ok, count.failed
        ),
    );
    if count.failed == 0 {
        return Err("no request failed, so the comparison shows nothing".to_owned());
    }
    println!("\nEvery step ended as it should.");
    Ok(())
}

fn introduce(stage: &Stage) {
    println!(
        "Two scale sets in Azure, one upstream in NGINX for each. The handler keeps the upstreams'\n\
         servers equal to the sets' instances. Azure, NGINX Plus and the Functions host are played\n\
         by this program, over real sockets and TLS; the handler is the real one.\n"
    );
    for backend in BACKENDS {
        let text = format!(
            "{} ({}, port {}) feeds upstream {}",
            backend.set, backend.mode, backend.port, backend.upstream
        );
        narrator::say("Set", &text);
    }
    narrator::say("Config", &stage.config.display().to_string());
    narrator::azure(&stage.cloud.world(), ONE);
    narrator::nginx(&stage.cloud.world());
}

/// In this story no set goes back to nothing, so no write may empty an upstream.
fn forbid_emptying(stage: &Stage) {
    stage.cloud.world().on_nginx_write(|write| {
        let taking = write
            .servers
            .iter()
            .any(|server| !server.drain && !server.down);
        if taking {
            Ok(())
        } else {
            Err(format!("{} was left without servers", write.upstream))
        }
    });
}

fn act(stage: &Stage, step: &Step) {
    let world = stage.cloud.world();
    let set = step.backend.set;
    match step.act {
        Act::Nothing => {}
        Act::Grow(count) => {
            world.begin_scale(set, count);
            world.settle(set);
        }
        Act::Shrink(count) => world.begin_scale(set, count),
        Act::Finish => world.settle(set),
    }
}

async fn wake(stage: &Stage, step: &Step) -> Reply {
    match step.wake {
        Wake::Event => {
            let id = stage.cloud.world().set_id(step.backend.set);
            narrator::say(
                "Host",
                "POST /VmssScaleEvent: Event Grid says that the set was written",
            );
            stage.handler.scale_set_written(&id).await
        }
        Wake::Timer => {
            narrator::say("Host", "POST /ReconcileTimer: the minute is over");
            stage.handler.timer_tick().await
        }
    }
}

fn judge(stage: &Stage, reply: &Reply) -> Result<(), String> {
    if !reply.succeeded() {
        let printed = stage.handler.stdout_lines().join("\n  ");
        return Err(format!(
            "the handler's reply was no success: {:?}\n\nThe handler printed:\n  {printed}",
            reply.verdict
        ));
    }
    for backend in BACKENDS {
        if let Some(difference) = stage.difference(backend) {
            return Err(format!("{}: {difference}", backend.upstream));
        }
    }
    if let Some(violation) = stage.cloud.world().violations().first() {
        return Err(format!("this must never happen: {violation}"));
    }
    narrator::say(
        "Check",
        "NGINX sends requests to the instances that serve, and to no other",
    );
    Ok(())
}

async fn end(traffic: BTreeMap<&str, TrafficHandle>) -> Result<(), String> {
    println!("\nThe end. Requests through NGINX meanwhile:");
    let mut total = TrafficCount::default();
    for (upstream, clients) in traffic {
        let count = clients.stop().await;
        narrator::say(
            upstream,
            &format!("  {} ok, {} failed", count.ok, count.failed),
        );
        total.ok += count.ok;
        total.failed += count.failed;
        total.failures.extend(count.failures);
    }
    match total.failures.first() {
        Some(reason) => Err(format!(
            "{} requests failed, the first: {reason}",
            total.failed
        )),
        None => Ok(()),
    }
}
