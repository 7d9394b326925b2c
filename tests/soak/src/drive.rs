//! Makes things happen, in rounds of trouble and calm.

use std::sync::Arc;
use std::time::{Duration, Instant};

use simulated_cloud::functions_host::{Handler, Reply, Verdict};
use simulated_cloud::{Cloud, Instance, Match, PowerState, Server, Service, UpstreamKind, World};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Arguments;
use crate::faults::{AzureFault, azure_fault, nginx_fault};
use crate::pace::{Action, Pace};
use crate::report::Report;
use crate::script::{Dice, SETS, Step};
use crate::setting::{build, entries, upstreams, wrong};
use crate::vitals::{Vitals, processor_seconds};
use crate::watch::{Doubt, Watch};

/// Trouble between two calms.
const ROUND: Duration = Duration::from_secs(40);
/// Between two looks at the processes.
const LOOK: Duration = Duration::from_secs(5);
/// Nothing takes longer: an invocation has a deadline of 60 s.
const LIMIT: Duration = Duration::from_secs(75);
/// A write of a killed handler may be on its way for so long.
const AFTERLIFE: Duration = Duration::from_secs(5);
/// Events of a storm.
const STORM: usize = 300;
/// Instances of a set at most.
const INSTANCES: usize = 8;

/// An invocation under way.
struct Asked {
    who: usize,
    id: u64,
    since: Instant,
    reply: JoinHandle<Reply>,
}

struct Soak {
    cloud: Cloud,
    world: World,
    watch: Watch,
    binary: std::path::PathBuf,
    /// The first lives as long as the run, the second is restarted.
    handlers: [Arc<Handler>; 2],
    lives: [usize; 2],
    asked: Vec<Asked>,
    orphaned: Vec<(Instant, u64)>,
    faulty: Vec<crate::faults::Site>,
    keys: u64,
    began: Instant,
    looked: Instant,
    dice: Dice,
    report: Report,
}

pub(crate) async fn run(arguments: &Arguments) -> Report {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    build(&world);
    // Short, so that tokens expire by themselves, too.
    world.set_token_lifetime(Duration::from_secs(400));
    let watch = Watch::start(&world, &upstreams());
    let first = spawn(&cloud, &arguments.handler).await;
    let second = spawn(&cloud, &arguments.handler).await;
    let mut soak = Soak {
        cloud,
        world,
        watch,
        binary: arguments.handler.clone(),
        handlers: [first, second],
        lives: [0, 0],
        asked: Vec::new(),
        orphaned: Vec::new(),
        faulty: Vec::new(),
        keys: 0,
        began: Instant::now(),
        looked: Instant::now(),
        dice: Dice::new(arguments.seed),
        report: Report {
            rate: arguments.rate,
            seed: arguments.seed,
            ..Report::default()
        },
    };
    let end = soak.began + Duration::from_secs_f64(arguments.minutes * 60.0);
    // One for the whole run: what is rarer than a round happens all the same.
    let mut pace = Pace::new(arguments.rate, &mut soak.dice);
    while Instant::now() < end && soak.report.violations.is_empty() {
        soak.trouble(&mut pace, end).await;
        soak.calm().await;
    }
    soak.ended()
}

async fn spawn(cloud: &Cloud, binary: &std::path::Path) -> Arc<Handler> {
    let mut env = cloud.handler_env();
    env.push(("VMSS_SYNC_CONFIG".to_owned(), cloud.config_yaml(&entries())));
    // The log is collected in memory by whoever started the process.
    env.push(("RUST_LOG".to_owned(), "error".to_owned()));
    Arc::new(Handler::spawn(binary, env).await)
}

impl Soak {
    async fn trouble(&mut self, pace: &mut Pace, end: Instant) {
        let until = end.min(Instant::now() + ROUND);
        while Instant::now() < until && self.report.violations.is_empty() {
            let when = pace.due().min(until);
            // In small steps: replies are to be taken when they come.
            while let Some(left) = when
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            {
                tokio::time::sleep(left.min(Duration::from_millis(20))).await;
                self.take_replies().await;
            }
            if pace.due() > Instant::now() {
                return;
            }
            let action = pace.next(&mut self.dice);
            self.report.count(action);
            self.act(action).await;
            self.take_replies().await;
            self.look(false);
            self.judge();
        }
    }

