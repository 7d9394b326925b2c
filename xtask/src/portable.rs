//! Builds a binary that starts on every image of the Functions host, the oldest included.
//!
//! Three ways, best first: static against musl; against an old glibc with zig's headers; as this
//! machine links anyway. Which one is taken depends on the tools at hand; whether the result is
//! good enough does not: [`Linkage::judge`] looks at the binary.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ValueEnum;

use crate::cargo;
use crate::linkage::{Linkage, Portable};

const MUSL: &str = "x86_64-unknown-linux-musl";
const GNU: &str = "x86_64-unknown-linux-gnu";
/// The glibc that zig links against: older than any image's, and the oldest that Rust supports.
const OLD_GNU: &str = "x86_64-unknown-linux-gnu.2.17";
/// The variable in which a C compiler for musl is named, by the convention of the `cc` crate.
const MUSL_CC: &str = "CC_x86_64_unknown_linux_musl";

/// What to install for a binary that starts everywhere.
const REMEDY: &str = "\
hint: install either of these, then run `cargo xtask package` again:
  static, with musl (x86-64 Linux):
    rustup target add x86_64-unknown-linux-musl
    sudo apt-get install -y musl-tools
  against an old glibc, with zig (any machine):
    rustup target add x86_64-unknown-linux-gnu
    cargo install --locked cargo-zigbuild
    python3 -m venv ~/.ziglang && ~/.ziglang/bin/pip install ziglang && . ~/.ziglang/bin/activate";

/// The way that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Choice {
    /// The first of the others that there are tools for
    #[default]
    Auto,
    /// Static, with musl
    Musl,
    /// Against glibc 2.17, with cargo-zigbuild
    Zigbuild,
    /// Against this machine's glibc; refused if the oldest image has an older one
    Gnu,
}

/// A way to build.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// With this C compiler, for the crates that bring C code.
    Musl {
        compiler: OsString,
    },
    /// With this `cargo-zigbuild`.
    Zigbuild {
        program: PathBuf,
    },
    Gnu,
}

/// The tools of this machine.
#[derive(Debug, Default)]
struct Tools {
    musl_target: bool,
    musl_compiler: Option<OsString>,
    zigbuild: Option<PathBuf>,
    zig: bool,
}

/// Builds the release binary and returns its path.
///
/// # Errors
///
/// The way that was asked for lacks its tools, or the build fails.
pub(crate) fn build(repository: &Path, choice: Choice) -> Result<PathBuf> {
    let way = choose(choice, &Tools::look())?;
    let mut command = match &way {
        Way::Musl { compiler } => {
            println!("Building for {MUSL}, C compiler {}", compiler.display());
            let mut command = Command::new(cargo::cargo());
            command
                .args(["build", "--target", MUSL])
                .env(MUSL_CC, compiler);
            command
        }
        Way::Zigbuild { program } => {
            println!("Building for {OLD_GNU} with {}", program.display());
            let mut command = Command::new(program);
            command.args(["zigbuild", "--target", OLD_GNU]);
            command
        }
        Way::Gnu => {
            println!("Building for {GNU}, with this machine's glibc");
            let mut command = Command::new(cargo::cargo());
            command.args(["build", "--target", GNU]);
            command
        }
    };
    command.args(["--release", "--locked"]);
    command.env_remove("RUSTFLAGS");
    command.env(
        "CARGO_ENCODED_RUSTFLAGS",
        rust_flags(&way, repository).join("\x1f"),
    );
    cargo::build(command, repository)
}

fn choose(choice: Choice, tools: &Tools) -> Result<Way> {
    let musl = tools
        .musl_compiler
        .clone()
        .filter(|_| tools.musl_target)
        .map(|compiler| Way::Musl { compiler });
    let zigbuild = tools
        .zigbuild
        .clone()
        .filter(|_| tools.zig)
        .map(|program| Way::Zigbuild { program });
    let way = match choice {
        Choice::Auto => musl.or(zigbuild).or(Some(Way::Gnu)),
        Choice::Musl => musl,
        Choice::Zigbuild => zigbuild,
        Choice::Gnu => Some(Way::Gnu),
    };
    match way {
        Some(way) => Ok(way),
        None => bail!(
            "this machine lacks the tools for `--build {}`\n{REMEDY}",
            name(choice)
        ),
    }
}

fn name(choice: Choice) -> String {
    choice
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

impl Tools {
    fn look() -> Self {
        Self {
            musl_target: has_target(MUSL),
            musl_compiler: musl_compiler(),
            zigbuild: cargo::find("cargo-zigbuild"),
            zig: has_zig(),
        }
    }
}

/// Whether the toolchain has the target's standard library, with rustup or without.
fn has_target(target: &str) -> bool {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", target])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout);
        output.status.success() && Path::new(folder.trim()).is_dir()
    })
}

