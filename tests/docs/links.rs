//! Every relative link leads somewhere.

use super::markdown::Page;
use super::{all_pages, page, root};

/// Why a link of a page leads nowhere.
fn broken(page: &Page, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let directory = page.path.parent().unwrap();
    let path = match file {
        "" => page.path.clone(),
        file => directory.join(file),
    };
    let Ok(path) = path.canonicalize() else {
        return Some("there is no such file".to_owned());
    };
    if !path.starts_with(root().canonicalize().unwrap()) {
        return Some("it leads out of the repository".to_owned());
    }
    if anchor.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let anchors = Page::read(&path).anchors();
    (!anchors.iter().any(|known| known == anchor))
        .then(|| format!("there is no heading `{anchor}`"))
}

#[test]
fn every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut followed = 0;
    let mut problems = Vec::new();
    for page in all_pages() {
        for (line, target) in page.links() {
            followed += 1;
            if let Some(why) = broken(&page, &target) {
                problems.push(format!("{}: {target}: {why}", page.at(line)));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(followed > 40, "only {followed} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_found_out() {
    let index = page("docs/README.md");
    for bad in [
        "no-such-page.md",
        "../no-such-file",
        "configuration.md#no-such-heading",
        "#no-such-heading",
        "../../outside.md",
        "../..",
    ] {
        assert!(broken(&index, bad).is_some(), "{bad}");
    }
    for good in [
        "configuration.md",
        "../README.md#configuration",
        "../src",
        "#documents",
    ] {
        assert_eq!(broken(&index, good), None, "{good}");
    }
}

#[test]
fn the_index_names_every_page_and_the_readme_names_the_index() {
    let index = page("docs/README.md");
    let named: Vec<String> = index
        .links()
        .into_iter()
        .map(|(_, target)| target)
        .collect();
    for path in super::files(&root().join("docs"), "md") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let known = name == "README.md" || named.contains(&name);
        assert!(known, "docs/README.md does not link {name}");
    }
    let readme = page("README.md");
    let links = readme.links();
    assert!(links.iter().any(|(_, target)| target == "docs/README.md"));
}