    async fn act(&mut self, action: Action) {
        let world = self.world.clone();
        let set = self.dice.one(&SETS);
        let nth = self.dice.below(INSTANCES);
        match action {
            Action::Tick => self.ask(0, None),
            Action::Scale => {
                let to = self.dice.one(&[0, 1, 2, 3, 3, 4, 4, 5, 6, INSTANCES]);
                if self.dice.chance(50) {
                    world.scale(set, to);
                } else {
                    world.begin_scale(set, to);
                }
                self.watch.note();
                self.events(set);
            }
            Action::Settle => {
                world.settle(set);
                self.watch.note();
                self.events(set);
            }
            Action::Evict => {
                if let Some(found) = pick(&world, set, nth) {
                    world.delete_instance(set, &found);
                    self.watch.note();
                }
            }
            Action::Power => {
                let powers = [
                    PowerState::Stopped,
                    PowerState::Deallocated,
                    PowerState::Starting,
                    PowerState::Running,
                    PowerState::Running,
                    PowerState::NotTold,
                ];
                if let Some(found) = pick(&world, set, nth) {
                    world.set_power(set, &found, self.dice.one(&powers));
                    self.watch.note();
                    self.events(set);
                }
            }
            Action::Drift => {
                let servers = world.server_addresses(UpstreamKind::Http, "web");
                if let Some(address) = servers.get(nth % servers.len().max(1)) {
                    let drift = |server: &mut Server| server.max_fails = 7;
                    world.change_server(UpstreamKind::Http, "web", address, drift);
                }
            }
            Action::AzureFault => {
                let fault = azure_fault(&mut self.dice);
                self.strike(&fault);
            }
            Action::NginxFault => {
                if let Step::Nginx {
                    method,
                    times,
                    fault,
                } = nginx_fault(&mut self.dice)
                {
                    let matches = Match::nginx().method(method);
                    let _ = self.cloud.fault(matches, fault, Some(times));
                }
            }
            Action::EndFaults => self.end_faults(),
            Action::Reload => {
                world.reload_upstream(UpstreamKind::Http, self.dice.one(&["web", "api", "shop"]));
            }
            Action::RotateKey => {
                self.keys += 1;
                world.rotate_key(&format!("key-number-{}", self.keys), true);
            }
            Action::RevokeTokens => world.revoke_tokens(),
            Action::Storm => {
                let who = self.dice.below(2);
                for n in 0..STORM {
                    self.ask(who, Some(SETS[n % SETS.len()]));
                }
            }
            Action::Restart => self.restart().await,
            Action::Status => {
                // Its reply says what is there; nothing is written.
                let handler = Arc::clone(&self.handlers[0]);
                tokio::spawn(async move { handler.http("Status", "GET", None, &[]).await });
            }
        }
    }

    /// The events of one operation: a few, to either handler.
    fn events(&mut self, set: &'static str) {
        for _ in 0..=self.dice.below(4) {
            let who = self.dice.below(2);
            self.ask(who, Some(set));
        }
    }

    /// A tick, or an event about a set.
    fn ask(&mut self, who: usize, set: Option<&'static str>) {
        let id = self.watch.asks((who, self.lives[who]));
        let handler = Arc::clone(&self.handlers[who]);
        let set = set.map(|set| self.world.set_id(set));
        let reply = tokio::spawn(async move {
            match set {
                None => handler.timer_tick().await,
                Some(set) => handler.scale_set_written(&set).await,
            }
        });
        self.report.invocations += 1;
        let since = Instant::now();
        self.asked.push(Asked {
            who,
            id,
            since,
            reply,
        });
    }

