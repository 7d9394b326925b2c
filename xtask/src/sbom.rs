//! The software bill of materials of the packaged handler: CycloneDX 1.6, as JSON.
//!
//! What it lists is what is compiled for the handler alone: `cargo tree` says which packages those
//! are (features that only tests switch on do not count), `cargo metadata` says what they are and
//! how they depend on each other, and `Cargo.lock` has their hashes. The same sources give the same
//! bytes: no serial number, no time, no path of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::cargo::{self, PACKAGE};

/// What is listed is what this target compiles; the others of Linux have the same packages.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// A package as Cargo names it: name and version, unique within a lock file of one source.
type Name = (String, String);

/// Makes the document. `handler` is the SHA-256 of the packaged binary, in hexadecimal.
///
/// # Errors
///
/// Cargo cannot be run, or what it tells does not fit together: then the document would be wrong.
pub(crate) fn document(repository: &Path, handler: &str) -> Result<String> {
    let run = |arguments: &[&str]| output(repository, arguments);
    let metadata = run(&[
        "metadata",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ])?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let tree = |edges: &str| {
        let arguments = ["tree", "--package", PACKAGE, "--target", TARGET];
        let format = ["--prefix", "none", "--format", "{p}", "--edges", edges];
        run(&[&arguments[..], &format[..]].concat()).map(|text| names(&text))
    };
    let compiled = tree("normal,build")?;
    let linked = tree("normal,no-proc-macro")?;
    let lock = std::fs::read_to_string(repository.join("Cargo.lock")).context("Cargo.lock")?;
    let bom = bom(&metadata, &compiled, &linked, &checksums(&lock), handler)?;
    Ok(serde_json::to_string_pretty(&bom)? + "\n")
}

