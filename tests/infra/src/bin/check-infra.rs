//! `check-infra TEMPLATES` prints the resource types that the Bicep files there need data for;
//! `check-infra TEMPLATES DATA` holds them against the data. `.ci/infra` calls both.

use std::path::PathBuf;
use std::process::ExitCode;

use bicep::{Project, types};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(templates) = arguments.next() else {
        return told(&["usage: check-infra TEMPLATES [DATA]"]);
    };
    let project = match Project::load(&templates) {
        Ok(project) => project,
        Err(problems) => return told(&problems),
    };
    let Some(data) = arguments.next() else {
        // Those that the repository has data for need no fetching.
        let own = types::load(None).unwrap_or_default();
        for of in types::wanted(&project) {
            if own.get(&of).is_none() {
                println!("{of}");
            }
        }
        return ExitCode::SUCCESS;
    };
    let schemas = match types::load(Some(&data)) {
        Ok(schemas) => schemas,
        Err(error) => return told(&[error]),
    };
    let problems = types::check(&project, &schemas);
    if problems.is_empty() {
        let types = types::wanted(&project).len();
        let properties = types::count(&project);
        println!(
            "{types} resource types and {properties} properties are as Microsoft's data has them"
        );
        return ExitCode::SUCCESS;
    }
    told(&problems)
}

fn told(problems: &[impl std::fmt::Display]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    ExitCode::FAILURE
}
