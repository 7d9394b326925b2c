//! Ten frequent mistakes: what `check`, `sync` and the handler's log say of each.
//!
//! `cargo test --test it mistakes -- --nocapture --test-threads 1` prints the messages.

use base64::Engine as _;
use simulated_cloud::functions_host::{Handler, run};
use simulated_cloud::{Cloud, UpstreamEntry, UpstreamKind};

use super::PATIENCE;
use crate::support::{binary, environment, flexible_cloud, uniform_cloud, web};

const SECRET: &str = "nginxaas-dataplane-key";

/// What must be said of a mistake.
struct Said<'a> {
    /// The mistake, for the printed list.
    mistake: &'a str,
    /// The cause: one line of `check` that begins with `failed` holds all of these.
    cause: &'a [&'a str],
    /// The remedy: the lines below it hold all of these.
    remedy: &'a [&'a str],
    /// The line of a pass, in `sync` and in the handler's log, holds all of these.
    pass: &'a [&'a str],
}

/// Makes `check`, `sync` and the handler meet a mistake, and looks at what they say.
async fn meets(cloud: &Cloud, yaml: &str, said: Said<'_>) {
    let env = environment(cloud, yaml);
    let checked = run(binary(), &["check"], &env, None).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let finding = finding(&checked.stdout, said.cause);
    for part in said.remedy {
        assert!(finding.contains(part), "{part} is not in: {finding}");
    }

    let synced = run(binary(), &["sync"], &env, None).await;
    assert_eq!(synced.code, Some(1), "{synced:?}");
    let output = format!("{}{}", synced.stdout, synced.stderr);
    let line = line_with(&output, said.pass);

    let handler = Handler::spawn(binary(), env).await;
    let reply = handler.timer_tick().await;
    assert_eq!(reply.status, 500, "{}", reply.text);
    assert!(handler.wait_for_line(said.pass[0], PATIENCE).await);
    let log = handler.stdout_lines().join("\n");
    let logged = line_with(&log, said.pass);
    assert!(logged.contains("ERROR"), "{logged}");

    println!(
        "## {}\n\n`check`:\n\n```text\n{finding}```\n\n`sync`, and the handler's log:\n\n```text\n{line}\n```\n",
        said.mistake
    );
}

/// The failed finding whose line holds all of `parts`, with its remedy.
fn finding(text: &str, parts: &[&str]) -> String {
    let is_it =
        |line: &str| line.starts_with("failed") && parts.iter().all(|part| line.contains(part));
    let mut lines = text.lines().skip_while(|line| !is_it(line));
    let first = lines.next();
    let first = first.unwrap_or_else(|| panic!("no finding has {parts:?}: {text}"));
    let rest = lines.take_while(|line| line.starts_with(' '));
    std::iter::once(first)
        .chain(rest)
        .map(|line| format!("{line}\n"))
        .collect()
}

