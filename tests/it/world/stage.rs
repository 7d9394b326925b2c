//! Plays a script: a cloud, two handlers, and the judge.

use std::sync::Arc;
use std::time::Duration;

use simulated_cloud::functions_host::{Handler, Reply, Verdict};
use simulated_cloud::{Cloud, Gate, Instance, Match, PowerState, Service, World};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::faults::Site;
use super::script::{Call, SETS, Step, Whom};
use super::setting::{build, entries, upstreams, wrong};
use super::watch::Watch;
use crate::support::{binary, environment};

/// Nothing takes longer: an invocation has a deadline of 60 s.
const LIMIT: Duration = Duration::from_secs(70);

/// What a case amounted to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) writes: usize,
    pub(super) joint: usize,
    pub(super) invocations: usize,
    pub(super) kills: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.joint += other.joint;
        self.invocations += other.invocations;
        self.kills += other.kills;
    }
}

struct Asked {
    who: usize,
    id: u64,
    reply: JoinHandle<Reply>,
}

pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) world: World,
    pub(super) watch: Watch,
    handlers: [Arc<Handler>; 2],
    lives: [usize; 2],
    asked: Vec<Asked>,
    /// Who is held, and at which gates.
    gates: Vec<(usize, Gate)>,
    /// Invocations of killed handlers; a write of theirs may still be on its way.
    orphaned: Vec<u64>,
    pub(super) struck: Vec<Site>,
    pub(super) freed: Vec<String>,
    tally: Tally,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let cloud = Cloud::start().await;
        let world = cloud.world();
        build(&world);
        let watch = Watch::start(&world, &upstreams());
        let env = environment(&cloud, &cloud.config_yaml(&entries()));
        let spawn = || async { Arc::new(Handler::spawn(binary(), env.clone()).await) };
        let (first, second) = tokio::join!(spawn(), spawn());
        Self {
            cloud,
            world,
            watch,
            handlers: [first, second],
            lives: [0, 0],
            asked: Vec::new(),
            gates: Vec::new(),
            orphaned: Vec::new(),
            struck: Vec::new(),
            freed: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Plays the steps, lets the world stand still, and returns what was wrong, if anything.
    pub(super) async fn play(mut self, steps: &[Step]) -> Result<Tally, String> {
        for step in steps {
            self.step(step).await?;
            self.judged()?;
        }
        self.join().await?;
        self.converge().await?;
        self.judged()?;
        let foreign = self.cloud.requests_to(Service::Foreign);
        if !foreign.is_empty() {
            return Err(format!(
                "a host was called that nobody should call: {foreign:?}"
            ));
        }
        self.tally.writes = self.watch.writes();
        self.tally.joint = self.watch.joint();
        Ok(self.tally)
    }

    fn judged(&self) -> Result<(), String> {
        let violations = self.world.violations();
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations.join("\n"))
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Ask { whom, call, wait } => {
                let whom = match whom {
                    Whom::One(who) => vec![*who],
                    Whom::Both => vec![0, 1],
                };
                for who in &whom {
                    self.ask(*who, *call);
                }
                if *wait && self.gates.is_empty() {
                    self.join().await?;
                } else if *wait {
                    // Not for who is held: a pass that waits behind it ends with the next `Join`.
                    let held = |who: &usize| self.gates.iter().any(|(held, _)| held == who);
                    let free: Vec<usize> = whom.into_iter().filter(|who| !held(who)).collect();
                    let all = self.asked.iter().filter(|asked| free.contains(&asked.who));
                    for asked in all {
                        let _ = timeout(Duration::from_secs(2), ended(&asked.reply)).await;
                    }
                }
            }
            Step::AskHeld {
                who,
                call,
                site,
                answered,
            } => {
                let gate = self.gate(site.matches(), *answered);
                self.ask(*who, *call);
                self.hold(gate).await;
            }
            Step::KillInWrite {
                who,
                method,
                skip,
                applied,
            } => {
                let gate = self.gate(Match::nginx().method(method).skip(*skip), *applied);
                self.ask(*who, Call::Tick);
                if self.gates.is_empty() {
                    self.hold(gate).await;
                }
                self.kill(*who).await;
            }
            Step::Kill(who) => self.kill(*who).await,
            Step::Join => self.join().await?,
            Step::Azure(fault) => self.strike(fault),
            Step::Nginx {
                method,
                times,
                fault,
            } => {
                let matches = Match::nginx().method(method);
                let _ = self.cloud.fault(matches, fault.clone(), Some(*times));
            }
            Step::EndFaults => self.end_faults(),
            other => {
                self.change(other);
                self.watch.note();
            }
        }
        Ok(())
    }

    fn gate(&self, matches: Match, answered: bool) -> Gate {
        if answered {
            self.cloud.gate_answer(matches)
        } else {
            self.cloud.gate(matches)
        }
    }

    /// Waits until the latest invocation stands at the gate, or has ended without coming by.
    async fn hold(&mut self, gate: Gate) {
        let Some(asked) = self.asked.last() else {
            return;
        };
        // A pass that waits behind a held one arrives nowhere.
        let _ = timeout(Duration::from_secs(2), async {
            tokio::select! { () = gate.arrived() => {}, () = ended(&asked.reply) => {} }
        })
        .await;
        if gate.has_arrived() {
            let who = asked.who;
            self.gates.push((who, gate));
        }
    }

    fn ask(&mut self, who: usize, call: Call) {
        let id = self.watch.asks((who, self.lives[who]));
        let handler = Arc::clone(&self.handlers[who]);
        let set = match call {
            Call::Tick => None,
            Call::Event(set) => Some(self.world.set_id(set)),
        };
        let reply = tokio::spawn(async move {
            match set {
                None => handler.timer_tick().await,
                Some(set) => handler.scale_set_written(&set).await,
            }
        });
        self.tally.invocations += 1;
        self.asked.push(Asked { who, id, reply });
    }

    async fn kill(&mut self, who: usize) {
        self.handlers[who].kill().await;
        let (dead, alive) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|asked| asked.who == who);
        self.asked = alive;
        let dead: Vec<Asked> = dead;
        self.orphaned.extend(dead.iter().map(|asked| asked.id));
        self.gates.clear();
        let env = environment(&self.cloud, &self.cloud.config_yaml(&entries()));
        self.handlers[who] = Arc::new(Handler::spawn(binary(), env).await);
        self.lives[who] += 1;
        self.tally.kills += 1;
    }

    /// Lets go of whatever is held and waits for all replies.
    async fn join(&mut self) -> Result<(), String> {
        self.gates.clear();
        for Asked { who, id, reply } in std::mem::take(&mut self.asked) {
            let Ok(Ok(reply)) = timeout(LIMIT, reply).await else {
                return Err(format!("handler {who} gave no reply"));
            };
            self.watch.answered(id);
            let well_formed = !matches!(reply.verdict, Verdict::Hangs(_));
            if !matches!(reply.status, 200 | 500) || !well_formed {
                return Err(format!(
                    "handler {who} replied {} {}",
                    reply.status, reply.text
                ));
            }
        }
        for id in self.orphaned.drain(..) {
            self.watch.answered(id);
        }
        Ok(())
    }

    /// Faults off, the world still: after one pass all that serves is in service and whatever has
    /// no instance is gone, after two more (the drains) nothing else is there, and then nothing
    /// is written any more.
    async fn converge(&mut self) -> Result<(), String> {
        self.end_faults();
        for set in SETS {
            self.world.settle(set);
            let instances = self.world.instances(set);
            for found in instances
                .iter()
                .filter(|found| found.power == PowerState::Starting)
            {
                self.world.set_power(set, found, PowerState::Running);
            }
            let serving = instances.iter().any(Instance::is_serving);
            // The capacity agrees from here on, and somebody serves.
            self.world
                .scale(set, instances.len() + usize::from(!serving));
            self.watch.note();
        }
        for pass in 1..=4 {
            let writes = self.watch.writes();
            self.ask(0, Call::Tick);
            let lines = self.only_reply().await?;
            let complaint = wrong(&self.world, pass >= 3);
            if let Some(complaint) = complaint {
                return Err(format!(
                    "after {pass} passes {complaint}; the last said: {lines:?}"
                ));
            }
            if pass == 4 && self.watch.writes() > writes {
                return Err(format!("pass 4 had something to write: {lines:?}"));
            }
        }
        Ok(())
    }

    async fn only_reply(&mut self) -> Result<Vec<String>, String> {
        let Some(Asked { id, reply, .. }) = self.asked.pop() else {
            return Ok(Vec::new());
        };
        let reply = timeout(LIMIT, reply)
            .await
            .map_err(|error| error.to_string())?;
        let reply = reply.map_err(|error| error.to_string())?;
        self.watch.answered(id);
        if !reply.succeeded() {
            return Err(format!("a pass without faults failed: {}", reply.text));
        }
        Ok(reply.logs())
    }
}

async fn ended(reply: &JoinHandle<Reply>) {
    while !reply.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
