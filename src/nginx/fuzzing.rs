//! What must hold of any reply of NGINX.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};

use super::errors::judge;
use super::wire::{self, UpstreamReply};
use crate::fuzzing::assert_one_line;
use crate::model::{Kind, ServerAddress};

/// A list of servers: no panic; every server has an id of its own; what is printed of it is one
/// line and, for an IP address, reads back as the same.
///
/// # Panics
///
/// If a promise is broken.
pub fn nginx_servers(data: &[u8]) {
    let Ok(servers) = wire::servers(data) else {
        return;
    };
    let ids: BTreeSet<u64> = servers.iter().map(|server| server.id).collect();
    assert_eq!(ids.len(), servers.len());
    for server in servers {
        let printed = server.address.to_string();
        assert_one_line(&printed);
        if let ServerAddress::Socket(_) = server.address {
            assert_eq!(ServerAddress::parse(&printed), server.address);
        }
        for time in [server.fail_timeout, server.slow_start] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}

/// The status of an upstream: no panic.
pub fn nginx_peers(data: &[u8]) {
    for kind in [Kind::Http, Kind::Stream] {
        if let Ok(reply) = serde_json::from_slice::<UpstreamReply>(data) {
            drop(reply.statuses(kind));
        }
    }
}

/// An error reply: the first two bytes choose status and method; what is said of it is one line.
///
/// # Panics
///
/// If a promise is broken.
pub fn nginx_error(data: &[u8]) {
    let [first, second, body @ ..] = data else {
        return;
    };
    let status = 300 + (u16::from(*first) << 8 | u16::from(*second)) % 300;
    let method = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];
    let method = &method[usize::from(*second) % 4];
    let Ok(status) = StatusCode::from_u16(status) else {
        return;
    };
    assert_one_line(&judge("n.example", method, status, body).to_string());
}

#[cfg(test)]
pub(crate) fn reads(data: &[u8]) -> bool {
    wire::servers(data).is_ok_and(|servers| servers.len() > 1)
}
