//! Server addresses as NGINX writes them, and which of them a scale set may contribute.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The private unicast ranges of RFC 1918 and RFC 4193, and the shared range of RFC 6598, which
/// Azure's virtual networks treat as private.
///
/// An instance whose address lies outside is refused unless the upstream's `networks` lists it, so
/// that a nonsensical answer cannot point production traffic at a public, link-local or loopback
/// address.
pub const PRIVATE_UNICAST: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10)),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
    )),
];

/// Whether `ip` lies in [`PRIVATE_UNICAST`].
#[must_use]
pub fn is_private_unicast(ip: IpAddr) -> bool {
    PRIVATE_UNICAST.iter().any(|network| network.contains(&ip))
}

/// The `server` field of an upstream server.
///
/// Compared by value, not by spelling: `10.0.0.1` and `10.0.0.1:80` are the same server, and so
/// are two spellings of one IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerAddress {
    /// An IP address and a port: the only form this program ever writes.
    Socket(SocketAddr),
    /// A host name, a unix socket or anything else an operator may have configured.
    Other(String),
}

impl ServerAddress {
    /// Reads what NGINX reports. A missing port is NGINX's default, 80.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::Socket(address);
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(ip) => Self::Socket(SocketAddr::new(ip, 80)),
            Err(_) => Self::Other(text.to_owned()),
        }
    }

    /// The IP address, where there is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Socket(address) => Some(address.ip()),
            Self::Other(_) => None,
        }
    }
}

impl From<SocketAddr> for ServerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            // Free text of another system: control characters must not reach a log line.
            Self::Other(text) => write!(f, "{}", text.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_port_is_nginx_default_port() {
        assert_eq!(
            ServerAddress::parse("10.0.0.1"),
            ServerAddress::parse("10.0.0.1:80")
        );
        assert_eq!(
            ServerAddress::parse("[fd00::1]"),
            ServerAddress::parse("[fd00::1]:80")
        );
    }

    #[test]
    fn an_ipv6_server_is_written_in_brackets() {
        assert_eq!(
            ServerAddress::parse("[fd00:0:0::1]:8080").to_string(),
            "[fd00::1]:8080"
        );
    }

    #[test]
    fn a_host_name_stays_what_it_is() {
        let address = ServerAddress::parse("app.example:80");
        assert_eq!(address, ServerAddress::Other("app.example:80".into()));
        assert_eq!(address.ip(), None);
    }

    #[test]
    fn only_private_unicast_is_private() {
        for private in ["10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1"] {
            assert!(is_private_unicast(private.parse().unwrap()), "{private}");
        }
        for public in [
            "8.8.8.8",
            "127.0.0.1",
            "169.254.169.254",
            "172.32.0.1",
            "fe80::1",
            "::1",
        ] {
            assert!(!is_private_unicast(public.parse().unwrap()), "{public}");
        }
    }
}
