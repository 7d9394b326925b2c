//! What must be known when a deployment starts: names, scopes, conditions and the lists of loops.
//! Bicep refuses there what only a finished resource or module can tell.

use super::Check;
use crate::tree::{Expr, ExprKind, ItemKind};

/// What of a resource is known before it is made.
const KNOWN: [&str; 4] = ["id", "name", "type", "apiVersion"];

impl Check<'_> {
    pub(super) fn start(&mut self) {
        for item in &self.file.items {
            let (ItemKind::Resource(crate::tree::Resource { body, .. })
            | ItemKind::Module { body, .. }) = &item.kind
            else {
                continue;
            };
            let mut early = vec![];
            let mut inner = body;
            while let ExprKind::For {
                list: outer, body, ..
            }
            | ExprKind::If {
                condition: outer,
                body,
            } = &inner.kind
            {
                early.push(outer.as_ref());
                inner = body;
            }
            early.extend(
                ["name", "scope"]
                    .iter()
                    .filter_map(|name| inner.property(name)),
            );
            for expr in early {
                self.known_at_start(expr, &mut Vec::new());
            }
        }
    }

    fn known_at_start(&mut self, expr: &Expr, vars: &mut Vec<String>) {
        if let ExprKind::Member { object, name, .. } = &expr.kind {
            let root = match &object.kind {
                ExprKind::Index { object, .. } => object,
                _ => object,
            };
            if let ExprKind::Name(symbol) = &root.kind {
                match self.file.item(symbol).map(|item| &item.kind) {
                    Some(ItemKind::Resource(_)) if !KNOWN.contains(&name.as_str()) => {
                        let text = format!("`{symbol}.{name}` is not known at the start");
                        self.problem(expr.place, text);
                        return;
                    }
                    Some(ItemKind::Module { .. }) if name != "name" => {
                        let text = format!("`{symbol}.{name}` is not known at the start");
                        self.problem(expr.place, text);
                        return;
                    }
                    _ => {}
                }
            }
        }
        if let ExprKind::Name(name) = &expr.kind
            && !vars.contains(name)
            && let Some(ItemKind::Var(value)) = self.file.item(name).map(|item| &item.kind)
        {
            vars.push(name.clone());
            self.known_at_start(value, vars);
        }
        for child in expr.children() {
            self.known_at_start(child, vars);
        }
    }
}
