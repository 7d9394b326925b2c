//! The checker finds what it is there for: one fault at a time, in a project without any.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod declarations;
mod wiring;

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
