//! What goes wrong, and where.

use std::time::Duration;

use simulated_cloud::{Fault, Match, ThrottleForm};

use super::script::{Dice, SETS, Step};
use super::watch::Doubt;

/// A call by which a pass reads Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Model(&'static str),
    UniformNics,
    UniformMachines,
    FlexibleMachines,
    GroupNics,
}

impl Site {
    pub(super) fn all() -> [Self; 6] {
        [
            Self::Model(SETS[0]),
            Self::Model(SETS[1]),
            Self::UniformNics,
            Self::UniformMachines,
            Self::FlexibleMachines,
            Self::GroupNics,
        ]
    }

    pub(super) fn set(self) -> &'static str {
        match self {
            Self::Model(set) => set,
            Self::UniformNics | Self::UniformMachines => SETS[0],
            Self::FlexibleMachines | Self::GroupNics => SETS[1],
        }
    }

    pub(super) fn matches(self) -> Match {
        match self {
            Self::Model(set) => Match::arm().path(&format!("virtualMachineScaleSets/{set}?")),
            Self::UniformNics => Match::arm().path("uni-vmss/networkInterfaces"),
            Self::UniformMachines => Match::arm().path("uni-vmss/virtualMachines"),
            Self::FlexibleMachines => Match::arm().path("Microsoft.Compute/virtualMachines?"),
            Self::GroupNics => Match::arm().path("Microsoft.Network/networkInterfaces?"),
        }
    }
}

/// A fault of Azure.
#[derive(Clone, Debug)]
pub(super) struct AzureFault {
    pub(super) site: Site,
    /// A second call that is struck in the same way, so that the two agree in what they lack.
    pub(super) also: Option<Site>,
    pub(super) skip: u32,
    pub(super) times: Option<u32>,
    pub(super) fault: Fault,
    pub(super) doubt: Doubt,
}

pub(super) fn azure_fault(dice: &mut Dice) -> AzureFault {
    let site = dice.one(&Site::all());
    let is_list = !matches!(site, Site::Model(_));
    let times = dice.one(&[None, None, Some(1), Some(2), Some(4)]);
    let skip = u32::from(is_list && dice.chance(25));
    let breaking = Doubt {
        broken: times.is_none() && skip == 0,
        ..Doubt::default()
    };
    let lying = Doubt {
        lies: true,
        ..Doubt::default()
    };
    let (fault, doubt) = match dice.below(if is_list { 19 } else { 12 }) {
        // The children of an empty Uniform set are not found.
        0 if matches!(site, Site::UniformNics | Site::UniformMachines) => {
            (Fault::status(404), lying)
        }
        0 => (
            Fault::arm_error(404, "ResourceNotFound", "not found"),
            breaking,
        ),
        // Without the states, the interfaces alone are complete.
        1 if site == Site::UniformMachines => (
            Fault::status(403),
            Doubt {
                blind: true,
                ..Doubt::default()
            },
        ),
        1 => (Fault::arm_error(403, "AuthorizationFailed", "no"), breaking),
        2 => (
            Fault::Throttled {
                form: ThrottleForm::Compute,
                retry_after: None,
            },
            breaking,
        ),
        3 => {
            let fault = Fault::Throttled {
                form: ThrottleForm::Arm,
                retry_after: Some(1),
            };
            return AzureFault {
                site,
                also: None,
                skip,
                times: Some(1),
                fault,
                doubt: Doubt::default(),
            };
        }
        4 => (Fault::status(500), breaking),
        5 => (Fault::HtmlError(502), breaking),
        6 => (Fault::Reset, breaking),
        7 => (Fault::CutBody, breaking),
        8 => (Fault::TruncatedJson, breaking),
        9 => (Fault::WrongTypes, breaking),
        10 => (Fault::SlowBody(Duration::from_millis(15)), Doubt::default()),
        11 => (Fault::Delay(Duration::from_millis(80)), Doubt::default()),
        12 => (Fault::MissingValue, breaking),
        _ => (Fault::EmptyValue, lying),
    };
    let also = match site {
        Site::UniformNics if doubt.lies => Some(Site::UniformMachines),
        Site::UniformMachines if doubt.lies => Some(Site::UniformNics),
        _ => None,
    };
    AzureFault {
        site,
        also,
        skip,
        times,
        fault,
        doubt,
    }
}

pub(super) fn nginx_fault(dice: &mut Dice) -> Step {
    let method = dice.one(&["GET", "POST", "PATCH", "DELETE"]);
    let fault = match dice.below(7) {
        0 => Fault::nginx_error(500, "InternalError", "oops"),
        1 => Fault::HtmlError(503),
        2 => Fault::Reset,
        3 if method == "GET" => Fault::TruncatedJson,
        3 | 4 => Fault::ApplyThenReset,
        5 => Fault::CutBody,
        _ => Fault::SlowBody(Duration::from_millis(10)),
    };
    Step::Nginx {
        method,
        times: dice.one(&[1, 2, 3, 5, 12]),
        fault,
    }
}
