//! The scenes: what the page shows when all is well, when something moves, is held, fails, and when
//! others have chosen their words to do harm.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use simulated_cloud::functions_host::Handler;
use simulated_cloud::{
    Cloud, Fault, Match, PeerState, PowerState, Server, UpstreamEntry, UpstreamKind, World,
};

/// A handler in its cloud, after what the scene has played.
pub(crate) struct Scene {
    pub(crate) handler: Handler,
    /// Kept alive: the page reads it.
    cloud: Cloud,
}

/// Markup, quotes, and a mark that turns the text around: a name as nobody chooses it.
const HOSTILE: &str = "<script>window.pwned=1</script>\"'><img src=/x onerror=window.pwned=1>txt.\u{5e9}\u{5dc}\u{5d5}\u{5dd}";

/// Plays every scene.
pub(crate) async fn play_all(binary: &Path) -> BTreeMap<&'static str, Scene> {
    BTreeMap::from([
        ("fresh", fresh(binary).await),
        ("steady", steady(binary).await),
        ("moving", moving(binary).await),
        ("held", held(binary).await),
        ("failed", failed(binary).await),
        ("hostile", hostile(binary).await),
        ("large", large(binary).await),
    ])
}

impl Scene {
    async fn start(binary: &Path, cloud: Cloud, upstreams: &[UpstreamEntry]) -> Self {
        let mut env = cloud.handler_env();
        env.push(("VMSS_SYNC_CONFIG".to_owned(), cloud.config_yaml(upstreams)));
        let id = "c6e3b2a1f09d4c55b7a8e0d1c2b3a4f5";
        env.push(("WEBSITE_INSTANCE_ID".to_owned(), id.to_owned()));
        let handler = Handler::spawn(binary, env).await;
        Self { handler, cloud }
    }

    fn world(&self) -> World {
        self.cloud.world()
    }

    /// A tick; whether it succeeds is the scene's business.
    async fn tick(&self) {
        self.handler.timer_tick().await;
    }

    /// Scales a set, and tells the handler as Event Grid does.
    async fn scale(&self, set: &str, count: usize) {
        self.world().scale(set, count);
        let id = self.world().set_id(set);
        self.handler.scale_set_written(&id).await;
    }
}

async fn two_upstreams(binary: &Path) -> Scene {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("shop-web-vmss", 4);
    world.add_flexible_set("shop-db-vmss", 3);
    world.add_upstream(UpstreamKind::Http, "shop-web");
    world.add_upstream(UpstreamKind::Stream, "shop-db");
    let entries = [
        UpstreamEntry::http("shop-web", "shop-web-vmss").on_port(8080),
        UpstreamEntry::stream("shop-db", "shop-db-vmss", 5432),
    ];
    Scene::start(binary, cloud, &entries).await
}

async fn fresh(binary: &Path) -> Scene {
    two_upstreams(binary).await
}

async fn steady(binary: &Path) -> Scene {
    let scene = two_upstreams(binary).await;
    scene.tick().await;
    for count in [7, 9, 6, 8] {
        scene.scale("shop-web-vmss", count).await;
    }
    scene.scale("shop-db-vmss", 2).await;
    let busy = scene.world().addresses("shop-web-vmss", 8080);
    for (address, active) in busy.iter().zip([3, 12, 1]) {
        scene
            .world()
            .set_active(UpstreamKind::Http, "shop-web", address, Some(active));
    }
    scene
}

/// Instances come, go, are switched off, cannot be added; servers are unhealthy, switched off by
/// hand, and part of NGINX's configuration.
async fn moving(binary: &Path) -> Scene {
    let scene = two_upstreams(binary).await;
    let world = scene.world();
    scene.scale("shop-web-vmss", 8).await;
    scene.tick().await;
    let (http, set) = (UpstreamKind::Http, "shop-web-vmss");
    let address = |place: usize| world.instance(set, place).server(8080).unwrap();
    world.set_active(http, "shop-web", &address(0), Some(4));
    world.set_power(set, 0, PowerState::Stopping);
    scene.tick().await;
    world.mark_deleting(set, 1);
    world.set_peer_state(http, "shop-web", &address(2), Some(PeerState::Unhealthy));
    world.set_peer_state(http, "shop-web", &address(3), Some(PeerState::Unavail));
    world.change_server(http, "shop-web", &address(4), |server| server.down = true);
    let fixed = Server {
        parent: Some(77),
        ..Server::at("10.9.0.1:8080")
    };
    world.put_server(http, "shop-web", fixed);
    world.put_server(http, "shop-web", Server::at("10.77.0.9:8080"));
    world.begin_scale(set, 11);
    world.drop_nics(set, 9);
    world.set_power(set, 10, PowerState::Running);
    scene
}

