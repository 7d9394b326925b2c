//! The custom roles grant what passes ask Resource Manager for: no action less, no action more, and
//! not anywhere else.

use std::collections::BTreeSet;
use std::time::Duration;

use bicep::evaluate::Deployed;
use nginx_vmss_sync::reconcile::Mode;
use serde_json::{Value, json};
use simulated_cloud::{Cloud, EmptyNicList, PowerState, Recorded, Service};

use super::{module, texts};
use crate::safety_support::cloud;
use crate::support::{Running, binary, environment, web};

const PRINCIPAL: &str = "11111111-1111-1111-1111-111111111111";

/// What `infra/` grants for the set `web-vmss`.
struct Grant {
    actions: BTreeSet<String>,
    scope: String,
}

fn group(cloud: &Cloud) -> String {
    let (subscription, group) = (cloud.subscription_id(), cloud.resource_group());
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

fn grant(cloud: &Cloud, uniform: bool) -> Grant {
    let sets: &[&str] = if uniform { &["web-vmss"] } else { &[] };
    let given = json!({ "uniformSets": sets, "flexible": !uniform, "principalId": PRINCIPAL });
    let made = module(cloud, "scale-set-access.bicep", &given);
    let one = |of: &str| -> Deployed {
        let mut found: Vec<&Deployed> = made.of(of).collect();
        assert_eq!(found.len(), 1, "{of}, uniform {uniform}");
        found.remove(0).clone()
    };
    let role = one("Microsoft.Authorization/roleDefinitions");
    let assignment = one("Microsoft.Authorization/roleAssignments");
    assert_eq!(made.resources.len(), 2);

    let role_id = role.id.rsplit('/').next().unwrap();
    assert_eq!(
        assignment.body["properties"],
        json!({
            "principalId": PRINCIPAL,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": format!(
                "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role_id}",
                cloud.subscription_id()
            ),
        })
    );
    assert_eq!(
        role.body["properties"]["assignableScopes"],
        json!([group(cloud)])
    );
    let permissions = role.body["properties"]["permissions"].as_array().unwrap();
    assert_eq!(permissions.len(), 1);
    let permission = permissions[0].as_object().unwrap();
    assert_eq!(permission.keys().collect::<Vec<_>>(), ["actions"]);
    let listed = texts(&permission["actions"]);
    let actions: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(
        actions.len(),
        listed.len(),
        "an action stands twice: {listed:?}"
    );
    Grant {
        actions,
        scope: assignment.scope,
    }
}

/// The permission that Resource Manager asks for, by its general rule: the provider, the types on
/// the path without the names between them, and the verb of the method.
fn action(request: &Recorded) -> String {
    let verb = match request.method.as_str() {
        "GET" | "HEAD" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "action",
    };
    let (_, below) = request.path.rsplit_once("/providers/").expect("a provider");
    let mut segments = below.split('/');
    let provider = segments.next().unwrap();
    let types: Vec<&str> = segments.step_by(2).collect();
    format!("{provider}/{}/{verb}", types.join("/"))
}

/// The permissions that requests ask for, as Azure's documentation spells them.
fn actions(requests: &[Recorded]) -> BTreeSet<String> {
    let derived = requests.iter().map(|request| {
        let spelt = request.action.clone();
        let spelt = spelt.unwrap_or_else(|| panic!("no such path: {}", request.path));
        assert_eq!(spelt.to_lowercase(), action(request).to_lowercase());
        spelt
    });
    derived.collect()
}

