//! Prints the queries of the alert rules as a Markdown page, for `.ci/contract`, where Microsoft's
//! parser of the query language reads them together with those of the documents.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bicep::Project;
use bicep::evaluate::{Azure, deploy_module};
use serde_json::json;

fn main() -> ExitCode {
    match queries() {
        Ok(queries) if !queries.is_empty() => {
            for query in queries {
                println!("```kusto\n{query}\n```");
            }
            ExitCode::SUCCESS
        }
        Ok(_) => failed("there is no alert rule"),
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn queries() -> Result<Vec<String>, String> {
    let project = Project::load(&bicep::infra()).map_err(|problems| {
        let lines = problems.iter().map(|problem| format!("{problem}\n"));
        lines.collect::<String>()
    })?;
    let azure = Azure {
        cloud: "AzureCloud".to_owned(),
        subscription: "subscription".to_owned(),
        group: "group".to_owned(),
        known: BTreeMap::new(),
    };
    let given = json!({
        "location": "", "tags": {}, "name": "", "applicationInsightsId": "", "actionGroupIds": [],
        "windowMinutes": 5,
    });
    let given = given.as_object().cloned().unwrap_or_default();
    let made = deploy_module(&project, "alerts.bicep", &given, &azure)?;
    let rules = made.of("Microsoft.Insights/scheduledQueryRules");
    let conditions = rules.filter_map(|rule| {
        rule.body
            .pointer("/properties/criteria/allOf")?
            .as_array()
            .cloned()
    });
    let queries = conditions
        .flatten()
        .filter_map(|condition| condition["query"].as_str().map(str::to_owned));
    Ok(queries.collect())
}
