//! Resources, modules, and what depends on what.

use bicep::Project;
use bicep::check::{Table, check};

use super::{MAIN, PART, TABLE, TYPES, assert_among, assert_found};

#[test]
fn modules_and_their_callers_that_do_not_agree() {
    for (from, to, expected) in [
        (
            "part 'part.bicep'",
            "part 'parts.bicep'",
            "there is no module `parts.bicep`",
        ),
        (
            "    level: size\n",
            "    lvl: size\n",
            "has no parameter `lvl`",
        ),
        (
            "    endpoint: part.outputs.answer\n",
            "",
            "needs the parameter `endpoint`",
        ),
        (
            "string = part.outputs.answer",
            "string = part.outputs.anser",
            "no output `anser`",
        ),
        (
            "string = part.outputs.answer",
            "string = part.output.answer",
            "has no `output`",
        ),
        (
            "    level: size\n",
            "    level: prefix\n",
            "a string where an int is expected",
        ),
        (
            "    level: size\n",
            "    level: where.zone\n",
            "may be null",
        ),
        ("  name: 'last'\n", "", "has no name"),
        (
            "  name: 'last'\n",
            "  name: 'last'\n  parms: {}\n",
            "a module has no `parms`",
        ),
    ] {
        assert_among("main.bicep", from, to, expected);
    }
    assert_found(
        "part.bicep",
        "output answer",
        "output reply",
        "has no output `answer`",
    );
    assert_found(
        "part.bicep",
        "param level int = 2",
        "param level int",
        "needs the parameter",
    );
}

#[test]
fn resource_types_versions_and_properties_that_are_not_in_the_table() {
    let table = "is not in the table";
    assert_found("part.bicep", "Store/accounts@", "Store/acounts@", table);
    assert_found("part.bicep", "@2025-01-01", "@2025-01-02", table);
    assert_found("main.bicep", "    key: made\n", "    keys: made\n", table);
    assert_found(
        "main.bicep",
        "store.properties.endpoint",
        "store.properties.endpoints",
        table,
    );
    assert_found(
        "main.bicep",
        "    size: 1\n",
        "    size: 1\n    sice: 1\n",
        table,
    );
}

#[test]
fn resources_in_the_wrong_place() {
    assert_found("main.bicep", "  parent: store\n", "", "needs a parent");
    assert_found(
        "main.bicep",
        "parent: store",
        "parent: part",
        "is no parent",
    );
    let more = "  name: 'known'\n  properties: {}\n";
    assert_found(
        "part.bicep",
        "  name: 'known'\n",
        more,
        "existing resource has no `properties`",
    );
}

#[test]
fn values_that_nobody_knows_when_the_deployment_starts() {
    let late = "is not known at the start";
    assert_found(
        "main.bicep",
        "if (size > 1)",
        "if (empty(part.outputs.answer))",
        late,
    );
    assert_found(
        "main.bicep",
        "name: 'last'",
        "name: part.outputs.answer",
        late,
    );
    let name = "'${name}${i}${store.properties.endpoint}'";
    assert_found("main.bicep", "'${name}${i}'", name, late);
    let scope = "resourceGroup(store.properties.endpoint)";
    assert_found("main.bicep", "resourceGroup('elsewhere')", scope, late);
    let through = "var late = store.properties.endpoint\nmodule last";
    let mut text = MAIN.replace("module last", through);
    text = text.replace("name: 'last'", "name: late");
    let files = [
        ("main.bicep", text.as_str()),
        ("part.bicep", PART),
        ("types.bicep", TYPES),
    ];
    let project = Project::from_texts(&files).unwrap();
    let problems = check(&project, &Table::parse(TABLE).unwrap());
    assert!(
        problems.iter().any(|problem| problem.text.contains(late)),
        "{problems:?}"
    );
}

#[test]
fn circles_and_needless_waiting() {
    let circle = "    size: part.outputs.answer\n";
    assert_among(
        "main.bicep",
        "    size: size\n",
        circle,
        "depends on itself",
    );
    let twice = "dependsOn: [\n    part\n";
    assert_found("main.bicep", "dependsOn: [\n", twice, "waited for anyway");
}
