//! What `--help` says, as a manual page would: name, synopsis, description, options, exit status,
//! environment, examples.

/// The order of the sections. Lines are at most 90 characters, so that nothing is wrapped again.
pub(super) const TEMPLATE: &str = "{before-help}SYNOPSIS\n  {usage}\n\nDESCRIPTION\n{tab}{about}\n\nOPTIONS\n{options}{after-help}\n";

/// The same with the commands.
pub(super) const ROOT_TEMPLATE: &str = "{before-help}SYNOPSIS\n  {usage}\n\nDESCRIPTION\n{tab}{about}\n\nCOMMANDS\n{subcommands}\n\nOPTIONS\n{options}{after-help}\n";

pub(super) const ROOT_NAME: &str =
    "NAME\n  nginx-vmss-sync - keeps NGINX upstreams in step with Azure scale sets";

pub(super) const ROOT: &str = "\
  Keeps the servers of NGINX upstreams (F5 NGINXaaS for Azure, NGINX Plus) in step with the
  instances of Azure Virtual Machine Scale Sets.

  Without a command it serves when the Functions host has set FUNCTIONS_CUSTOMHANDLER_PORT, and
  runs `sync --watch` when only a configuration is named, as nginx-asg-sync does. That agent's
  spellings of options are understood: -config_path PATH, -config_path=PATH, config_path=PATH,
  -log_path PATH, -log_path=PATH, log_path=PATH.

  Start with `check`: it says what is missing, and the command that puts it right.";

pub(super) const SERVE_NAME: &str = "NAME\n  nginx-vmss-sync serve - serves the Functions host";

pub(super) const SERVE: &str = "\
  Listens on 127.0.0.1 at FUNCTIONS_CUSTOMHANDLER_PORT for the Azure Functions host, as its custom
  handler. The functions are VmssScaleEvent, ReconcileTimer, Reconcile and Status. It runs until it
  is killed. An unusable configuration does not end it: every invocation then fails with all of the
  configuration's problems.

  The log goes to standard output, because the host takes standard error for errors.";

pub(super) const SYNC_NAME: &str =
    "NAME\n  nginx-vmss-sync sync - runs a pass now, or one after the other";

pub(super) const SYNC: &str = "\
  Reads NGINX and Azure, and gives each upstream the servers that its scale sets serve with. Prints
  one line per upstream on standard output, in nginx-asg-sync's wording. A terminal sees each
  upstream as it ends; a pipe hears of a pass only if that takes longer than 5 s.

  With --watch passes follow each other, with a pause of `sync_interval` between them, and only
  upstreams that changed, are held or failed get a line.

  SIGTERM and SIGINT let the running step end and begin no other. A second signal waits for
  nothing. Every step is safe to be the last one.";

pub(super) const PLAN_NAME: &str = "NAME\n  nginx-vmss-sync plan - shows what a pass would change";

pub(super) const PLAN: &str = "\
  Reads NGINX and Azure as a pass does, writes nothing, and prints what a pass would do: per
  upstream a line for each step (`+` add, `~` change, `-` drain or remove), for each that is held
  (`!`, with its reason and what releases it) and for each instance that is left out (`.`).

  Colours are for terminals. docs/plan.md describes the JSON.";

pub(super) const CHECK_NAME: &str =
    "NAME\n  nginx-vmss-sync check - finds out what is wrong, and what to do";

pub(super) const CHECK: &str = "\
  Tries what a pass needs, one thing after the other: configuration, timer schedule, identity, each
  permission in Azure, each scale set, the secret and its expiry, NGINX and its certificate, the
  API key, the API's version, write access, each upstream, its zone and health checks, and the
  clocks. A failure keeps nothing else from being tried. Each line is ok, warning, failed or
  skipped, and says below what to do, with commands to be pasted.

  Nothing is changed. Write access is tried with an empty change of a server that cannot exist,
  which NGINX refuses.

  Colours are for terminals. docs/check.md describes every check and the JSON.";

const CONFIGURATION: &str = "  \
VMSS_SYNC_CONFIG            the configuration itself
  VMSS_SYNC_CONFIG_PATH       a file with the configuration
  NGINXAAS_DATAPLANE_API_KEY  the raw API key, where no `api_key_secret` is configured
  AZURE_CLIENT_ID             client id of the user-assigned identity to use
  AZURE_TOKEN_CREDENTIALS     `ManagedIdentityCredential`, or `dev` for the Azure CLI or azd login
  IDENTITY_ENDPOINT, IDENTITY_HEADER
                              the platform's managed identity; set by Azure
  SSL_CERT_FILE               trust store of all outgoing connections, instead of the system's
  RUST_LOG, LOG_FORMAT        what is logged, and as `text` or `json`
  OTEL_EXPORTER_OTLP_ENDPOINT and the like
                              traces and metrics; see docs/observability.md
  OTEL_EXPORTER_OTLP_ENDPOINT where traces and metrics go; other OTEL_ variables are followed
";

const COLOURS: &str = "  \
NO_COLOR                    no colours
  CLICOLOR_FORCE              colours off a terminal, too
";

const SERVING: &str = "  \
FUNCTIONS_CUSTOMHANDLER_PORT
                              the port to listen on; set by the Functions host
";

const SCHEDULE: &str = "  \
RECONCILE_SCHEDULE          the timer's schedule, which is looked at
";

/// The sections after the options.
fn after(exit_status: &str, environment: &[&str], examples: &str) -> String {
    format!(
        "EXIT STATUS\n{exit_status}\nENVIRONMENT\n{}\nEXAMPLES\n{examples}",
        environment.concat()
    )
}

pub(super) fn after_root() -> String {
    after(
        "  0  done; for `plan`: nothing to change\n  1  failed\n  2  `plan`: changes are pending or held\n",
        &[CONFIGURATION],
        "  nginx-vmss-sync check --config config.yaml\n  \
           nginx-vmss-sync plan --config config.yaml\n  \
           nginx-vmss-sync sync --watch --config config.yaml\n  \
           nginx-vmss-sync config_path=/etc/nginx/config.yaml -log_path=/var/log/sync.log",
    )
}

pub(super) fn after_serve() -> String {
    after(
        "  1  it cannot listen, or the server ended\n",
        &[SERVING, CONFIGURATION],
        "  FUNCTIONS_CUSTOMHANDLER_PORT=8080 nginx-vmss-sync serve --config config.yaml",
    )
}

pub(super) fn after_sync() -> String {
    after(
        "  0  done, or held on purpose; with --watch: ended by a signal\n  \
           1  an upstream failed, or a signal cut the pass short\n",
        &[CONFIGURATION],
        "  nginx-vmss-sync sync\n  \
           nginx-vmss-sync sync --watch --config config.yaml --log-path sync.log",
    )
}

pub(super) fn after_plan() -> String {
    after(
        "  0  nothing to change\n  1  something could not be read\n  \
           2  changes are pending, or held by a guard\n",
        &[CONFIGURATION, COLOURS],
        "  nginx-vmss-sync plan --config config.yaml\n  \
           nginx-vmss-sync plan --format json | jq '.upstreams[].planned[]'",
    )
}

pub(super) fn after_check() -> String {
    after(
        "  0  nothing failed; there may be warnings\n  1  something failed\n",
        &[SCHEDULE, CONFIGURATION, COLOURS],
        "  nginx-vmss-sync check --config config.yaml\n  \
           nginx-vmss-sync check --format json | jq -r '.findings[] | select(.grade == \"failed\")'",
    )
}
