//! Scripts: what happens to the world, drawn from a seed.

use simulated_cloud::{Fault, PowerState};

use super::faults::{AzureFault, Site, azure_fault, nginx_fault};

/// The scale sets of the world.
pub(super) const SETS: [&str; 2] = ["uni-vmss", "flex-vmss"];

/// `SplitMix64`: small, and the same everywhere.
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

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
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

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Scale {
        set: &'static str,
        to: usize,
        at_once: bool,
        reuse: bool,
    },
    Settle(&'static str),
    /// As a spot eviction: gone, and nobody says so.
    Evict {
        set: &'static str,
        nth: usize,
    },
    MarkDeleting {
        set: &'static str,
        nth: usize,
    },
    FinishDelete(&'static str),
    Power {
        set: &'static str,
        nth: usize,
        power: PowerState,
    },
    PageSize(usize),
    Drift {
        nth: usize,
    },
    RotateKey,
    RevokeTokens,
    /// NGINX replies as NGINXaaS does, from the first step on.
    NginxAaas,
    Azure(AzureFault),
    Nginx {
        method: &'static str,
        times: u32,
        fault: Fault,
    },
    EndFaults,
    Ask {
        whom: Whom,
        call: Call,
        wait: bool,
    },
    /// The pass stands still at this call, answered or not, until the next `Join`.
    AskHeld {
        who: usize,
        call: Call,
        site: Site,
        answered: bool,
    },
    /// SIGKILL at this write, applied or not.
    KillInWrite {
        who: usize,
        method: &'static str,
        skip: u32,
        applied: bool,
    },
    Kill(usize),
    Join,
}

/// How many scripts have NGINXaaS's replies, which do not tell whether a server is draining.
const AAAS_PERCENT: usize = 0;

/// The script of a seed.
pub(super) fn script(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let length = 18 + dice.below(14);
    let mut steps: Vec<Step> = Vec::new();
    let mut rotated = false;
    if dice.chance(AAAS_PERCENT) {
        steps.push(Step::NginxAaas);
    }
    for _ in 0..length {
        let step = step(&mut dice);
        // NGINX and vault are read again at most once in three seconds.
        if matches!(step, Step::RotateKey) && std::mem::replace(&mut rotated, true) {
            continue;
        }
        let held = match step {
            Step::AskHeld { who, .. } => Some(who),
            _ => None,
        };
        steps.push(step);
        // Often the other handler meanwhile sees a set that has grown.
        if let (Some(who), true) = (held, dice.chance(50)) {
            let (set, to) = (dice.one(&SETS), 4 + dice.below(5));
            steps.push(Step::Scale {
                set,
                to,
                at_once: true,
                reuse: dice.chance(30),
            });
            let (whom, call) = (Whom::One(1 - who), Call::Tick);
            steps.push(Step::Ask {
                whom,
                call,
                wait: true,
            });
            steps.push(Step::Join);
        }
    }
    steps
}

fn step(dice: &mut Dice) -> Step {
    let set = dice.one(&SETS);
    let nth = dice.below(8);
    match dice.below(100) {
        0..12 => {
            let to = dice.one(&[0, 1, 2, 3, 3, 4, 5, 6, 7]);
            Step::Scale {
                set,
                to,
                at_once: dice.chance(60),
                reuse: dice.chance(40),
            }
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
            Step::Power {
                set,
                nth,
                power: dice.one(&powers),
            }
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
            Step::Ask {
                whom,
                call: call(dice),
                wait: dice.chance(60),
            }
        }
        86..92 => {
            let site = dice.one(&Site::all());
            Step::AskHeld {
                who: dice.below(2),
                call: call(dice),
                site,
                answered: dice.chance(60),
            }
        }
        92..95 => {
            let method = dice.one(&["POST", "PATCH", "DELETE"]);
            let skip = u32::from(dice.chance(40));
            Step::KillInWrite {
                who: dice.below(2),
                method,
                skip,
                applied: dice.chance(50),
            }
        }
        95 => Step::Kill(dice.below(2)),
        _ => Step::Join,
    }
}

fn call(dice: &mut Dice) -> Call {
    if dice.chance(50) {
        Call::Tick
    } else {
        Call::Event(dice.one(&SETS))
    }
}
