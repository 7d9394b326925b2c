//! From the grammar's concrete tree to ours. What is not known here is a problem, not skipped.

mod expressions;
mod precedence;
mod types;

use std::path::Path;

use tree_sitter::Node;

use crate::problem::{Place, Problem};
use crate::syntax;
use crate::tree::{Call, Expr, ExprKind, File, Item, ItemKind, Resource};

/// Reads a file.
///
/// # Errors
///
/// It cannot be opened, or has faults.
pub fn file(path: &Path) -> Result<File, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![Problem {
            file: path.display().to_string(),
            place: Place::default(),
            text: error.to_string(),
        }]
    })?;
    source(path, &text)
}

/// Reads the text of a file that would be at `path`.
///
/// # Errors
///
/// It has faults.
pub fn source(path: &Path, text: &str) -> Result<File, Vec<Problem>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_parameters = path.extension().is_some_and(|end| end == "bicepparam");
    let text = if is_parameters {
        syntax::parameters_as_template(text)
    } else {
        text.to_owned()
    };
    let tree = syntax::parse(&name, &text)?;
    let reader = Reader { text: &text };
    reader
        .file(path, tree.root_node(), is_parameters)
        .map_err(|Fault { place, text }| {
            vec![Problem {
                file: name.into_owned(),
                place,
                text,
            }]
        })
}

/// A construct that is not known here.
struct Fault {
    place: Place,
    text: String,
}

type Read<T> = Result<T, Fault>;

struct Reader<'a> {
    text: &'a str,
}

/// The named children that are no comments.
fn named<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    let children = node.named_children(&mut cursor);
    children.filter(|child| !child.is_extra()).collect()
}

fn has_token(node: Node<'_>, token: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .any(|child| !child.is_named() && child.kind() == token)
}

fn unknown<T>(node: Node<'_>) -> Read<T> {
    Err(Fault {
        place: syntax::place(node),
        text: format!("`{}` is not known to this checker", node.kind()),
    })
}

/// The children in their places, or the node is of an unknown shape.
fn exactly<'t, const N: usize>(node: Node<'t>, children: Vec<Node<'t>>) -> Read<[Node<'t>; N]> {
    children.try_into().or_else(|_| unknown(node))
}

impl Reader<'_> {
    fn raw(&self, node: Node<'_>) -> String {
        let text = node.utf8_text(self.text.as_bytes());
        text.unwrap_or_default().to_owned()
    }

    fn file(&self, path: &Path, root: Node<'_>, is_parameters: bool) -> Read<File> {
        let mut file = File {
            path: path.to_owned(),
            using: None,
            items: Vec::new(),
        };
        let mut decorators = Vec::new();
        for node in named(root) {
            match node.kind() {
                "decorators" => decorators.extend(self.decorators(node)?),
                "using_statement" => {
                    let [path] = exactly(node, named(node))?;
                    file.using = Some(self.plain_text(path)?);
                }
                _ => {
                    let mut item = self.item(node)?;
                    item.decorators = std::mem::take(&mut decorators);
                    if is_parameters && let ItemKind::Var(value) = item.kind {
                        item.kind = ItemKind::Param {
                            of: None,
                            value: Some(value),
                        };
                    }
                    file.items.push(item);
                }
            }
        }
        Ok(file)
    }

    fn item(&self, node: Node<'_>) -> Read<Item> {
        let children = named(node);
        let mut name = String::new();
        if let Some(first) = children.first().filter(|node| node.kind() == "identifier") {
            name = self.raw(*first);
        }
        let kind = match node.kind() {
            "target_scope_assignment" => {
                let [scope] = exactly(node, children)?;
                ItemKind::TargetScope(self.plain_text(scope)?)
            }
            "import_functionality" => return self.import(node),
            "parameter_declaration" => self.parameter(node, &children)?,
            "variable_declaration" => {
                let [_, value] = exactly(node, children)?;
                ItemKind::Var(self.expression(value)?)
            }
            "type_declaration" => {
                let [_, of] = exactly(node, children)?;
                ItemKind::Type(self.type_expression(of)?)
            }
            "resource_declaration" => {
                let [_, of, body] = exactly(node, children)?;
                let of_and_version = self.plain_text(of)?;
                let Some((of, version)) = of_and_version.split_once('@') else {
                    return Err(Fault {
                        place: syntax::place(of),
                        text: format!("`{of_and_version}` has no api-version"),
                    });
                };
                ItemKind::Resource(Resource {
                    of: of.to_owned(),
                    version: version.to_owned(),
                    existing: has_token(node, "existing"),
                    body: self.expression(body)?,
                })
            }
            "module_declaration" => {
                let [_, path, body] = exactly(node, children)?;
                ItemKind::Module {
                    path: self.plain_text(path)?,
                    body: self.expression(body)?,
                }
            }
            "output_declaration" => {
                let [_, of, value] = exactly(node, children)?;
                ItemKind::Output {
                    of: self.type_expression(of)?,
                    value: self.expression(value)?,
                }
            }
            _ => return unknown(node),
        };
        Ok(Item {
            place: syntax::place(node),
            name,
            decorators: Vec::new(),
            kind,
        })
    }

    fn parameter(&self, node: Node<'_>, children: &[Node<'_>]) -> Read<ItemKind> {
        let (of, value) = match children {
            [_, of] => (of, None),
            [_, of, value] => (of, Some(self.expression(*value)?)),
            _ => return unknown(node),
        };
        Ok(ItemKind::Param {
            of: Some(self.type_expression(*of)?),
            value,
        })
    }

    fn import(&self, node: Node<'_>) -> Read<Item> {
        if has_token(node, "as") || has_token(node, "*") {
            return unknown(node);
        }
        let mut names = Vec::new();
        let mut from = None;
        for child in named(node) {
            match child.kind() {
                "identifier" => names.push(self.raw(child)),
                "string" => from = Some(self.plain_text(child)?),
                _ => return unknown(child),
            }
        }
        let Some(from) = from else {
            return unknown(node);
        };
        Ok(Item {
            place: syntax::place(node),
            name: String::new(),
            decorators: Vec::new(),
            kind: ItemKind::Import { names, from },
        })
    }

    fn decorators(&self, node: Node<'_>) -> Read<Vec<Call>> {
        let mut calls = Vec::new();
        for decorator in named(node) {
            let [call] = exactly(decorator, named(decorator))?;
            match self.expression(call)?.kind {
                ExprKind::Call(call) => calls.push(call),
                _ => return unknown(call),
            }
        }
        Ok(calls)
    }

    fn plain_text(&self, node: Node<'_>) -> Read<String> {
        let expression: Expr = self.expression(node)?;
        match expression.text() {
            Some(text) => Ok(text.to_owned()),
            None => unknown(node),
        }
    }
}