/// Everything that the program can be asked to do, once.
async fn use_everything(running: &Running) -> Vec<Recorded> {
    running.handler.timer_tick().await;
    let set = format!(
        "{}/providers/Microsoft.Compute/virtualMachineScaleSets/web-vmss",
        group(&running.cloud)
    );
    running.handler.scale_set_written(&set).await;
    let headers = [("content-type", "application/json")];
    for (function, method, body) in [
        ("Status", "GET", None),
        ("Reconcile", "POST", Some("{}")),
        ("Reconcile", "POST", Some(r#"{"dry_run":true}"#)),
    ] {
        running.handler.http(function, method, body, &headers).await;
    }
    let env = environment(&running.cloud, &running.cloud.config_yaml(&[web()]));
    for command in ["plan", "check", "sync"] {
        simulated_cloud::functions_host::run(binary(), &[command], &env, None).await;
    }
    // The doctor also asks whether Azure answers at all, without a token; that needs no role.
    let mut requests = running.arm_requests();
    requests.retain(|request| request.header("authorization").is_some() || request.path != "/");
    requests
}

/// Every read there is: of the plain case, and of each case in which a pass reads more or otherwise.
async fn every_read(uniform: bool) -> Vec<Recorded> {
    let plain: fn(&Cloud) = |_| {};
    let cases: [fn(&Cloud); 9] = [
        plain,
        |cloud| cloud.world().set_page_size(1),
        |cloud| {
            cloud
                .world()
                .set_power("web-vmss", 0, PowerState::Deallocated);
        },
        |cloud| cloud.world().mark_deleting("web-vmss", 0),
        |cloud| cloud.world().drop_nics("web-vmss", 0),
        |cloud| cloud.world().hide_nics("web-vmss", 0),
        |cloud| cloud.world().drop_network_profile_when_expanded(true),
        |cloud| {
            cloud.world().scale("web-vmss", 0);
            cloud.world().set_empty_nic_list(EmptyNicList::NotFound);
        },
        |cloud| cloud.world().remove_set("web-vmss"),
    ];
    let mut requests = Vec::new();
    for arrange in cases {
        let cloud = cloud(uniform, 3).await;
        arrange(&cloud);
        let running = Running::start(cloud, &[web()]).await;
        let seen = use_everything(&running).await;
        assert!(!seen.is_empty());
        requests.extend(seen);
    }
    requests
}

fn is_within(path: &str, scope: &str) -> bool {
    let (path, scope) = (path.to_lowercase(), scope.to_lowercase());
    path == scope || path.starts_with(&format!("{scope}/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_grants_exactly_what_the_handler_asks_for_and_nowhere_else() {
    for uniform in [true, false] {
        let requests = every_read(uniform).await;
        let grant = grant(&cloud(uniform, 0).await, uniform);
        assert_eq!(grant.actions, actions(&requests), "uniform {uniform}");
        // And they are those that the messages name.
        let mode = if uniform {
            Mode::Uniform
        } else {
            Mode::Flexible
        };
        let told = nginx_vmss_sync::azure::actions(mode);
        assert_eq!(grant.actions, told.map(str::to_owned).into());
        for request in &requests {
            // Every simulated cloud has the same subscription and group.
            assert!(
                is_within(&request.path, &grant.scope),
                "{} is outside {}",
                request.path,
                grant.scope
            );
        }
        let of_set = grant.scope.ends_with("/virtualMachineScaleSets/web-vmss");
        assert_eq!(of_set, uniform, "{}", grant.scope);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_one_of_its_actions_the_handler_says_which_one_it_misses() {
    for uniform in [true, false] {
        for action in grant(&cloud(uniform, 0).await, uniform).actions {
            let cloud = cloud(uniform, 2).await;
            cloud.world().deny_action(&action);
            let running = Running::start(cloud, &[web()]).await;
            running.handler.timer_tick().await;
            assert!(
                running
                    .handler
                    .wait_for_line(&action, Duration::from_secs(10))
                    .await,
                "uniform {uniform}: nothing is said of {action}"
            );
        }
    }
}

/// Azure lets a machine of a Flexible set bring an interface from another resource group. No role
/// of ours reaches there: one more read of the same kind, at its own place.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_interface_from_another_group_is_outside_the_role_of_a_flexible_set() {
    let cloud = cloud(false, 2).await;
    cloud.world().move_nics("web-vmss", 0, "rg-elsewhere");
    let running = Running::start(cloud, &[web()]).await;
    let requests = use_everything(&running).await;
    let grant = grant(&running.cloud, false);
    let outside: Vec<&Recorded> = requests
        .iter()
        .filter(|request| !is_within(&request.path, &grant.scope))
        .collect();
    assert!(!outside.is_empty());
    for request in outside {
        assert!(
            request.path.contains("/resourceGroups/rg-elsewhere/"),
            "{}",
            request.path
        );
        assert_eq!(action(request), "Microsoft.Network/networkInterfaces/read");
    }
    assert_eq!(actions(&requests), grant.actions);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_key_vault_the_handler_reads_the_one_secret_and_nothing_else() {
    let running = Running::start(cloud(true, 2).await, &[web()]).await;
    use_everything(&running).await;
    let requests = running.cloud.requests_to(Service::Vault);
    assert!(!requests.is_empty());
    for request in &requests {
        // The data action of Key Vault Secrets User is getSecret.
        assert_eq!(request.method, "GET");
        let name = request.path.trim_start_matches("/secrets/");
        assert!(
            !name.trim_end_matches('/').contains('/'),
            "{}",
            request.path
        );
    }
    for (role_scope, expected) in [("vault", "/vaults/v"), ("secret", "/vaults/v/secrets/s")] {
        let given: Value = json!({
            "vaultName": "v", "secretName": "s", "roleScope": role_scope, "principalId": PRINCIPAL,
        });
        let made = module(&running.cloud, "key-vault-access.bicep", &given);
        let [assignment] = made.resources.as_slice() else {
            panic!("{made:?}")
        };
        assert!(assignment.scope.ends_with(expected), "{}", assignment.scope);
        let role = assignment.body["properties"]["roleDefinitionId"]
            .as_str()
            .unwrap();
        // Microsoft's id of Key Vault Secrets User.
        assert!(
            role.ends_with("/4633458b-17de-408a-b874-0445c86b69e6"),
            "{role}"
        );
    }
}
