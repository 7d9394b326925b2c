//! The options, in clap's way and in nginx-asg-sync's.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::help;

/// Keeps NGINX upstreams in step with Azure Virtual Machine Scale Sets.
#[derive(Debug, Parser)]
#[command(
    name = "nginx-vmss-sync",
    version,
    long_about = help::ROOT,
    before_long_help = help::ROOT_NAME,
    after_long_help = help::after_root(),
    help_template = help::ROOT_TEMPLATE,
    max_term_width = 100,
    subcommand_help_heading = "COMMANDS",
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
    /// Append the log to this file instead of writing it to standard error or output
    #[arg(long, global = true, value_name = "PATH")]
    pub log_path: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the Azure Functions host (the custom handler)
    #[command(
        long_about = help::SERVE,
        before_long_help = help::SERVE_NAME,
        after_long_help = help::after_serve(),
        help_template = help::TEMPLATE
    )]
    Serve,
    /// Run a pass now, or with --watch one after the other
    #[command(
        long_about = help::SYNC,
        before_long_help = help::SYNC_NAME,
        after_long_help = help::after_sync(),
        help_template = help::TEMPLATE
    )]
    Sync {
        /// Repeat every `sync_interval` until SIGINT or SIGTERM
        #[arg(long)]
        watch: bool,
    },
    /// Show what a pass would change, and change nothing
    #[command(
        long_about = help::PLAN,
        before_long_help = help::PLAN_NAME,
        after_long_help = help::after_plan(),
        help_template = help::TEMPLATE
    )]
    Plan {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Find out what is wrong, and what to do about it
    #[command(
        long_about = help::CHECK,
        before_long_help = help::CHECK_NAME,
        after_long_help = help::after_check(),
        help_template = help::TEMPLATE
    )]
    Check {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
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
