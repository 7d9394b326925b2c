//! Whether a host answers, and if not, at which of the steps to it: name, connection, TLS, HTTP.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Url;

use super::certificate;
use super::finding::Remedy;
use crate::telemetry::{Outgoing, Service, Unanswered, clean};

/// One step at most.
const STEP: Duration = Duration::from_secs(5);
/// The request, TLS included.
const REQUEST: Duration = Duration::from_secs(10);

/// A host that answered, whatever it said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// How many seconds its clock is ahead of this machine's.
    pub(super) seconds_ahead: Option<i64>,
    /// When its certificate expires.
    pub(super) certificate_ends: Option<OffsetDateTime>,
}

/// The step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Name,
    Connection,
    /// The certificate's signer is not trusted.
    Authority,
    /// The certificate is an authority's.
    NoServerCertificate,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// The certificate is for other names.
    OtherName,
    /// The port speaks no TLS.
    NoTls,
    /// Anything else of TLS.
    Tls,
    Http,
}

/// Why a host was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreachable {
    pub(super) step: Step,
    pub(super) text: String,
}

/// The client for it: certificates are kept to be looked at.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    crate::azure::http_client_builder().tls_info(true).build()
}

/// Asks for the URL, without any credential.
pub(super) async fn reach(
    client: &reqwest::Client,
    service: Service,
    url: &Url,
) -> Result<Reached, Unreachable> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    // A literal IPv6 address stands in brackets in a URL only.
    let bare = host.trim_matches(['[', ']']);
    let addresses = match timeout(STEP, lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            let error = clean(&error.to_string(), 120);
            return Err(failed(
                Step::Name,
                format!("the name `{host}` has no address ({error})"),
            ));
        }
        Err(_) => {
            let text = format!("no name server told the address of `{host}` in time");
            return Err(failed(Step::Name, text));
        }
    };
    if let Err(error) = connect(&addresses).await {
        let text = format!("no connection to `{host}` at port {port} ({error})");
        return Err(failed(Step::Connection, text));
    }
    let sent = SystemTime::now();
    let outgoing = Outgoing::begin(service, "GET", url, 0);
    let answer = match timeout(REQUEST, client.get(url.clone()).send()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            outgoing.unanswered(Unanswered::of(&error));
            return Err(judge(host, port, &error));
        }
        Err(_) => {
            let text = format!("`{host}` takes the connection and does not answer");
            return Err(failed(Step::Http, text));
        }
    };
    let asked_to_wait = answer.headers().contains_key(RETRY_AFTER);
    outgoing.answered(answer.status().as_u16(), asked_to_wait);
    let date = answer
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok());
    let certificate = answer.extensions().get::<reqwest::tls::TlsInfo>();
    Ok(Reached {
        seconds_ahead: date.and_then(|date| ahead(date, sent)),
        certificate_ends: certificate
            .and_then(|info| info.peer_certificate())
            .and_then(certificate::not_after),
    })
}

async fn connect(addresses: &[std::net::SocketAddr]) -> Result<(), String> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match timeout(STEP, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = clean(&error.to_string(), 120),
            Err(_) => last = "it does not answer".to_owned(),
        }
    }
    Err(last)
}

fn failed(step: Step, text: String) -> Unreachable {
    Unreachable { step, text }
}

/// What an error of TLS or HTTP means. The library has no type for it that could be asked.
fn judge(host: &str, port: u16, error: &reqwest::Error) -> Unreachable {
    let said = crate::azure::chain(error);
    let lower = said.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let (step, text) = if has(&["unknownissuer", "unknown issuer", "badsignature"]) {
        (
            Step::Authority,
            format!(
                "the certificate of `{host}` is signed by an authority that this machine does not trust"
            ),
        )
    } else if has(&["expired", "notvalidyet", "not valid yet"]) {
        (
            Step::Expired,
            format!("the certificate of `{host}` is not valid now"),
        )
    } else if has(&["notvalidforname", "not valid for name"]) {
        (
            Step::OtherName,
            format!("the certificate of `{host}` is for other names"),
        )
    } else if has(&["causedasendentity"]) {
        (
            Step::NoServerCertificate,
            format!(
                "`{host}` shows the certificate of an authority (CA:TRUE), which is none for a server"
            ),
        )
    } else if has(&["invalidcontenttype", "corrupt message"]) {
        (
            Step::NoTls,
            format!("port {port} of `{host}` speaks no TLS"),
        )
    } else if has(&["certificate", "tls", "handshake"]) {
        (Step::Tls, format!("TLS with `{host}` fails"))
    } else {
        (
            Step::Http,
            format!("`{host}` does not answer as an HTTP server"),
        )
    };
    failed(step, format!("{text} ({said})"))
}

impl Unreachable {
    /// What to do, where `setting` is what names the host.
    pub(super) fn remedy(&self, host: &str, setting: &str) -> Remedy {
        let trust = "SSL_CERT_FILE replaces the system's trust store, so give it a file with all authorities:";
        match self.step {
            Step::Name => Remedy::new(format!(
                "correct {setting}; a private endpoint needs this app in its virtual network, with its private DNS zone:"
            ))
            .paste([format!("getent hosts {host}")]),
            Step::Connection => Remedy::new(format!(
                "correct {setting}, or open the way: firewall, network security group, virtual network integration"
            )),
            Step::Authority => Remedy::new(trust).paste([
                "cat /etc/ssl/certs/ca-certificates.crt YOUR-AUTHORITY.pem > trust.pem",
                "export SSL_CERT_FILE=$PWD/trust.pem",
            ]),
            Step::NoServerCertificate => Remedy::new(
                "give it one of its own (CA:FALSE) that the authority has signed",
            ),
            Step::Expired => Remedy::new(
                "renew the certificate; where it is valid, set this machine's clock (`timedatectl set-ntp true`)",
            ),
            Step::OtherName => {
                Remedy::new(format!("use a name in {setting} that the certificate is for"))
            }
            Step::NoTls => Remedy::new(format!("correct the port or the scheme in {setting}")),
            Step::Tls | Step::Http => Remedy::new(format!(
                "see whether {setting} names the right host and port, and what stands between"
            )),
        }
    }
}

/// How many seconds a `Date` header is ahead of the time at which the answer was made, which lies
/// between sending and now.
fn ahead(date: &str, sent: SystemTime) -> Option<i64> {
    const FORMAT: &[BorrowedFormatItem<'_>] = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let told = time::PrimitiveDateTime::parse(date, FORMAT)
        .ok()?
        .assume_utc();
    let half = sent.elapsed().unwrap_or_default() / 2;
    let made = OffsetDateTime::from(sent) + half;
    Some((told - made).whole_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_compared_with_the_moment_of_the_answer() {
        let sent = SystemTime::now();
        let now = OffsetDateTime::from(sent);
        let date = |time: OffsetDateTime| {
            let format = format_description!(
                "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
            );
            time.format(format).unwrap()
        };
        let found = ahead(&date(now + Duration::from_secs(120)), sent).unwrap();
        assert!((118..=120).contains(&found), "{found}");
        let found = ahead(&date(now - Duration::from_secs(600)), sent).unwrap();
        assert!((-602..=-599).contains(&found), "{found}");
        assert_eq!(ahead("yesterday", sent), None);
    }
}
