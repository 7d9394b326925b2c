//! Bicep's grammar: text in, concrete syntax tree out, every fault with its place.

use tree_sitter::{Node, Parser, Tree};

use crate::problem::{Place, Problem};

/// Parses a template. The tree is given back only where it is without fault.
///
/// # Errors
///
/// Every place that the grammar does not accept.
pub fn parse(file: &str, text: &str) -> Result<Tree, Vec<Problem>> {
    let mut parser = Parser::new();
    let language = tree_sitter_bicep::LANGUAGE.into();
    let problem = |text: &str| Problem {
        file: file.to_owned(),
        place: Place { line: 1, column: 1 },
        text: text.to_owned(),
    };
    if let Err(error) = parser.set_language(&language) {
        return Err(vec![problem(&format!("the grammar is unusable: {error}"))]);
    }
    let Some(tree) = parser.parse(text, None) else {
        return Err(vec![problem("the parser gave up")]);
    };
    let mut problems = Vec::new();
    faults(tree.root_node(), file, text, &mut problems);
    if problems.is_empty() {
        Ok(tree)
    } else {
        Err(problems)
    }
}

/// The grammar knows templates only. In a parameters file, `param name = value` is an assignment
/// and has no type; as a variable of the same length it means the same and keeps its place.
#[must_use]
pub fn parameters_as_template(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        line.strip_prefix("param ")
            .map_or_else(|| line.to_owned(), |rest| format!("var   {rest}"))
    });
    lines.collect()
}

/// Where a node begins.
#[must_use]
pub fn place(node: Node<'_>) -> Place {
    let start = node.start_position();
    Place {
        line: start.row + 1,
        column: start.column + 1,
    }
}

fn faults(node: Node<'_>, file: &str, text: &str, problems: &mut Vec<Problem>) {
    let what = if node.is_missing() {
        format!("`{}` is missing", node.kind())
    } else if node.is_error() {
        let source = node.utf8_text(text.as_bytes()).unwrap_or_default();
        let shown: String = source.chars().take(40).collect();
        format!("syntax error at `{}`", shown.replace('\n', " "))
    } else {
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            faults(child, file, text, problems);
        }
        return;
    };
    problems.push(Problem {
        file: file.to_owned(),
        place: place(node),
        text: what,
    });
}
