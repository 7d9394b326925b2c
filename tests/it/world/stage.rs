//! Plays a script: a cloud, two handlers, and the judge.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use simulated_cloud::functions_host::{Handler, Reply, Verdict};
use simulated_cloud::{
    Cloud, Gate, Instance, Match, PowerState, Provisioning, Server, Service, UpstreamEntry,
    UpstreamKind, World,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::script::{AzureFault, Call, SETS, Site, Step, Whom};
use super::watch::{Fed, Watch};
use crate::support::{binary, environment};

/// The operator's own server in `shop`.
const STATIC: &str = "192.168.1.1:8081";
/// Nothing takes longer: an invocation has a deadline of 60 s.
const LIMIT: Duration = Duration::from_secs(70);

fn upstreams() -> [Fed; 3] {
    let fed = |name, sets, port, strict| Fed { kind: UpstreamKind::Http, name, sets, port, strict };
    [
        fed("web", &SETS[..1], 80, false),
        fed("api", &SETS, 8080, true),
        fed("shop", &SETS[1..], 8081, false),
    ]
}

fn entries() -> Vec<UpstreamEntry> {
    let api = |set| {
        let entry = UpstreamEntry::http("api", set).on_port(8080);
        entry.with("max_removal_percent", "0").with("drain_timeout", "0s")
    };
    vec![
        UpstreamEntry::http("web", SETS[0]),
        api(SETS[0]),
        api(SETS[1]),
        UpstreamEntry::http("shop", SETS[1]).on_port(8081).with("drain_timeout", "1s"),
    ]
}

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
    cloud: Cloud,
    world: World,
    watch: Watch,
    handlers: [Arc<Handler>; 2],
    lives: [usize; 2],
    asked: Vec<Asked>,
    gates: Vec<Gate>,
    /// Invocations of killed handlers; a write of theirs may still be on its way.
    orphaned: Vec<u64>,
    struck: Vec<Site>,
    freed: Vec<String>,
    tally: Tally,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let cloud = Cloud::start().await;
        let world = cloud.world();
        world.add_uniform_set(SETS[0], 3);
        world.add_flexible_set(SETS[1], 3);
        for fed in upstreams() {
            world.add_upstream(fed.kind, fed.name);
        }
        let operators = Server { is_static: true, ..Server::at(STATIC) };
        world.put_server(UpstreamKind::Http, "shop", operators);
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
            return Err(format!("a host was called that nobody should call: {foreign:?}"));
        }
        self.tally.writes = self.watch.writes();
        self.tally.joint = self.watch.joint();
        Ok(self.tally)
    }

    fn judged(&self) -> Result<(), String> {
        let violations = self.world.violations();
        if violations.is_empty() { Ok(()) } else { Err(violations.join("\n")) }
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
                // A pass that is held may be in front: then the next `Join` waits for both.
                if *wait && self.gates.is_empty() {
                    self.join().await?;
                }
            }
            Step::AskHeld { who, call, site, answered } => {
                let gate = self.gate(site.matches(), *answered);
                self.ask(*who, *call);
                self.hold(gate).await;
            }
            Step::KillInWrite { who, method, skip, applied } => {
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
            Step::Nginx { method, times, fault } => {
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

    fn change(&mut self, step: &Step) {
        let world = self.world.clone();
        match step {
            Step::Scale { set, to, at_once, reuse } => {
                let before = addresses(&world, set);
                let fresh = to.saturating_sub(before.len());
                for _ in 0..if *reuse { fresh } else { 0 } {
                    self.freed.pop().into_iter().for_each(|address| world.use_address_next(&address));
                }
                if *at_once {
                    world.scale(set, *to);
                } else {
                    world.begin_scale(set, *to);
                }
                self.freed.extend(before.difference(&addresses(&world, set)).cloned());
            }
            Step::Settle(set) => {
                let before = addresses(&world, set);
                world.settle(set);
                self.freed.extend(before.difference(&addresses(&world, set)).cloned());
            }
            Step::Evict { set, nth } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.delete_instance(set, &found);
                    self.freed.extend(found.address().map(str::to_owned));
                }
            }
            Step::MarkDeleting { set, nth } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.mark_deleting(set, &found);
                }
            }
            Step::FinishDelete(set) => {
                if let Some(found) = pick(world.instances(set), 0, is_deleting) {
                    world.finish_delete(set, &found);
                    self.freed.extend(found.address().map(str::to_owned));
                }
            }
            Step::Power { set, nth, power } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.set_power(set, &found, power.clone());
                }
            }
            Step::PageSize(size) => world.set_page_size(*size),
            Step::Drift { nth } => {
                let servers = world.server_addresses(UpstreamKind::Http, "web");
                if let Some(address) = servers.get(nth % servers.len().max(1)) {
                    let drift = |server: &mut Server| server.max_fails = 7;
                    world.change_server(UpstreamKind::Http, "web", address, drift);
                }
            }
            Step::RotateKey => world.rotate_key("another-key", true),
            Step::RevokeTokens => world.revoke_tokens(),
            _ => {}
        }
    }

    fn strike(&mut self, fault: &AzureFault) {
        let AzureFault { site, skip, times, fault, doubt } = fault;
        // Of several rules that fit, the oldest wins: only a site's first one surely strikes.
        let first = !self.struck.contains(site);
        self.struck.push(*site);
        let (set, doubt) = (site.set(), *doubt);
        self.watch.doubt(set, |known| {
            known.lies |= doubt.lies;
            known.blind |= doubt.blind;
        });
        let _ = self.cloud.fault(site.matches().skip(*skip), fault.clone(), *times);
        self.watch.doubt(set, |known| known.broken |= doubt.broken && first);
    }

    fn end_faults(&mut self) {
        for set in SETS {
            self.watch.doubt(set, |known| known.broken = false);
        }
        self.cloud.clear_faults();
        self.struck.clear();
        for set in SETS {
            self.watch.doubt(set, |known| *known = super::watch::Doubt::default());
        }
    }

    fn gate(&self, matches: Match, answered: bool) -> Gate {
        if answered { self.cloud.gate_answer(matches) } else { self.cloud.gate(matches) }
    }

    /// Waits until the latest invocation stands at the gate, or has ended without coming by.
    async fn hold(&mut self, gate: Gate) {
        let Some(asked) = self.asked.last_mut() else { return };
        let ended = async {
            while !asked.reply.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // A pass that waits behind a held one arrives nowhere.
        let _ = timeout(Duration::from_secs(2), async {
            tokio::select! { () = gate.arrived() => {}, () = ended => {} }
        })
        .await;
        if gate.has_arrived() {
            self.gates.push(gate);
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
        let (dead, alive) = std::mem::take(&mut self.asked).into_iter().partition(|asked| asked.who == who);
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
                return Err(format!("handler {who} replied {} {}", reply.status, reply.text));
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
            for found in instances.iter().filter(|found| found.power == PowerState::Starting) {
                self.world.set_power(set, found, PowerState::Running);
            }
            let serving = instances.iter().any(Instance::is_serving);
            // The capacity agrees from here on, and somebody serves.
            self.world.scale(set, instances.len() + usize::from(!serving));
            self.watch.note();
        }
        for pass in 1..=4 {
            let writes = self.watch.writes();
            self.ask(0, Call::Tick);
            let lines = self.only_reply().await?;
            let complaint = self.wrong(pass >= 3);
            if let Some(complaint) = complaint {
                return Err(format!("after {pass} passes {complaint}; the last said: {lines:?}"));
            }
            if pass == 4 && self.watch.writes() > writes {
                return Err(format!("pass 4 had something to write: {lines:?}"));
            }
        }
        Ok(())
    }

    async fn only_reply(&mut self) -> Result<Vec<String>, String> {
        let Some(Asked { id, reply, .. }) = self.asked.pop() else { return Ok(Vec::new()) };
        let reply = timeout(LIMIT, reply).await.map_err(|error| error.to_string())?;
        let reply = reply.map_err(|error| error.to_string())?;
        self.watch.answered(id);
        if !reply.succeeded() {
            return Err(format!("a pass without faults failed: {}", reply.text));
        }
        Ok(reply.logs())
    }

    /// What is not as it should be; `drained` if leaving servers must be gone, too.
    fn wrong(&self, drained: bool) -> Option<String> {
        for Fed { kind, name, sets, port, .. } in upstreams() {
            let union = |list: fn(&World, &str, u16) -> Vec<String>| -> BTreeSet<String> {
                sets.iter().flat_map(|set| list(&self.world, set, port)).collect()
            };
            let mut serving = union(World::serving_addresses);
            let mut may_be = if drained { serving.clone() } else { union(World::addresses) };
            if name == "shop" {
                serving.insert(STATIC.to_owned());
                may_be.insert(STATIC.to_owned());
            }
            let servers = self.world.servers(kind, name);
            let found: BTreeSet<String> = servers.iter().map(|server| server.server.clone()).collect();
            let fit = |server: &&Server| super::watch::in_service(server) && server.max_fails == 1;
            let fit: BTreeSet<String> = servers.iter().filter(fit).map(|server| server.server.clone()).collect();
            if !serving.is_subset(&fit) || !found.is_subset(&may_be) {
                return Some(format!("{name} has {servers:?} and should have {serving:?}"));
            }
        }
        None
    }
}

fn addresses(world: &World, set: &str) -> BTreeSet<String> {
    let instances = world.instances(set);
    instances.iter().filter_map(Instance::address).map(str::to_owned).collect()
}

fn is_deleting(instance: &Instance) -> bool {
    instance.provisioning == Provisioning::Deleting
}

/// The nth of the instances that fit, counted round and round.
fn pick(instances: Vec<Instance>, nth: usize, fits: fn(&Instance) -> bool) -> Option<Instance> {
    let fitting: Vec<Instance> = instances.into_iter().filter(fits).collect();
    let count = fitting.len().max(1);
    fitting.into_iter().nth(nth % count)
}
