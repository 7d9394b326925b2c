//! Every name that leaves the process in a metric or a span. `docs/observability.md` has them as
//! tables, and a test holds the tables against this file.
//!
//! Where OpenTelemetry's semantic conventions have a name it is used; ours begin with
//! `nginx_vmss_sync`.

/// What began a pass, or a command: the attribute `nginx_vmss_sync.trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// An Event Grid event (`VmssScaleEvent`).
    Event,
    /// A tick (`ReconcileTimer`).
    Timer,
    /// An operator or a webhook (`Reconcile`).
    Request,
    /// Somebody looks (`Status`).
    Status,
    /// The command `sync`.
    Sync,
    /// The command `plan`.
    Plan,
    /// The command `check`.
    Check,
}

impl Trigger {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Timer => "timer",
            Self::Request => "request",
            Self::Status => "status",
            Self::Sync => "sync",
            Self::Plan => "plan",
            Self::Check => "check",
        }
    }

    /// The trigger of a function, by its path.
    #[must_use]
    pub fn of_function(name: &str) -> Self {
        match name {
            "VmssScaleEvent" => Self::Event,
            "ReconcileTimer" => Self::Timer,
            "Status" => Self::Status,
            _ => Self::Request,
        }
    }
}

/// Whom a request goes to: the attribute `nginx_vmss_sync.service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Azure Resource Manager.
    ResourceManager,
    /// Azure Key Vault.
    KeyVault,
    /// The managed identity endpoint.
    Identity,
    /// The NGINX Plus API.
    Nginx,
}

impl Service {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResourceManager => "resource_manager",
            Self::KeyVault => "key_vault",
            Self::Identity => "identity",
            Self::Nginx => "nginx",
        }
    }
}

/// The attributes of metrics and spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the meaning is said once, in `meaning`")]
pub enum Attribute {
    Change,
    ErrorType,
    FaasInvocationId,
    FaasTrigger,
    Held,
    Intent,
    Method,
    Outcome,
    Path,
    ResendCount,
    ServerAddress,
    ServerPort,
    Service,
    StatusCode,
    Trigger,
    Upstream,
    UpstreamKind,
    Upstreams,
}

impl Attribute {
    /// All of them, by name.
    pub const ALL: [Self; 18] = [
        Self::ErrorType,
        Self::FaasInvocationId,
        Self::FaasTrigger,
        Self::Method,
        Self::ResendCount,
        Self::StatusCode,
        Self::Change,
        Self::Held,
        Self::Intent,
        Self::Outcome,
        Self::Service,
        Self::Trigger,
        Self::UpstreamKind,
        Self::Upstream,
        Self::Upstreams,
        Self::ServerAddress,
        Self::ServerPort,
        Self::Path,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Change => "nginx_vmss_sync.change",
            Self::ErrorType => "error.type",
            Self::FaasInvocationId => "faas.invocation_id",
            Self::FaasTrigger => "faas.trigger",
            Self::Held => "nginx_vmss_sync.held",
            Self::Intent => "nginx_vmss_sync.intent",
            Self::Method => "http.request.method",
            Self::Outcome => "nginx_vmss_sync.outcome",
            Self::Path => "url.path",
            Self::ResendCount => "http.request.resend_count",
            Self::ServerAddress => "server.address",
            Self::ServerPort => "server.port",
            Self::Service => "nginx_vmss_sync.service",
            Self::StatusCode => "http.response.status_code",
            Self::Trigger => "nginx_vmss_sync.trigger",
            Self::Upstream => "nginx_vmss_sync.upstream.name",
            Self::UpstreamKind => "nginx_vmss_sync.upstream.kind",
            Self::Upstreams => "nginx_vmss_sync.upstreams",
        }
    }

    /// What it says.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Change => "`added`, `removed`, `updated` or `drained` (told to drain)",
            Self::ErrorType => {
                "the kind of failure: of a request its status code, `timeout`, `connection` or `other`; of an upstream \
                 the kind in its log line"
            }
            Self::FaasInvocationId => "the host's invocation id, as in the log",
            Self::FaasTrigger => "`pubsub`, `timer` or `http`",
            Self::Held => "how many changes are held",
            Self::Intent => "`apply`, `show` (dry run, `plan`), `survey` (`Status`) or `force`",
            Self::Method => "the method",
            Self::Outcome => {
                "`unchanged`, `changed`, `held` or `failed`: the worst of the upstreams"
            }
            Self::Path => "the path; queries and headers are never told",
            Self::ResendCount => "how many times the request was sent before, where it was",
            Self::ServerAddress => "the host",
            Self::ServerPort => "the port",
            Self::Service => "`resource_manager`, `key_vault`, `identity` or `nginx`",
            Self::StatusCode => "the answer's status code, where there was an answer",
            Self::Trigger => "`event`, `timer`, `request`, `status`, `sync`, `plan` or `check`",
            Self::Upstream => "the upstream's name",
            Self::UpstreamKind => "`http` or `stream`",
            Self::Upstreams => "how many upstreams are looked at",
        }
    }
}

