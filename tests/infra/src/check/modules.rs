//! Callers and modules agree: paths, parameters, outputs. And parameters files with their template.

use super::infer::Known;
use super::{Check, expressions, walk};
use crate::evaluate::{accepts, deploy_parameters, required};
use crate::tree::{Expr, ExprKind, File, ItemKind, Type};

/// What the body of a module may have.
const PROPERTIES: [&str; 4] = ["name", "scope", "params", "dependsOn"];

impl<'p> Check<'p> {
    pub(super) fn modules(&mut self) {
        for item in &self.file.items {
            if let ItemKind::Module { path, body } = &item.kind {
                match self.project.relative(self.file, path) {
                    Some(module) => self.module(module, body),
                    None => self.problem(item.place, format!("there is no module `{path}`")),
                }
            }
            for expr in expressions(&item.kind) {
                self.outputs_read(expr);
            }
        }
    }

    fn module(&mut self, module: &'p File, body: &Expr) {
        for property in body.properties() {
            let name = property.fixed_name().unwrap_or_default();
            if !PROPERTIES.contains(&name) {
                self.problem(property.place, format!("a module has no `{name}`"));
            }
        }
        if body.property("name").is_none() {
            self.problem(body.place, "the module has no name");
        }
        let given = body.property("params").map_or(&[][..], Expr::properties);
        for property in given {
            let name = property.fixed_name().unwrap_or_default();
            let Some(param) = module.param(name) else {
                let text = format!("{} has no parameter `{name}`", module.file_name());
                self.problem(property.place, text);
                continue;
            };
            if let ItemKind::Param { of: Some(of), .. } = &param.kind {
                let expected = Known {
                    of: of.clone(),
                    file: module,
                };
                self.fits(&property.value, &expected, body);
            }
        }
        for required in required(module) {
            let is_given = |name: Option<&str>| name == Some(required);
            if !given.iter().any(|property| is_given(property.fixed_name())) {
                let text = format!("{} needs the parameter `{required}`", module.file_name());
                self.problem(body.place, text);
            }
        }
    }

    /// Whether a value can be of a type: only what is certainly wrong is told.
    fn fits(&mut self, value: &Expr, expected: &Known<'p>, around: &Expr) {
        let mut locals = Vec::new();
        if let ExprKind::For {
            item, index, list, ..
        } = &around.kind
        {
            let element = match self
                .infer(list, &Vec::new())
                .map(|list| (list.of, list.file))
            {
                Some((Type::Array(inner), file)) => Some(Known { of: *inner, file }),
                _ => None,
            };
            locals.push((item.clone(), element));
            locals.extend(index.clone().map(|index| (index, None)));
        }
        let Some(found) = self.infer(value, &locals) else {
            return;
        };
        let kind = |of: &Type| match of {
            Type::Nullable(inner) | Type::Array(inner) if matches!(of, Type::Nullable(_)) => {
                base(inner)
            }
            of => base(of),
        };
        if matches!(found.of, Type::Nullable(_)) && !matches!(expected.of, Type::Nullable(_)) {
            self.problem(value.place, "the value may be null, the parameter may not");
        } else if let (Some(found), Some(expected)) = (kind(&found.of), kind(&expected.of))
            && found != expected
        {
            self.problem(value.place, format!("{found} where {expected} is expected"));
        }
    }

    /// Every `module.outputs.name`.
    fn outputs_read(&mut self, expr: &Expr) {
        let mut read = Vec::new();
        walk(expr, &mut Vec::new(), &mut |expr, locals| {
            let ExprKind::Member { object, name, .. } = &expr.kind else {
                return;
            };
            let root = match &object.kind {
                ExprKind::Index { object, .. } => object,
                _ => object,
            };
            if let ExprKind::Name(symbol) = &root.kind
                && !locals.contains(&symbol.as_str())
            {
                read.push((expr.place, symbol.clone(), name.clone(), None));
            }
            if let ExprKind::Member {
                object: module,
                name: outputs,
                ..
            } = &object.kind
                && outputs == "outputs"
            {
                let root = match &module.kind {
                    ExprKind::Index { object, .. } => object,
                    _ => module,
                };
                if let ExprKind::Name(symbol) = &root.kind {
                    read.push((
                        expr.place,
                        symbol.clone(),
                        outputs.clone(),
                        Some(name.clone()),
                    ));
                }
            }
        });
        for (place, symbol, property, output) in read {
            let Some(ItemKind::Module { path, .. }) =
                self.file.item(&symbol).map(|item| &item.kind)
            else {
                continue;
            };
            if property != "outputs" && property != "name" {
                self.problem(place, format!("a module has no `{property}`"));
            }
            if let (Some(output), Some(module)) = (output, self.project.relative(self.file, path))
                && module.output(&output).is_none()
            {
                let text = format!("{} has no output `{output}`", module.file_name());
                self.problem(place, text);
            }
        }
    }

    pub(super) fn parameters_file(&mut self) {
        let start = crate::Place { line: 1, column: 1 };
        let using = self.file.using.as_deref().unwrap_or_default();
        let Some(template) = self.project.relative(self.file, using) else {
            self.problem(start, format!("there is no template `{using}`"));
            return;
        };
        let values = match deploy_parameters(self.file) {
            Ok(values) => values,
            Err(error) => {
                self.problem(start, error);
                return;
            }
        };
        for item in &self.file.items {
            let Some(param) = template.param(&item.name) else {
                self.problem(item.place, format!("there is no parameter `{}`", item.name));
                continue;
            };
            if let (ItemKind::Param { of: Some(of), .. }, Some(value)) =
                (&param.kind, values.get(&item.name))
                && let Err(error) = accepts(
                    self.project,
                    template,
                    of,
                    &param.decorators,
                    value,
                    &item.name,
                )
            {
                self.problem(item.place, error);
            }
        }
        for required in required(template) {
            if !values.contains_key(required) {
                self.problem(start, format!("the parameter `{required}` is missing"));
            }
        }
    }
}

/// The kind of a value, where a type tells it.
fn base(of: &Type) -> Option<&'static str> {
    match of {
        Type::Named(name) => match name.as_str() {
            "string" => Some("a string"),
            "int" => Some("an int"),
            "bool" => Some("a bool"),
            "array" => Some("an array"),
            "object" => Some("an object"),
            _ => None,
        },
        Type::Text(_) => Some("a string"),
        Type::Number(_) => Some("an int"),
        Type::Array(_) => Some("an array"),
        Type::Object(_) => Some("an object"),
        Type::Union(members) => members.first().and_then(base),
        Type::Nullable(inner) => base(inner),
    }
}