fn line_with<'a>(text: &'a str, parts: &[&str]) -> &'a str {
    let mut lines = text.lines();
    let found = lines.find(|line| parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("no line has {parts:?}: {text}"))
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_1_the_wrong_subscription() {
    let cloud = uniform_cloud(2).await;
    let wrong = "00000000-0000-0000-0000-0000000000ff";
    let yaml = cloud.config_yaml_with(&[("subscription_id", wrong)], &[web()]);
    let said = Said {
        mistake: "1. Wrong subscription",
        cause: &[
            "scale set `web-vmss`",
            wrong,
            "does not exist",
            "404 SubscriptionNotFound",
        ],
        remedy: &["correct `subscription_id`", "az account list --query"],
        pass: &[
            wrong,
            "was not found",
            "correct `subscription_id`",
            "its servers are kept",
        ],
    };
    meets(&cloud, &yaml, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_1_a_subscription_of_another_tenant() {
    let cloud = uniform_cloud(2).await;
    let subscription = cloud.subscription_id();
    cloud.world().move_to_another_tenant(&subscription);
    let yaml = cloud.config_yaml(&[web()]);
    let said = Said {
        mistake: "1b. A subscription of another tenant",
        cause: &[
            &subscription,
            "belongs to another tenant",
            "401 InvalidAuthenticationTokenTenant",
        ],
        remedy: &[
            "correct `subscription_id`, or use an identity of that tenant",
            "az account list",
        ],
        pass: &[
            &subscription,
            "belongs to another tenant",
            "correct `subscription_id`",
        ],
    };
    meets(&cloud, &yaml, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_2_a_missing_role_action() {
    for (uniform, action) in [
        (
            true,
            "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
        ),
        (false, "Microsoft.Network/networkInterfaces/read"),
    ] {
        let cloud = if uniform {
            uniform_cloud(2).await
        } else {
            flexible_cloud(2).await
        };
        cloud.world().deny_action(action);
        let group = format!(
            "/subscriptions/{}/resourceGroups/{}",
            cloud.subscription_id(),
            cloud.resource_group()
        );
        let (mode, scope) = if uniform {
            ("Uniform", cloud.world().set_id("web-vmss"))
        } else {
            ("Flexible", group.clone())
        };
        let definition = format!("\"Name\":\"nginx-vmss-sync {mode} reader\"");
        let assignment = format!(
            "az role assignment create --assignee-object-id {} --assignee-principal-type ServicePrincipal --role 'nginx-vmss-sync {mode} reader' --scope {scope}\n",
            cloud.world().object_id()
        );
        let assignable = format!("\"AssignableScopes\":[\"{group}\"]");
        let granted_at = format!("at `{scope}`");
        let said = Said {
            mistake: &format!("2. Missing role action ({mode})"),
            cause: &[
                "scale set `web-vmss`",
                action,
                "is not granted",
                &granted_at,
            ],
            remedy: &[
                "az role definition create",
                action,
                &definition,
                &assignable,
                &assignment,
            ],
            pass: &[
                "forbidden",
                "grant the identity",
                action,
                &scope,
                "`nginx-vmss-sync check`",
            ],
        };
        meets(&cloud, &cloud.config_yaml(&[web()]), said).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_3_a_key_that_was_stored_in_base64() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_secret(SECRET, &encoded(&cloud.api_key()));
    let said = Said {
        mistake: "3. Key stored in base64 already",
        cause: &[
            "API key",
            "refused as it is, and accepted otherwise",
            "in base64 already",
        ],
        remedy: &[
            "base64 --decode",
            "az keyvault secret set",
            "--name nginxaas-dataplane-key",
        ],
        pass: &[
            "does not accept the API key",
            "in base64 already; store the raw key",
        ],
    };
    meets(&cloud, &cloud.config_yaml(&[web()]), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_3_a_key_in_a_header_that_was_not_put_into_base64() {
    let cloud = uniform_cloud(2).await;
    let header = format!("{{Authorization: \"ApiKey {}\"}}", cloud.api_key());
    let yaml = cloud.config_yaml_with(
        &[("api_key_secret", ""), ("custom_headers", &header)],
        &[web()],
    );
    let said = Said {
        mistake: "3b. Key in `custom_headers` not in base64",
        cause: &[
            "API key",
            "accepted otherwise",
            "`custom_headers` is not base64",
        ],
        remedy: &["printf %s 'THE-RAW-KEY' | base64"],
        pass: &[
            "does not accept the API key",
            "`custom_headers` is not base64; encode the key",
        ],
    };
    meets(&cloud, &yaml, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_4_an_expired_key() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_secret_expiry(SECRET, Some(1_735_689_600));
    cloud.world().rotate_key("the-key-that-came-after", false);
    let yaml = cloud.config_yaml(&[web()]);
    let said = || Said {
        mistake: "4. Expired key (its date in Key Vault)",
        cause: &["secret `nginxaas-dataplane-key`", "expired on 2025-01-01"],
        remedy: &[
            "key=$(uuidgen --random)",
            "az nginx deployment api-key create",
            "az keyvault secret set --vault-name localhost --name nginxaas-dataplane-key",
        ],
        pass: &[
            "does not accept the API key",
            "it has expired: store a new one",
            "the secret `nginxaas-dataplane-key` expired on 2025-01-01",
        ],
    };
    meets(&cloud, &yaml, said()).await;
    let refused = Said {
        mistake: "4. Expired key (NGINX's refusal)",
        cause: &[
            "API key",
            "does not accept the API key",
            "has expired",
            "expired on 2025-01-01",
        ],
        remedy: &["the same as above"],
        ..said()
    };
    meets(&cloud, &yaml, refused).await;
    // Without a date the refusal itself has the remedy.
    cloud.world().set_secret_expiry(SECRET, None);
    let undated = Said {
        mistake: "4. Expired key (no date in Key Vault)",
        cause: &["API key", "does not accept the API key", "has expired"],
        pass: &[
            "does not accept the API key",
            "it has expired: store a new one",
        ],
        ..said()
    };
    meets(&cloud, &yaml, undated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_5_an_upstream_that_nginx_does_not_have() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_upstream(UpstreamKind::Http, "other");
    let wrong = UpstreamEntry::http("wbe", "web-vmss");
    let said = Said {
        mistake: "5. Upstream missing",
        cause: &[
            "http upstream `wbe`",
            "NGINX has no http upstream of this name, or it has no `zone`",
        ],
        remedy: &[
            "correct `name` (NGINX has `web`, `other`)",
            "zone wbe 64k;",
            "state ",
        ],
        pass: &[
            "servers of wbe",
            "NGINX has no such upstream",
            "check its `name` and `kind`",
        ],
    };
    meets(&cloud, &cloud.config_yaml(&[wrong]), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_5_an_upstream_of_the_other_kind() {
    let cloud = uniform_cloud(2).await;
    let wrong = UpstreamEntry::stream("web", "web-vmss", 80);
    let said = Said {
        mistake: "5b. Upstream of the other kind",
        cause: &[
            "stream upstream `web`",
            "NGINX has no stream upstream of this name",
        ],
        remedy: &["`kind: http` has this name; set it"],
        pass: &["servers of web", "check its `name` and `kind`"],
    };
    meets(&cloud, &cloud.config_yaml(&[wrong]), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_6_an_upstream_without_a_zone() {
    let cloud = uniform_cloud(2).await;
    cloud
        .world()
        .set_upstream_static(UpstreamKind::Http, "web", true);
    let said = Said {
        mistake: "6. Upstream static",
        cause: &[
            "http upstream `web`",
            "the upstream is static",
            "400 UpstreamStatic",
        ],
        remedy: &[
            "give it a `zone` and a `state` file",
            "upstream web {",
            "zone web 64k;",
            "state ",
        ],
        pass: &["the upstream is static; give it a `zone` and a `state` file"],
    };
    meets(&cloud, &cloud.config_yaml(&[web()]), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_7_a_zone_that_is_too_small() {
    let cloud = uniform_cloud(20).await;
    cloud.world().set_zone_size(UpstreamKind::Http, "web", 32);
    let said = Said {
        mistake: "7. Zone too small",
        cause: &[
            "http upstream `web`",
            "zone `web` (32k)",
            "holds about 5 servers",
            "want 20 now",
        ],
        remedy: &["enlarge it in NGINX's configuration", "zone web 128k;"],
        pass: &[
            "the upstream's zone is full",
            "14 of 20 servers do not fit",
            "`zone web 128k`",
        ],
    };
    meets(&cloud, &cloud.config_yaml(&[web()]), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_8_an_endpoint_without_its_suffix() {
    let cloud = uniform_cloud(2).await;
    let whole = cloud.api_endpoint();
    let bare = whole.trim_end_matches("/nplus");
    let yaml = cloud.config_yaml_with(&[("api_endpoint", bare)], &[web()]);
    let right = format!("api_endpoint: {whole}\n");
    let said = Said {
        mistake: "8. Endpoint without `/nplus`",
        cause: &["there is no NGINX Plus API at", bare],
        remedy: &["correct `api_endpoint`; the API answers here:", &right],
        pass: &[
            "has no NGINX Plus API at this path",
            "`api_endpoint` ends in `/nplus`",
        ],
    };
    meets(&cloud, &yaml, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_9_a_typo_in_a_key() {
    let cloud = uniform_cloud(2).await;
    let said = Said {
        mistake: "9. Typo in a key",
        cause: &[
            "`upstreams[0].max_fials`",
            "unknown key",
            "did you mean `max_fails`?",
        ],
        remedy: &[],
        pass: &[
            "upstreams[0].max_fials",
            "unknown key",
            "did you mean `max_fails`?",
        ],
    };
    let yaml = cloud.config_yaml(&[web().with("max_fials", "3")]);
    meets(&cloud, &yaml, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_10_a_set_in_another_group() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_uniform_set("rg-other/lost-vmss", 2);
    let entry = UpstreamEntry::http("web", "lost-vmss");
    let find = format!(
        "az vmss list --subscription {} --query \"[?name=='lost-vmss'].id\" --output tsv",
        cloud.subscription_id()
    );
    let said = Said {
        mistake: "10. Set in another group",
        cause: &[
            "scale set `lost-vmss`: it is not in resource group `rg-app`",
            "404 ResourceNotFound",
        ],
        remedy: &[
            "correct `virtual_machine_scale_set` or `resource_group_name`",
            &find,
        ],
        pass: &[
            "scale set `lost-vmss` was not found in resource group `rg-app`",
            "correct `virtual_machine_scale_set` or `resource_group_name`",
            &find,
            "its servers are kept",
        ],
    };
    meets(&cloud, &cloud.config_yaml(&[entry]), said).await;
}

/// With a role at the set alone Azure does not say that something is not there: it refuses.
#[tokio::test(flavor = "multi_thread")]
async fn mistake_10_a_set_in_another_group_where_the_identity_has_no_role() {
    let cloud = uniform_cloud(2).await;
    let world = cloud.world();
    world.add_uniform_set("rg-other/lost-vmss", 2);
    let role = world.set_id("rg-other/lost-vmss");
    world.limit_roles_to(&[&role]);
    let entry = UpstreamEntry::http("web", "lost-vmss");
    let find = format!(
        "az vmss list --subscription {} --query \"[?name=='lost-vmss'].id\" --output tsv",
        cloud.subscription_id()
    );
    let said = Said {
        mistake: "10b. Set in another group, role at the set alone",
        cause: &[
            "scale set `lost-vmss`",
            "virtualMachineScaleSets/read` is not granted at",
            "rg-app",
        ],
        remedy: &[
            "see whether the set is there, because Azure says the same of what is not",
            &find,
        ],
        pass: &[
            "forbidden",
            "grant the identity",
            "or correct that place",
            "rg-app",
        ],
    };
    meets(&cloud, &cloud.config_yaml(&[entry]), said).await;
}