/// The kinds of instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// Only grows.
    Counter,
    /// The last value.
    Gauge,
    /// A distribution.
    Histogram,
}

impl InstrumentKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the meaning is said once, in `meaning`")]
pub enum Metric {
    RequestDuration,
    PassDuration,
    Changes,
    Held,
    Failures,
    LastSuccessAge,
    Servers,
    Throttles,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PassDuration,
        Self::Changes,
        Self::Held,
        Self::Failures,
        Self::LastSuccessAge,
        Self::Servers,
        Self::RequestDuration,
        Self::Throttles,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PassDuration => "nginx_vmss_sync.pass.duration",
            Self::Changes => "nginx_vmss_sync.changes",
            Self::Held => "nginx_vmss_sync.held",
            Self::Failures => "nginx_vmss_sync.failures",
            Self::LastSuccessAge => "nginx_vmss_sync.last_success.age",
            Self::Servers => "nginx_vmss_sync.servers",
            Self::RequestDuration => "http.client.request.duration",
            Self::Throttles => "nginx_vmss_sync.throttles",
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> InstrumentKind {
        match self {
            Self::PassDuration | Self::RequestDuration => InstrumentKind::Histogram,
            Self::Changes | Self::Failures | Self::Throttles => InstrumentKind::Counter,
            Self::Held | Self::LastSuccessAge | Self::Servers => InstrumentKind::Gauge,
        }
    }

    /// Its unit, in UCUM.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::PassDuration | Self::LastSuccessAge | Self::RequestDuration => "s",
            Self::Changes | Self::Held => "{change}",
            Self::Failures => "{failure}",
            Self::Servers => "{server}",
            Self::Throttles => "{answer}",
        }
    }

    /// What it measures.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PassDuration => "how long a pass took; its count is the number of passes",
            Self::Changes => "changes made to servers",
            Self::Held => "changes held by the last pass",
            Self::Failures => "failures of passes",
            Self::LastSuccessAge => {
                "time since this process last succeeded with the upstream, or since it first tried"
            }
            Self::Servers => "servers of the upstream in NGINX after the last pass",
            Self::RequestDuration => {
                "duration of requests to Azure and to NGINX; its count is the number of calls"
            }
            Self::Throttles => "answers that asked to wait: 429, and 503 with `Retry-After`",
        }
    }

    /// What it is split by.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::PassDuration => &[Attribute::Outcome, Attribute::Trigger],
            Self::Changes => &[
                Attribute::Upstream,
                Attribute::UpstreamKind,
                Attribute::Change,
            ],
            Self::Held | Self::LastSuccessAge | Self::Servers => {
                &[Attribute::Upstream, Attribute::UpstreamKind]
            }
            Self::Failures => &[
                Attribute::Upstream,
                Attribute::UpstreamKind,
                Attribute::ErrorType,
            ],
            Self::RequestDuration => &[
                Attribute::Service,
                Attribute::Method,
                Attribute::ServerAddress,
                Attribute::ServerPort,
                Attribute::StatusCode,
                Attribute::ErrorType,
            ],
            Self::Throttles => &[Attribute::Service],
        }
    }
}

/// The spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanName {
    /// An invocation by the Functions host.
    Invocation,
    /// A command from a terminal, save `sync --watch`, which may last for months.
    Command,
    /// A pass.
    Pass,
    /// One request to Azure or to NGINX.
    Request,
}

impl SpanName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Invocation, Self::Command, Self::Pass, Self::Request];

    /// Its name, as the document has it: two of them are named by what they are about.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invocation => "the function's name",
            Self::Command => "`sync`, `plan` or `check`",
            Self::Pass => "`pass`",
            Self::Request => "the method",
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Invocation => "server; consumer for events",
            Self::Command | Self::Pass => "internal",
            Self::Request => "client",
        }
    }

    /// What it may carry.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::Invocation => &[
                Attribute::FaasTrigger,
                Attribute::FaasInvocationId,
                Attribute::Trigger,
                Attribute::ErrorType,
            ],
            Self::Command => &[Attribute::Trigger],
            Self::Pass => &[
                Attribute::Trigger,
                Attribute::Intent,
                Attribute::Outcome,
                Attribute::Upstreams,
                Attribute::Held,
                Attribute::ErrorType,
            ],
            Self::Request => &[
                Attribute::Service,
                Attribute::Method,
                Attribute::ServerAddress,
                Attribute::ServerPort,
                Attribute::Path,
                Attribute::ResendCount,
                Attribute::StatusCode,
                Attribute::ErrorType,
            ],
        }
    }
}
