//! A claim that names the test which holds it names a test that exists.

use std::collections::BTreeSet;

use super::markdown::code;
use super::{files, page, root};

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for directory in ["src", "tests"] {
        for path in files(&root().join(directory), "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let functions = text.split("fn ").skip(1);
            let names = functions.filter_map(|rest| rest.split(['(', '<']).next());
            tests.extend(names.map(str::to_owned));
        }
    }
    tests
}

#[test]
fn every_test_that_a_claim_names_exists() {
    let tests = tests();
    let page = page("docs/compared-with-nginx-asg-sync.md");
    let rows = page.rows("facts");
    assert!(rows.len() > 20, "only {} claims were found", rows.len());
    for (line, cells) in rows {
        let [what, theirs, ours, held] = &cells[..] else {
            panic!("{}: {} cells", page.at(line), cells.len())
        };
        assert!(!what.is_empty() && !theirs.is_empty() && !ours.is_empty());
        if held != "–" {
            let name = code(held).unwrap_or_else(|| panic!("{}: {held}", page.at(line)));
            assert!(
                tests.contains(name),
                "{}: there is no test {name}",
                page.at(line)
            );
        }
    }
    assert!(!tests.contains("no_such_test_exists_here"));
}
