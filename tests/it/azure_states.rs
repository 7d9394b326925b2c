//! What the states and the addresses of instances lead to.

use simulated_cloud::{
    Health, PowerState, Provisioning, Server, UpstreamEntry, UpstreamKind, World,
};

use crate::safety_support::{NONE, address_of, cloud, filled, tick};
use crate::support::{Running, sorted, web};

/// A state, and whether an instance in it is added, and kept.
type Row = (PowerState, Provisioning, Option<Health>, bool, bool);

/// Puts two instances into every state, one that NGINX has and one that it has not, and looks at
/// what one pass makes of them.
async fn states(uniform: bool, entry: UpstreamEntry, rows: &[Row]) {
    let cloud = cloud(uniform, 1 + 2 * rows.len()).await;
    let world = cloud.world();
    let mut cases = Vec::new();
    for (row, place) in rows.iter().zip((1..).step_by(2)) {
        for place in [place, place + 1] {
            world.set_power("web-vmss", place, row.0.clone());
            world.set_provisioning("web-vmss", place, row.1);
            world.set_health("web-vmss", place, row.2);
        }
        let known = address_of(&world, "web-vmss", place);
        world.put_server(UpstreamKind::Http, "web", Server::at(&known));
        cases.push((row, known, address_of(&world, "web-vmss", place + 1)));
    }
    let entry = entry
        .with("drain_timeout", "0s")
        .with("max_removal_percent", "100");
    let running = Running::start(cloud, &[entry]).await;
    tick(&running).await;
    let servers = running.http("web");
    for (row, known, new) in cases {
        let found = (servers.contains(&new), servers.contains(&known));
        assert_eq!(
            found,
            (row.3, row.4),
            "(added, kept), uniform {uniform}: {row:?}"
        );
    }
    // Nothing is left to do, however odd the states.
    running.cloud.clear_requests();
    tick(&running).await;
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_an_instance_leads_to_its_servers_being_added_kept_or_removed() {
    use PowerState as P;
    use Provisioning as S;
    let other = |text: &str| P::Other(text.to_owned());
    let rows: Vec<Row> = vec![
        (P::Running, S::Succeeded, None, true, true),
        (P::Running, S::Updating, None, true, true),
        (P::Running, S::Failed, None, true, true),
        (P::Running, S::Migrating, None, true, true),
        (
            P::Running,
            S::Succeeded,
            Some(Health::Unhealthy),
            true,
            true,
        ),
        (P::NotTold, S::Succeeded, None, true, true),
        (P::NotTold, S::Failed, None, true, true),
        (other("unheard-of"), S::Succeeded, None, true, true),
        (other("RUNNING"), S::Succeeded, None, true, true),
        (P::NotTold, S::Creating, None, false, true),
        (P::Creating, S::Creating, None, false, true),
        (P::Starting, S::Updating, None, false, true),
        (P::Stopping, S::Succeeded, None, false, false),
        (P::Stopped, S::Succeeded, None, false, false),
        (P::Deallocating, S::Updating, None, false, false),
        (P::Deallocated, S::Succeeded, None, false, false),
        (other("Deallocated"), S::Succeeded, None, false, false),
        (other("hibernated"), S::Succeeded, None, false, false),
        (P::Running, S::Deleting, None, false, false),
        (P::NotTold, S::Deleting, None, false, false),
    ];
    for uniform in [true, false] {
        states(uniform, web(), &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_rely_on_mandatory_health_checks_get_instances_before_they_run() {
    let rows: Vec<Row> = vec![
        (
            PowerState::Creating,
            Provisioning::Creating,
            None,
            true,
            true,
        ),
        (
            PowerState::Starting,
            Provisioning::Updating,
            None,
            true,
            true,
        ),
        (
            PowerState::NotTold,
            Provisioning::Creating,
            None,
            true,
            true,
        ),
        (
            PowerState::Deallocated,
            Provisioning::Succeeded,
            None,
            false,
            false,
        ),
    ];
    for uniform in [true, false] {
        states(uniform, web().with("add_before_running", "true"), &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_health_is_required_only_the_healthy_are_added_and_nobody_is_removed_for_it() {
    let state = |health, added| -> Row {
        (
            PowerState::Running,
            Provisioning::Succeeded,
            health,
            added,
            true,
        )
    };
    let rows: Vec<Row> = vec![
        state(Some(Health::Healthy), true),
        state(Some(Health::Unhealthy), false),
        state(Some(Health::Initializing), false),
        state(Some(Health::Unknown), false),
        state(None, false),
    ];
    for uniform in [true, false] {
        states(uniform, web().with("require_healthy", "true"), &rows).await;
    }
}

/// Changes the `primary` flags of an instance's interfaces.
fn mark(world: &World, place: usize, flags: &[Option<bool>]) {
    world.change("web-vmss", place, |instance| {
        for (nic, flag) in instance.nics.iter_mut().zip(flags) {
            nic.primary = *flag;
        }
    });
}

fn unmark_configurations(world: &World, place: usize) {
    world.change("web-vmss", place, |instance| {
        instance.nics[0]
            .configurations
            .iter_mut()
            .for_each(|found| found.primary = false);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_contributes_the_primary_address_of_its_primary_interface_or_none() {
    for uniform in [true, false] {
        let cloud = cloud(uniform, 13).await;
        let world = cloud.world();
        let set = "web-vmss";
        let mut expected: Vec<String> = [0, 1, 3]
            .iter()
            .map(|place| address_of(&world, set, *place))
            .collect();
        world.add_nic(set, 1, "10.30.0.1");
        world.add_nic(set, 2, "10.30.0.2");
        mark(&world, 2, &[Some(false), Some(true)]);
        expected.push("10.30.0.2:80".to_owned());
        world.add_ip_configuration(set, 3, "10.30.0.3");
        world.add_ip_configuration(set, 3, "fd00:19::3");
        world.set_address(set, 4, Some("fd00:19::4"));
        expected.push("[fd00:19::4]:80".to_owned());
        // Two interfaces, none of them primary.
        world.add_nic(set, 5, "10.30.0.5");
        mark(&world, 5, &[None, None]);
        world.set_address(set, 6, None);
        world.drop_nics(set, 7);
        // No configuration is marked: the only IPv4 one is taken, of two none is.
        world.set_address(set, 8, Some("10.30.0.8"));
        world.add_ip_configuration(set, 8, "fd00:19::8");
        unmark_configurations(&world, 8);
        expected.push("10.30.0.8:80".to_owned());
        world.add_ip_configuration(set, 9, "10.30.0.9");
        unmark_configurations(&world, 9);
        // The metadata service's address: not a private one.
        world.set_address(set, 10, Some("169.254.169.254"));
        // The one that is marked has no address yet: no other stands in for it.
        world.set_address(set, 11, None);
        world.add_ip_configuration(set, 11, "10.30.0.11");
        // The shared range of RFC 6598 is private in Azure's networks.
        world.set_address(set, 12, Some("100.64.0.12"));
        expected.push("100.64.0.12:80".to_owned());
        if !uniform {
            world.add_orphan_nic("orphan", "10.30.0.99");
        }
        let running = Running::start(cloud, &[web()]).await;
        tick(&running).await;
        assert_eq!(running.http("web"), sorted(expected), "uniform {uniform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_upper_case_change_nothing() {
    for uniform in [true, false] {
        let running = filled(
            cloud(uniform, 3).await,
            &[web().with("drain_timeout", "0s")],
        )
        .await;
        let world = running.world();
        world.print_ids_in_upper_case(true);
        tick(&running).await;
        assert_eq!(running.writes(), NONE);
        world.set_power("web-vmss", 1, PowerState::Deallocated);
        let gone = address_of(&world, "web-vmss", 1);
        tick(&running).await;
        assert!(
            !running.http("web").contains(&gone),
            "the states are joined all the same"
        );
    }
}
