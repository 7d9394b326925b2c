//! Operators by their precedence.
//!
//! The grammar gives `.?` less weight than the operators around it, and `=>` more: it reads
//! `a ?? b.?c` as `(a ?? b).?c`. Its tokens and their order are right, so the structure is built
//! anew from them, with Bicep's own precedence.

use tree_sitter::Node;

use super::expressions::field;
use super::{Read, Reader, exactly, has_token, named, unknown};
use crate::problem::Place;
use crate::syntax;
use crate::tree::{Expr, ExprKind};

pub(super) enum Token {
    Operand(Expr),
    Operator(String),
    Not(Place),
    Lambda(String, Place),
    Question,
    Colon,
}

/// From the loosest to the tightest.
const LEVELS: [&[&str]; 5] = [
    &["??"],
    &["||"],
    &["&&"],
    &["==", "!=", "=~", "!~"],
    &["<", "<=", ">", ">="],
];

/// Whether a node's structure depends on precedence.
pub(super) fn concerns(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "binary_expression"
            | "unary_expression"
            | "lambda_expression"
            | "ternary_expression"
            | "member_expression"
            | "subscript_expression"
    )
}

impl Reader<'_> {
    pub(super) fn structured(&self, node: Node<'_>) -> Read<Expr> {
        let mut tokens = self.tokens(node)?;
        tokens.reverse();
        match lowest(&mut tokens) {
            Some(expr) if tokens.is_empty() => Ok(expr),
            _ => unknown(node),
        }
    }

    /// The tokens of a node in their order; the next one is the last of the reversed list.
    fn tokens(&self, node: Node<'_>) -> Read<Vec<Token>> {
        let place = syntax::place(node);
        let mut tokens = Vec::new();
        match node.kind() {
            "binary_expression" => {
                tokens.extend(self.tokens(field(node, "left")?)?);
                tokens.push(Token::Operator(self.raw(field(node, "operator")?)));
                tokens.extend(self.tokens(field(node, "right")?)?);
            }
            "unary_expression" if self.raw(field(node, "operator")?) == "!" => {
                tokens.push(Token::Not(place));
                tokens.extend(self.tokens(field(node, "argument")?)?);
            }
            "lambda_expression" => {
                let [name, body] = exactly(node, named(node))?;
                if name.kind() != "identifier" {
                    return unknown(name);
                }
                tokens.push(Token::Lambda(self.raw(name), place));
                tokens.extend(self.tokens(body)?);
            }
            "ternary_expression" => {
                tokens.extend(self.tokens(field(node, "condition")?)?);
                tokens.push(Token::Question);
                tokens.extend(self.tokens(field(node, "consequence")?)?);
                tokens.push(Token::Colon);
                tokens.extend(self.tokens(field(node, "alternative")?)?);
            }
            "member_expression" if !has_token(node, "::") => {
                let property = self.raw(field(node, "property")?);
                let safe = has_token(node, ".?");
                return self.postfix(node, |object| ExprKind::Member {
                    object,
                    name: property,
                    safe,
                });
            }
            "subscript_expression" => {
                let index = Box::new(self.expression(field(node, "index")?)?);
                return self.postfix(node, |object| ExprKind::Index { object, index });
            }
            _ if concerns(node) => return unknown(node),
            _ => tokens.push(Token::Operand(self.expression(node)?)),
        }
        Ok(tokens)
    }

    /// A postfix belongs to the last operand before it.
    fn postfix(
        &self,
        node: Node<'_>,
        wrap: impl FnOnce(Box<Expr>) -> ExprKind,
    ) -> Read<Vec<Token>> {
        let mut tokens = self.tokens(field(node, "object")?)?;
        let Some(Token::Operand(object)) = tokens.pop() else {
            return unknown(node);
        };
        let place = object.place;
        let kind = wrap(Box::new(object));
        tokens.push(Token::Operand(Expr { place, kind }));
        Ok(tokens)
    }
}

/// Lambdas and ternaries.
fn lowest(tokens: &mut Vec<Token>) -> Option<Expr> {
    if let Some(Token::Lambda(name, place)) =
        tokens.pop_if(|token| matches!(token, Token::Lambda(..)))
    {
        let body = Box::new(lowest(tokens)?);
        let kind = ExprKind::Lambda { name, body };
        return Some(Expr { place, kind });
    }
    let condition = binary(tokens, 0)?;
    if tokens
        .pop_if(|token| matches!(token, Token::Question))
        .is_none()
    {
        return Some(condition);
    }
    let yes = lowest(tokens)?;
    tokens.pop_if(|token| matches!(token, Token::Colon))?;
    let no = lowest(tokens)?;
    Some(Expr {
        place: condition.place,
        kind: ExprKind::Ternary {
            condition: Box::new(condition),
            yes: Box::new(yes),
            no: Box::new(no),
        },
    })
}

fn binary(tokens: &mut Vec<Token>, level: usize) -> Option<Expr> {
    let Some(operators) = LEVELS.get(level) else {
        return prefix(tokens);
    };
    let mut left = binary(tokens, level + 1)?;
    let is_of_level = |token: &mut Token| match token {
        Token::Operator(operator) => operators.contains(&operator.as_str()),
        _ => false,
    };
    while let Some(Token::Operator(operator)) = tokens.pop_if(is_of_level) {
        let right = binary(tokens, level + 1)?;
        left = Expr {
            place: left.place,
            kind: ExprKind::Binary {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            },
        };
    }
    Some(left)
}

fn prefix(tokens: &mut Vec<Token>) -> Option<Expr> {
    match tokens.pop()? {
        Token::Not(place) => {
            let kind = ExprKind::Not(Box::new(prefix(tokens)?));
            Some(Expr { place, kind })
        }
        Token::Operand(expr) => Some(expr),
        _ => None,
    }
}
