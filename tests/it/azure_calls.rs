//! Pages, links, throttling and tokens: how Resource Manager is called.

use std::time::{Duration, Instant};

use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Cloud, Fault, Service, ThrottleForm, UpstreamEntry, UpstreamKind};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, NONE, SET, SET_MACHINES, SET_NICS, asked, assert_no_leak, call,
    cloud, failing_tick, filled, tick,
};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

/// The listings of either mode.
const LISTS: [(bool, &str); 4] = [
    (true, SET_NICS),
    (true, SET_MACHINES),
    (false, GROUP_MACHINES),
    (false, GROUP_NICS),
];

/// A filled upstream of four, of which one instance has gone since.
async fn one_gone(uniform: bool) -> (Running, Vec<String>) {
    let running = filled(cloud(uniform, 4).await, &[web()]).await;
    let before = running.http("web");
    running.world().scale("web-vmss", 3);
    (running, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_further_pages_are_followed_with_their_blanks() {
    for uniform in [true, false] {
        let cloud = cloud(uniform, 7).await;
        cloud.world().set_page_size(2);
        cloud.world().put_spaces_in_next_links(true);
        let running = filled(cloud, &[web()]).await;
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_voids_the_listing() {
    for (uniform, site) in LISTS {
        let (running, before) = one_gone(uniform).await;
        running.world().set_page_size(2);
        running
            .cloud
            .fault(call(site).path("skiptoken"), Fault::status(400), None);
        let lines = failing_tick(&running).await;
        assert!(lines.contains("malformed"), "{lines}");
        assert_eq!(running.http("web"), before, "{site}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_elsewhere_is_never_followed() {
    for (uniform, site) in LISTS {
        let (running, before) = one_gone(uniform).await;
        let (arm, foreign) = (
            running.cloud.resource_manager_endpoint(),
            running.cloud.foreign_url(),
        );
        let path = "/subscriptions/x?api-version=2024-07-01";
        let links = [
            format!("{foreign}{path}"),
            format!("{arm}@{}{path}", foreign.trim_start_matches("https://")),
            format!("{}{path}", arm.replace("https://", "http://")),
            format!("{}{path}", arm.replace("https://", "https://user:pw@")),
            format!("{}{path}", arm.replace("localhost", "127.0.0.1")),
            path.to_owned(),
            "javascript:alert(1)".to_owned(),
        ];
        for link in links {
            running.cloud.clear_requests();
            running
                .cloud
                .fault(call(site), Fault::ForeignNextLink(link.clone()), None);
            let lines = failing_tick(&running).await;
            assert!(
                lines.contains("the link to its next page"),
                "{link}: {lines}"
            );
            assert_eq!(running.http("web"), before, "{site} {link}");
            assert_eq!(
                asked(&running.cloud, "/subscriptions/x"),
                0,
                "{site} {link}"
            );
            assert_no_leak(&running.cloud);
            running.cloud.clear_faults();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_run_in_circles_end_the_reading() {
    for (uniform, site) in LISTS {
        let (running, before) = one_gone(uniform).await;
        running.cloud.fault(call(site), Fault::NextLinkCycle, None);
        let lines = failing_tick(&running).await;
        assert!(lines.contains("its pages never end"), "{lines}");
        assert_eq!(asked(&running.cloud, site), 1, "{site}");
        assert_eq!(running.http("web"), before, "{site}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    for (uniform, site) in LISTS.into_iter().chain([(true, SET)]) {
        let (running, before) = one_gone(uniform).await;
        let elsewhere = format!("{}/stolen", running.cloud.foreign_url());
        running
            .cloud
            .fault(call(site), Fault::Redirect(elsewhere), None);
        let lines = failing_tick(&running).await;
        assert!(
            lines.contains("redirect (302), which is not followed"),
            "{lines}"
        );
        assert_eq!(running.http("web"), before, "{site}");
        assert_no_leak(&running.cloud);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_retry_after_is_waited_out_within_the_pass() {
    let busy = Fault::Status {
        code: 503,
        body: "{}".to_owned(),
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
    };
    let throttled = |form| Fault::Throttled {
        form,
        retry_after: Some(1),
    };
    for fault in [
        throttled(ThrottleForm::Arm),
        throttled(ThrottleForm::Compute),
        busy,
    ] {
        let (running, _) = one_gone(true).await;
        running
            .cloud
            .fault(call(SET_MACHINES), fault.clone(), Some(1));
        let begun = Instant::now();
        tick(&running).await;
        assert!(begun.elapsed() >= Duration::from_secs(1), "{fault:?}");
        assert_eq!(asked(&running.cloud, SET_MACHINES), 2, "{fault:?}");
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_retry_after_ends_the_pass_at_once_and_is_honoured_by_the_next_ones() {
    for form in [ThrottleForm::Arm, ThrottleForm::Compute] {
        let (running, before) = one_gone(true).await;
        let fault = Fault::Throttled {
            form,
            retry_after: Some(600),
        };
        let fault = running.cloud.fault(call(SET_MACHINES), fault, Some(1));
        let begun = Instant::now();
        let lines = failing_tick(&running).await;
        assert!(
            lines.contains("Failed: throttled: ") && lines.contains("600 s"),
            "{lines}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(fault.hits(), 1);
        running.cloud.clear_requests();
        // The same reason is the same line.
        let waiting = failing_tick(&running).await;
        assert!(
            waiting.contains("it asked not to be called before"),
            "{waiting}"
        );
        assert_eq!(failing_tick(&running).await, waiting);
        // Resource Manager throttles a subscription, the compute provider one kind of call.
        let (machines, model) = (
            asked(&running.cloud, SET_MACHINES),
            asked(&running.cloud, SET),
        );
        let expected = if form == ThrottleForm::Arm {
            (0, 0)
        } else {
            (0, 2)
        };
        assert_eq!((machines, model), expected, "{form:?}");
        assert_eq!(running.http("web"), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_busy_for_longer_than_the_pass_ends_it_as_throttled() {
    let (running, before) = one_gone(true).await;
    let busy = Fault::Status {
        code: 503,
        body: "{}".to_owned(),
        headers: vec![("retry-after".to_owned(), "600".to_owned())],
    };
    running.cloud.fault(call(SET_MACHINES), busy, Some(1));
    let lines = failing_tick(&running).await;
    assert!(lines.contains("Failed: throttled: "), "{lines}");
    assert_eq!(asked(&running.cloud, SET_MACHINES), 1);
    assert_eq!(running.http("web"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_set_leaves_the_others_alone() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_uniform_set("calm-vmss", 2);
    cloud.world().add_upstream(UpstreamKind::Http, "calm");
    let fault = Fault::Throttled {
        form: ThrottleForm::Compute,
        retry_after: Some(600),
    };
    cloud.fault(call(SET), fault, None);
    let running = Running::start(cloud, &[web(), UpstreamEntry::http("calm", "calm-vmss")]).await;
    failing_tick(&running).await;
    assert_eq!(
        running.http("calm"),
        sorted(running.world().addresses("calm-vmss", 80))
    );
    assert_eq!(running.http("web"), NONE);
}

fn token_requests(cloud: &Cloud) -> Vec<String> {
    let requests = cloud.requests_to(Service::Identity);
    requests.into_iter().map(|request| request.query).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_is_replaced_within_the_pass() {
    for uniform in [true, false] {
        let (running, _) = one_gone(uniform).await;
        running.world().revoke_tokens();
        tick(&running).await;
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80))
        );
        assert_eq!(
            token_requests(&running.cloud).len(),
            1,
            "{:?}",
            token_requests(&running.cloud)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_never_accepted_is_a_failure_and_not_a_loop() {
    let (running, before) = one_gone(true).await;
    running
        .world()
        .set_arm_audience("https://elsewhere.example");
    let lines = failing_tick(&running).await;
    assert!(lines.contains("identity: "), "{lines}");
    assert_eq!(running.http("web"), before);
    assert!(
        running.arm_requests().len() <= 6,
        "{}",
        running.arm_requests().len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_for_the_instance_list_alone_is_not_taken_for_a_missing_permission() {
    let (running, before) = one_gone(true).await;
    running
        .world()
        .set_power("web-vmss", 0, simulated_cloud::PowerState::Deallocated);
    let refused = Fault::arm_error(401, "InvalidAuthenticationToken", "no");
    running.cloud.fault(call(SET_MACHINES), refused, None);
    failing_tick(&running).await;
    assert_eq!(running.http("web"), before);
    let said = running.handler.stdout_lines();
    assert!(
        !said
            .iter()
            .any(|line| line.contains("instance states cannot be read")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_per_audience_serves_many_calls() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    let entries: Vec<UpstreamEntry> = (0..8)
        .map(|number| {
            let (set, upstream) = (format!("set-{number}"), format!("up-{number}"));
            world.add_uniform_set(&set, 2);
            world.add_upstream(UpstreamKind::Http, &upstream);
            UpstreamEntry::http(&upstream, &set)
        })
        .collect();
    let running = Running::start(cloud, &entries).await;
    for _ in 0..3 {
        tick(&running).await;
    }
    let mut resources: Vec<String> = token_requests(&running.cloud);
    resources.sort();
    let named = |part: &str| {
        resources
            .iter()
            .filter(|query| query.contains(part))
            .count()
    };
    assert_eq!(
        (named("management.azure.com"), named("vault.azure.net")),
        (1, 1),
        "{resources:?}"
    );
    assert_eq!(running.arm_requests().len(), 8 * 3 * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_assigned_identity_is_asked_for_by_its_client_id() {
    let cloud = uniform_cloud(2).await;
    let id = "0d5f7f1e-0000-4000-8000-00000000abcd";
    cloud.world().set_system_assigned(false);
    cloud.world().add_user_assigned(id);
    let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
    env.push(("AZURE_CLIENT_ID".to_owned(), id.to_owned()));
    let handler = Handler::spawn(binary(), env).await;
    let running = Running { cloud, handler };
    tick(&running).await;
    assert_eq!(
        running.http("web"),
        sorted(running.world().addresses("web-vmss", 80))
    );
    for query in token_requests(&running.cloud) {
        assert!(query.contains(&format!("client_id={id}")), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_nothing_else_is_called_and_the_cause_is_told() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_system_assigned(false);
    let running = Running::start(cloud, &[web()]).await;
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("The requested identity has not been assigned"),
        "{lines}"
    );
    assert_eq!((running.arm_requests().len(), running.writes()), (0, NONE));
}
