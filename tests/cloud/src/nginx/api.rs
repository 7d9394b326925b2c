//! The API's paths and methods.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::model::{Change, NginxState, NginxWrite, Server, Upstream, UpstreamKind};
use super::parameters::{Purpose, Reader};
use super::{Problem, print};
use crate::answer::{Answer, Seen};
use crate::world::{State, World};

/// The locations under which the API is found: that of NGINXaaS and the customary one.
const PREFIXES: [&str; 2] = ["nplus", "api"];

type Outcome = (Result<Answer, Problem>, Option<NginxWrite>);

/// Answers one request.
pub(crate) fn answer(world: &World, seen: &Seen) -> Answer {
    if let Some(refused) = world.with(|state| refuse(state, seen)) {
        return refused;
    }
    let result = if seen.method == "GET" {
        world.with(|state| read(&mut state.nginx, seen))
    } else {
        let mut reset = None;
        let result = world.write(|state| write(&mut state.nginx, seen, &mut reset));
        if let Some(upstream) = reset {
            world.add_violation(format!("the statistics of upstream {upstream} were reset"));
        }
        result
    };
    result.unwrap_or_else(|problem| problem.answer())
}

/// What the proxy in front of the API refuses.
fn refuse(state: &State, seen: &Seen) -> Option<Answer> {
    let key = STANDARD.encode(&state.access.nginx_key);
    let wanted = format!("ApiKey {key}");
    if !state.nginx.needs_key || seen.header("authorization") == Some(&wanted) {
        return None;
    }
    if state.nginx.json_unauthorized {
        let problem = Problem::new(401, "Unauthorized", "the API key is missing or not valid");
        return Some(problem.answer());
    }
    Some(Answer::html(401, "Authorization Required"))
}

/// The segments after prefix and version, once both are known to be right.
fn inside(segments: &[String]) -> Result<&[String], Problem> {
    let [prefix, version, rest @ ..] = segments else {
        return Err(no_path());
    };
    if !PREFIXES.contains(&prefix.as_str()) {
        return Err(no_path());
    }
    match version.parse::<u8>() {
        Ok(1..=9) => Ok(rest),
        _ => Err(Problem::new(404, "UnknownVersion", "unknown version")),
    }
}

fn kind_of(word: &str) -> Result<UpstreamKind, Problem> {
    match word {
        "http" => Ok(UpstreamKind::Http),
        "stream" => Ok(UpstreamKind::Stream),
        _ => Err(no_path()),
    }
}

fn read(nginx: &mut NginxState, seen: &Seen) -> Result<Answer, Problem> {
    let segments = seen.segments();
    if let [prefix] = segments.as_slice()
        && PREFIXES.contains(&prefix.as_str())
    {
        return Ok(Answer::json(200, &json!([1, 2, 3, 4, 5, 6, 7, 8, 9])));
    }
    let rest: Vec<&str> = inside(&segments)?.iter().map(String::as_str).collect();
    let fields = seen.parameter("fields");
    let body = match rest.as_slice() {
        [] => json!([
            "nginx",
            "processes",
            "connections",
            "slabs",
            "http",
            "stream",
            "resolvers",
            "ssl",
            "workers"
        ]),
        ["nginx"] => json!({"version": "1.29.0", "build": "nginx-plus-r36", "generation": 1}),
        ["http"] => json!(["requests", "server_zones", "caches", "keyvals", "upstreams"]),
        ["stream"] => json!(["server_zones", "keyvals", "upstreams"]),
        ["slabs"] => {
            if nginx.slabs_missing {
                return Err(no_path());
            }
            zones(nginx)
                .map(|upstream| (upstream.name.clone(), print::slab(upstream)))
                .collect::<Map<String, Value>>()
                .into()
        }
        ["slabs", zone] => {
            if nginx.slabs_missing {
                return Err(no_path());
            }
            let found = zones(nginx).find(|upstream| upstream.name == *zone);
            found
                .map(print::slab)
                .ok_or_else(|| Problem::new(404, "SlabNotFound", "slab not found"))?
        }
        [kind, "upstreams"] => statuses(nginx, kind_of(kind)?, fields.as_deref())?,
        [kind, "upstreams", name] => {
            if nginx.status_missing {
                return Err(no_path());
            }
            print::status(upstream(nginx, kind_of(kind)?, name)?, fields.as_deref())
        }
        [kind, "upstreams", name, "servers"] => {
            let flavour = nginx.flavour;
            print::servers(flavour, upstream(nginx, kind_of(kind)?, name)?)
        }
        [kind, "upstreams", name, "servers", id] => {
            let (kind, flavour) = (kind_of(kind)?, nginx.flavour);
            let upstream = upstream(nginx, kind, name)?;
            let place = place(upstream, id)?;
            print::server(kind, flavour, &upstream.servers[place])
        }
        _ => return Err(no_path()),
    };
    Ok(Answer::json(200, &body))
}

