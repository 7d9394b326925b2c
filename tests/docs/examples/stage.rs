//! A handler in a simulated cloud, and what the two have printed.

use std::path::Path;

use simulated_cloud::functions_host::{Handler, run};
use simulated_cloud::{Cloud, Match, PowerState, UpstreamEntry, UpstreamKind};

/// The program.
const BINARY: &str = env!("CARGO_BIN_EXE_nginx-vmss-sync");

/// The upstream `web` on port 80, fed by `web-vmss`.
pub(super) fn web() -> UpstreamEntry {
    UpstreamEntry::http("web", "web-vmss")
}

pub(super) struct Stage {
    pub(super) cloud: Cloud,
    handler: Handler,
    env: Vec<(String, String)>,
    pub(super) lines: Vec<String>,
}

impl Stage {
    /// Uniform sets of so many instances, an empty upstream `web`, and a handler.
    pub(super) async fn of(sets: &[(&str, usize)], entries: &[UpstreamEntry]) -> Self {
        let cloud = Cloud::start().await;
        for (name, instances) in sets {
            cloud.world().add_uniform_set(name, *instances);
        }
        cloud.world().add_upstream(UpstreamKind::Http, "web");
        let mut env = cloud.handler_env();
        env.push(("VMSS_SYNC_CONFIG".to_owned(), cloud.config_yaml(entries)));
        let handler = Handler::spawn(Path::new(BINARY), env.clone()).await;
        Self {
            cloud,
            handler,
            env,
            lines: Vec::new(),
        }
    }

    /// A tick of the timer, and its lines.
    pub(super) async fn tick(&mut self) {
        let reply = self.handler.timer_tick().await;
        self.lines.extend(reply.logs());
    }

    /// What `plan` prints.
    pub(super) async fn plan(&mut self) {
        let output = run(BINARY, &["plan"], &self.env, None).await;
        assert_eq!(output.stderr, "");
        self.lines.extend(output.stdout.lines().map(str::to_owned));
    }

    /// `Reconcile` with the digest that a line names.
    pub(super) async fn force(&mut self, line: &str) {
        let (_, digest) = line.rsplit_once("Digest: ").unwrap();
        let body = format!("{{\"force\":\"{digest}\"}}");
        let typed = [("content-type", "application/json")];
        let reply = self
            .handler
            .http("Reconcile", "POST", Some(&body), &typed)
            .await;
        self.lines.extend(reply.logs());
    }

    /// The connections of a server.
    pub(super) fn active(&self, address: &str, count: u64) {
        let world = self.cloud.world();
        world.set_active(UpstreamKind::Http, "web", address, Some(count));
    }

    /// Of two instances this handler saw the first one stop, and another handler, a moment later
    /// and faster, the second one.
    pub(super) async fn two_that_saw_different_leavers(&mut self) {
        let world = self.cloud.world();
        let other = Handler::spawn(Path::new(BINARY), self.env.clone()).await;
        world.set_power("web-vmss", 0, PowerState::Stopped);
        let machines = Match::arm().path("virtualMachineScaleSets/web-vmss/virtualMachines");
        let gate = self.cloud.gate_answer(machines);
        let slow = self.handler.timer_tick();
        tokio::pin!(slow);
        tokio::select! {
            reply = &mut slow => panic!("it never came to the gate: {}", reply.text),
            () = gate.arrived() => {}
        }
        world.set_power("web-vmss", 0, PowerState::Running);
        world.set_power("web-vmss", 1, PowerState::Stopped);
        self.lines.extend(other.timer_tick().await.logs());
        gate.release();
        self.lines.extend(slow.await.logs());
    }
}
