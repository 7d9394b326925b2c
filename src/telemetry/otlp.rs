//! What the standard `OTEL_*` variables ask for.
//!
//! Nothing is exported unless an endpoint is named. The variables' values never reach a message:
//! headers hold keys, and so may an endpoint's user and query.

use std::time::Duration;

use url::Url;

/// One signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// Its name in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    /// Its name in variables.
    const fn variable(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// Its path below `OTEL_EXPORTER_OTLP_ENDPOINT`.
    const fn path(self) -> [&'static str; 2] {
        ["v1", self.name()]
    }
}

/// How a signal is encoded; gRPC is not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Protobuf,
    Json,
}

/// Where and how one signal is exported.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) endpoint: Url,
    pub(super) protocol: Protocol,
    /// One export at most.
    pub(super) timeout: Duration,
}

impl Target {
    /// Scheme, host and port: what may be told of the endpoint.
    pub(super) fn origin(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("origin", &self.origin())
            .field("protocol", &self.protocol)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What is exported, and what of the variables cannot be followed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) traces: Option<Target>,
    pub(super) metrics: Option<Target>,
    /// Whether `OTEL_TRACES_SAMPLER` is set to something the SDK knows, and reads by itself.
    pub(super) sampler_is_set: bool,
    pub(super) problems: Vec<String>,
}

const TIMEOUT: Duration = Duration::from_secs(10);
/// Variables of the exporter that change nothing here, and what does instead.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "nothing is compressed"),
    (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "SSL_CERT_FILE is the trust store of every connection",
    ),
    (
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "client certificates are not sent",
    ),
    (
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "client certificates are not sent",
    ),
];

impl Settings {
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let mut settings = Self::default();
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return settings;
        }
        let problems = &mut settings.problems;
        settings.traces = target(Signal::Traces, &set, problems);
        settings.metrics = target(Signal::Metrics, &set, problems);
        if settings.is_off() {
            return settings;
        }
        settings.sampler_is_set = sampler(&set, &mut settings.problems);
        for (name, instead) in UNSUPPORTED {
            if set(name).is_some_and(|value| !value.eq_ignore_ascii_case("none")) {
                settings
                    .problems
                    .push(format!("{name} is not followed: {instead}"));
            }
        }
        settings
    }

    pub(super) fn is_off(&self) -> bool {
        self.traces.is_none() && self.metrics.is_none()
    }
}

/// Where one signal goes, if anywhere.
fn target(
    signal: Signal,
    set: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) -> Option<Target> {
    let own = |part: &str| format!("OTEL_EXPORTER_OTLP_{}_{part}", signal.variable());
    // The signal's own variable wins over the one for all.
    let either = |part: &str| {
        let general = format!("OTEL_EXPORTER_OTLP_{part}");
        [own(part), general]
            .into_iter()
            .find_map(|name| Some((set(&name)?, name)))
    };
    let exporter = format!("OTEL_{}_EXPORTER", signal.variable());
    let exported = match set(&exporter) {
        None => true,
        Some(name) if name.eq_ignore_ascii_case("otlp") => true,
        Some(name) if name.eq_ignore_ascii_case("none") => false,
        Some(_) => {
            problems.push(format!(
                "{exporter} is not followed: {} are exported by `otlp` or not at all (`none`)",
                signal.name()
            ));
            true
        }
    };
    let (text, name) = either("ENDPOINT").filter(|_| exported)?;
    let endpoint = match endpoint(&text, (name != own("ENDPOINT")).then_some(signal)) {
        Ok(endpoint) => endpoint,
        Err(why) => {
            problems.push(format!("{name} {why}: {} are not exported", signal.name()));
            return None;
        }
    };
    let protocol = match either("PROTOCOL") {
        None => Protocol::Protobuf,
        Some((protocol, _)) if protocol == "http/protobuf" => Protocol::Protobuf,
        Some((protocol, _)) if protocol == "http/json" => Protocol::Json,
        Some((_, name)) => {
            problems.push(format!(
                "{name} asks for what is not spoken: {} are not exported; `http/protobuf` and `http/json` are \
                 spoken, gRPC is not (a collector's OTLP/HTTP port is usually 4318)",
                signal.name()
            ));
            return None;
        }
    };
    let timeout = match either("TIMEOUT") {
        None => TIMEOUT,
        Some((text, name)) => text.parse().map(Duration::from_millis).unwrap_or_else(|_| {
            problems.push(format!(
                "{name} is not a number of milliseconds: {} s are used",
                TIMEOUT.as_secs()
            ));
            TIMEOUT
        }),
    };
    let off_machine = endpoint.scheme() == "http" && !crate::config::is_loopback(&endpoint);
    if let (true, Some((_, name))) = (off_machine, either("HEADERS")) {
        problems.push(format!(
            "{name} is sent unencrypted to {}: use an https endpoint",
            endpoint.origin().ascii_serialization()
        ));
    }
    Some(Target {
        endpoint,
        protocol,
        timeout,
    })
}

/// Whether the environment names a sampler that can be used.
fn sampler(set: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> bool {
    const ALL: [&str; 3] = ["always_on", "always_off", "traceidratio"];
    let Some(name) = set("OTEL_TRACES_SAMPLER") else {
        return false;
    };
    let plain = name.strip_prefix("parentbased_").unwrap_or(&name);
    if !ALL.contains(&plain) {
        problems.push(format!(
            "OTEL_TRACES_SAMPLER is not one of {}, each also as parentbased_…: `always_on` is used",
            ALL.join(", ")
        ));
        return false;
    }
    let ratio = set("OTEL_TRACES_SAMPLER_ARG").and_then(|text| text.parse::<f64>().ok());
    if plain == "traceidratio" && !ratio.is_some_and(|ratio| (0.0..=1.0).contains(&ratio)) {
        problems.push("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1: 1 is used".to_owned());
    }
    true
}

/// Reads an endpoint; that of all signals is the base of each one's path.
fn endpoint(text: &str, below: Option<Signal>) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("is not an http or https URL");
    }
    if let (Some(signal), Ok(mut path)) = (below, url.path_segments_mut()) {
        path.pop_if_empty().extend(signal.path());
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
