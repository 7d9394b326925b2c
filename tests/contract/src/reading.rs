//! What a reader has understood, whoever the reader was. Ids are in lower case, because Azure
//! prints them as it likes.

use serde::Serialize;

/// A scale set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ScaleSet {
    /// Its target count.
    pub capacity: Option<u64>,
    /// `Uniform`, `Flexible`.
    pub mode: Option<String>,
}

/// A machine, of a Uniform set or on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Machine {
    /// Its id, in lower case.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `Succeeded`, …
    pub provisioning: Option<String>,
    /// The codes of its instance view; empty where the view was not asked for.
    pub statuses: Vec<String>,
    /// The health extension's code.
    pub health: Option<String>,
    /// Its network interfaces.
    pub interfaces: Vec<InterfaceReference>,
}

/// A machine's reference to one of its network interfaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InterfaceReference {
    /// The interface's id, in lower case.
    pub id: String,
    /// Whether it is the machine's primary one.
    pub primary: Option<bool>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Interface {
    /// Its id, in lower case.
    pub id: String,
    /// `Succeeded`, `Deleting`, …
    pub provisioning: Option<String>,
    /// Whether it is its machine's primary one.
    pub primary: Option<bool>,
    /// The id of its machine, in lower case.
    pub machine: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// One IP configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Address {
    /// The private address.
    pub address: Option<String>,
    /// Whether it is its interface's primary one.
    pub primary: Option<bool>,
}
