//! Every call of a pass, struck by every fault: what must not happen does not, and whoever is not
//! concerned is served.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use simulated_cloud::functions_host::{Reply, event_grid};
use simulated_cloud::{
    Cloud, Fault, Match, PowerState, Recorded, Server, Service, ThrottleForm, UpstreamEntry,
    UpstreamKind,
};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, Ledger, SET, SET_MACHINES, SET_NICS, address_of, assert_no_leak,
};
use crate::support::{Running, flexible_cloud, sorted, uniform_cloud, web};

/// The other upstream's set: another subscription, so that throttling does not reach it.
const CALM: &str = "00000000-0000-0000-0000-000000000002/rg-calm/calm-vmss";
/// Longer than an event's reply may take.
const REPLY_DUE: Duration = Duration::from_secs(28);

/// One kind of call that a pass makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Token,
    Set { uniform: bool },
    SetNics,
    SetMachines,
    GroupMachines,
    GroupNics,
    Secret,
    Servers,
    Peers,
    LastLook,
    Post,
    Patch,
    Delete,
}

const SITES: [Site; 14] = [
    Site::Token,
    Site::Set { uniform: true },
    Site::Set { uniform: false },
    Site::SetNics,
    Site::SetMachines,
    Site::GroupMachines,
    Site::GroupNics,
    Site::Secret,
    Site::Servers,
    Site::Peers,
    Site::LastLook,
    Site::Post,
    Site::Patch,
    Site::Delete,
];

impl Site {
    /// The service, the method and a part of the path.
    fn place(self) -> (Service, &'static str, &'static str) {
        match self {
            Self::Token => (Service::Identity, "GET", ""),
            Self::Set { .. } => (Service::Arm, "GET", SET),
            Self::SetNics => (Service::Arm, "GET", SET_NICS),
            Self::SetMachines => (Service::Arm, "GET", SET_MACHINES),
            Self::GroupMachines => (Service::Arm, "GET", GROUP_MACHINES),
            Self::GroupNics => (Service::Arm, "GET", GROUP_NICS),
            Self::Secret => (Service::Vault, "GET", ""),
            Self::Servers => (Service::Nginx, "GET", "upstreams/web/servers/"),
            Self::Peers => (Service::Nginx, "GET", "upstreams/web/?"),
            Self::LastLook => (Service::Nginx, "GET", "upstreams/web/servers/"),
            Self::Post => (Service::Nginx, "POST", "upstreams/web/"),
            Self::Patch => (Service::Nginx, "PATCH", "upstreams/web/"),
            Self::Delete => (Service::Nginx, "DELETE", "upstreams/web/"),
        }
    }

    fn matches(self) -> Match {
        let (service, method, path) = self.place();
        // The first list of the servers is what the pass is planned from.
        let skip = u32::from(self == Self::LastLook);
        let call = Match::service(service).method(method).skip(skip);
        match self {
            Self::Peers => call.path("upstreams/web/").without("/servers/"),
            _ => call.path(path),
        }
    }

    fn covers(self, request: &Recorded) -> bool {
        let (service, method, part) = self.place();
        let target = format!("{}?{}", request.path, request.query);
        request.service == service && request.method == method && target.contains(part)
    }

    fn uniform(self) -> bool {
        !matches!(
            self,
            Self::Set { uniform: false } | Self::GroupMachines | Self::GroupNics
        )
    }

    fn reads_azure(self) -> bool {
        self == Self::Token || self.place().0 == Service::Arm
    }
}

/// A fault's name and how it is made.
type Row = (&'static str, fn(&Cloud) -> Fault);

const FAULTS: [Row; 13] = [
    ("reset", |_| Fault::Reset),
    ("401", |_| Fault::status(401)),
    ("403", |_| Fault::status(403)),
    ("404", |_| Fault::status(404)),
    ("409", |_| Fault::status(409)),
    ("429", |_| Fault::Throttled {
        form: ThrottleForm::Arm,
        retry_after: Some(600),
    }),
    ("500", |_| Fault::status(500)),
    ("503", |_| Fault::status(503)),
    ("truncated JSON", |_| Fault::TruncatedJson),
    ("wrong types", |_| Fault::WrongTypes),
    ("50 MB", |_| Fault::HugeBody(50_000_000)),
    ("foreign nextLink", |cloud| {
        Fault::ForeignNextLink(format!("{}/next", cloud.foreign_url()))
    }),
    ("redirect", |cloud| {
        Fault::Redirect(format!("{}/moved", cloud.foreign_url()))
    }),
];

/// What a cell must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// 200, and everything done.
    Done,
    /// 200: NGINX said of a write that somebody else has made it.
    AlreadySo,
    /// 200 from interfaces alone: what is gone is removed, what is switched off stays.
    WithoutStates,
    /// 500; nothing taken out.
    NothingTakenOut,
    /// 500; only what leaves is taken out.
    Partly,
}

