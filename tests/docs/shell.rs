//! Commands that are to be pasted are well-formed: a placeholder such as `<name>` outside quotes is not.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{all_pages, root};

fn problem(text: &str) -> Option<String> {
    let mut shell = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = shell.wait_with_output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_shell_block_is_well_formed() {
    let mut checked = 0;
    let docs = root().join("docs");
    for page in all_pages() {
        if !page.path.starts_with(&docs) && page.path.parent() != Some(root()) {
            continue;
        }
        for block in page.blocks() {
            if matches!(block.words().first(), Some(&("sh" | "bash"))) {
                checked += 1;
                let problem = problem(&block.text);
                assert_eq!(problem, None, "{}", page.at(block.line));
            }
        }
    }
    assert!(checked > 10, "only {checked} blocks were found");
    assert!(problem("echo <name>").is_some());
}