/// The upstreams that have a zone; it has the upstream's name.
fn zones(nginx: &NginxState) -> impl Iterator<Item = &Upstream> {
    nginx
        .upstreams
        .iter()
        .filter(|upstream| !upstream.is_static)
}

fn statuses(
    nginx: &NginxState,
    kind: UpstreamKind,
    fields: Option<&str>,
) -> Result<Value, Problem> {
    if nginx.status_missing {
        return Err(no_path());
    }
    let known = nginx
        .upstreams
        .iter()
        .filter(|upstream| upstream.kind == kind);
    let known = known.filter(|upstream| !upstream.is_static);
    if fields == Some("") {
        return Ok(known.map(|upstream| json!(upstream.name)).collect());
    }
    let map: Map<String, Value> = known
        .map(|upstream| (upstream.name.clone(), print::status(upstream, fields)))
        .collect();
    Ok(Value::Object(map))
}

fn write(nginx: &mut NginxState, seen: &Seen, reset: &mut Option<String>) -> Outcome {
    let mut written = None;
    let result = try_write(nginx, seen, reset, &mut written);
    (result, written)
}

fn try_write(
    nginx: &mut NginxState,
    seen: &Seen,
    reset: &mut Option<String>,
    written: &mut Option<NginxWrite>,
) -> Result<Answer, Problem> {
    let segments = seen.segments();
    let rest: Vec<&str> = inside(&segments)?.iter().map(String::as_str).collect();
    let (kind, name) = match rest.as_slice() {
        [kind, "upstreams", name, ..] => (kind_of(kind)?, *name),
        _ => return Err(no_path()),
    };
    if nginx.writes_disabled {
        return Err(Problem::new(405, "MethodDisabled", "method disabled"));
    }
    upstream(nginx, kind, name)?;
    let change = match (seen.method.as_str(), &rest[3..]) {
        ("DELETE", []) => {
            *reset = Some(name.to_owned());
            return Ok(Answer::empty(204));
        }
        ("POST", ["servers"]) => add(nginx, kind, name, seen)?,
        ("PATCH", ["servers", id]) => change(nginx, kind, name, id, seen)?,
        ("DELETE", ["servers", id]) => remove(nginx, kind, name, id)?,
        (_, [] | ["servers"] | ["servers", _]) => {
            return Err(Problem::new(405, "MethodNotAllowed", "method not allowed"));
        }
        _ => return Err(no_path()),
    };
    let flavour = nginx.flavour;
    let upstream = nginx.upstream(kind, name);
    let answer = match &change {
        Change::Added(server) => Answer::json(201, &print::server(kind, flavour, server)),
        Change::Changed { after, .. } => Answer::json(200, &print::server(kind, flavour, after)),
        Change::Removed(_) => Answer::json(200, &print::servers(flavour, upstream)),
    };
    let servers = upstream.servers.clone();
    *written = Some(NginxWrite {
        kind,
        upstream: name.to_owned(),
        change,
        servers,
    });
    Ok(answer)
}

