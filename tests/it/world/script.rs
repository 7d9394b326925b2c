//! Scripts: what happens to the world, drawn from a seed.

use std::time::Duration;

use simulated_cloud::{Fault, Match, PowerState, ThrottleForm};

use super::watch::Doubt;

/// The scale sets of the world.
pub(super) const SETS: [&str; 2] = ["uni-vmss", "flex-vmss"];

/// SplitMix64: small, and the same everywhere.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// Whom an invocation goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    One(usize),
    Both,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Tick,
    Event(&'static str),
}

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
    pub(super) skip: u32,
    pub(super) times: Option<u32>,
    pub(super) fault: Fault,
    pub(super) doubt: Doubt,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Scale { set: &'static str, to: usize, at_once: bool, reuse: bool },
    Settle(&'static str),
    /// As a spot eviction: gone, and nobody says so.
    Evict { set: &'static str, nth: usize },
    MarkDeleting { set: &'static str, nth: usize },
    FinishDelete(&'static str),
    Power { set: &'static str, nth: usize, power: PowerState },
    PageSize(usize),
    Drift { nth: usize },
    RotateKey,
    RevokeTokens,
    Azure(AzureFault),
    Nginx { method: &'static str, times: u32, fault: Fault },
    EndFaults,
    Ask { whom: Whom, call: Call, wait: bool },
    /// The pass stands still at this call, answered or not, until the next `Join`.
    AskHeld { who: usize, call: Call, site: Site, answered: bool },
    /// SIGKILL at this write, applied or not.
    KillInWrite { who: usize, method: &'static str, skip: u32, applied: bool },
    Kill(usize),
    Join,
}

/// The script of a seed.
pub(super) fn script(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let length = 18 + dice.below(14);
    let mut steps: Vec<Step> = Vec::new();
    let mut rotated = false;
    for _ in 0..length {
        let step = step(&mut dice);
        // NGINX and vault are read again at most once in three seconds.
        if matches!(step, Step::RotateKey) && std::mem::replace(&mut rotated, true) {
            continue;
        }
        steps.push(step);
    }
    steps
}

fn step(dice: &mut Dice) -> Step {
    let set = dice.one(&SETS);
    let nth = dice.below(8);
    match dice.below(100) {
        0..12 => {
            let to = dice.one(&[0, 1, 2, 3, 3, 4, 5, 6, 7]);
            Step::Scale { set, to, at_once: dice.chance(60), reuse: dice.chance(40) }
        }
        12..16 => Step::Settle(set),
        16..23 => Step::Evict { set, nth },
        23..27 => Step::MarkDeleting { set, nth },
        27..30 => Step::FinishDelete(set),
        30..42 => {
            let powers = [
                PowerState::Stopped,
                PowerState::Deallocating,
                PowerState::Deallocated,
                PowerState::Starting,
                PowerState::Running,
                PowerState::Running,
                PowerState::NotTold,
            ];
            Step::Power { set, nth, power: dice.one(&powers) }
        }
        42..45 => Step::PageSize(dice.one(&[1, 2, 3, 1000])),
        45..47 => Step::Drift { nth },
        47 => Step::RotateKey,
        48 => Step::RevokeTokens,
        49..59 => Step::Azure(azure_fault(dice)),
        59..65 => nginx_fault(dice),
        65..70 => Step::EndFaults,
        70..86 => {
            let whom = dice.one(&[Whom::One(0), Whom::One(1), Whom::Both, Whom::Both]);
            Step::Ask { whom, call: call(dice), wait: dice.chance(60) }
        }
        86..92 => {
            let site = dice.one(&Site::all());
            Step::AskHeld { who: dice.below(2), call: call(dice), site, answered: dice.chance(60) }
        }
        92..95 => {
            let method = dice.one(&["POST", "PATCH", "DELETE"]);
            let skip = u32::from(dice.chance(40));
            Step::KillInWrite { who: dice.below(2), method, skip, applied: dice.chance(50) }
        }
        95 => Step::Kill(dice.below(2)),
        _ => Step::Join,
    }
}

fn call(dice: &mut Dice) -> Call {
    if dice.chance(50) { Call::Tick } else { Call::Event(dice.one(&SETS)) }
}

fn azure_fault(dice: &mut Dice) -> AzureFault {
    let site = dice.one(&Site::all());
    let is_list = !matches!(site, Site::Model(_));
    let times = dice.one(&[None, None, Some(1), Some(2), Some(4)]);
    let skip = u32::from(is_list && dice.chance(25));
    let breaking = Doubt { broken: times.is_none() && skip == 0, ..Doubt::default() };
    let lying = Doubt { lies: true, ..Doubt::default() };
    let (fault, doubt) = match dice.below(if is_list { 15 } else { 12 }) {
        // The children of an empty Uniform set are not found.
        0 if matches!(site, Site::UniformNics | Site::UniformMachines) => (Fault::status(404), lying),
        0 => (Fault::arm_error(404, "ResourceNotFound", "not found"), breaking),
        // Without the states, the interfaces alone are complete.
        1 if site == Site::UniformMachines => {
            (Fault::status(403), Doubt { blind: true, ..Doubt::default() })
        }
        1 => (Fault::arm_error(403, "AuthorizationFailed", "no"), breaking),
        2 => (Fault::Throttled { form: ThrottleForm::Compute, retry_after: None }, breaking),
        3 => {
            let fault = Fault::Throttled { form: ThrottleForm::Arm, retry_after: Some(1) };
            return AzureFault { site, skip, times: Some(1), fault, doubt: Doubt::default() };
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
    AzureFault { site, skip, times, fault, doubt }
}

fn nginx_fault(dice: &mut Dice) -> Step {
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
    Step::Nginx { method, times: dice.one(&[1, 2, 3, 5, 12]), fault }
}
