//! What the Bicep compiler would refuse, as far as it can be told without Azure's types.

mod graph;
mod infer;
mod modules;
mod names;
mod resources;
mod start;
mod table;

use crate::problem::{Place, Problem};
use crate::project::Project;
use crate::tree::{Expr, ExprKind, File, ItemKind};

pub use table::{Table, used};
pub(crate) use table::{paths, reads};

/// Everything that is wrong with a project, in order.
#[must_use]
pub fn check(project: &Project, table: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in project.files() {
        let mut check = Check {
            project,
            file,
            problems: Vec::new(),
        };
        if file.using.is_some() {
            check.parameters_file();
        } else {
            check.names();
            check.members();
            check.modules();
            check.resources(table);
            check.start();
            check.graph();
        }
        problems.extend(check.problems);
    }
    problems.sort();
    problems.dedup();
    problems
}

/// The checks of one file.
struct Check<'p> {
    project: &'p Project,
    file: &'p File,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, place: Place, text: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.file_name(),
            place,
            text: text.into(),
        });
    }
}

/// The expressions of a declaration, decorators apart.
fn expressions(kind: &ItemKind) -> Vec<&Expr> {
    match kind {
        ItemKind::Param { value, .. } => value.iter().collect(),
        ItemKind::Var(value) | ItemKind::Output { value, .. } => vec![value],
        ItemKind::Resource(resource) => vec![&resource.body],
        ItemKind::Module { body, .. } => vec![body],
        ItemKind::TargetScope(_) | ItemKind::Import { .. } | ItemKind::Type(_) => vec![],
    }
}

/// Calls `visit` for an expression and everything below it, with the names that loops and lambdas
/// have brought in.
fn walk<'e>(
    expr: &'e Expr,
    locals: &mut Vec<&'e str>,
    visit: &mut dyn FnMut(&'e Expr, &[&'e str]),
) {
    visit(expr, locals);
    let known = locals.len();
    match &expr.kind {
        ExprKind::For {
            item,
            index,
            list,
            body,
        } => {
            walk(list, locals, visit);
            locals.push(item);
            locals.extend(index.as_deref());
            walk(body, locals, visit);
        }
        ExprKind::Lambda { name, body } => {
            locals.push(name);
            walk(body, locals, visit);
        }
        _ => {
            for child in expr.children() {
                walk(child, locals, visit);
            }
        }
    }
    locals.truncate(known);
}

/// The names that an expression refers to outside itself, and where.
fn references(expr: &Expr) -> Vec<(&str, Place)> {
    let mut found = Vec::new();
    walk(expr, &mut Vec::new(), &mut |expr, locals| {
        if let ExprKind::Name(name) = &expr.kind
            && !locals.contains(&name.as_str())
        {
            found.push((name.as_str(), expr.place));
        }
    });
    found
}
