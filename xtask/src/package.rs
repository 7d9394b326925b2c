//! `cargo xtask package`: from the source to the zip that is deployed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::archive::{self, Entry};
use crate::portable::{self, Choice};
use crate::sbom;
use crate::script_root::{self, HANDLER};

/// Builds, checks, stages and packs; prints what went in.
///
/// # Errors
///
/// The build failed, its binary would not start everywhere, or a file cannot be written.
pub(crate) fn run(repository: &Path, choice: Choice) -> Result<()> {
    let archive = repository.join("target/nginx-vmss-sync.zip");
    let materials = repository.join("target/nginx-vmss-sync.cdx.json");
    // The results of an earlier run must not pass for those of one that fails.
    for result in [&archive, &materials] {
        if result.exists() {
            fs::remove_file(result)
                .with_context(|| format!("`{}` cannot be removed", result.display()))?;
        }
    }
    let binary = portable::build(repository, choice)?;
    let portable = portable::check(&binary)?;
    println!("The binary is {portable}");

    let entries = script_root::collect(repository, HANDLER, &binary)?;
    let staged = repository.join("target/function-app");
    script_root::stage(&entries, &staged)?;
    println!("Staged in {}", staged.display());

    let packed = archive::pack(&entries)?;
    fs::write(&archive, &packed)
        .with_context(|| format!("`{}` cannot be written", archive.display()))?;
    print!("{}", listing(&entries));
    println!("Wrote {}\n{}", archive.display(), line("zip ", &packed, ""));

    let handler = entries.iter().find(|entry| entry.name == HANDLER);
    let handler = handler.context("the handler is not among what was staged")?;
    let bom = sbom::document(repository, &archive::sha256(&handler.content))?;
    fs::write(&materials, &bom)
        .with_context(|| format!("`{}` cannot be written", materials.display()))?;
    println!("Wrote {}", materials.display());
    Ok(())
}

/// One line an entry: mode, size, SHA-256 and name.
fn listing(entries: &[Entry]) -> String {
    entries
        .iter()
        .map(|entry| line(&format!("{:04o}", entry.mode), &entry.content, &entry.name) + "\n")
        .collect()
}

fn line(mode: &str, content: &[u8], name: &str) -> String {
    let line = format!(
        "  {mode} {:>9} {} {name}",
        content.len(),
        archive::sha256(content)
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_says_mode_size_hash_and_name() {
        let entry = Entry {
            name: "handler".into(),
            mode: 0o755,
            content: b"abc".to_vec(),
        };
        assert_eq!(
            listing(&[entry]),
            "  0755         3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad handler\n"
        );
    }
}
