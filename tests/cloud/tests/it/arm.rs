//! Azure Resource Manager.

use serde_json::{Value, json};
use simulated_cloud::{Cloud, EmptyNicList, Health, PowerState, Provisioning, Service};

use crate::client::{arm, arm_url};

const SETS: &str = "Microsoft.Compute/virtualMachineScaleSets";
const V: &str = "api-version=2024-07-01";

fn filter(cloud: &Cloud, set: &str) -> String {
    let id = cloud.world().set_id(set);
    format!("$filter=%27virtualMachineScaleSet%2Fid%27%20eq%20%27{id}%27")
}

fn items(body: &Value) -> &Vec<Value> {
    body["value"].as_array().unwrap()
}

#[tokio::test]
async fn a_uniform_set_is_seen_with_its_machines_and_nics() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("Web", 2);
    world.set_power("Web", 1, PowerState::Deallocated);
    world.set_health("Web", 0, Some(Health::Healthy));

    let set = arm(&cloud, &format!("{SETS}/web?{V}")).await.json();
    assert_eq!(set["properties"]["orchestrationMode"], "Uniform");
    assert_eq!(set["sku"]["capacity"], 2);

    let path = format!("{SETS}/Web/virtualMachines?{V}&$expand=instanceView");
    let machines = arm(&cloud, &path).await.json();
    let view = &items(&machines)[1]["properties"]["instanceView"];
    assert_eq!(view["statuses"][1]["code"], "PowerState/deallocated");
    let view = &items(&machines)[0]["properties"]["instanceView"];
    assert_eq!(view["vmHealth"]["status"]["code"], "HealthState/healthy");

    let path = format!("{SETS}/Web/networkInterfaces?api-version=2018-10-01");
    let nics = arm(&cloud, &path).await.json();
    let configuration = &items(&nics)[0]["properties"]["ipConfigurations"][0];
    let address = world.instance("Web", 0).address().unwrap().to_owned();
    assert_eq!(
        configuration["properties"]["privateIPAddress"],
        json!(address)
    );

    let actions: Vec<Option<String>> = cloud
        .requests_to(Service::Arm)
        .into_iter()
        .map(|request| request.action)
        .collect();
    assert_eq!(
        actions,
        [
            Some(format!("{SETS}/read")),
            Some(format!("{SETS}/virtualMachines/read")),
            Some(format!("{SETS}/networkInterfaces/read")),
        ]
    );
}

#[tokio::test]
async fn a_flexible_set_is_seen_through_the_groups_machines_and_nics() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_flexible_set("flex", 2);
    world.add_flexible_set("other", 1);
    world.add_orphan_nic("orphan", "10.9.9.9");
    world.move_nics("flex", 1, "rg-net");

    let path = format!("{SETS}/flex/networkInterfaces?api-version=2018-10-01");
    let missing = arm(&cloud, &path).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "NotFound"));

    let ids = arm(&cloud, &format!("{SETS}/flex/virtualMachines?{V}"))
        .await
        .json();
    assert_eq!(items(&ids).len(), 2);
    assert_eq!(items(&ids)[0].get("properties"), None);

    let path = format!(
        "Microsoft.Compute/virtualMachines?{V}&{}&$expand=instanceView",
        filter(&cloud, "flex")
    );
    let machines = arm(&cloud, &path).await.json();
    assert_eq!(items(&machines).len(), 2);
    let nic = &items(&machines)[1]["properties"]["networkProfile"]["networkInterfaces"][0]["id"];
    assert!(nic.as_str().unwrap().contains("/resourceGroups/rg-net/"));

    let nics = arm(
        &cloud,
        "Microsoft.Network/networkInterfaces?api-version=2023-09-01",
    )
    .await;
    let nics = nics.json();
    assert_eq!(
        items(&nics).len(),
        3,
        "flex's first, other's, and the orphan: {nics}"
    );
    let url = format!(
        "{}{}?api-version=2023-09-01",
        cloud.resource_manager_endpoint(),
        nic.as_str().unwrap()
    );
    assert_eq!(arm_url(&cloud, &url).await.status, 200);
    world.hide_nics("flex", 1);
    assert_eq!(arm_url(&cloud, &url).await.code(), "ResourceNotFound");
}

#[tokio::test]
async fn refusals_have_the_real_shapes() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_flexible_set("flex", 1);
    let code = async |path: &str| {
        let reply = arm(&cloud, path).await;
        (reply.status, reply.code())
    };
    let machines = "Microsoft.Compute/virtualMachines";
    for (path, status, expected) in [
        (format!("{SETS}/flex"), 400, "MissingApiVersionParameter"),
        (
            format!("{SETS}/flex?api-version="),
            400,
            "MissingApiVersionParameter",
        ),
        (
            format!("{SETS}/flex?api-version=2000-01-01"),
            400,
            "InvalidApiVersionParameter",
        ),
        (
            format!("{SETS}/flex/networkInterfaces?{V}"),
            400,
            "InvalidApiVersionParameter",
        ),
        (format!("{SETS}/none?{V}"), 404, "ResourceNotFound"),
        (
            format!("{machines}?{V}&$expand=instanceView"),
            400,
            "InvalidParameter",
        ),
        (
            format!("{machines}?{V}&$filter=name%20eq%20%27x%27"),
            400,
            "InvalidParameter",
        ),
        (
            format!("{machines}?{V}&$skiptoken=abc"),
            400,
            "InvalidParameter",
        ),
        (
            format!("{SETS}/flex/virtualMachines?api-version=2019-12-01"),
            400,
            "BadRequest",
        ),
        (
            format!("Microsoft.Compute/disks?{V}"),
            404,
            "InvalidResourceType",
        ),
    ] {
        assert_eq!(code(&path).await, (status, expected.to_owned()), "{path}");
    }
    let elsewhere = format!(
        "{}/subscriptions/{}/resourceGroups/none/providers/{machines}?{V}",
        cloud.resource_manager_endpoint(),
        cloud.subscription_id()
    );
    assert_eq!(
        arm_url(&cloud, &elsewhere).await.code(),
        "ResourceGroupNotFound"
    );

    world.deny_action("Microsoft.Compute/virtualMachines/read");
    assert_eq!(
        code(&format!("{machines}?{V}")).await,
        (403, "AuthorizationFailed".to_owned())
    );
    world.allow_action("Microsoft.Compute/virtualMachines/read");
    assert_eq!(arm(&cloud, &format!("{machines}?{V}")).await.status, 200);
}

