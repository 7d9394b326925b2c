//! Reading a server's parameters from a request body, with NGINX's refusals.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Map, Value};

use super::model::{Flavour, Server, UpstreamKind};
use super::{Problem, time};

/// Whether the body makes a new server or changes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Change,
}

/// What is needed to read parameters.
pub(super) struct Reader {
    pub(super) kind: UpstreamKind,
    pub(super) flavour: Flavour,
    pub(super) purpose: Purpose,
    pub(super) drain_false_ignored: bool,
}

impl Reader {
    /// Puts the parameters of `object` into `server`.
    pub(super) fn read(
        &self,
        object: &Map<String, Value>,
        server: &mut Server,
    ) -> Result<(), Problem> {
        for (name, value) in object {
            if value.is_object() || value.is_array() {
                return Err(format("nested object or list"));
            }
            self.read_one(name, value, server)?;
        }
        if self.purpose == Purpose::Create && !object.contains_key("server") {
            return Err(format("missing \"server\" argument"));
        }
        Ok(())
    }

    fn read_one(&self, name: &str, value: &Value, server: &mut Server) -> Result<(), Problem> {
        let http = self.kind == UpstreamKind::Http;
        match name {
            "server" => server.server = self.address(text(name, value)?)?,
            "weight" => server.weight = number(name, value, 1, "UpstreamBadWeight")?,
            "max_conns" => server.max_conns = number(name, value, 0, "UpstreamBadMaxConns")?,
            "max_fails" => server.max_fails = number(name, value, 0, "UpstreamBadMaxFails")?,
            "fail_timeout" => {
                let text = text(name, value)?;
                let seconds = time::seconds(text);
                let seconds = seconds.ok_or_else(|| bad("UpstreamBadFailTimeout", name))?;
                server.fail_timeout = self.time(text, seconds * 1000);
            }
            "slow_start" => {
                let text = text(name, value)?;
                let time = time::milliseconds(text);
                let time = time.ok_or_else(|| bad("UpstreamBadSlowStart", name))?;
                server.slow_start = self.time(text, time);
            }
            "down" => server.down = flag(name, value)?,
            "route" if http => {
                let route = text(name, value)?;
                if route.len() > 32 {
                    return Err(Problem::new(400, "UpstreamBadRoute", "route is too long"));
                }
                route.clone_into(&mut server.route);
            }
            "drain" if http => {
                let drain = flag(name, value)?;
                if drain || !self.drain_false_ignored {
                    server.drain = drain;
                }
            }
            "backup" if self.purpose == Purpose::Create => server.backup = flag(name, value)?,
            _ => return Err(format(&std::format!("unknown parameter \"{name}\""))),
        }
        Ok(())
    }

    fn time(&self, sent: &str, milliseconds: u64) -> String {
        match self.flavour {
            Flavour::Native => time::print(milliseconds),
            Flavour::NginxAaas => sent.to_owned(),
        }
    }

    /// The canonical form of an address. Domain names need a resolver, which is not simulated.
    fn address(&self, text: &str) -> Result<String, Problem> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(bad_address("no path", text))
            } else {
                Ok(text.to_owned())
            };
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (inside, after) = bracketed
                .split_once(']')
                .ok_or_else(|| bad_address("invalid host", text))?;
            let ip: Ipv6Addr = inside
                .parse()
                .map_err(|_| bad_address("invalid host", text))?;
            let port = self.port(after.strip_prefix(':'), text)?;
            return Ok(std::format!("[{ip}]:{port}"));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let port = self.port(port, text)?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(std::format!("{ip}:{port}")),
            Err(_) if !host.is_empty() && host.chars().all(is_name) => Err(Problem::new(
                400,
                "UpstreamConfNoResolver",
                "no resolver defined to resolve",
            )),
            Err(_) => Err(bad_address("invalid host", text)),
        }
    }

    fn port(&self, port: Option<&str>, text: &str) -> Result<u16, Problem> {
        match port {
            None if self.kind == UpstreamKind::Http => Ok(80),
            None => Err(bad_address("no port", text)),
            Some(port) => match port.parse::<u16>() {
                Ok(0) | Err(_) => Err(bad_address("invalid port", text)),
                Ok(port) => Ok(port),
            },
        }
    }
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, Problem> {
    value
        .as_str()
        .ok_or_else(|| format(&std::format!("invalid \"{name}\" value")))
}

fn flag(name: &str, value: &Value) -> Result<bool, Problem> {
    value
        .as_bool()
        .ok_or_else(|| format(&std::format!("invalid \"{name}\" value")))
}

fn number(name: &str, value: &Value, least: u64, code: &'static str) -> Result<u64, Problem> {
    if !value.is_number() {
        return Err(format(&std::format!("invalid \"{name}\" value")));
    }
    value
        .as_u64()
        .filter(|number| *number >= least)
        .ok_or_else(|| bad(code, name))
}

fn format(text: &str) -> Problem {
    Problem::new(400, "UpstreamConfFormatError", text)
}

fn bad(code: &'static str, name: &str) -> Problem {
    Problem::new(400, code, std::format!("invalid \"{name}\""))
}

fn bad_address(reason: &str, text: &str) -> Problem {
    Problem::new(
        400,
        "UpstreamBadAddress",
        std::format!("\"{reason}\" while parsing \"{text}\""),
    )
}
