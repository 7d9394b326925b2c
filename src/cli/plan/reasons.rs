//! Why each step is taken, in words, with the instance that it is about.

use crate::model::{Phase, ServerAddress};
use crate::plan::{RemoveWhy, Step};
use crate::reconcile::{Origin, UpstreamReport};

/// The reason of a step; never empty.
pub(super) fn of(step: &Step, report: &UpstreamReport) -> String {
    let known = instance(step.address(), report);
    let named = known.map_or_else(
        || "its instance".to_owned(),
        |(name, _)| format!("`{name}`"),
    );
    match step {
        Step::Add { .. } => match known {
            Some((_, Phase::Arriving(why))) => {
                format!("{named} is {why}, and `add_before_running` is set")
            }
            _ => format!("{named} serves there"),
        },
        Step::Patch { changes, .. } => format!("the configuration has {}", changes.describe()),
        Step::Undrain { .. } => format!("{named} serves again"),
        Step::Replace { .. } => {
            "its `backup` differs, which NGINX cannot change in place".to_owned()
        }
        Step::Drain { why, .. } => format!("{named} is {why}"),
        Step::Remove { why, .. } => match why {
            RemoveWhy::Leaving(why) => format!("{named} is {why}"),
            RemoveWhy::Gone | RemoveWhy::Drained | RemoveWhy::Duplicate => why.to_string(),
        },
    }
}

/// The instance behind an address, and where it is in its life.
fn instance<'a>(
    address: &ServerAddress,
    report: &'a UpstreamReport,
) -> Option<(&'a str, &'a Phase)> {
    let survey = report.survey.as_ref()?;
    let member = survey
        .members
        .iter()
        .find(|member| member.address == *address);
    if let Some(Origin::Instance { name, phase, .. }) = member.map(|member| &member.origin) {
        return Some((name, phase));
    }
    let absent = survey.absent.iter().find(|absent| {
        let socket = absent.address.map(ServerAddress::Socket);
        socket.as_ref() == Some(address)
    });
    absent.map(|absent| (absent.name.as_str(), &absent.phase))
}
