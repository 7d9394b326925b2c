//! Value expressions.

use tree_sitter::Node;

use super::{Fault, Read, Reader, exactly, named, precedence, unknown};
use crate::syntax;
use crate::tree::{Call, Expr, ExprKind, Part, Property};

/// A child by its field name.
pub(super) fn field<'t>(node: Node<'t>, name: &str) -> Read<Node<'t>> {
    node.child_by_field_name(name)
        .map_or_else(|| unknown(node), Ok)
}

impl Reader<'_> {
    pub(super) fn expression(&self, node: Node<'_>) -> Read<Expr> {
        if node.kind() == "parenthesized_expression" {
            let [inner] = exactly(node, named(node))?;
            return self.expression(inner);
        }
        if precedence::concerns(node) {
            return self.structured(node);
        }
        Ok(Expr {
            place: syntax::place(node),
            kind: self.expression_kind(node)?,
        })
    }

    fn boxed(&self, node: Node<'_>) -> Read<Box<Expr>> {
        self.expression(node).map(Box::new)
    }

    /// The items of an array. The grammar takes `a[0]` and `f().b` for two items there: two on one
    /// line without a comma are one that it has not understood.
    fn items(&self, node: Node<'_>) -> Read<Vec<Expr>> {
        let mut cursor = node.walk();
        let mut last = None;
        for child in node.children(&mut cursor) {
            let row = child.start_position().row;
            if !child.is_named() {
                last = None;
            } else if last.replace(child.end_position().row) == Some(row) {
                return Err(Fault {
                    place: syntax::place(child),
                    text: "the grammar takes this for another item: give it a variable".to_owned(),
                });
            }
        }
        self.all(named(node))
    }

    fn all(&self, nodes: Vec<Node<'_>>) -> Read<Vec<Expr>> {
        nodes
            .into_iter()
            .map(|node| self.expression(node))
            .collect()
    }

    fn expression_kind(&self, node: Node<'_>) -> Read<ExprKind> {
        Ok(match node.kind() {
            "string" => ExprKind::Text(self.parts(node)?),
            "number" => match self.raw(node).parse() {
                Ok(number) => ExprKind::Number(number),
                Err(_) => return unknown(node),
            },
            "boolean" => ExprKind::Bool(self.raw(node) == "true"),
            "null" => ExprKind::Null,
            "identifier" | "property_identifier" => ExprKind::Name(self.raw(node)),
            "call_expression" => self.call(node)?,
            "array" => ExprKind::Array(self.items(node)?),
            "object" => ExprKind::Object(self.properties(node)?),
            "for_statement" => self.for_loop(node)?,
            "if_statement" => {
                let [condition, body] = exactly(node, named(node))?;
                ExprKind::If {
                    condition: self.boxed(condition)?,
                    body: self.boxed(body)?,
                }
            }
            _ => return unknown(node),
        })
    }

    fn call(&self, node: Node<'_>) -> Read<ExprKind> {
        let function = field(node, "function")?;
        if function.kind() != "identifier" {
            return unknown(function);
        }
        Ok(ExprKind::Call(Call {
            place: syntax::place(node),
            name: self.raw(function),
            arguments: self.all(named(field(node, "arguments")?))?,
        }))
    }

    fn for_loop(&self, node: Node<'_>) -> Read<ExprKind> {
        let [names, list, body] = exactly(node, named(node))?;
        let (item, index) = match names.kind() {
            "identifier" => (self.raw(names), None),
            "for_loop_parameters" => {
                let [item, index] = exactly(names, named(names))?;
                (self.raw(item), Some(self.raw(index)))
            }
            _ => return unknown(names),
        };
        Ok(ExprKind::For {
            item,
            index,
            list: self.boxed(list)?,
            body: self.boxed(body)?,
        })
    }

    fn properties(&self, node: Node<'_>) -> Read<Vec<Property>> {
        let mut properties = Vec::new();
        for child in named(node) {
            if child.kind() != "object_property" {
                return unknown(child);
            }
            let [name, value] = exactly(child, named(child))?;
            properties.push(Property {
                place: syntax::place(child),
                name: match name.kind() {
                    "string" => self.parts(name)?,
                    _ => vec![Part::Literal(self.raw(name))],
                },
                value: self.expression(value)?,
            });
        }
        Ok(properties)
    }

    /// The parts of a text, neighbouring literals joined.
    fn parts(&self, node: Node<'_>) -> Read<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let literal = |text: &str, parts: &mut Vec<Part>| match parts.last_mut() {
            Some(Part::Literal(last)) => last.push_str(text),
            _ => parts.push(Part::Literal(text.to_owned())),
        };
        let mut cursor = node.walk();
        let mut end = node.start_byte();
        for child in node.children(&mut cursor) {
            // The grammar accepts `\$`, and has no node for it.
            match self.text.get(end..child.start_byte()) {
                Some("") => {}
                Some("\\$") => literal("$", &mut parts),
                _ => return unknown(child),
            }
            end = child.end_byte();
            match child.kind() {
                "'" | "'''" => {}
                "string_content" => literal(&self.raw(child), &mut parts),
                "escape_sequence" => literal(&self.escape(child)?, &mut parts),
                "interpolation" => {
                    let [value] = exactly(child, named(child))?;
                    parts.push(Part::Value(self.expression(value)?));
                }
                _ => return unknown(child),
            }
        }
        Ok(parts)
    }

    fn escape(&self, node: Node<'_>) -> Read<String> {
        let text = self.raw(node);
        let resolved = match text.as_str() {
            "\\\\" => "\\",
            "\\'" => "'",
            "\\n" => "\n",
            "\\r" => "\r",
            "\\t" => "\t",
            _ => {
                return Err(Fault {
                    place: syntax::place(node),
                    text: format!("`{text}` is no escape of Bicep"),
                });
            }
        };
        Ok(resolved.to_owned())
    }
}
