//! Resources against Microsoft's type data: property names, what is required, what cannot be set,
//! enumerations, kinds of values.
//!
//! The data is what Microsoft's `azmcp bicepschema get` prints, one JSON file per type: it holds the
//! newest api-version of each type only, so a template that names another version is told. The few
//! types that it cannot print are in `tests/infra/types`, in the same form.

mod schema;
mod values;

use std::path::Path;

use crate::check::{paths, reads};
use crate::problem::Problem;
use crate::project::Project;

pub use schema::Schemas;

/// The resource types that a project uses, once each.
#[must_use]
pub fn wanted(project: &Project) -> Vec<String> {
    let mut types: Vec<String> = project
        .files()
        .flat_map(|file| file.resources().map(|(_, resource)| resource.of.clone()))
        .collect();
    types.sort();
    types.dedup();
    types
}

/// Everything in which a project's resources differ from the data.
#[must_use]
pub fn check(project: &Project, schemas: &Schemas) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in project.files() {
        let problem = |place, text| Problem {
            file: file.file_name(),
            place,
            text,
        };
        for (item, resource) in file.resources() {
            let Some(schema) = schemas.get(&resource.of) else {
                problems.push(problem(
                    item.place,
                    format!("there is no type data for {}", resource.of),
                ));
                continue;
            };
            if schema.version != resource.version {
                let text = format!(
                    "{} is checked with {}, not with {}",
                    resource.of, schema.version, resource.version
                );
                problems.push(problem(item.place, text));
            }
            if !resource.existing {
                let mut found = Vec::new();
                values::body(file, schema, &resource.body, &mut found);
                problems.extend(found.into_iter().map(|(place, text)| problem(place, text)));
            }
        }
        for (typed, path, place) in reads(file) {
            let of = typed.split('@').next().unwrap_or_default();
            if let Some(schema) = schemas.get(of)
                && !schema.has(&path)
            {
                problems.push(problem(place, format!("{of} has no `{path}`")));
            }
        }
    }
    problems
}

/// The number of properties that are held against the data.
#[must_use]
pub fn count(project: &Project) -> usize {
    let counts = project.files().map(|file| {
        let sent = file
            .resources()
            .map(|(_, resource)| paths(&resource.body).len());
        sent.sum::<usize>() + reads(file).len()
    });
    counts.sum()
}

/// Reads the JSON files of a directory, after those that the repository carries.
///
/// # Errors
///
/// A file that cannot be read, or is not in the form of the data.
pub fn load(directory: Option<&Path>) -> Result<Schemas, String> {
    let own = crate::repository().join("tests/infra/types");
    let mut schemas = Schemas::default();
    for directory in [Some(own.as_path()), directory].into_iter().flatten() {
        schemas.load(directory)?;
    }
    Ok(schemas)
}
