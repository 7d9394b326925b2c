//! Whether a binary starts on every image of the Functions host: what its ELF headers ask of the
//! machine, held against the oldest image.
//!
//! A binary that is too new does not fail at deployment. The host logs one line, retries nothing
//! and stops after two minutes, so the question is answered here, before anything is packed.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use object::elf::{DT_NEEDED, EM_X86_64, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{Endianness, StringTable};

/// The glibc of the oldest image in use (Debian 11).
const OLDEST_GLIBC: GlibcVersion = GlibcVersion(2, 31, 0);

/// The loader of every glibc image on x86-64. musl's has another name and is on none of them.
const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// What every glibc image has: glibc's own libraries and the unwinder that `apt` itself needs.
const LIBRARIES_OF_THE_IMAGE: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
];

/// A version of glibc, as its symbols carry it: `GLIBC_2.31`, `GLIBC_2.2.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct GlibcVersion(u32, u32, u32);

impl GlibcVersion {
    /// Reads the version out of a symbol version's name. `None` where the name is not glibc's, or
    /// glibc's but not a number, such as `GLIBC_PRIVATE`.
    fn parse(name: &str) -> Option<Self> {
        let mut numbers = name
            .strip_prefix("GLIBC_")?
            .split('.')
            .map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().transpose().ok()?.unwrap_or(0);
        numbers
            .next()
            .is_none()
            .then_some(Self(major, minor, patch))
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(major, minor, 0) => write!(f, "{major}.{minor}"),
            Self(major, minor, patch) => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// What a binary asks of the machine that is to run it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Linkage {
    /// Whether it is for x86-64, as every Functions plan is.
    x86_64: bool,
    /// Its loader (`PT_INTERP`).
    interpreter: Option<String>,
    /// The libraries it loads (`DT_NEEDED`).
    libraries: Vec<String>,
    /// The symbol versions it needs of them, e.g. `GLIBC_2.17`.
    versions: Vec<String>,
}

/// A binary that starts on every image, and why it does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portable(String);

impl fmt::Display for Portable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Linkage {
    /// Reads the headers of a 64-bit ELF file.
    ///
    /// # Errors
    ///
    /// The file is not a 64-bit ELF file, or a damaged one.
    pub(crate) fn read(file: &[u8]) -> Result<Self> {
        let header = FileHeader64::<Endianness>::parse(file).context("not a 64-bit ELF file")?;
        let endian = header.endian()?;
        let mut linkage = Self {
            x86_64: header.e_machine(endian) == EM_X86_64,
            ..Self::default()
        };
        for segment in header.program_headers(endian, file)? {
            if let Some(path) = segment.interpreter(endian, file)? {
                linkage.interpreter = Some(text(path));
            }
        }
        let sections = header.sections(endian, file)?;
        if let Some((entries, strings)) = sections.dynamic(endian, file)? {
            let strings = sections.strings(endian, file, strings)?;
            for entry in entries
                .iter()
                .filter(|entry| entry.d_tag(endian) == DT_NEEDED)
            {
                linkage
                    .libraries
                    .push(string(&strings, entry.d_val(endian))?);
            }
        }
        if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, file)? {
            let strings = sections.strings(endian, file, strings)?;
            while let Some((_, mut versions)) = libraries.next()? {
                while let Some(version) = versions.next()? {
                    linkage.versions.push(text(version.name(endian, strings)?));
                }
            }
        }
        linkage.versions.sort();
        linkage.versions.dedup();
        Ok(linkage)
    }

    /// Judges the binary: it must be static, or live on what the oldest image has.
    ///
    /// # Errors
    ///
    /// Says what the images lack.
    pub(crate) fn judge(&self) -> Result<Portable> {
        if !self.x86_64 {
            bail!("it is not an x86-64 binary, and every Functions plan is x86-64");
        }
        let Some(loader) = &self.interpreter else {
            if !self.libraries.is_empty() {
                bail!("it needs {} but names no loader", self.libraries.join(", "));
            }
            return Ok(Portable("static: needs no loader and no library".into()));
        };
        if loader != GLIBC_LOADER {
            bail!("its loader is `{loader}`, and the images have `{GLIBC_LOADER}`");
        }
        let foreign: Vec<&str> = self
            .libraries
            .iter()
            .map(String::as_str)
            .filter(|library| !LIBRARIES_OF_THE_IMAGE.contains(library))
            .collect();
        if !foreign.is_empty() {
            bail!(
                "it needs {}, which an image need not have",
                foreign.join(", ")
            );
        }
        let mut highest = None;
        let mut too_new = Vec::new();
        for name in self
            .versions
            .iter()
            .filter(|name| name.starts_with("GLIBC_"))
        {
            match GlibcVersion::parse(name) {
                Some(version) if version <= OLDEST_GLIBC => highest = highest.max(Some(version)),
                // `GLIBC_ABI_DT_RELR` and its like are marks of a newer glibc without a number.
                _ => too_new.push(name.as_str()),
            }
        }
        if !too_new.is_empty() {
            bail!(
                "it needs {}, and the oldest image has glibc {OLDEST_GLIBC}",
                too_new.join(", ")
            );
        }
        match highest {
            Some(version) => Ok(Portable(format!(
                "dynamic: needs glibc {version}, and the oldest image has {OLDEST_GLIBC}; loads {}",
                self.libraries.join(", ")
            ))),
            None => bail!("it is dynamic, but its headers do not tell which glibc it needs"),
        }
    }
}