fn expected(site: Site, fault: &str) -> Expected {
    let is_list = matches!(
        site,
        Site::SetNics | Site::SetMachines | Site::GroupMachines | Site::GroupNics
    );
    let is_write = matches!(site, Site::Post | Site::Patch | Site::Delete);
    match fault {
        // Only lists have pages.
        "foreign nextLink" if !is_list => Expected::Done,
        // What a write replies is not used.
        "truncated JSON" | "wrong types" if is_write => Expected::Done,
        "404" if matches!(site, Site::Patch | Site::Delete) => Expected::AlreadySo,
        "409" if site == Site::Post => Expected::AlreadySo,
        // The status only helps to decide.
        _ if site == Site::Peers => Expected::Done,
        // The role without this permission is documented.
        "403" if site == Site::SetMachines => Expected::WithoutStates,
        _ if matches!(site, Site::Patch | Site::Delete) => Expected::Partly,

        _ => Expected::NothingTakenOut,
    }
}

/// A world in which a pass makes every kind of call: one instance is gone, one is switched off, one
/// is new, one has a parameter to be put right. The other upstream is to get an instance.
struct Cell {
    running: Running,
    ledger: Ledger,
    gone: String,
    leaving: String,
    before: Vec<String>,
}

impl Cell {
    async fn new(uniform: bool) -> Self {
        let cloud = if uniform {
            uniform_cloud(4).await
        } else {
            flexible_cloud(4).await
        };
        let world = cloud.world();
        world.add_uniform_set(CALM, 2);
        world.add_upstream(UpstreamKind::Http, "calm");
        let before = sorted(world.addresses("web-vmss", 80));
        for address in &before {
            world.put_server(UpstreamKind::Http, "web", Server::at(address));
        }
        let (gone, leaving) = (
            address_of(&world, "web-vmss", 0),
            address_of(&world, "web-vmss", 1),
        );
        let kept = address_of(&world, "web-vmss", 2);
        world.change_server(UpstreamKind::Http, "web", &kept, |server| {
            server.max_fails = 7;
        });
        world.set_power("web-vmss", 1, PowerState::Deallocated);
        world.delete_instance("web-vmss", 0);
        world.scale("web-vmss", 4);
        let ledger = Ledger::watch(&world);
        let running = Running::start(cloud, &[web(), UpstreamEntry::http("calm", CALM)]).await;
        Self {
            running,
            ledger,
            gone,
            leaving,
            before,
        }
    }

    /// One delivery with an event for either set.
    async fn events(&self) -> Reply {
        let world = self.running.world();
        let events: Vec<_> = ["web-vmss", CALM]
            .map(|set| {
                let operation = "Microsoft.Compute/virtualMachineScaleSets/write";
                let kind = "Microsoft.Resources.ResourceWriteSuccess";
                event_grid(kind, &world.set_id(set), operation)
            })
            .into();
        self.running
            .handler
            .event(&serde_json::Value::Array(events))
            .await
    }

    fn out(&self, addresses: &[&String]) -> Vec<String> {
        sorted(
            addresses
                .iter()
                .map(|address| format!("web {address}"))
                .collect(),
        )
    }
}

