use simulated_cloud::{
    Cloud, Flavour, Service, UpstreamEntry, UpstreamKind, functions_host::Handler,
};
use std::time::Duration;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let handler = std::env::args().nth(1).unwrap();
    let cloud = Cloud::start_now();
    let world = cloud.world();
    world.set_flavour(Flavour::NginxAaas);
    world.add_uniform_set("web-vmss", 10);
    world.add_upstream(UpstreamKind::Http, "web");
    for s in [Service::Arm, Service::Vault, Service::Identity] {
        cloud.set_round_trip(s, Duration::from_millis(50));
    }
    cloud.set_round_trip(Service::Nginx, Duration::from_millis(20));
    let mut env = cloud.handler_env();
    env.push((
        "VMSS_SYNC_CONFIG".into(),
        cloud.config_yaml(&[UpstreamEntry::http("web", "web-vmss")]),
    ));
    env.push(("RUST_LOG".into(), "trace".into()));
    let h = Handler::try_spawn(&handler, env, None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = std::time::Instant::now();
    h.scale_set_written(&world.set_id("web-vmss")).await;
    println!("first {:?}", began.elapsed());
    let began = std::time::Instant::now();
    h.scale_set_written(&world.set_id("web-vmss")).await;
    println!("second {:?}", began.elapsed());
    for l in h.stdout_lines() {
        println!("{}", l.chars().take(170).collect::<String>());
    }
}
