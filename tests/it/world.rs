//! A random world, played through real sockets against two handlers at once, and judged at every
//! write to NGINX.
//!
//! A seed gives a script (`script.rs`, `faults.rs`): scale sets grow and shrink, instances are
//! evicted, stopped and started, addresses are used again, Azure and NGINX fail in all their ways,
//! keys and tokens change, handlers are held in the middle of a pass and killed in the middle of a
//! write. The stage (`stage.rs`) plays it, and the judge (`watch.rs`) sees every change of an
//! upstream with the part of the world's history that the writing pass can have seen. What never
//! happens:
//!
//! - an upstream with a server in service becomes one without, unless the capacity of all its sets
//!   was 0;
//! - a server is added whose instance did not serve, or is not of the upstream's sets at all;
//! - a server is taken out whose instance has served ever since the pass was asked for, or since
//!   the server was added if that is later (with lists that lie: none in service of an upstream
//!   with `max_removal_percent: 0`), or while none of the listings can have been complete;
//! - the operator's static server is touched; an invocation stays without a proper reply.
//!
//! With the faults off and the world still, the upstreams hold exactly what serves after three
//! passes: the first adds, puts back and deletes, two more end the drains. A fourth writes nothing.
//!
//! What is only counted (`joint`): two handlers that read *different* worlds can each take out what
//! the other one keeps. Nothing but a lock excludes that; the next pass of either mends it.
//!
//! Every failure prints its seed and the shortest failing script found, and how to run it again:
//! `WORLD_SEED=n` begins with the script of seed n (the cases after it have n+1, n+2, …),
//! `WORLD_CASES=n` plays so many, `WORLD_KEEP=0,3,4` plays only these steps of each script. The
//! scripts repeat exactly; the timing of real processes only nearly, so repeat a replay
//! (`WORLD_CASES=1` and `for i in $(seq 20)`). A long run: `WORLD_SEED=1000 WORLD_CASES=2000`.

mod changes;
mod faults;
mod script;
mod setting;
mod stage;
pub(crate) mod watch;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use script::{Step, script};
use stage::{Stage, Tally};
use tokio::sync::Mutex;

const SEED: u64 = 20_260_820;
const CASES: u64 = 30;
/// Cases at once: mostly they wait.
const SIDE_BY_SIDE: usize = 6;
/// For finding a shorter script.
const SHRINKING: Duration = Duration::from_secs(60);

struct Failure {
    seed: u64,
    why: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_no_write_is_unsafe_and_a_still_world_is_reached_in_three_passes() {
    let (seed, cases) = (number("WORLD_SEED", SEED), number("WORLD_CASES", CASES));
    say(&format!("world: WORLD_SEED={seed} WORLD_CASES={cases}"));
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let result: Arc<Mutex<(Tally, Option<Failure>)>> = Arc::default();
    let workers = (0..SIDE_BY_SIDE).map(|_| {
        let (next, result) = (Arc::clone(&next), Arc::clone(&result));
        tokio::spawn(async move {
            loop {
                let case = next.fetch_add(1, Ordering::Relaxed);
                if case >= cases || result.lock().await.1.is_some() {
                    return;
                }
                let seed = seed.wrapping_add(case);
                let ended = play(&kept(&script(seed))).await;
                let mut result = result.lock().await;
                match ended {
                    Ok(tally) => result.0.add(tally),
                    Err(why) => drop(result.1.get_or_insert(Failure { seed, why })),
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("no worker panics");
    }
    let (tally, failure) = std::mem::take(&mut *result.lock().await);
    say(&format!(
        "world: {:.1} s, {tally:?}",
        begun.elapsed().as_secs_f32()
    ));
    if let Some(Failure { seed, why }) = failure {
        say(&format!(
            "world: WORLD_SEED={seed} failed, looking for a shorter script: {why}"
        ));
        let (keep, why) = shrink(&script(seed), why).await;
        let steps = script(seed);
        let lines: Vec<String> = keep
            .iter()
            .map(|at| format!("{at:3} {:?}", steps[*at]))
            .collect();
        let list: Vec<String> = keep.iter().map(usize::to_string).collect();
        panic!(
            "{why}\n\n{}\n\nagain: WORLD_SEED={seed} WORLD_CASES=1 WORLD_KEEP={}",
            lines.join("\n"),
            list.join(",")
        );
    }
}

async fn play(steps: &[Step]) -> Result<Tally, String> {
    Stage::start().await.play(steps).await
}

/// Removes steps as long as it fails, larger pieces first.
async fn shrink(steps: &[Step], mut why: String) -> (Vec<usize>, String) {
    let until = Instant::now() + SHRINKING;
    let all = kept_places(steps.len());
    let mut keep = all;
    let mut size = keep.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < keep.len() && Instant::now() < until {
            let mut fewer = keep.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            let candidate: Vec<Step> = fewer.iter().map(|place| steps[*place].clone()).collect();
            // Timing may hide it once.
            let ended = match play(&candidate).await {
                Ok(_) => play(&candidate).await,
                failed => failed,
            };
            match ended {
                Err(reason) => (keep, why) = (fewer, reason),
                Ok(_) => at += size,
            }
        }
        size /= 2;
    }
    (keep, why)
}

fn kept(steps: &[Step]) -> Vec<Step> {
    kept_places(steps.len())
        .into_iter()
        .map(|place| steps[place].clone())
        .collect()
}

/// The steps to play: those that `WORLD_KEEP` names, or all.
fn kept_places(length: usize) -> Vec<usize> {
    match std::env::var("WORLD_KEEP") {
        Err(_) => (0..length).collect(),
        Ok(list) => {
            let places = list
                .split(',')
                .filter_map(|place| place.trim().parse().ok());
            places.filter(|place| *place < length).collect()
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("{name} is no number: {text}"),
    })
}

/// To stderr itself, so that it is seen also where tests are silent.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
