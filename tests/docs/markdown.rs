//! As much of Markdown as these documents use.

use std::path::{Path, PathBuf};

/// One page.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the fence, e.g. `yaml refused`.
    pub(crate) info: String,
    pub(crate) text: String,
    /// The line of the fence, from 1.
    pub(crate) line: usize,
}

impl Block {
    /// The words behind the fence.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.info.split_whitespace().collect()
    }
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// `docs/page.md:12`, for a failure.
    pub(crate) fn at(&self, line: usize) -> String {
        let path = self.path.strip_prefix(super::root()).unwrap_or(&self.path);
        format!("{}:{line}", path.display())
    }

    /// The fenced blocks, in order. A fence may be indented, as in a list.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        self.split().1
    }

    /// The lines outside fenced blocks, with their numbers from 1.
    pub(crate) fn prose(&self) -> Vec<(usize, String)> {
        self.split().0
    }

    fn split(&self) -> (Vec<(usize, String)>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in (1..).zip(self.text.lines()) {
            let indent = line.len() - line.trim_start().len();
            let fence = line.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(info)) => {
                    let block = Block {
                        info: info.trim().to_owned(),
                        text: String::new(),
                        line: number,
                    };
                    open = Some((indent, block));
                }
                (None, None) => prose.push((number, line.to_owned())),
                (Some(_), Some("")) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, block)), _) => {
                    let cut = line.get(*indent..).unwrap_or_else(|| line.trim_start());
                    block.text.push_str(cut);
                    block.text.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{}: a block never ends", self.at(0));
        (prose, blocks)
    }

    /// The anchors of its headings, as GitHub makes them, and explicit ones.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for (_, line) in self.prose() {
            if let Some(id) = between(&line, "<a id=\"", "\"") {
                anchors.push(id.to_owned());
            }
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let slug = slug(heading.trim());
            let mut anchor = slug.clone();
            let mut again = 0;
            while anchors.contains(&anchor) {
                again += 1;
                anchor = format!("{slug}-{again}");
            }
            anchors.push(anchor);
        }
        anchors
    }

    /// The targets of its links and images, with their lines.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in self.prose() {
            let line = without_code(&line);
            for opening in ["](", "href=\"", "src=\""] {
                let closing = if opening == "](" { ')' } else { '"' };
                for rest in line.split(opening).skip(1) {
                    let target = rest.split(closing).next().unwrap_or_default();
                    let target = target.split_whitespace().next().unwrap_or_default();
                    links.push((number, target.to_owned()));
                }
            }
        }
        links
    }

    /// The cells of the table rows between `<!-- name -->` and `<!-- end of name -->`, without the
    /// head; there may be several tables and headings between the markers.
    pub(crate) fn rows(&self, name: &str) -> Vec<(usize, Vec<String>)> {
        let (begin, end) = (
            format!("<!-- {name} -->"),
            format!("<!-- end of {name} -->"),
        );
        let prose = self.prose();
        let inside = prose.iter().skip_while(|(_, line)| *line != begin);
        let inside: Vec<_> = inside.take_while(|(_, line)| *line != end).collect();
        assert!(!inside.is_empty(), "{} has no {begin}", self.at(0));
        let mut rows = Vec::new();
        for pair in inside.windows(2) {
            let [(_, line), (_, next)] = pair else {
                continue;
            };
            let is_rule = |line: &str| line.starts_with("| ---");
            if line.starts_with('|') && !is_rule(line) && !is_rule(next) {
                rows.push(cells(pair[0]));
            }
        }
        if let Some(last) = inside.last().filter(|(_, line)| line.starts_with('|')) {
            rows.push(cells(last));
        }
        rows
    }
}

fn cells((number, line): &(usize, String)) -> (usize, Vec<String>) {
    let inner = line.trim().trim_start_matches("| ").trim_end_matches(" |");
    let cells = inner.split(" | ").map(|cell| cell.trim().to_owned());
    (*number, cells.collect())
}

/// The content of a cell that is one piece of code. Two backticks on each side, and a blank, allow
/// backticks inside.
pub(crate) fn code(cell: &str) -> Option<&str> {
    if let Some(inner) = cell.strip_prefix("`` ") {
        return inner.strip_suffix(" ``");
    }
    let inner = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!inner.contains('`')).then_some(inner)
}

/// A text as a cell that is one piece of code.
pub(crate) fn as_code(text: &str) -> String {
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

/// The pieces of code in a text.
pub(crate) fn codes(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn without_code(line: &str) -> String {
    let pieces = line.split('`').enumerate();
    let kept = pieces.filter(|(place, _)| place % 2 == 0);
    kept.map(|(_, piece)| piece).collect::<Vec<_>>().join("`")
}

/// The part of `text` between two markers.
pub(crate) fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// GitHub's anchor of a heading.
fn slug(heading: &str) -> String {
    let mut plain = heading.to_owned();
    // A link counts by its text.
    while let (Some(open), Some(target)) = (plain.find('['), between(&plain, "](", ")")) {
        let link = format!("]({target})");
        let Some(close) = plain.find(&link) else {
            break;
        };
        plain.replace_range(close..close + link.len(), "");
        plain.remove(open);
    }
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept: String = plain.to_lowercase().chars().filter(kept).collect();
    kept.replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page {
            path: PathBuf::from("page.md"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn headings_have_githubs_anchors() {
        let text = "# A `b.c` & d: e_f-g\n## [x](y.md) z\n## X z\n```sh\n# no heading\n```\n<a id=\"here\"></a>\n#hash\n";
        assert_eq!(
            page(text).anchors(),
            ["a-bc--d-e_f-g", "x-z", "x-z-1", "here"]
        );
    }

    #[test]
    fn links_are_found_outside_code_only() {
        let text =
            "[a](b.md#c) `[no](x)` ![i](i.svg \"t\")\n```text\n[no](y)\n```\n<img src=\"p.png\">\n";
        let links: Vec<_> = page(text).links();
        let expected = [(1, "b.md#c"), (1, "i.svg"), (5, "p.png")];
        assert_eq!(links, expected.map(|(line, to)| (line, to.to_owned())));
    }

    #[test]
    fn blocks_keep_their_text_and_lose_their_indent() {
        let found = page("- x\n  ```log a\n  one\n    two\n  ```\n").blocks();
        let block = Block {
            info: "log a".into(),
            text: "one\n  two\n".into(),
            line: 2,
        };
        assert_eq!(found, [block]);
    }

    #[test]
    fn rows_are_those_between_the_markers() {
        let text = "| no |\n<!-- t -->\n| a | b |\n| --- | --- |\n| 1 | `x` |\n\n| 2 | y |\n<!-- end of t -->\n| no |\n";
        let rows: Vec<_> = page(text)
            .rows("t")
            .into_iter()
            .map(|(_, cells)| cells)
            .collect();
        assert_eq!(rows, [["1", "`x`"], ["2", "y"]]);
    }
}