    async fn take_replies(&mut self) {
        let now = Instant::now();
        let (ended, running) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|asked| asked.reply.is_finished());
        self.asked = running;
        let ended: Vec<Asked> = ended;
        for asked in ended {
            self.watch.answered(asked.id);
            self.report.slowest = self.report.slowest.max(asked.since.elapsed());
            match asked.reply.await {
                Ok(reply) => self.well_formed(asked.who, &reply),
                Err(error) => self
                    .report
                    .violations
                    .push(format!("an invocation: {error}")),
            }
        }
        if self.asked.iter().any(|asked| asked.since.elapsed() > LIMIT) {
            let text = "an invocation has no reply after 75 s".to_owned();
            self.report.violations.push(text);
        }
        let due: Vec<(Instant, u64)> = std::mem::take(&mut self.orphaned);
        for (since, id) in due {
            if now.duration_since(since) > AFTERLIFE {
                self.watch.answered(id);
            } else {
                self.orphaned.push((since, id));
            }
        }
    }

    fn well_formed(&mut self, who: usize, reply: &Reply) {
        let hangs = matches!(reply.verdict, Verdict::Hangs(_));
        if hangs || !matches!(reply.status, 200 | 500) {
            let text = format!("handler {who} replied {} {}", reply.status, reply.text);
            self.report.violations.push(text);
        }
        self.report.failed_invocations += u64::from(reply.status == 500);
    }

    /// SIGKILL and a new process, as the host does it.
    async fn restart(&mut self) {
        self.handlers[1].kill().await;
        let (dead, alive): (Vec<Asked>, Vec<Asked>) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|asked| asked.who == 1);
        self.asked = alive;
        let now = Instant::now();
        self.orphaned
            .extend(dead.iter().map(|asked| (now, asked.id)));
        self.handlers[1] = spawn(&self.cloud, &self.binary).await;
        self.lives[1] += 1;
    }

    /// Makes a fault of Azure happen, and tells the judge what it may do to a listing.
    fn strike(&mut self, fault: &AzureFault) {
        // Of several rules that fit, the oldest wins: only a site's first one surely strikes.
        let first = !self.faulty.contains(&fault.site);
        self.faulty.push(fault.site);
        self.faulty.extend(fault.also);
        let (set, doubt) = (fault.site.set(), fault.doubt);
        self.watch.doubt(set, |known| {
            known.lies |= doubt.lies;
            known.blind |= doubt.blind;
        });
        for site in [Some(fault.site), fault.also].into_iter().flatten() {
            let matches = site.matches().skip(fault.skip);
            let _ = self.cloud.fault(matches, fault.fault.clone(), fault.times);
        }
        self.watch
            .doubt(set, |known| known.broken |= doubt.broken && first);
    }

    fn end_faults(&mut self) {
        for set in SETS {
            self.watch.doubt(set, |known| known.broken = false);
        }
        self.cloud.clear_faults();
        self.faulty.clear();
        for set in SETS {
            self.watch.doubt(set, |known| *known = Doubt::default());
        }
    }

    /// The faults off and the world still: after three passes the upstreams hold exactly what
    /// serves, and a fourth writes nothing.
    async fn calm(&mut self) {
        let until = Instant::now() + LIMIT;
        while !(self.asked.is_empty() && self.orphaned.is_empty()) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.take_replies().await;
        }
        self.end_faults();
        self.judge();
        for set in SETS {
            self.world.settle(set);
            let instances = self.world.instances(set);
            for found in &instances {
                if found.power == PowerState::Starting {
                    self.world.set_power(set, found, PowerState::Running);
                }
            }
            let serving = instances.iter().any(Instance::is_serving);
            let wanted = (instances.len() + usize::from(!serving)).max(1);
            self.world.scale(set, wanted);
            self.watch.note();
        }
        for pass in 1..=4 {
            if !self.report.violations.is_empty() {
                return;
            }
            let before = self.watch.writes();
            let id = self.watch.asks((0, 0));
            self.report.invocations += 1;
            let reply = timeout(LIMIT, self.handlers[0].timer_tick()).await;
            self.watch.answered(id);
            let Ok(reply) = reply else {
                self.report
                    .violations
                    .push("a calm pass did not end".to_owned());
                return;
            };
            if !reply.succeeded() {
                let text = format!("a pass without faults failed: {}", reply.text);
                self.report.violations.push(text);
            }
            if let Some(complaint) = wrong(&self.world, pass >= 3) {
                let text = format!("after {pass} calm passes {complaint}: {:?}", reply.logs());
                self.report.violations.push(text);
            }
            if pass == 4 && self.watch.writes() > before {
                let text = format!(
                    "the fourth calm pass had something to write: {:?}",
                    reply.logs()
                );
                self.report.violations.push(text);
            }
        }
        self.report.calms += 1;
        self.look(true);
        self.judge();
        let foreign = self.cloud.requests_to(Service::Foreign);
        if !foreign.is_empty() {
            let text = format!("a host was called that nobody should call: {foreign:?}");
            self.report.violations.push(text);
        }
        self.report.requests += self.cloud.requests().len() as u64;
        self.cloud.clear_requests();
    }

    fn judge(&mut self) {
        self.report.violations.extend(self.world.violations());
        self.report.violations.dedup();
    }

    fn look(&mut self, calm: bool) {
        if !calm && self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        match Vitals::of(self.handlers[0].id(), self.began.elapsed(), calm) {
            Some(vitals) => self.report.vitals.push(vitals),
            None => {
                let text = "the handler that should live has ended".to_owned();
                self.report.violations.push(text);
            }
        }
    }

    fn ended(mut self) -> Report {
        self.report.took = self.began.elapsed();
        self.report.writes = self.watch.writes();
        self.report.joint = self.watch.joint();
        let used = processor_seconds(self.handlers[0].id());
        self.report.processor_seconds = used.unwrap_or_default();
        self.report
    }
}

fn pick(world: &World, set: &str, nth: usize) -> Option<Instance> {
    let instances = world.instances(set);
    let count = instances.len().max(1);
    instances.into_iter().nth(nth % count)
}
