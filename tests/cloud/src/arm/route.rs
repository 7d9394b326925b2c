//! Which resource a path names, what permission it needs, which api-versions it knows.

/// The api-versions of `Microsoft.Compute` that are known here.
const COMPUTE: &[&str] = &[
    "2019-12-01",
    "2021-03-01",
    "2021-07-01",
    "2021-11-01",
    "2022-03-01",
    "2022-08-01",
    "2022-11-01",
    "2023-03-01",
    "2023-07-01",
    "2023-09-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-04-01",
    "2026-04-01",
];

/// The api-versions of the network interfaces below a scale set: a world of their own.
const SCALE_SET_NETWORK: &[&str] = &["2017-03-30", "2018-10-01", "2021-03-01"];

/// The api-versions of `Microsoft.Network` that are known here.
const NETWORK: &[&str] = &[
    "2022-11-01",
    "2023-02-01",
    "2023-04-01",
    "2023-05-01",
    "2023-06-01",
    "2023-09-01",
    "2023-11-01",
    "2024-01-01",
    "2024-03-01",
    "2024-05-01",
    "2024-07-01",
    "2025-01-01",
    "2026-03-01",
];

/// A parsed resource path.
pub(super) struct Target {
    pub(super) subscription: String,
    pub(super) group: String,
    pub(super) kind: Kind,
}

/// What is asked for.
pub(super) enum Kind {
    ScaleSet {
        set: String,
    },
    ScaleSetView {
        set: String,
    },
    ScaleSetNics {
        set: String,
    },
    ScaleSetMachines {
        set: String,
    },
    ScaleSetMachine {
        set: String,
        instance: String,
    },
    ScaleSetMachineView {
        set: String,
        instance: String,
    },
    ScaleSetMachineNics {
        set: String,
        instance: String,
    },
    ScaleSetMachineNic {
        set: String,
        instance: String,
        nic: String,
    },
    Machines,
    Machine {
        name: String,
    },
    MachineView {
        name: String,
    },
    Nics,
    Nic {
        name: String,
    },
}

impl Target {
    /// Reads a path, fixed words compared without case.
    pub(super) fn parse(segments: &[String]) -> Option<Self> {
        let lower: Vec<String> = segments.iter().map(|part| part.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            provider,
            kind,
            rest @ ..,
        ] = lower.as_slice()
        else {
            return None;
        };
        let name = |place: usize| segments[7 + place].clone();
        let kind = match (*provider, *kind, rest) {
            ("microsoft.compute", "virtualmachinescalesets", [_]) => {
                Kind::ScaleSet { set: name(0) }
            }
            ("microsoft.compute", "virtualmachinescalesets", [_, rest @ ..]) => {
                below_set(name(0), rest, &name)?
            }
            ("microsoft.compute", "virtualmachines", []) => Kind::Machines,
            ("microsoft.compute", "virtualmachines", [_]) => Kind::Machine { name: name(0) },
            ("microsoft.compute", "virtualmachines", [_, "instanceview"]) => {
                Kind::MachineView { name: name(0) }
            }
            ("microsoft.network", "networkinterfaces", []) => Kind::Nics,
            ("microsoft.network", "networkinterfaces", [_]) => Kind::Nic { name: name(0) },
            _ => return None,
        };
        Some(Self {
            subscription: segments[1].clone(),
            group: segments[3].clone(),
            kind,
        })
    }
}

fn below_set(set: String, rest: &[&str], name: &dyn Fn(usize) -> String) -> Option<Kind> {
    Some(match rest {
        ["instanceview"] => Kind::ScaleSetView { set },
        ["networkinterfaces"] => Kind::ScaleSetNics { set },
        ["virtualmachines"] => Kind::ScaleSetMachines { set },
        ["virtualmachines", _] => Kind::ScaleSetMachine {
            set,
            instance: name(2),
        },
        ["virtualmachines", _, "instanceview"] => Kind::ScaleSetMachineView {
            set,
            instance: name(2),
        },
        ["virtualmachines", _, "networkinterfaces"] => Kind::ScaleSetMachineNics {
            set,
            instance: name(2),
        },
        ["virtualmachines", _, "networkinterfaces", _] => Kind::ScaleSetMachineNic {
            set,
            instance: name(2),
            nic: name(4),
        },
        _ => return None,
    })
}

impl Kind {
    /// The RBAC action that this read needs.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::ScaleSet { .. } => "Microsoft.Compute/virtualMachineScaleSets/read",
            Self::ScaleSetView { .. } => {
                "Microsoft.Compute/virtualMachineScaleSets/instanceView/read"
            }
            Self::ScaleSetNics { .. } => {
                "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read"
            }
            Self::ScaleSetMachines { .. } | Self::ScaleSetMachine { .. } => {
                "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"
            }
            Self::ScaleSetMachineView { .. } => {
                "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read"
            }
            Self::ScaleSetMachineNics { .. } | Self::ScaleSetMachineNic { .. } => {
                "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read"
            }
            Self::Machines | Self::Machine { .. } => "Microsoft.Compute/virtualMachines/read",
            Self::MachineView { .. } => "Microsoft.Compute/virtualMachines/instanceView/read",
            Self::Nics | Self::Nic { .. } => "Microsoft.Network/networkInterfaces/read",
        }
    }

    /// The api-versions that this call answers to.
    pub(super) fn versions(&self) -> &'static [&'static str] {
        match self {
            Self::ScaleSetNics { .. }
            | Self::ScaleSetMachineNics { .. }
            | Self::ScaleSetMachineNic { .. } => SCALE_SET_NETWORK,
            Self::Nics | Self::Nic { .. } => NETWORK,
            _ => COMPUTE,
        }
    }

    /// The resource type, as error messages print it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Machines | Self::Machine { .. } | Self::MachineView { .. } => "virtualMachines",
            Self::Nics | Self::Nic { .. } => "networkInterfaces",
            _ => "virtualMachineScaleSets",
        }
    }
}
