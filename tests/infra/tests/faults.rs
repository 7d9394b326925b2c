//! The checker finds what it is there for: one fault at a time, in a project without any.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use bicep::Project;
use bicep::check::{Table, check};

const MAIN: &str = r"import { place } from 'types.bicep'

@minLength(1)
param names string[]
param where place
param other place?
@minValue(0)
param size int = 1
param made string = newGuid()

var prefix = toLower('Name-${where.region}-${other.?region ?? 'none'}')

resource store 'Store/accounts@2025-01-01' = {
  name: '${prefix}-${uniqueString(resourceGroup().id)}'
  properties: {
    size: size
    key: made
  }
}

resource box 'Store/accounts/boxes@2025-01-01' = [for (name, i) in names: if (!empty(name)) {
  parent: store
  name: '${name}${i}'
  properties: {
    size: 1
  }
}]

module part 'part.bicep' = {
  name: 'part'
  scope: resourceGroup('elsewhere')
  params: {
    endpoint: store.properties.endpoint
    level: size
  }
}

module last 'part.bicep' = if (size > 1) {
  name: 'last'
  params: {
    endpoint: part.outputs.answer
  }
  dependsOn: [
    box
  ]
}

output answer string = part.outputs.answer
";

const PART: &str = r"param endpoint string
param level int = 2

resource store 'Store/accounts@2025-01-01' existing = {
  name: 'known'
}

output answer string = '${endpoint}${store.properties.size}${level}'
";

const TYPES: &str = r"@export()
type place = {
  @maxLength(5)
  region: string
  zone: string?
}

type hidden = 'a' | 'b'
";

const PARAMETERS: &str = r"using 'main.bicep'

param names = [
  'one'
]
param where = {
  region: 'west'
}
";

const TABLE: &str = "Store/accounts@2025-01-01
  properties
  properties.endpoint
  properties.key
  properties.size
Store/accounts/boxes@2025-01-01
  properties
  properties.size
";

/// What is found in the project with `from` replaced by `to` in one file.
fn found(file: &str, from: &str, to: &str) -> Vec<String> {
    let mut files = [
        ("main.bicep", MAIN.to_owned()),
        ("part.bicep", PART.to_owned()),
        ("types.bicep", TYPES.to_owned()),
        ("main.bicepparam", PARAMETERS.to_owned()),
    ];
    let text = &mut files.iter_mut().find(|(name, _)| *name == file).unwrap().1;
    assert_eq!(text.matches(from).count(), 1, "`{from}` in {file}");
    *text = text.replace(from, to);
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let problems = match Project::from_texts(&files) {
        Ok(project) => check(&project, &Table::parse(TABLE).unwrap()),
        Err(problems) => problems,
    };
    problems.iter().map(ToString::to_string).collect()
}

/// Every problem found has the expected text, and there is one.
fn assert_found(file: &str, from: &str, to: &str, expected: &str) {
    let found = found(file, from, to);
    assert!(
        !found.is_empty() && found.iter().all(|problem| problem.contains(expected)),
        "`{from}` -> `{to}`: {found:#?} instead of `{expected}`"
    );
}

/// One of the problems found has the expected text: some faults have consequences.
fn assert_among(file: &str, from: &str, to: &str, expected: &str) {
    let found = found(file, from, to);
    assert!(
        found.iter().any(|problem| problem.contains(expected)),
        "`{from}` -> `{to}`: {found:#?} without `{expected}`"
    );
}

#[test]
fn the_project_has_no_fault_of_its_own() {
    assert_eq!(found("main.bicep", "size > 1", "size > 1"), [""; 0]);
}

#[test]
fn what_the_grammar_refuses_is_told_with_its_place() {
    assert_found(
        "main.bicep",
        "name: 'part'\n",
        "name: 'part\n",
        "main.bicep:",
    );
    assert_found(
        "main.bicep",
        "param size int = 1",
        "param size = 1",
        "main.bicep:",
    );
    assert_found(
        "part.bicep",
        "  name: 'known'\n}",
        "  name: 'known'\n",
        "part.bicep:",
    );
    assert_found(
        "main.bicep",
        "if (size > 1) {",
        "if size > 1 {",
        "main.bicep:",
    );
    assert_found(
        "main.bicepparam",
        "param where = {",
        "param where = [",
        "main.bicepparam:",
    );
}

