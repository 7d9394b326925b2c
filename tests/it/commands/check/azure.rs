//! Identity, permissions, scale sets, Azure's clock.

use simulated_cloud::{Fault, Match, Service, ThrottleForm};

use super::{cloud_of, examine, examine_with};
use crate::safety_support::SET;
use crate::support::{flexible_cloud, uniform_cloud, web};

const SET_READ: &str = "Microsoft.Compute/virtualMachineScaleSets/read";
const SET_MACHINES: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";
const SET_NICS: &str = "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read";
const MACHINES: &str = "Microsoft.Compute/virtualMachines/read";
const NICS: &str = "Microsoft.Network/networkInterfaces/read";

fn actions(uniform: bool) -> [&'static str; 3] {
    if uniform {
        [SET_READ, SET_MACHINES, SET_NICS]
    } else {
        [SET_READ, MACHINES, NICS]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_tried_whichever_of_them_is_refused() {
    for uniform in [true, false] {
        let actions = actions(uniform);
        // Every subset but the empty one.
        for subset in 1_u8..8 {
            let cloud = cloud_of(uniform, 2).await;
            let is_denied = |place: usize| subset & (1 << place) != 0;
            for (place, action) in actions.iter().enumerate() {
                if is_denied(place) {
                    cloud.world().deny_action(action);
                }
            }
            let report = examine(&cloud, &[web()]).await;
            for (place, action) in actions.iter().enumerate() {
                let granted = report.of("azure.permission", "ok");
                let named = format!("`{action}` is granted");
                let granted = granted.iter().any(|one| one.contains(&named));
                assert_eq!(
                    granted,
                    !is_denied(place),
                    "{subset} {action}: {:#}",
                    report.body
                );
                let mut refused = report.of("azure.permission", "failed");
                refused.extend(report.of("azure.permission", "warning"));
                let named = format!("`{action}` is not granted");
                let refused = refused.iter().any(|one| one.contains(&named));
                assert_eq!(
                    refused,
                    is_denied(place),
                    "{subset} {action}: {:#}",
                    report.body
                );
            }
            // Without the states a pass works all the same.
            let only_states = uniform && subset == 0b010;
            assert_eq!(
                report.code,
                Some(i32::from(!only_states)),
                "{:#}",
                report.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_told_by_the_other_reads_where_the_set_itself_may_not_be_read() {
    for uniform in [true, false] {
        let cloud = cloud_of(uniform, 2).await;
        cloud.world().deny_action(SET_READ);
        let report = examine(&cloud, &[web()]).await;
        report.only(
            "azure.permission",
            "failed",
            &[SET_READ, "az role assignment create"],
        );
        let mut granted = report.of("azure.permission", "ok");
        granted.sort();
        let named = |one: &String, action: &str| one.contains(&format!("`{action}` is granted"));
        let [_, first, second] = actions(uniform);
        assert_eq!(granted.len(), 2, "{granted:?}");
        assert!(granted.iter().any(|one| named(one, first)), "{granted:?}");
        assert!(granted.iter().any(|one| named(one, second)), "{granted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_role_every_action_that_might_be_needed_is_named() {
    for uniform in [true, false] {
        let cloud = cloud_of(uniform, 2).await;
        cloud.world().limit_roles_to(&[]);
        let report = examine(&cloud, &[web()]).await;
        report.assert_failed(&["azure.permission"]);
        let find = "az vmss list --subscription";
        let roles = [
            "'nginx-vmss-sync Uniform reader'",
            "'nginx-vmss-sync Flexible reader'",
        ];
        report.only(
            "azure.permission",
            "failed",
            &[SET_READ, find, roles[0], roles[1]],
        );
        let possible = report.of("azure.permission", "warning");
        for (action, mode) in [
            (SET_MACHINES, "Uniform"),
            (SET_NICS, "Uniform"),
            (MACHINES, "Flexible"),
            (NICS, "Flexible"),
        ] {
            let named = |one: &&String| {
                one.contains(&format!("`{action}` is not granted"))
                    && one.contains(&format!("it is needed if the set is {mode}"))
            };
            assert_eq!(
                possible.iter().filter(named).count(),
                1,
                "{action}: {possible:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_at_the_set_suffices_for_uniform_and_one_at_the_group_for_flexible() {
    let cloud = uniform_cloud(2).await;
    cloud
        .world()
        .limit_roles_to(&[&cloud.world().set_id("web-vmss")]);
    examine(&cloud, &[web()]).await.assert_sound();
    let cloud = flexible_cloud(2).await;
    cloud
        .world()
        .limit_roles_to(&[&cloud.world().set_id("web-vmss")]);
    let report = examine(&cloud, &[web()]).await;
    report.assert_failed(&["azure.permission"]);
    assert_eq!(report.of("azure.permission", "failed").len(), 2);
    let group = format!(
        "/subscriptions/{}/resourceGroups/rg-app",
        cloud.subscription_id()
    );
    cloud.world().limit_roles_to(&[&group]);
    examine(&cloud, &[web()]).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_two_action_role_is_a_warning() {
    let cloud = uniform_cloud(2).await;
    cloud.world().deny_action(SET_MACHINES);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "azure.permission",
        "warning",
        &[
            SET_MACHINES,
            "a stopped instance stays in its upstream",
            "az role assignment create",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_is_told_by_its_ids_and_never_by_its_token() {
    let cloud = uniform_cloud(1).await;
    cloud
        .world()
        .add_user_assigned("11111111-aaaa-bbbb-cccc-000000000001");
    let own = cloud.world().object_id();
    let yaml = cloud.config_yaml(&[web()]);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.only(
        "identity",
        "ok",
        &[
            "of the function app",
            "system-assigned, of `simulated-app`",
            &own,
        ],
    );
    let settings = [("AZURE_CLIENT_ID", "11111111-AAAA-BBBB-CCCC-000000000001")];
    let other = examine_with(&cloud, &yaml, &settings).await;
    let id = "11111111-aaaa-bbbb-cccc-000000000001";
    let [name, client] = [
        format!("user-assigned `identity-{id}`"),
        format!("client id `{id}`"),
    ];
    other.only(
        "identity",
        "ok",
        &[&name, &client, &format!("object id `object-of-{id}`")],
    );
    let text = format!("{}{}", report.body, other.body);
    let tokens = cloud.world().issued_tokens();
    assert!(tokens.len() >= 4);
    for token in tokens {
        let secret = token.rsplit('.').next().expect("a signature").to_owned();
        assert!(!text.contains(&token) && !text.contains(&secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_identity_is_one_failure_and_what_needs_it_is_skipped() {
    let cloud = uniform_cloud(1).await;
    cloud.world().set_system_assigned(false);
    let report = examine(&cloud, &[web()]).await;
    report.assert_failed(&["identity"]);
    report.only(
        "identity",
        "failed",
        &[
            "no token from the managed identity of the function app",
            "az functionapp identity assign",
        ],
    );
    for check in ["azure.scale_set", "secret.readable", "nginx.key"] {
        report.only(check, "skipped", &["not examined"]);
    }
    let wanted = "22222222-0000-0000-0000-000000000002";
    let yaml = cloud.config_yaml(&[web()]);
    let report = examine_with(&cloud, &yaml, &[("AZURE_CLIENT_ID", wanted)]).await;
    report.only(
        "identity",
        "failed",
        &["`AZURE_CLIENT_ID` is", wanted, "--identities"],
    );
    let app = [
        ("WEBSITE_SITE_NAME", "my-app"),
        ("WEBSITE_RESOURCE_GROUP", "my-group"),
    ];
    let settings = [app[0], app[1], ("RECONCILE_SCHEDULE", "0 * * * * *")];
    let report = examine_with(&cloud, &yaml, &settings).await;
    report.only(
        "identity",
        "failed",
        &["assign --name my-app --resource-group my-group"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_disagree_are_a_warning_and_then_a_failure() {
    for (service, check) in [
        (Service::Arm, "azure.clock"),
        (Service::Nginx, "nginx.clock"),
    ] {
        for (ahead, grade, side) in [
            (30, "ok", "agrees"),
            (-30, "ok", "agrees"),
            (120, "warning", "behind"),
            (-120, "warning", "ahead of"),
            (600, "failed", "behind"),
            (-600, "failed", "ahead of"),
        ] {
            let cloud = uniform_cloud(1).await;
            cloud.set_clock(service, ahead);
            let report = examine(&cloud, &[web()]).await;
            report.only(check, grade, &[side]);
            assert_eq!(report.code, Some(i32::from(grade == "failed")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_cannot_be_read_for_another_reason_says_that_reason() {
    for (fault, part) in [
        (
            Fault::Throttled {
                form: ThrottleForm::Compute,
                retry_after: Some(3_600),
            },
            "Azure throttles this",
        ),
        (Fault::TruncatedJson, "not the expected JSON"),
        (
            Fault::Redirect("https://example.invalid/".to_owned()),
            "redirect",
        ),
    ] {
        let cloud = uniform_cloud(1).await;
        let _fault = cloud.fault(Match::arm().path(SET), fault, None);
        let report = examine(&cloud, &[web()]).await;
        report.only("azure.scale_set", "failed", &["scale set web-vmss", part]);
        assert_eq!(report.code, Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_without_the_instances_that_it_wants_is_a_warning() {
    let cloud = uniform_cloud(2).await;
    cloud.world().scale("web-vmss", 0);
    let report = examine(&cloud, &[web()]).await;
    report.only("azure.scale_set", "ok", &["0 instances", "capacity 0"]);
    cloud.world().set_capacity("web-vmss", Some(4));
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only("azure.scale_set", "warning", &["0 instances", "capacity 4"]);
}
