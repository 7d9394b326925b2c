//! The script root: the one directory that the Functions host reads.
//!
//! The host takes `host.json`, the function folders and the handler from one directory, watches
//! it recursively and restarts whenever something in it changes. The repository cannot be that
//! directory, so its files are staged into one of their own.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::archive::Entry;

/// What the handler is called in the script root. host.json names it, and the Core Tools set the
/// executable bit only where the names are equal.
pub(crate) const HANDLER: &str = "handler";

/// Collects the files of the script root: the handler, `host.json` and each function's
/// `function.json`. What else lies beside them in the repository stays out.
///
/// # Errors
///
/// A file is missing or cannot be read, or there is no function at all.
pub(crate) fn collect(repository: &Path, handler: &str, binary: &Path) -> Result<Vec<Entry>> {
    let mut entries = vec![
        entry(handler, 0o755, binary)?,
        entry("host.json", 0o644, &repository.join("host.json"))?,
    ];
    let functions = repository.join("function-app");
    for folder in fs::read_dir(&functions).with_context(|| not_readable(&functions))? {
        let folder = folder.with_context(|| not_readable(&functions))?;
        let file = folder.path().join("function.json");
        if file.is_file() {
            let name = format!("{}/function.json", folder.file_name().to_string_lossy());
            entries.push(entry(&name, 0o644, &file)?);
        }
    }
    if entries.len() == 2 {
        bail!(
            "`{}` has no function: no folder there has a function.json",
            functions.display()
        );
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Writes the entries into a directory, which afterwards has them and nothing else: a function
/// that was removed, or the local settings of an earlier start, must not live on.
///
/// # Errors
///
/// The directory cannot be emptied or written.
pub(crate) fn stage(entries: &[Entry], directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("`{}` cannot be removed", directory.display()))?;
    }
    for entry in entries {
        let path = directory.join(&entry.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| not_writable(parent))?;
        }
        fs::write(&path, &entry.content).with_context(|| not_writable(&path))?;
        set_mode(&path, entry.mode)?;
    }
    Ok(())
}

fn entry(name: &str, mode: u32, path: &Path) -> Result<Entry> {
    let content = fs::read(path).with_context(|| not_readable(path))?;
    Ok(Entry {
        name: name.to_owned(),
        mode,
        content,
    })
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| not_writable(path))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<()> {
    Ok(())
}

fn not_readable(path: &Path) -> String {
    format!("`{}` cannot be read", path.display())
}

fn not_writable(path: &Path) -> String {
    format!("`{}` cannot be written", path.display())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::archive::pack;

    /// A directory of the test's own, removed when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, content: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn modes(entries: &[Entry]) -> Vec<(&str, u32)> {
        entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.mode))
            .collect()
    }

    #[test]
    fn only_the_handler_is_executable_and_only_the_hosts_files_are_taken() {
        let repository = Scratch::new("collect");
        let binary = repository.write("target/release/nginx-vmss-sync", "binary");
        repository.write("host.json", "{}");
        repository.write("local.settings.json", "secret");
        repository.write("function-app/README.md", "text");
        repository.write("function-app/empty/notes.txt", "text");
        repository.write("function-app/Status/function.json", "{}");
        repository.write("function-app/Status/function.json.orig", "{}");
        let entries = collect(&repository.0, HANDLER, &binary).unwrap();
        assert_eq!(
            modes(&entries),
            [
                ("Status/function.json", 0o644),
                ("handler", 0o755),
                ("host.json", 0o644)
            ]
        );
    }

    #[test]
    fn a_repository_without_a_function_is_refused() {
        let repository = Scratch::new("no-function");
        let binary = repository.write("binary", "binary");
        repository.write("host.json", "{}");
        fs::create_dir_all(repository.0.join("function-app")).unwrap();
        let error = collect(&repository.0, HANDLER, &binary).unwrap_err();
        assert!(error.to_string().contains("has no function"), "{error}");
    }

    #[test]
    fn staging_leaves_the_entries_and_nothing_of_an_earlier_time() {
        let scratch = Scratch::new("stage");
        let root = scratch.0.join("function-app");
        scratch.write("function-app/Removed/function.json", "{}");
        scratch.write("function-app/local.settings.json", "secret");
        let entry = |name: &str, mode| Entry {
            name: name.into(),
            mode,
            content: b"x".into(),
        };
        let entries = [entry("Status/function.json", 0o644), entry(HANDLER, 0o755)];
        stage(&entries, &root).unwrap();
        assert!(!root.join("Removed").exists());
        assert!(!root.join("local.settings.json").exists());
        assert!(root.join("Status/function.json").is_file());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |name| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(
                (mode(HANDLER), mode("Status/function.json")),
                (0o755, 0o644)
            );
        }
    }

    #[test]
    fn the_repositorys_own_files_make_one_archive_however_often_they_are_packed() {
        let repository = crate::repository();
        let collected = || collect(&repository, HANDLER, &repository.join("Cargo.toml")).unwrap();
        let names: Vec<String> = collected().into_iter().map(|entry| entry.name).collect();
        assert_eq!(
            names,
            [
                "Reconcile/function.json",
                "ReconcileTimer/function.json",
                "Status/function.json",
                "VmssScaleEvent/function.json",
                "handler",
                "host.json"
            ]
        );
        assert_eq!(pack(&collected()).unwrap(), pack(&collected()).unwrap());
    }
}
