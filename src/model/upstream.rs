//! The configured upstreams.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{NginxTime, ScaleSetId, Server, is_private_unicast};

/// Which of NGINX's two worlds an upstream lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An upstream of the `http` block.
    Http,
    /// An upstream of the `stream` block.
    Stream,
}

impl Kind {
    /// The word in the NGINX Plus API's paths and in the configuration.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stream => "stream",
        }
    }

    /// The word in nginx-asg-sync's log lines.
    #[must_use]
    pub const fn log_word(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Stream => "Stream",
        }
    }
}

/// What tells one upstream from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamKey {
    /// The kind.
    pub kind: Kind,
    /// The name in the NGINX configuration.
    pub name: String,
}

impl fmt::Display for UpstreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} upstream {}", self.kind.path(), self.name)
    }
}

/// The four parameters that are always ours, as nginx-asg-sync's document has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerParameters {
    /// `max_conns`
    pub max_conns: u64,
    /// `max_fails`
    pub max_fails: u64,
    /// `fail_timeout`
    pub fail_timeout: NginxTime,
    /// `slow_start`
    pub slow_start: NginxTime,
    /// Parameters that are ours only where the configuration sets them.
    pub optional: OptionalParameters,
}

/// Parameters that stay the operator's unless the configuration sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OptionalParameters {
    /// `weight`
    pub weight: Option<u64>,
    /// `backup`; NGINX cannot change it on a live server.
    pub backup: Option<bool>,
}

/// Whose the servers of an upstream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// All of them: a server that no instance explains is removed, as nginx-asg-sync does.
    Exclusive,
    /// Only those inside the upstream's `networks`; the rest is never touched.
    Scoped,
}

/// What may be done to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everything.
    Sync,
    /// Everything but taking servers out.
    UpsertOnly,
    /// Nothing: the upstream is frozen, and still reported.
    Paused,
}

/// One scale set that feeds an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The scale set.
    pub set: ScaleSetId,
    /// The port its instances serve on.
    pub port: u16,
}

/// One upstream and everything the configuration says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Which upstream.
    pub key: UpstreamKey,
    /// The scale sets whose instances are its servers.
    pub sources: Vec<Source>,
    /// The parameters of its servers.
    pub parameters: ServerParameters,
    /// Above this share of the upstream, a removal needs an explanation. 0 to 100.
    pub max_removal_percent: u8,
    /// How long a leaving instance with connections may drain; zero = no draining.
    pub drain_timeout: Duration,
    /// Add an instance as soon as it has an address.
    pub add_before_running: bool,
    /// Ask for `HealthState/healthy` before adding.
    pub require_healthy: bool,
    /// Whose the servers are.
    pub ownership: Ownership,
    /// The networks of [`Ownership::Scoped`], and those allowed besides private unicast.
    pub networks: Vec<IpNet>,
    /// What may be done.
    pub policy: Policy,
}

impl Upstream {
    /// Whether an instance with this address may become a server here.
    #[must_use]
    pub fn accepts(&self, ip: IpAddr) -> bool {
        let listed = self.networks.iter().any(|network| network.contains(&ip));
        match self.ownership {
            Ownership::Exclusive => listed || is_private_unicast(ip),
            Ownership::Scoped => listed,
        }
    }

    /// Whether a server may be changed at all: ownership says so, and it is neither a child of a
    /// resolved host name nor part of NGINX's configuration.
    #[must_use]
    pub fn owns(&self, server: &Server) -> bool {
        !server.fixed
            && match self.ownership {
                Ownership::Exclusive => true,
                Ownership::Scoped => server.address.ip().is_some_and(|ip| self.accepts(ip)),
            }
    }

    /// The scale sets, joined by commas, as the log line names them.
    #[must_use]
    pub fn group_names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for source in &self.sources {
            if !names.contains(&source.set.name.as_str()) {
                names.push(&source.set.name);
            }
        }
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_name_kinds_as_nginx_asg_sync_does() {
        assert_eq!(Kind::Http.log_word(), "HTTP");
        assert_eq!(Kind::Stream.log_word(), "Stream");
    }

    #[test]
    fn every_group_is_named_once_in_the_order_of_the_configuration() {
        let source = |name: &str, port| Source {
            set: ScaleSetId {
                subscription: "s".into(),
                resource_group: "rg".into(),
                name: name.into(),
            },
            port,
        };
        let upstream = Upstream {
            key: UpstreamKey {
                kind: Kind::Http,
                name: "web".into(),
            },
            sources: vec![source("b", 80), source("a", 80), source("b", 81)],
            parameters: ServerParameters {
                max_conns: 0,
                max_fails: 1,
                fail_timeout: NginxTime::from_seconds(10),
                slow_start: NginxTime::default(),
                optional: OptionalParameters::default(),
            },
            max_removal_percent: 50,
            drain_timeout: Duration::from_secs(30),
            add_before_running: false,
            require_healthy: false,
            ownership: Ownership::Exclusive,
            networks: Vec::new(),
            policy: Policy::Sync,
        };
        assert_eq!(upstream.group_names(), "b,a");
    }
}