fn add(
    nginx: &mut NginxState,
    kind: UpstreamKind,
    name: &str,
    seen: &Seen,
) -> Result<Change, Problem> {
    let (flavour, full_status) = (nginx.flavour, nginx.out_of_memory_status);
    let reader = reader(nginx, kind, Purpose::Create);
    let mut server = Server::default();
    reader.read(&object(seen)?, &mut server)?;
    let upstream = nginx.upstream(kind, name);
    if server.backup && upstream.no_backup {
        let text = format!("upstream \"{name}\" has no backup");
        return Err(Problem::new(400, "UpstreamNoBackup", text));
    }
    if upstream
        .servers
        .iter()
        .any(|known| known.server == server.server)
    {
        return Err(Problem::new(409, "EntryExists", "entry exists"));
    }
    if upstream.is_full() {
        upstream.zone_fails += 1;
        let text = format!("upstream \"{name}\" memory exhausted");
        return Err(Problem::new(full_status, "UpstreamOutOfMemory", text));
    }
    server.id = upstream.fresh_id(flavour);
    upstream.servers.push(server.clone());
    Ok(Change::Added(server))
}

fn change(
    nginx: &mut NginxState,
    kind: UpstreamKind,
    name: &str,
    id: &str,
    seen: &Seen,
) -> Result<Change, Problem> {
    let reader = reader(nginx, kind, Purpose::Change);
    let upstream = nginx.upstream(kind, name);
    let place = place(upstream, id)?;
    let before = upstream.servers[place].clone();
    let mut after = before.clone();
    reader.read(&object(seen)?, &mut after)?;
    if before.is_static || before.parent.is_some() {
        let text = format!("server \"{id}\" address is immutable");
        return Err(Problem::new(400, "UpstreamServerImmutable", text));
    }
    let others = upstream
        .servers
        .iter()
        .filter(|known| known.id != before.id);
    if others.into_iter().any(|known| known.server == after.server) {
        return Err(Problem::new(409, "EntryExists", "entry exists"));
    }
    upstream.servers[place] = after.clone();
    Ok(Change::Changed { before, after })
}

fn remove(
    nginx: &mut NginxState,
    kind: UpstreamKind,
    name: &str,
    id: &str,
) -> Result<Change, Problem> {
    let upstream = nginx.upstream(kind, name);
    let place = place(upstream, id)?;
    let server = &upstream.servers[place];
    if server.is_static || server.parent.is_some() {
        let text = format!("server \"{id}\" not removable");
        return Err(Problem::new(400, "UpstreamServerImmutable", text));
    }
    Ok(Change::Removed(upstream.servers.remove(place)))
}

fn reader(nginx: &NginxState, kind: UpstreamKind, purpose: Purpose) -> Reader {
    Reader {
        kind,
        flavour: nginx.flavour,
        purpose,
        drain_false_ignored: nginx.drain_false_ignored,
    }
}

fn object(seen: &Seen) -> Result<Map<String, Value>, Problem> {
    let json_error = |text: &str| Problem::new(415, "JsonError", text);
    let kind = seen.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(json_error("the content type is not application/json"));
    }
    match serde_json::from_slice(&seen.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(json_error("the body is not an object")),
        Err(_) => Err(json_error("json error")),
    }
}

fn upstream<'a>(
    nginx: &'a mut NginxState,
    kind: UpstreamKind,
    name: &str,
) -> Result<&'a mut Upstream, Problem> {
    match nginx.find(kind, name) {
        None => Err(Problem::new(404, "UpstreamNotFound", "upstream not found")),
        Some(upstream) if upstream.is_static => {
            Err(Problem::new(400, "UpstreamStatic", "upstream is static"))
        }
        Some(upstream) => Ok(upstream),
    }
}

fn place(upstream: &Upstream, id: &str) -> Result<usize, Problem> {
    let number: u64 = id
        .parse()
        .map_err(|_| Problem::new(400, "UpstreamBadServerId", "invalid server id"))?;
    let text = || format!("server with id \"{id}\" does not exist");
    let mut servers = upstream.servers.iter();
    servers
        .position(|server| server.id == number)
        .ok_or_else(|| Problem::new(404, "UpstreamServerNotFound", text()))
}

fn no_path() -> Problem {
    Problem::new(404, "PathNotFound", "path not found")
}
