//! Microsoft's generated models judge the simulated Resource Manager and our own wire types.
//!
//! In each world the product's `plan` runs first. Every request that it sent is sent again by a
//! plain client, and the bytes are read three ways: by Microsoft's models, by our wire types, and
//! by nobody at all, the world itself being asked. All three must agree on ids, states and
//! addresses, and Microsoft's models must know every field and every value that was printed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod judge;
mod microsoft;
mod ours;
mod replay;

use judge::{Call, Case};
use serde_json::json;
use simulated_cloud::{EmptyNicList, Health, OrchestrationMode, PowerState, Provisioning};

const SET: &str = "web";

fn uniform(instances: usize) -> Case {
    Case::new(SET, OrchestrationMode::Uniform, instances)
}

fn flexible(instances: usize) -> Case {
    Case::new(SET, OrchestrationMode::Flexible, instances)
}

fn both(instances: usize) -> [Case; 2] {
    [uniform(instances), flexible(instances)]
}

#[tokio::test]
async fn running_instances() {
    for case in both(3) {
        case.judge().await;
    }
}

#[tokio::test]
async fn several_pages() {
    for case in both(7) {
        case.world().set_page_size(3);
        // Those of another set are on the group's pages, too.
        case.with_other("other", 2).expect_pages(3).judge().await;
    }
}

#[tokio::test]
async fn pages_of_a_filter_whose_links_hold_spaces() {
    let case = flexible(5);
    case.world().set_page_size(2);
    case.world().put_spaces_in_next_links(true);
    case.expect_pages(3).judge().await;
}

#[tokio::test]
async fn several_interfaces_and_addresses() {
    for case in both(4) {
        let world = case.world();
        world.add_nic(SET, 0, "10.30.0.1");
        world.add_nic(SET, 0, "10.30.0.2");
        world.add_ip_configuration(SET, 1, "10.30.0.3");
        world.add_ip_configuration(SET, 2, "fd00::3");
        world.set_address(SET, 3, Some("fd00::4"));
        case.judge().await;
    }
}

#[tokio::test]
async fn interfaces_without_primary_flag_or_address() {
    for case in both(3) {
        let world = case.world();
        world.change(SET, 0, |instance| instance.nics[0].primary = None);
        world.set_address(SET, 1, None);
        world.drop_nics(SET, 2);
        world.set_power(SET, 2, PowerState::Creating);
        case.judge().await;
    }
}

#[tokio::test]
async fn every_power_state() {
    let states = [
        PowerState::Creating,
        PowerState::Starting,
        PowerState::Running,
        PowerState::Stopping,
        PowerState::Stopped,
        PowerState::Deallocating,
        PowerState::Deallocated,
        PowerState::NotTold,
    ];
    for case in both(states.len()) {
        for (place, state) in states.iter().enumerate() {
            case.world().set_power(SET, place, state.clone());
        }
        case.judge().await;
    }
}

#[tokio::test]
async fn every_provisioning_state_and_health() {
    let states = [
        Provisioning::Creating,
        Provisioning::Updating,
        Provisioning::Succeeded,
        Provisioning::Failed,
        Provisioning::Deleting,
        Provisioning::Migrating,
    ];
    let health = [
        Some(Health::Healthy),
        Some(Health::Unhealthy),
        Some(Health::Initializing),
        Some(Health::Unknown),
        None,
    ];
    for case in both(states.len()) {
        for (place, state) in states.into_iter().enumerate() {
            case.world().set_provisioning(SET, place, state);
            case.world()
                .set_health(SET, place, health[place % health.len()]);
        }
        case.judge().await;
    }
}

#[tokio::test]
async fn scaling_out_and_in() {
    for case in both(3) {
        case.world().begin_scale(SET, 5);
        case.judge().await;
    }
    for case in both(4) {
        case.world().begin_scale(SET, 2);
        case.judge().await;
    }
}

#[tokio::test]
async fn ids_in_upper_case() {
    for case in both(3) {
        case.world().print_ids_in_upper_case(true);
        case.judge().await;
    }
}

#[tokio::test]
async fn no_instances() {
    for case in both(0) {
        case.judge().await;
    }
    let case = uniform(0);
    case.world().set_empty_nic_list(EmptyNicList::NotFound);
    case.expect_refused(Call::SetInterfaces).judge().await;
}

#[tokio::test]
async fn no_capacity_and_no_mode() {
    let case = uniform(2);
    case.world().set_capacity(SET, None);
    case.judge().await;
    let case = uniform(2);
    case.world().set_mode_text(SET, None);
    case.without_mode().judge().await;
}

#[tokio::test]
async fn a_flexible_list_that_leaves_the_interfaces_out() {
    let case = flexible(3);
    case.world().drop_network_profile_when_expanded(true);
    case.expanded_without_interfaces()
        .expect_call(Call::GroupMachinesPlain)
        .judge()
        .await;
}

#[tokio::test]
async fn interfaces_elsewhere_orphaned_or_gone() {
    let case = flexible(4);
    let world = case.world();
    world.move_nics(SET, 0, "rg-network");
    world.add_nic(SET, 1, "10.30.0.1");
    case.expect_call(Call::Interface).judge().await;

    let case = flexible(2);
    case.world().hide_nics(SET, 1);
    case.expect_refused(Call::Interface).judge().await;

    let case = flexible(2);
    case.with_orphan("nobodys", "10.30.0.9").judge().await;
}

#[tokio::test]
async fn refusals() {
    let case = uniform(1);
    case.world().remove_set(SET);
    case.expect_refused(Call::Set)
        .expect_failure()
        .judge()
        .await;

    let case = uniform(2);
    case.world()
        .deny_action("Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read");
    case.expect_refused(Call::SetInterfaces)
        .expect_failure()
        .judge()
        .await;

    let case = flexible(2);
    case.world()
        .deny_action("Microsoft.Compute/virtualMachines/read");
    case.expect_refused(Call::GroupMachines)
        .expect_failure()
        .judge()
        .await;

    let case = flexible(2);
    case.world()
        .deny_action("Microsoft.Network/networkInterfaces/read");
    case.expect_refused(Call::GroupInterfaces)
        .expect_failure()
        .judge()
        .await;
}

/// The judges themselves: a field that Microsoft does not know is noticed.
#[tokio::test]
#[should_panic(expected = "Microsoft's model does not know")]
async fn a_misspelt_field_is_noticed() {
    let case = uniform(1);
    let id = case.world().instance(SET, 0).id;
    let raw = json!({
        "id": id, "name": "web_0", "location": "westeurope",
        "properties": {"provisionState": "Succeeded"},
    });
    case.world().set_raw_vm(SET, 0, Some(raw));
    case.judge().await;
}

/// The judges themselves: a value that Microsoft does not know is noticed.
#[tokio::test]
#[should_panic(expected = "holds a value unknown to Microsoft")]
async fn an_unknown_state_is_noticed() {
    let case = uniform(1);
    let id = case.world().instance(SET, 0).nics[0].id.clone();
    let raw = json!({
        "id": id, "name": "nic0",
        "properties": {"provisioningState": "Suceeded", "primary": true, "ipConfigurations": []},
    });
    case.world().set_raw_nic(SET, 0, Some(raw));
    case.judge().await;
}
