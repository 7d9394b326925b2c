//! Type expressions.

use tree_sitter::Node;

use super::expressions::field;
use super::{Read, Reader, exactly, named, unknown};
use crate::tree::{Field, Type};

impl Reader<'_> {
    pub(super) fn type_expression(&self, node: Node<'_>) -> Read<Type> {
        Ok(match node.kind() {
            "type" | "parenthesized_type" => {
                let [inner] = exactly(node, named(node))?;
                self.type_expression(inner)?
            }
            "primitive_type" | "identifier" => Type::Named(self.raw(node)),
            "string" => Type::Text(self.plain_text(node)?),
            "number" => match self.raw(node).parse() {
                Ok(number) => Type::Number(number),
                Err(_) => return unknown(node),
            },
            "nullable_type" => {
                let [inner] = exactly(node, named(node))?;
                Type::Nullable(Box::new(self.type_expression(inner)?))
            }
            "array_type" => {
                let [inner] = exactly(node, named(node))?;
                Type::Array(Box::new(self.type_expression(inner)?))
            }
            "union_type" => {
                let members = named(node).into_iter();
                Type::Union(
                    members
                        .map(|member| self.type_expression(member))
                        .collect::<Read<_>>()?,
                )
            }
            // At the top of a declaration the grammar takes `|` for an operator on values.
            "binary_expression" if self.raw(field(node, "operator")?) == "|" => {
                let mut members = Vec::new();
                for side in ["left", "right"] {
                    match self.type_expression(field(node, side)?)? {
                        Type::Union(more) => members.extend(more),
                        one => members.push(one),
                    }
                }
                Type::Union(members)
            }
            "object" => Type::Object(self.fields(node)?),
            _ => return unknown(node),
        })
    }

    fn fields(&self, node: Node<'_>) -> Read<Vec<Field>> {
        let mut fields = Vec::new();
        let mut decorators = Vec::new();
        for child in named(node) {
            match child.kind() {
                "decorators" => decorators.extend(self.decorators(child)?),
                "object_property" => {
                    let [name, of] = exactly(child, named(child))?;
                    let name = match name.kind() {
                        "string" => self.plain_text(name)?,
                        _ => self.raw(name),
                    };
                    fields.push(Field {
                        name,
                        of: self.type_expression(of)?,
                        decorators: std::mem::take(&mut decorators),
                    });
                }
                _ => return unknown(child),
            }
        }
        Ok(fields)
    }
}