async fn held(binary: &Path) -> Scene {
    let scene = two_upstreams(binary).await;
    let world = scene.world();
    scene.scale("shop-web-vmss", 6).await;
    scene.tick().await;
    world.scale("shop-web-vmss", 2);
    world.set_capacity("shop-web-vmss", Some(6));
    for _ in 0..3 {
        scene.tick().await;
    }
    scene
}

/// One set may not be read, one upstream is not there, one cannot be written.
async fn failed(binary: &Path) -> Scene {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("shop-web-vmss", 3);
    world.add_uniform_set("shop-api-vmss", 2);
    world.add_uniform_set("shop-img-vmss", 2);
    for name in ["shop-web", "shop-api", "shop-img"] {
        world.add_upstream(UpstreamKind::Http, name);
    }
    let entries = ["web", "api", "img"]
        .map(|name| UpstreamEntry::http(&format!("shop-{name}"), &format!("shop-{name}-vmss")));
    let scene = Scene::start(binary, cloud, &entries).await;
    scene.tick().await;
    let text = "The client '6a1f…' with object id '6a1f…' does not have authorization to perform \
                action 'Microsoft.Compute/virtualMachineScaleSets/read' over scope '/subscriptions/…'";
    let forbidden = Fault::arm_error(403, "AuthorizationFailed", text);
    let _ = scene
        .cloud
        .fault(Match::arm().path("shop-web-vmss"), forbidden, None);
    world.remove_upstream(UpstreamKind::Http, "shop-api");
    let full = Fault::nginx_error(500, "UpstreamOutOfMemory", "no memory");
    let adds = Match::nginx().method("POST").path("shop-img");
    let _ = scene.cloud.fault(adds, full, None);
    world.scale("shop-img-vmss", 4);
    for _ in 0..2 {
        scene.tick().await;
    }
    scene
}

/// Names, error texts and addresses that would do harm if they were taken for markup.
async fn hostile(binary: &Path) -> Scene {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web-vmss", 3);
    world.add_uniform_set("mute-vmss", 1);
    world.add_upstream(UpstreamKind::Http, HOSTILE);
    world.add_upstream(UpstreamKind::Http, "mute");
    let entries = [
        UpstreamEntry::http(&json!(HOSTILE).to_string(), "web-vmss"),
        UpstreamEntry::http("mute", "mute-vmss"),
    ];
    let scene = Scene::start(binary, cloud, &entries).await;
    scene.tick().await;
    for place in 0..3 {
        world.change("web-vmss", place, |instance| {
            instance.name = format!("{HOSTILE}{place}");
        });
    }
    world.put_server(
        UpstreamKind::Http,
        HOSTILE,
        Server::at("<b>evil</b>\"\u{202e}.example:80"),
    );
    let forbidden = Fault::arm_error(403, "AuthorizationFailed", HOSTILE);
    let _ = scene
        .cloud
        .fault(Match::arm().path("mute-vmss"), forbidden, None);
    scene.tick().await;
    scene
}

async fn large(binary: &Path) -> Scene {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("shop-web-vmss", 700);
    world.add_upstream(UpstreamKind::Http, "shop-web");
    let scene = Scene::start(
        binary,
        cloud,
        &[UpstreamEntry::http("shop-web", "shop-web-vmss")],
    )
    .await;
    scene.tick().await;
    for (place, state) in [(3, PeerState::Unhealthy), (90, PeerState::Draining)] {
        let address = world.instance("shop-web-vmss", place).server(80).unwrap();
        world.set_peer_state(UpstreamKind::Http, "shop-web", &address, Some(state));
    }
    scene
}
