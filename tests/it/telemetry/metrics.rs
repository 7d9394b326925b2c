//! Metrics: every one that is documented, with the values of what happened.

use std::collections::BTreeSet;

use nginx_vmss_sync::telemetry::names::Metric;
use simulated_cloud::{Cloud, Fault, Service, ThrottleForm, UpstreamEntry, UpstreamKind};

use super::export_to;
use super::received::{Point, points, wait_for};
use crate::safety_support::{SET, call};
use crate::support::{Running, uniform_cloud, web};

async fn exporting(cloud: Cloud, upstreams: &[UpstreamEntry]) -> Running {
    let yaml = cloud.config_yaml(upstreams);
    let variables = export_to(&cloud);
    Running::with_variables(cloud, &yaml, variables).await
}

/// The sum of a metric's values whose attributes have these values.
fn sum(points: &[Point], metric: Metric, with: &[(&str, &str)]) -> f64 {
    let fits = |point: &&Point| {
        point.metric == metric.name()
            && with
                .iter()
                .all(|(name, value)| point.attribute(name) == *value)
    };
    points.iter().filter(fits).map(|point| point.value).sum()
}

const UPSTREAM: &str = "nginx_vmss_sync.upstream.name";
const CHANGE: &str = "nginx_vmss_sync.change";
const OUTCOME: &str = "nginx_vmss_sync.outcome";
const TRIGGER: &str = "nginx_vmss_sync.trigger";

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_metric_arrives_with_its_unit_its_kind_and_its_attributes() {
    let cloud = uniform_cloud(4).await;
    cloud.world().add_upstream(UpstreamKind::Http, "gone");
    let running = exporting(cloud, &[web(), UpstreamEntry::http("gone", "web-vmss")]).await;
    let world = running.world();
    assert!(running.tick_with(&[]).await.succeeded());
    // Three of four vanish without an explanation: held. The other upstream fails.
    for _ in 0..3 {
        world.delete_instance("web-vmss", 1);
    }
    world.remove_upstream(UpstreamKind::Http, "gone");
    assert_eq!(running.event_with(&[]).await.status, 500);
    let throttled = Fault::Throttled {
        form: ThrottleForm::Arm,
        retry_after: Some(1),
    };
    running.cloud.fault(call(SET), throttled, Some(1));
    assert_eq!(running.tick_with(&[]).await.status, 500);

    let cloud = &running.cloud;
    let passes = || sum(&points(cloud), Metric::PassDuration, &[]);
    wait_for(cloud, "three passes", || passes() > 2.5).await;
    let points = points(cloud);
    let documented: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let arrived: BTreeSet<&str> = points.iter().map(|point| point.metric.as_str()).collect();
    assert_eq!(arrived, documented);
    for metric in Metric::ALL {
        let names: BTreeSet<&str> = metric.attributes().iter().map(|name| name.name()).collect();
        let mut met = BTreeSet::new();
        for point in points.iter().filter(|point| point.metric == metric.name()) {
            assert_eq!(
                (point.unit.as_str(), point.kind),
                (metric.unit(), metric.kind().name())
            );
            met.extend(point.attributes.keys().map(String::as_str));
        }
        assert_eq!(met, names, "{metric:?}");
    }

    let value = |metric, with: &[(&str, &str)]| sum(&points, metric, with);
    assert_eq!(
        value(
            Metric::PassDuration,
            &[(OUTCOME, "changed"), (TRIGGER, "timer")]
        ),
        1.0
    );
    assert_eq!(
        value(
            Metric::PassDuration,
            &[(OUTCOME, "failed"), (TRIGGER, "event")]
        ),
        1.0
    );
    assert_eq!(
        value(
            Metric::PassDuration,
            &[(OUTCOME, "failed"), (TRIGGER, "timer")]
        ),
        1.0
    );
    assert_eq!(
        value(Metric::Changes, &[(UPSTREAM, "web"), (CHANGE, "added")]),
        4.0
    );
    assert_eq!(
        value(Metric::Changes, &[(UPSTREAM, "web"), (CHANGE, "removed")]),
        0.0
    );
    assert_eq!(value(Metric::Held, &[(UPSTREAM, "web")]), 3.0);
    assert_eq!(value(Metric::Servers, &[(UPSTREAM, "web")]), 4.0);
    let missing = [(UPSTREAM, "gone"), ("error.type", "upstream_not_found")];
    assert_eq!(value(Metric::Failures, &missing), 2.0);
    assert_eq!(value(Metric::Throttles, &[]), 1.0);
    for (service, name) in [
        (Service::Arm, "resource_manager"),
        (Service::Nginx, "nginx"),
        (Service::Vault, "key_vault"),
        (Service::Identity, "identity"),
    ] {
        let requests = u32::try_from(cloud.requests_to(service).len()).unwrap();
        let told = value(
            Metric::RequestDuration,
            &[("nginx_vmss_sync.service", name)],
        );
        assert_eq!(told, f64::from(requests), "{name}");
    }
    let (web, gone) = (
        value(Metric::LastSuccessAge, &[(UPSTREAM, "web")]),
        value(Metric::LastSuccessAge, &[(UPSTREAM, "gone")]),
    );
    assert!(web > 0.0 && gone >= web, "{web} {gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_is_no_pass_of_the_metrics() {
    let running = exporting(uniform_cloud(2).await, &[web()]).await;
    let looked = running.handler.http("Status", "GET", None, &[]).await;
    assert!(looked.succeeded(), "{}", looked.text);
    let json = [("content-type", "application/json")];
    let dry = running
        .handler
        .http("Reconcile", "POST", Some(r#"{"dry_run":true}"#), &json)
        .await;
    assert!(dry.succeeded(), "{}", dry.text);
    assert!(running.tick_with(&[]).await.succeeded());
    let cloud = &running.cloud;
    let passes = || sum(&points(cloud), Metric::PassDuration, &[]);
    wait_for(cloud, "the tick", || passes() > 0.5).await;
    assert_eq!(passes(), 1.0);
    assert_eq!(
        sum(&points(cloud), Metric::PassDuration, &[(TRIGGER, "timer")]),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_held_counts_no_longer() {
    let running = exporting(uniform_cloud(4).await, &[web()]).await;
    assert!(running.tick_with(&[]).await.succeeded());
    for _ in 0..3 {
        running.world().delete_instance("web-vmss", 1);
    }
    assert!(running.tick_with(&[]).await.succeeded());
    let cloud = &running.cloud;
    let held = || sum(&points(cloud), Metric::Held, &[(UPSTREAM, "web")]);
    wait_for(cloud, "what is held", || held() > 2.5).await;
    // The set agrees with the shorter list: no longer held, but done.
    running.world().set_capacity("web-vmss", Some(1));
    assert!(running.tick_with(&[]).await.succeeded());
    let removed = || sum(&points(cloud), Metric::Changes, &[(CHANGE, "removed")]);
    wait_for(cloud, "the removals", || removed() > 2.5).await;
    assert_eq!((held(), removed()), (0.0, 3.0));
}