fn string(strings: &StringTable<'_>, offset: u64) -> Result<String> {
    let name = u32::try_from(offset)
        .ok()
        .and_then(|offset| strings.get(offset).ok());
    Ok(text(name.context(
        "the name of a library lies outside the string table",
    )?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dynamic(libraries: &[&str], versions: &[&str]) -> Linkage {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Linkage {
            x86_64: true,
            interpreter: Some(GLIBC_LOADER.to_owned()),
            libraries: owned(libraries),
            versions: owned(versions),
        }
    }

    fn refusal(linkage: &Linkage) -> String {
        linkage.judge().unwrap_err().to_string()
    }

    #[test]
    fn versions_are_compared_as_numbers_not_as_text() {
        let version = |name| GlibcVersion::parse(name).unwrap();
        assert!(version("GLIBC_2.4") < version("GLIBC_2.31"));
        assert!(version("GLIBC_2.2.5") < version("GLIBC_2.3"));
        assert!(version("GLIBC_2.31") < version("GLIBC_2.31.1"));
        assert!(version("GLIBC_3.0") > version("GLIBC_2.99"));
        assert_eq!(version("GLIBC_2.31"), OLDEST_GLIBC);
    }

    #[test]
    fn what_is_not_a_glibc_version_is_not_read_as_one() {
        for name in [
            "GLIBC_PRIVATE",
            "GLIBC_ABI_DT_RELR",
            "GCC_3.0",
            "GLIBC_2",
            "GLIBC_2.1.2.3",
            "",
        ] {
            assert_eq!(GlibcVersion::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_static_binary_starts_everywhere() {
        let linkage = Linkage {
            x86_64: true,
            ..Linkage::default()
        };
        assert_eq!(
            linkage.judge().unwrap().to_string(),
            "static: needs no loader and no library"
        );
    }

    #[test]
    fn a_dynamic_binary_may_need_the_oldest_images_glibc_and_no_newer() {
        let fitting = dynamic(
            &["libc.so.6", "libgcc_s.so.1"],
            &["GCC_4.2.0", "GLIBC_2.2.5", "GLIBC_2.31"],
        );
        assert!(
            fitting
                .judge()
                .unwrap()
                .to_string()
                .starts_with("dynamic: needs glibc 2.31,")
        );
        let newer = dynamic(&["libc.so.6"], &["GLIBC_2.2.5", "GLIBC_2.32", "GLIBC_2.34"]);
        assert_eq!(
            refusal(&newer),
            "it needs GLIBC_2.32, GLIBC_2.34, and the oldest image has glibc 2.31"
        );
    }

    #[test]
    fn a_version_that_cannot_be_compared_is_refused() {
        let packed = dynamic(&["libc.so.6"], &["GLIBC_2.17", "GLIBC_ABI_DT_RELR"]);
        assert_eq!(
            refusal(&packed),
            "it needs GLIBC_ABI_DT_RELR, and the oldest image has glibc 2.31"
        );
        assert!(refusal(&dynamic(&["libc.so.6"], &[])).contains("do not tell"));
    }

    #[test]
    fn a_foreign_loader_library_or_machine_is_refused() {
        let musl = Linkage {
            interpreter: Some("/lib/ld-musl-x86_64.so.1".into()),
            ..dynamic(&[], &[])
        };
        assert!(refusal(&musl).contains("ld-musl"));
        let openssl = dynamic(&["libc.so.6", "libssl.so.3"], &["GLIBC_2.17"]);
        assert_eq!(
            refusal(&openssl),
            "it needs libssl.so.3, which an image need not have"
        );
        assert!(refusal(&Linkage::default()).contains("x86-64"));
    }

    #[test]
    fn what_is_not_an_elf_file_is_refused() {
        assert!(Linkage::read(b"#!/bin/sh\n").is_err());
        assert!(Linkage::read(b"").is_err());
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    #[test]
    fn the_headers_of_a_real_binary_are_read() {
        let linkage =
            Linkage::read(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(linkage.x86_64);
        assert_eq!(linkage.interpreter.as_deref(), Some(GLIBC_LOADER));
        assert!(
            linkage.libraries.contains(&"libc.so.6".to_owned()),
            "{linkage:?}"
        );
        assert!(
            linkage
                .versions
                .iter()
                .any(|name| GlibcVersion::parse(name).is_some()),
            "{linkage:?}"
        );
    }
}