fn musl_compiler() -> Option<OsString> {
    // Elsewhere it takes a linker for Linux as well; zig brings both.
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return None;
    }
    if let Some(compiler) = env::var_os(MUSL_CC) {
        return Some(compiler);
    }
    let names: &[&str] = if cfg!(target_env = "musl") {
        &["cc"]
    } else {
        &["musl-gcc", "x86_64-linux-musl-gcc"]
    };
    names
        .iter()
        .find(|name| cargo::find(name).is_some())
        .map(OsString::from)
}

/// Whether there is a zig where cargo-zigbuild looks for one.
fn has_zig() -> bool {
    let as_python_module = || {
        Command::new("python3")
            .args(["-m", "ziglang", "version"])
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    env::var_os("CARGO_ZIGBUILD_ZIG_PATH").is_some()
        || cargo::find("zig").is_some()
        || as_python_module()
}

/// The flags of the build: what the caller set, and no path of this machine in the binary, so that
/// two checkouts make the same one and nobody's user name is deployed.
fn rust_flags(way: &Way, repository: &Path) -> Vec<String> {
    let mut flags: Vec<String> = match (env::var("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS"))
    {
        (Ok(encoded), _) => encoded.split('\x1f').map(str::to_owned).collect(),
        (_, Ok(plain)) => plain.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    flags.retain(|flag| !flag.is_empty());
    if matches!(way, Way::Musl { .. }) {
        // The default of rustup's toolchains, but not of every distribution's.
        flags.extend(["-C".to_owned(), "target-feature=+crt-static".to_owned()]);
    }
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    // The last match wins: a Cargo home inside the repository must not lose to the repository.
    flags.push(format!(
        "--remap-path-prefix={}=/source",
        repository.display()
    ));
    flags.extend(cargo_home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    flags
}

/// Reads the binary and judges it.
///
/// # Errors
///
/// It would not start on some image: why, and what to install.
pub(crate) fn check(binary: &Path) -> Result<Portable> {
    let content =
        std::fs::read(binary).with_context(|| format!("`{}` cannot be read", binary.display()))?;
    Linkage::read(&content)
        .and_then(|linkage| linkage.judge())
        .map_err(|reason| {
            let binary = binary.display();
            anyhow!("`{binary}` would not start on every Functions image: {reason:#}\n{REMEDY}")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Tools {
        Tools {
            musl_target: true,
            musl_compiler: Some("musl-gcc".into()),
            zigbuild: Some("/bin/cargo-zigbuild".into()),
            zig: true,
        }
    }

    #[test]
    fn the_best_way_that_there_are_tools_for_is_taken() {
        let musl = Way::Musl {
            compiler: "musl-gcc".into(),
        };
        let zigbuild = Way::Zigbuild {
            program: "/bin/cargo-zigbuild".into(),
        };
        assert_eq!(choose(Choice::Auto, &all()).unwrap(), musl);
        for tools in [
            Tools {
                musl_target: false,
                ..all()
            },
            Tools {
                musl_compiler: None,
                ..all()
            },
        ] {
            assert_eq!(choose(Choice::Auto, &tools).unwrap(), zigbuild);
        }
        let no_zig = Tools {
            musl_target: false,
            zig: false,
            ..all()
        };
        assert_eq!(choose(Choice::Auto, &no_zig).unwrap(), Way::Gnu);
        assert_eq!(choose(Choice::Auto, &Tools::default()).unwrap(), Way::Gnu);
    }

    #[test]
    fn a_way_that_was_asked_for_is_taken_or_refused_with_what_to_install() {
        assert_eq!(choose(Choice::Gnu, &all()).unwrap(), Way::Gnu);
        for choice in [Choice::Musl, Choice::Zigbuild] {
            assert_ne!(choose(choice, &all()).unwrap(), Way::Gnu);
            let error = choose(choice, &Tools::default()).unwrap_err().to_string();
            assert!(error.contains(&name(choice)), "{error}");
            assert!(
                error.contains("rustup target add x86_64-unknown-linux-musl"),
                "{error}"
            );
            assert!(
                error.contains("cargo install --locked cargo-zigbuild"),
                "{error}"
            );
        }
    }

    #[test]
    fn no_path_of_this_machine_is_left_in_the_binary() {
        let flags = rust_flags(&Way::Gnu, Path::new("/home/someone/checkout"));
        assert!(
            flags.contains(&"--remap-path-prefix=/home/someone/checkout=/source".to_owned()),
            "{flags:?}"
        );
        assert!(
            flags.last().is_some_and(|flag| flag.ends_with("=/cargo")),
            "{flags:?}"
        );
    }
}