async fn strike(site: Site, (name, fault): Row) {
    let case = format!("{site:?} x {name}");
    let cell = Cell::new(site.uniform()).await;
    let handle = cell
        .running
        .cloud
        .fault(site.matches(), fault(&cell.running.cloud), None);
    let begun = Instant::now();
    let reply = cell.events().await;
    assert!(begun.elapsed() < REPLY_DUE, "{case}: {:?}", begun.elapsed());
    assert!(handle.hits() > 0, "{case}: never struck");
    assert_no_leak(&cell.running.cloud);

    let expected = expected(site, name);
    let out = cell.ledger.taken_out();
    let everything = cell.out(&[&cell.gone, &cell.leaving]);
    assert!(
        out.iter().all(|line| everything.contains(line)),
        "{case}: {out:?}"
    );
    let (world, servers) = (cell.running.world(), cell.running.http("web"));
    let failed = matches!(expected, Expected::NothingTakenOut | Expected::Partly);
    let status = if failed { 500 } else { 200 };
    assert_eq!(reply.status, status, "{case}: {}", reply.text);
    match expected {
        Expected::Done => {
            assert_eq!(out, everything, "{case}");
            assert!(!servers.contains(&cell.gone), "{case}");
        }
        Expected::WithoutStates => assert_eq!(out, cell.out(&[&cell.gone]), "{case}"),
        Expected::NothingTakenOut => {
            assert_eq!(out, Vec::<String>::new(), "{case}");
            assert!(
                cell.before.iter().all(|old| servers.contains(old)),
                "{case}: {servers:?}"
            );
        }
        Expected::Partly | Expected::AlreadySo => {}
    }
    let shared = matches!(site, Site::Token | Site::Secret) && status == 500;
    let calm = if shared {
        vec![]
    } else {
        sorted(world.addresses(CALM, 80))
    };
    assert_eq!(cell.running.http("calm"), calm, "{case}");
    if !reply.succeeded() {
        // The host drops a failed reply: everything it says is on stdout, too.
        for line in reply.logs() {
            let limit = Duration::from_secs(5);
            let failed = line.starts_with("Couldn't");
            let told = !failed || cell.running.handler.wait_for_line(&line, limit).await;
            assert!(told, "{case}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_pass_is_a_row_of_the_fault_table() {
    for uniform in [true, false] {
        let cell = Cell::new(uniform).await;
        let reply = cell.events().await;
        assert!(reply.succeeded(), "{}", reply.text);
        let sites: Vec<Site> = SITES
            .into_iter()
            .filter(|site| site.uniform() == uniform)
            .collect();
        let requests = cell.running.cloud.requests();
        let calm = |request: &Recorded| request.path.contains("calm");
        for request in requests.iter().filter(|request| !calm(request)) {
            let covered = SITES.iter().any(|site| site.covers(request));
            assert!(covered, "no row for {} {}", request.method, request.path);
        }
        for site in sites {
            let made = requests.iter().filter(|request| site.covers(request));
            let least = 1 + usize::from(site == Site::LastLook);
            assert!(made.count() >= least, "{site:?} is not called");
        }
        assert_eq!(
            cell.ledger.taken_out(),
            cell.out(&[&cell.gone, &cell.leaving])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_any_call_removes_what_it_must_not_or_stops_another_upstream() {
    let cells = SITES
        .into_iter()
        .flat_map(|site| FAULTS.into_iter().map(move |row| (site, row)));
    let runs = futures::stream::iter(cells).map(|(site, row)| tokio::spawn(strike(site, row)));
    let failures: Vec<String> = runs
        .buffer_unordered(6)
        .filter_map(|run| async move { run.err().map(|error| error.to_string()) })
        .collect()
        .await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_that_hangs_removes_what_it_must_not_or_stops_another_upstream_or_the_reply() {
    let hang: Row = ("hang", |_| Fault::Hang);
    let runs = SITES
        .into_iter()
        .map(|site| tokio::spawn(strike(site, hang)));
    let failures: Vec<String> = futures::future::join_all(runs)
        .await
        .into_iter()
        .filter_map(|run| run.err().map(|error| error.to_string()))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The table's rule of thumb, once more: an Azure read that failed takes nothing out.
#[test]
fn the_table_expects_nothing_to_be_taken_out_when_azure_could_not_be_read() {
    for site in SITES.into_iter().filter(|site| site.reads_azure()) {
        for (name, _) in FAULTS {
            let told = expected(site, name);
            let exception = told == Expected::WithoutStates || name == "foreign nextLink";
            assert!(
                told == Expected::NothingTakenOut || exception,
                "{site:?} x {name}"
            );
        }
    }
}