#[test]
fn constructs_that_the_checker_does_not_know_are_refused_and_not_skipped() {
    for (from, to) in [
        ("param size int = 1", "param size int = -other"),
        ("import { place }", "import { place as spot }"),
        ("toLower('Name", "sys.toLower('Name"),
    ] {
        assert_found("main.bicep", from, to, "is not known to this checker");
    }
}

/// Two things the grammar reads as something else, which is worse than refusing them.
#[test]
fn what_the_grammar_misreads_is_refused() {
    let misread = "takes this for another item";
    for list in ["[names[0], 'b']", "[\n  resourceGroup().id\n]"] {
        let from = "for (name, i) in names:";
        let to = format!("for (name, i) in {list}:");
        assert_among("main.bicep", from, &to, misread);
    }
}

#[test]
fn symbols_and_functions_that_do_not_exist() {
    for (from, to, expected) in [
        ("key: made", "key: maid", "`maid`"),
        ("!empty(name)", "!empty(nam)", "there is no `nam`"),
        ("'${name}${i}'", "'${name}${j}'", "`j`"),
        (
            "uniqueString(",
            "uniqueStrin(",
            "there is no function `uniqueStrin`",
        ),
        (
            "!empty(name)",
            "!empty(name, i)",
            "does not take 2 arguments",
        ),
        ("parent: store", "parent: shop", "shop"),
        ("    box\n", "    bx\n", "names no resource"),
    ] {
        assert_among("main.bicep", from, to, expected);
    }
}

#[test]
fn what_is_declared_twice_or_for_nothing() {
    let twice = "param size int = 1\nparam size int = 2";
    assert_found("main.bicep", "param size int = 1", twice, "declared twice");
    assert_found("part.bicep", "${level}", "", "`level` is not used");
    assert_found(
        "main.bicep",
        "var prefix",
        "var idle = 1\nvar prefix",
        "`idle` is not used",
    );
}

#[test]
fn types_that_do_not_exist_or_are_not_exported() {
    assert_found(
        "part.bicep",
        "level int",
        "level integer",
        "there is no type `integer`",
    );
    assert_found(
        "types.bicep",
        "zone: string?",
        "zone: strin?",
        "there is no type `strin`",
    );
    let hidden = "import { hidden, place }";
    assert_among(
        "main.bicep",
        "import { place }",
        hidden,
        "exports no `hidden`",
    );
    assert_among(
        "main.bicep",
        "from 'types.bicep'",
        "from 'typ.bicep'",
        "there is no file",
    );
}

#[test]
fn properties_that_a_type_does_not_have_or_that_may_be_missing() {
    assert_found(
        "main.bicep",
        "where.region",
        "where.regio",
        "there is no property `regio`",
    );
    assert_found("main.bicep", "other.?region", "other.region", "may be null");
    assert_among("main.bicep", "where.region", "size.region", "no object");
}

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
fn functions_and_symbols_that_belong_into_defaults_only_or_never_there() {
    let key = "key: '${made}${utcNow()}'";
    assert_found("main.bicep", "key: made", key, "only stand in the default");
    assert_among(
        "main.bicep",
        "key: made",
        "key: newGuid()",
        "only stand in the default",
    );
    assert_found(
        "main.bicep",
        "param size int = 1",
        "param size int = prefix",
        "cannot refer",
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

#[test]
fn parameters_files_that_do_not_fit_their_template() {
    let file = "main.bicepparam";
    assert_found(
        file,
        "param names = [\n  'one'\n]\n",
        "",
        "`names` is missing",
    );
    assert_among(file, "param where", "param were", "no parameter `were`");
    assert_among(file, "param where", "param were", "`where` is missing");
    assert_found(
        file,
        "  region: 'west'\n",
        "  region: 'west-europe'\n",
        "@maxLength(5)",
    );
    assert_found(
        file,
        "  region: 'west'\n",
        "  region: 'west'\n  zoone: '1'\n",
        "`zoone`",
    );
    assert_found(file, "  'one'\n", "  1\n", "is not");
    assert_found(file, "  'one'\n", "", "@minLength(1)");
    assert_found(
        file,
        "using 'main.bicep'",
        "using 'man.bicep'",
        "there is no template",
    );
}
