//! The worked examples are what the program prints: the handler, in the simulated cloud.

mod stage;

use simulated_cloud::{Fault, Match, PeerState, PowerState, Server, UpstreamEntry, UpstreamKind};

use super::{page, updating};
use stage::{Stage, web};

const PAGE: &str = "docs/how-a-pass-decides.md";

/// The scenarios, each the name behind `log` of a block.
const SCENARIOS: [&str; 17] = [
    "add",
    "update",
    "arriving",
    "leaving",
    "came-back",
    "gone",
    "last-ones",
    "emptied",
    "mass-removal",
    "forced",
    "second-witness",
    "untold-address",
    "incomplete",
    "two-sources",
    "scoped",
    "zone-full",
    "last-look",
];

/// Plays a scenario; what was printed, line by line.
async fn play(name: &str) -> Vec<String> {
    // Long enough that no machine is too slow for the idle readings to come first.
    let entry = web().with("drain_timeout", "5m");
    let mut stage = match name {
        "two-sources" => {
            let green = UpstreamEntry {
                scale_set: "green-vmss".to_owned(),
                ..entry.clone()
            };
            Stage::of(&[("web-vmss", 2), ("green-vmss", 2)], &[entry, green]).await
        }
        "scoped" => {
            let entry = entry.with("ownership", "scoped");
            Stage::of(
                &[("web-vmss", 2)],
                &[entry.with("networks", "[10.20.0.0/16]")],
            )
            .await
        }
        "last-look" => Stage::of(&[("web-vmss", 2)], &[web().with("drain_timeout", "0s")]).await,
        _ => Stage::of(&[("web-vmss", 3)], &[entry]).await,
    };
    if name == "add" {
        stage.tick().await;
        return stage.lines;
    }
    stage.tick().await;
    stage.lines.clear();
    let world = stage.cloud.world();
    match name {
        "update" => {
            world.change_server(UpstreamKind::Http, "web", "10.20.0.5:80", |server| {
                server.max_fails = 3;
                server.weight = 5;
            });
            stage.plan().await;
            stage.tick().await;
        }
        "arriving" => {
            world.scale("web-vmss", 5);
            world.set_power("web-vmss", 3, PowerState::Starting);
            world.drop_nics("web-vmss", 4);
            world.set_power("web-vmss", 4, PowerState::Creating);
            stage.plan().await;
        }
        "leaving" | "came-back" => {
            stage.active("10.20.0.5:80", 3);
            world.set_power("web-vmss", 1, PowerState::Stopping);
            stage.tick().await;
            if name == "came-back" {
                world.set_power("web-vmss", 1, PowerState::Running);
                stage.tick().await;
            } else {
                stage.active("10.20.0.5:80", 0);
                stage.plan().await;
                stage.tick().await;
                stage.tick().await;
            }
        }
        "gone" => {
            world.scale("web-vmss", 2);
            stage.tick().await;
        }
        "last-ones" => {
            for place in 0..3 {
                world.set_power("web-vmss", place, PowerState::Deallocated);
            }
            stage.tick().await;
        }
        "emptied" => {
            world.scale("web-vmss", 0);
            stage.tick().await;
        }
        "mass-removal" | "forced" | "second-witness" => {
            vanish(&stage, 2);
            if name == "second-witness" {
                let ill = Some(PeerState::Unhealthy);
                world.set_peer_state(UpstreamKind::Http, "web", "10.20.0.5:80", ill);
            }
            stage.tick().await;
            if name == "forced" {
                let digest = stage.lines.pop().unwrap();
                stage.force(&digest).await;
            }
        }
        "untold-address" => {
            world.hide_nics("web-vmss", 1);
            stage.tick().await;
        }
        "incomplete" => {
            world.remove_set("web-vmss");
            stage.tick().await;
        }
        "two-sources" => {
            world.scale("green-vmss", 3);
            vanish(&stage, 1);
            let nics = Match::arm().path("virtualMachineScaleSets/web-vmss/networkInterfaces");
            let fault = Fault::arm_error(500, "InternalError", "Try later.");
            stage.cloud.fault(nics, fault, None);
            stage.tick().await;
        }
        "scoped" => {
            for other in ["192.168.7.7:80", "10.20.9.9:80"] {
                world.put_server(UpstreamKind::Http, "web", Server::at(other));
            }
            stage.plan().await;
        }
        "zone-full" => {
            // Room for none: which of several writes side by side is the first cannot be told.
            world.set_zone_capacity(UpstreamKind::Http, "web", Some(3));
            world.scale("web-vmss", 12);
            stage.tick().await;
        }
        "last-look" => stage.two_that_saw_different_leavers().await,
        other => panic!("there is no scenario {other}"),
    }
    stage.lines
}

/// Instances vanish without a trace, while the set still wants them.
fn vanish(stage: &Stage, count: usize) {
    for _ in 0..count {
        stage.cloud.world().delete_instance("web-vmss", 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_what_the_program_prints() {
    let mut page = page(PAGE);
    let mut shown = Vec::new();
    for block in page.blocks() {
        let ["log", name] = block.words()[..] else {
            continue;
        };
        assert!(SCENARIOS.contains(&name), "{}: {name}", page.at(block.line));
        shown.push(name.to_owned());
        let printed = play(name).await.join("\n") + "\n";
        if updating() {
            let old = format!("```log {name}\n{}```", block.text);
            let new = format!("```log {name}\n{printed}```");
            page.text = page.text.replace(&old, &new);
        } else {
            assert_eq!(
                block.text,
                printed,
                "{}: run UPDATE_DOCS=1 cargo test --test docs",
                page.at(block.line)
            );
        }
    }
    if updating() {
        std::fs::write(&page.path, &page.text).unwrap();
    }
    shown.sort();
    let mut all = SCENARIOS.to_vec();
    all.sort_unstable();
    assert_eq!(shown, all);
}
