//! Types of expressions, as far as declarations tell them, and the properties read from them.

use super::names::PRIMITIVES;
use super::{Check, expressions};
use crate::evaluate::declared;
use crate::tree::{Expr, ExprKind, File, ItemKind, Type};

/// A type and the file in which its names are to be read.
#[derive(Clone)]
pub(super) struct Known<'p> {
    pub(super) of: Type,
    pub(super) file: &'p File,
}

type Locals<'p> = Vec<(String, Option<Known<'p>>)>;

impl<'p> Check<'p> {
    /// Every `a.b` of which the type of `a` is known.
    pub(super) fn members(&mut self) {
        for item in &self.file.items {
            for expr in expressions(&item.kind) {
                self.visit(expr, &mut Vec::new());
            }
        }
    }

    fn visit(&mut self, expr: &Expr, locals: &mut Locals<'p>) {
        let known = locals.len();
        match &expr.kind {
            ExprKind::For {
                item,
                index,
                list,
                body,
            } => {
                self.visit(list, locals);
                let element = self.element(list, locals);
                locals.push((item.clone(), element));
                if let Some(index) = index {
                    locals.push((index.clone(), self.named("int")));
                }
                self.visit(body, locals);
            }
            ExprKind::Call(call) => match call.arguments.as_slice() {
                [list, lambda] if matches!(lambda.kind, ExprKind::Lambda { .. }) => {
                    self.visit(list, locals);
                    let element = self.element(list, locals);
                    if let ExprKind::Lambda { name, body } = &lambda.kind {
                        locals.push((name.clone(), element));
                        self.visit(body, locals);
                    }
                }
                arguments => {
                    for argument in arguments {
                        self.visit(argument, locals);
                    }
                }
            },
            ExprKind::Member { object, name, safe } => {
                self.visit(object, locals);
                if let Some(known) = self.infer(object, locals) {
                    self.member(expr, &known, name, *safe);
                }
            }
            _ => {
                for child in expr.children() {
                    self.visit(child, locals);
                }
            }
        }
        locals.truncate(known);
    }

    fn member(&mut self, expr: &Expr, known: &Known<'p>, name: &str, safe: bool) {
        if matches!(known.of, Type::Nullable(_)) && !safe {
            let text = format!("`.{name}` of something that may be null: use `.?{name}`");
            self.problem(expr.place, text);
        }
        match self.resolved(known).map(|known| known.of) {
            Some(Type::Object(fields)) if fields.iter().all(|field| field.name != name) => {
                self.problem(expr.place, format!("there is no property `{name}`"));
            }
            Some(Type::Array(_) | Type::Text(_) | Type::Number(_)) => {
                self.problem(expr.place, format!("no object, so no property `{name}`"));
            }
            Some(Type::Named(primitive)) if !["object", "array"].contains(&primitive.as_str()) => {
                self.problem(expr.place, format!("no object, so no property `{name}`"));
            }
            _ => {}
        }
    }

    fn named(&self, name: &str) -> Option<Known<'p>> {
        Some(Known {
            of: Type::Named(name.to_owned()),
            file: self.file,
        })
    }

    /// The type behind a name, without null.
    fn resolved(&self, known: &Known<'p>) -> Option<Known<'p>> {
        match &known.of {
            Type::Nullable(inner) => self.resolved(&Known {
                of: (**inner).clone(),
                file: known.file,
            }),
            Type::Named(name) if PRIMITIVES.contains(&name.as_str()) => Some(known.clone()),
            Type::Named(name) => {
                let (file, item) = declared(self.project, known.file, name)?;
                match &item.kind {
                    ItemKind::Type(of) => self.resolved(&Known {
                        of: of.clone(),
                        file,
                    }),
                    _ => None,
                }
            }
            _ => Some(known.clone()),
        }
    }

    fn element(&self, list: &Expr, locals: &Locals<'p>) -> Option<Known<'p>> {
        let list = self.infer(list, locals)?;
        match self.resolved(&list)? {
            Known {
                of: Type::Array(inner),
                file,
            } => Some(Known { of: *inner, file }),
            _ => None,
        }
    }

    /// The type of an expression.
    pub(super) fn infer(&self, expr: &Expr, locals: &Locals<'p>) -> Option<Known<'p>> {
        match &expr.kind {
            ExprKind::Text(_) => self.named("string"),
            ExprKind::Number(_) => self.named("int"),
            ExprKind::Bool(_) | ExprKind::Not(_) => self.named("bool"),
            ExprKind::Name(name) => {
                if let Some((_, known)) = locals.iter().rev().find(|(local, _)| local == name) {
                    return known.clone();
                }
                match &self.file.item(name)?.kind {
                    ItemKind::Param { of: Some(of), .. } => Some(Known {
                        of: of.clone(),
                        file: self.file,
                    }),
                    ItemKind::Var(value) => self.infer(value, &Vec::new()),
                    _ => None,
                }
            }
            ExprKind::Member { object, name, safe } => {
                let object = self.infer(object, locals)?;
                let may_be_null = *safe && matches!(object.of, Type::Nullable(_));
                let Known { of, file } = self.resolved(&object)?;
                let Type::Object(fields) = of else {
                    return None;
                };
                let field = fields.into_iter().find(|field| field.name == *name)?;
                let of = match field.of {
                    Type::Nullable(inner) => Type::Nullable(inner),
                    of if may_be_null => Type::Nullable(Box::new(of)),
                    of => of,
                };
                Some(Known { of, file })
            }
            ExprKind::Binary { operator, left, .. } if operator == "??" => {
                let Known { of, file } = self.infer(left, locals)?;
                let of = match of {
                    Type::Nullable(inner) => *inner,
                    of => of,
                };
                Some(Known { of, file })
            }
            ExprKind::Binary { .. } => self.named("bool"),
            ExprKind::Ternary { yes, no, .. } => {
                let (yes, no) = (self.infer(yes, locals)?, self.infer(no, locals)?);
                (yes.of == no.of).then_some(yes)
            }
            ExprKind::Call(call) => match call.name.as_str() {
                "toLower"
                | "guid"
                | "uniqueString"
                | "string"
                | "newGuid"
                | "utcNow"
                | "dateTimeAdd"
                | "subscriptionResourceId" => self.named("string"),
                "empty" | "contains" | "endsWith" => self.named("bool"),
                "length" | "dateTimeToEpoch" => self.named("int"),
                _ => None,
            },
            _ => None,
        }
    }
}