fn output(repository: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(cargo::cargo())
        .args(arguments)
        .arg("--locked")
        .current_dir(repository)
        .output()
        .context("cargo cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`cargo {}` failed: {}", arguments[0], said.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The packages that `cargo tree` prints, one a line: `name v1.2.3 (proc-macro) (*)`.
fn names(tree: &str) -> BTreeSet<Name> {
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        Some((name.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(name).collect()
}

/// The hash of every package in a lock file that has one: those of the registry.
fn checksums(lock: &str) -> BTreeMap<Name, String> {
    let field = |package: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = package.lines().find_map(|line| line.strip_prefix(&start))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|package| {
            let name = (field(package, "name")?, field(package, "version")?);
            Some((name, field(package, "checksum")?))
        })
        .collect()
}

fn bom(
    metadata: &Value,
    compiled: &BTreeSet<Name>,
    linked: &BTreeSet<Name>,
    checksums: &BTreeMap<Name, String>,
    handler: &str,
) -> Result<Value> {
    let mut packages = BTreeMap::new();
    let mut by_id = BTreeMap::new();
    for package in array(&metadata["packages"]) {
        let name = (text(&package["name"])?, text(&package["version"])?);
        if compiled.contains(&name) {
            by_id.insert(text(&package["id"])?, name.clone());
            packages.insert(name, package);
        }
    }
    if let Some((name, version)) = compiled.iter().find(|name| !packages.contains_key(name)) {
        bail!("cargo metadata does not know {name} {version}, which is compiled");
    }
    let mut components = Vec::new();
    let mut root = Value::Null;
    for (name, package) in &packages {
        let mut component = component(name, package)?;
        if name.0 == PACKAGE {
            component["type"] = json!("application");
            component["hashes"] = json!([{ "alg": "SHA-256", "content": handler }]);
            root = component;
            continue;
        }
        let Some(checksum) = checksums.get(name) else {
            bail!("{} {} has no hash in Cargo.lock", name.0, name.1);
        };
        component["type"] = json!("library");
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        // `excluded`: runs while building (build scripts, macros), and is not in the binary.
        let linked = linked.contains(name);
        component["scope"] = json!(if linked { "required" } else { "excluded" });
        components.push(component);
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": root },
        "components": components,
        "dependencies": dependencies(metadata, &by_id)?,
    }))
}

fn component((name, version): &Name, package: &Value) -> Result<Value> {
    let Some(licence) = package["license"].as_str() else {
        bail!("{name} {version} names no licence");
    };
    // Before SPDX expressions, a slash meant "or".
    let licence = licence.replace(" / ", " OR ").replace('/', " OR ");
    let reference = reference(name, version);
    Ok(json!({
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "licenses": [{ "expression": licence }],
    }))
}

fn reference(name: &str, version: &str) -> String {
    // Build metadata has a `+`, which a package URL escapes.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Which of the listed packages each of them is compiled with.
fn dependencies(metadata: &Value, by_id: &BTreeMap<String, Name>) -> Result<Vec<Value>> {
    let mut dependencies = BTreeMap::new();
    for node in array(&metadata["resolve"]["nodes"]) {
        let Some(name) = by_id.get(&text(&node["id"])?) else {
            continue;
        };
        let on: BTreeSet<String> = array(&node["deps"])
            .filter(|dependency| {
                // Of its own package's tests nothing is compiled into the handler.
                array(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev")
            })
            .filter_map(|dependency| by_id.get(dependency["pkg"].as_str()?))
            .map(|(name, version)| reference(name, version))
            .collect();
        dependencies.insert(reference(&name.0, &name.1), on);
    }
    let one = |(name, on)| json!({ "ref": name, "dependsOn": on });
    Ok(dependencies.into_iter().map(one).collect())
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().context("cargo metadata has another form")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// The direct dependencies of the handler, from its manifest.
    fn direct() -> BTreeSet<String> {
        let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
        let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
        let section = section.split("\n[").next().unwrap();
        let names = section.lines().filter_map(|line| line.split_once(" = "));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn the_bill_of_materials_lists_what_is_compiled_with_version_licence_and_hash() {
        let text = document(repository(), "ab".repeat(32).as_str()).unwrap();
        let bom: Value = serde_json::from_str(&text).unwrap();
        let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
        let locked = checksums(&lock);
        let mut listed = BTreeSet::new();
        for component in array(&bom["components"]) {
            let name = component["name"].as_str().unwrap();
            let version = component["version"].as_str().unwrap();
            let hash = component["hashes"][0]["content"].as_str().unwrap();
            assert_eq!(locked[&(name.to_owned(), version.to_owned())], hash);
            let licence = component["licenses"][0]["expression"].as_str().unwrap();
            assert!(!licence.is_empty() && !licence.contains('/'), "{licence}");
            listed.insert(name.to_owned());
        }
        let missing: Vec<String> = direct().difference(&listed).cloned().collect();
        assert_eq!(missing, [""; 0]);
        // What only tests and tools use is not in the binary.
        for absent in ["proptest", "rcgen", "azure_mgmt_compute", "zip"] {
            assert!(!listed.contains(absent), "{absent}");
        }
        let scope = |name: &str| {
            let mut found = array(&bom["components"]).filter(|one| one["name"] == name);
            found.next().unwrap()["scope"].as_str().unwrap().to_owned()
        };
        assert_eq!(scope("hyper"), "required");
        assert_eq!(scope("serde_derive"), "excluded");
        assert_eq!(bom["metadata"]["component"]["name"], PACKAGE);
        assert_eq!(
            bom["metadata"]["component"]["hashes"][0]["content"],
            "ab".repeat(32)
        );
    }

    #[test]
    fn every_dependency_of_the_bill_of_materials_is_listed_and_reached_from_the_handler() {
        let text = document(repository(), "00").unwrap();
        let bom: Value = serde_json::from_str(&text).unwrap();
        let edges: BTreeMap<&str, Vec<&str>> = array(&bom["dependencies"])
            .map(|one| {
                let on = array(&one["dependsOn"]).map(|on| on.as_str().unwrap());
                (one["ref"].as_str().unwrap(), on.collect())
            })
            .collect();
        let root = bom["metadata"]["component"]["bom-ref"].as_str().unwrap();
        let mut reached = BTreeSet::from([root]);
        let mut next = vec![root];
        while let Some(from) = next.pop() {
            next.extend(edges[from].iter().filter(|on| reached.insert(**on)));
        }
        let listed: BTreeSet<&str> = array(&bom["components"])
            .map(|one| one["bom-ref"].as_str().unwrap())
            .chain([root])
            .collect();
        assert_eq!(reached, listed);
    }

    #[test]
    fn the_bill_of_materials_is_the_same_each_time_and_names_nothing_of_the_machine() {
        let text = document(repository(), "00").unwrap();
        assert_eq!(text, document(repository(), "00").unwrap());
        for word in ["timestamp", "serialNumber", "file://", "/home", "/root"] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(!text.contains(&repository().display().to_string()));
    }

    #[test]
    fn no_dependency_asks_for_a_newer_rust_than_this_project_states() {
        let metadata = output(repository(), &["metadata", "--format-version=1"]).unwrap();
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let rust = |package: &Value| -> Option<Vec<u32>> {
            let version = package["rust_version"].as_str()?;
            Some(
                version
                    .split('.')
                    .map(|part| part.parse().unwrap())
                    .collect(),
            )
        };
        let own = array(&metadata["packages"])
            .find(|package| package["name"] == PACKAGE)
            .and_then(rust)
            .unwrap();
        let newer: Vec<&str> = array(&metadata["packages"])
            .filter(|package| rust(package).is_some_and(|asked| asked > [&own[..], &[0]].concat()))
            .map(|package| package["name"].as_str().unwrap())
            .collect();
        assert_eq!(newer, [""; 0]);
    }

    #[test]
    fn the_lines_of_cargo_tree_are_read_with_all_their_marks() {
        let tree = "a v1.0.0 (/somewhere)\nb v0.2.0+x (proc-macro)\nb v0.2.0+x (*)\n\n";
        let expected = [("a", "1.0.0"), ("b", "0.2.0+x")];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(names(tree), BTreeSet::from(expected));
        assert_eq!(reference("b", "0.2.0+x"), "pkg:cargo/b@0.2.0%2Bx");
    }
}
