//! The command line of the sandbox.

use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Shows nginx-vmss-sync at work on this machine: no Azure, no NGINX Plus, no configuration.

Usage: cargo sandbox [--serve] [--handler PATH]

Without options it plays a story: two scale sets grow and shrink, the handler is told through
events and timer ticks, and NGINX's servers follow while requests run through them. It exits 0
if every step ended as it should, and 1 with a reason otherwise.

Options:
  --serve         start everything, print addresses and commands to try, run until Ctrl-C
  --handler PATH  use this binary instead of building one
  --help          print this";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Play the story and exit.
    Story,
    /// Leave everything running.
    Serve,
}

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) handler: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments; none when help is asked for.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let mut options = Self {
            mode: Mode::Story,
            handler: None,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--serve" => options.mode = Mode::Serve,
                "--handler" => {
                    let path = arguments.next().ok_or("`--handler` needs a path")?;
                    options.handler = Some(PathBuf::from(path));
                }
                other => return Err(format!("unknown argument `{other}`")),
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
        Options::parse(arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let story = Options {
            mode: Mode::Story,
            handler: None,
        };
        assert_eq!(parse(&[]), Ok(Some(story)));
        let handler = Some(PathBuf::from("x"));
        assert_eq!(
            parse(&["--serve", "--handler", "x"]),
            Ok(Some(Options {
                mode: Mode::Serve,
                handler
            }))
        );
        assert_eq!(parse(&["--serve", "--help"]), Ok(None));
        assert!(parse(&["--handler"]).is_err());
        assert!(parse(&["serve"]).is_err());
    }
}
