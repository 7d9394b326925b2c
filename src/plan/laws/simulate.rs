//! NGINX, as a pure function: what becomes of a world when steps are carried out.

use super::world::World;
use crate::model::{Kind, PeerState, PeerStatus, Server, ServerAddress, ServerParameters};
use crate::plan::{DrainProgress, Step};

impl World {
    /// The world after the steps.
    pub(super) fn after(&self, steps: &[Step]) -> World {
        let mut world = self.clone();
        for step in steps {
            world.take(step);
        }
        world
    }

    /// The world after every single write. Replacements run side by side, so at worst all of them
    /// have deleted before one has added again.
    pub(super) fn moments(&self, steps: &[Step]) -> Vec<World> {
        let mut moments = vec![self.clone()];
        let mut world = self.clone();
        let mut gaps: Vec<(&ServerAddress, &ServerParameters)> = Vec::new();
        let mut steps = steps.iter().peekable();
        while let Some(step) = steps.next() {
            if let Step::Replace {
                id,
                address,
                parameters,
            } = step
            {
                world.delete(*id, address);
                gaps.push((address, parameters));
            } else {
                world.take(step);
            }
            moments.push(world.clone());
            if !matches!(steps.peek(), Some(Step::Replace { .. })) {
                for (address, parameters) in std::mem::take(&mut gaps) {
                    world.create(address, parameters);
                    moments.push(world.clone());
                }
            }
        }
        moments
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Add {
                address,
                parameters,
            } => self.create(address, parameters),
            Step::Patch {
                id,
                address,
                changes,
            } => {
                let server = self.server(*id, address);
                server.max_conns = changes.max_conns.unwrap_or(server.max_conns);
                server.max_fails = changes.max_fails.unwrap_or(server.max_fails);
                server.fail_timeout = changes.fail_timeout.unwrap_or(server.fail_timeout);
                server.slow_start = changes.slow_start.unwrap_or(server.slow_start);
                server.weight = changes.weight.unwrap_or(server.weight);
            }
            Step::Undrain { id, address, .. } => {
                let stream = self.upstream.key.kind == Kind::Stream;
                let server = self.server(*id, address);
                server.draining = false;
                server.down &= !stream;
                self.drains.remove(address);
                self.report(*id, PeerState::Up);
            }
            Step::Replace {
                id,
                address,
                parameters,
            } => {
                self.delete(*id, address);
                self.create(address, parameters);
            }
            Step::Drain { id, address, .. } => {
                let server = self.server(*id, address);
                server.draining = server.tells_draining;
                self.drains.entry(address.clone()).or_default();
                self.report(*id, PeerState::Draining);
            }
            Step::Remove { id, address, .. } => self.delete(*id, address),
        }
    }

    /// Time passes until every drain has run out.
    pub(super) fn drained(mut self) -> Self {
        let finished = DrainProgress {
            draining_for: self.upstream.drain_timeout,
            idle_readings: 0,
        };
        for server in &self.servers {
            let peer = self.peer(server.id).map(|peer| peer.state);
            if server.draining || peer == Some(PeerState::Draining) {
                self.drains.insert(server.address.clone(), finished);
            }
        }
        for progress in self.drains.values_mut() {
            *progress = finished;
        }
        self
    }

    fn server(&mut self, id: u64, address: &ServerAddress) -> &mut Server {
        let found = self.servers.iter_mut().find(|server| server.id == id);
        let found = found.unwrap_or_else(|| panic!("404 UpstreamServerNotFound: {id}"));
        assert_eq!(
            found.address, *address,
            "the step names another server's id"
        );
        found
    }

    fn create(&mut self, address: &ServerAddress, parameters: &ServerParameters) {
        let is_new = self.servers.iter().all(|server| server.address != *address);
        assert!(is_new, "409 UpstreamServerEntryExists: {address}");
        let id = 1 + self
            .servers
            .iter()
            .map(|server| server.id)
            .max()
            .unwrap_or(100)
            .max(100);
        self.servers.push(Server {
            id,
            address: address.clone(),
            max_conns: parameters.max_conns,
            max_fails: parameters.max_fails,
            fail_timeout: parameters.fail_timeout,
            slow_start: parameters.slow_start,
            weight: parameters.optional.weight.unwrap_or(1),
            backup: parameters.optional.backup.unwrap_or(false),
            down: false,
            draining: false,
            fixed: false,
            tells_draining: self.servers.iter().all(|server| server.tells_draining),
        });
        if let Some(peers) = &mut self.peers {
            peers.push(PeerStatus {
                id,
                state: PeerState::Up,
                active: 0,
            });
        }
    }

    fn delete(&mut self, id: u64, address: &ServerAddress) {
        self.server(id, address);
        self.servers.retain(|server| server.id != id);
        self.drains.remove(address);
        if let Some(peers) = &mut self.peers {
            peers.retain(|peer| peer.id != id);
        }
    }

    fn report(&mut self, id: u64, state: PeerState) {
        if let Some(peer) = self.peers.iter_mut().flatten().find(|peer| peer.id == id) {
            peer.state = state;
        }
    }
}