#[tokio::test]
async fn an_empty_uniform_nic_list_is_empty_or_missing() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web", 0);
    let path = format!("{SETS}/web/networkInterfaces?api-version=2018-10-01");
    assert_eq!(arm(&cloud, &path).await.json(), json!({"value": []}));
    world.set_empty_nic_list(EmptyNicList::NotFound);
    assert_eq!(arm(&cloud, &path).await.code(), "NotFound");
}

#[tokio::test]
async fn pages_follow_each_other_while_instances_come_and_go() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_flexible_set("flex", 5);
    world.set_page_size(2);
    world.put_spaces_in_next_links(true);
    let path = format!(
        "Microsoft.Compute/virtualMachines?{V}&{}",
        filter(&cloud, "flex")
    );
    let first = arm(&cloud, &path).await.json();
    let link = first["nextLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&cloud.resource_manager_endpoint()));
    assert!(link.contains(" eq "), "{link}");
    let link = link.replace(' ', "%20");

    let rewritten = link.replace("%2F", "%252F");
    assert_eq!(arm_url(&cloud, &rewritten).await.code(), "InvalidParameter");

    let names: Vec<String> = world
        .instances("flex")
        .into_iter()
        .map(|instance| instance.name)
        .collect();
    world.delete_instance("flex", 0);
    let second = arm_url(&cloud, &link).await.json();
    let listed: Vec<&str> = items(&second)
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(listed, [&names[2], &names[3]]);
    let link = second["nextLink"].as_str().unwrap().replace(' ', "%20");
    let last = arm_url(&cloud, &link).await.json();
    assert_eq!((items(&last).len(), last.get("nextLink")), (1, None));
}

#[tokio::test]
async fn ids_can_be_shouted_and_items_replaced() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web", 2);
    world.print_ids_in_upper_case(true);
    world.set_raw_nic("web", 1, Some(json!({"odd": true})));
    let path = format!("{SETS}/web/networkInterfaces?api-version=2018-10-01");
    let nics = arm(&cloud, &path).await.json();
    assert!(
        items(&nics)[0]["id"]
            .as_str()
            .unwrap()
            .contains("/PROVIDERS/MICROSOFT.COMPUTE/")
    );
    assert_eq!(items(&nics)[1], json!({"odd": true}));
}

#[tokio::test]
async fn scaling_is_seen_while_it_happens_and_when_it_has_happened() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web", 3);
    world.begin_scale("web", 1);
    assert_eq!(world.capacity("web"), Some(1));
    assert_eq!(
        (
            world.addresses("web", 80).len(),
            world.serving_addresses("web", 80).len()
        ),
        (3, 1)
    );
    assert_eq!(
        world.instance("web", 2).provisioning,
        Provisioning::Deleting
    );
    world.settle("web");
    assert_eq!(world.addresses("web", 80).len(), 1);
    world.begin_scale("web", 2);
    assert_eq!(world.instance("web", 1).power, PowerState::Creating);
    world.settle("web");
    assert_eq!(world.serving_addresses("web", 80).len(), 2);
    world.add_set(&simulated_cloud::SetSpec {
        name: "rg-other/web".to_owned(),
        mode: simulated_cloud::OrchestrationMode::Flexible,
        instances: 1,
    });
    assert_eq!(world.instances("rg-other/web").len(), 1);
}

#[tokio::test]
async fn where_the_identity_has_no_role_nothing_is_said_to_be_missing() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web", 1);
    world.limit_roles_to(&[&world.set_id("web")]);
    for (path, status) in [
        (format!("{SETS}/web?{V}"), 200),
        (format!("{SETS}/web/virtualMachines?{V}"), 200),
        (format!("{SETS}/webx?{V}"), 403),
        (format!("Microsoft.Compute/virtualMachines?{V}"), 403),
    ] {
        assert_eq!(arm(&cloud, &path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_subscription_of_another_tenant_takes_no_token_of_ours() {
    let cloud = Cloud::start().await;
    cloud.world().add_uniform_set("web", 1);
    cloud
        .world()
        .move_to_another_tenant(&cloud.subscription_id());
    let reply = arm(&cloud, &format!("{SETS}/web?{V}")).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "InvalidAuthenticationTokenTenant")
    );
}

#[tokio::test]
async fn a_clock_can_be_wrong() {
    let cloud = Cloud::start().await;
    cloud.set_clock(Service::Arm, -784_887_151);
    let reply = arm(&cloud, &format!("{SETS}/web?{V}")).await;
    let year: u64 = reply.header("date")[12..16].parse().unwrap();
    assert!((2000..2020).contains(&year), "{year}");
    assert_eq!(reply.headers.get_all("date").iter().count(), 1);
}
