//! The options, in clap's way and in nginx-asg-sync's.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps NGINX upstreams in step with Azure Virtual Machine Scale Sets.
#[derive(Debug, Parser)]
#[command(
    name = "nginx-vmss-sync",
    version,
    about,
    long_about = "Keeps the servers of NGINX upstreams (F5 NGINXaaS for Azure, NGINX Plus) in step with the \
                  instances of Azure Virtual Machine Scale Sets.\n\n\
                  Without a command it serves when the Functions host has set FUNCTIONS_CUSTOMHANDLER_PORT, and \
                  runs `sync --watch` when only a configuration is named, as nginx-asg-sync does.",
    after_long_help = "EXIT STATUS\n  0  done (for `plan`: nothing to change)\n  1  failed\n  2  `plan`: changes are pending\n\n\
                       ENVIRONMENT\n  VMSS_SYNC_CONFIG             the configuration itself\n  \
                       VMSS_SYNC_CONFIG_PATH        a file with the configuration\n  \
                       NGINXAAS_DATAPLANE_API_KEY   the raw API key, where no api_key_secret is configured\n  \
                       AZURE_CLIENT_ID              a user-assigned managed identity\n  \
                       AZURE_TOKEN_CREDENTIALS      ManagedIdentityCredential, or dev for the Azure CLI or azd login\n  \
                       SSL_CERT_FILE                trust store of all outgoing connections\n  \
                       RUST_LOG, LOG_FORMAT         what is logged, and as `text` or `json`\n  \
                       OTEL_EXPORTER_OTLP_ENDPOINT  where traces and metrics go; other OTEL_ variables are followed\n\n\
                       nginx-asg-sync's spellings are understood: -config_path PATH, -config_path=PATH,\n\
                       config_path=PATH, -log_path PATH, -log_path=PATH, log_path=PATH"
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// The configuration file; without it `VMSS_SYNC_CONFIG`, `VMSS_SYNC_CONFIG_PATH`, `config.yaml`
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Append the log to this file
    #[arg(long, global = true, value_name = "PATH")]
    pub log_path: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the Azure Functions host (the custom handler)
    Serve,
    /// Run one pass now
    Sync {
        /// Repeat every `sync_interval` until SIGINT or SIGTERM
        #[arg(long)]
        watch: bool,
    },
    /// Show what a pass would change, and change nothing
    Plan {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Check configuration, identity, permissions, secret, NGINX and every upstream
    Check {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Rewrites nginx-asg-sync's spellings of options into clap's.
#[must_use]
pub fn normalize(arguments: Vec<String>) -> Vec<String> {
    const SPELLINGS: [(&str, &str); 2] = [("config_path", "--config"), ("log_path", "--log-path")];
    let rewrite = |argument: String| {
        let bare = argument.trim_start_matches('-');
        for (old, new) in SPELLINGS {
            if bare == old && argument.starts_with('-') {
                return new.to_owned();
            }
            if let Some(value) = bare
                .strip_prefix(old)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return format!("{new}={value}");
            }
        }
        argument
    };
    arguments.into_iter().map(rewrite).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Options {
        Options::try_parse_from(normalize(line.split(' ').map(str::to_owned).collect())).unwrap()
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_spelling_of_the_old_agent_names_the_same_files() {
        for line in [
            "x --config /c --log-path /l",
            "x -config_path /c -log_path /l",
            "x -config_path=/c -log_path=/l",
            "x config_path=/c -log_path=/l",
            "x --config_path=/c log_path=/l",
        ] {
            let options = parse(line);
            assert_eq!(options.common.config, Some(PathBuf::from("/c")), "{line}");
            assert_eq!(options.common.log_path, Some(PathBuf::from("/l")), "{line}");
            assert_eq!(options.command, None, "{line}");
        }
    }

    #[test]
    fn options_may_follow_the_command() {
        let options = parse("x sync --watch -config_path=/c");
        assert_eq!(options.command, Some(Command::Sync { watch: true }));
        assert_eq!(options.common.config, Some(PathBuf::from("/c")));
    }
}
