//! From the document to a [`Config`]: the keys of the document as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::document::{self, Mapping, Problems};
use super::load::Environment;
use super::schema::KEYS;
use super::text::{duration, is_loopback, plain_url, secret_id};
use super::upstreams::upstreams;
use super::{ApiKeySource, Config, ConfigError, Problem, ResourceManager};

/// The endpoint and audience of each cloud's Resource Manager.
const CLOUDS: [(&str, (&str, &str)); 3] = [
    (
        "AzurePublic",
        (
            "https://management.azure.com/",
            "https://management.azure.com",
        ),
    ),
    (
        "AzureUSGovernment",
        (
            "https://management.usgovcloudapi.net/",
            "https://management.usgovcloudapi.net",
        ),
    ),
    (
        "AzureChina",
        (
            "https://management.chinacloudapi.cn/",
            "https://management.chinacloudapi.cn",
        ),
    ),
];

/// Reads the text of a configuration.
///
/// # Errors
///
/// Every problem of the document at once; `origin` says in the messages where it came from.
pub fn parse(text: &str, origin: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let problems = Problems::default();
    let config = document::load(text, &problems)
        .as_ref()
        .and_then(|document| read(document, environment, &problems));
    let mut problems = problems.into_vec();
    let mut told = BTreeSet::new();
    problems.retain(|problem| told.insert(problem.clone()));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            if problems.is_empty() {
                let message = "it could not be read".to_owned();
                problems.push(Problem {
                    path: String::new(),
                    message,
                });
            }
            Err(ConfigError {
                origin: origin.to_owned(),
                problems,
            })
        }
    }
}

fn read(
    document: &saphyr::Yaml<'_>,
    environment: &Environment,
    problems: &Problems,
) -> Option<Config> {
    let root = Mapping::new(document, "", Some(&KEYS), problems)?;
    let mut warnings = Vec::new();
    if let Some(provider) = root.text("cloud_provider")
        && !provider.eq_ignore_ascii_case("azure")
    {
        root.problem(
            "cloud_provider",
            format!(
                "`{}` is not served: this program syncs Azure scale sets only; write `Azure`",
                provider.escape_debug()
            ),
        );
    }
    let resource_manager = resource_manager(&root);
    let api_endpoint = api_endpoint(&root, &mut warnings);
    let headers = custom_headers(&root, problems);
    let api_key = api_key(&root, headers.authorization, environment, &mut warnings);
    let sync_interval = match root.scalar("sync_interval").map(|text| duration(&text)) {
        None => Duration::from_secs(5),
        Some(Ok(Duration::ZERO)) => {
            root.problem("sync_interval", "must be more than 0");
            Duration::from_secs(5)
        }
        Some(Ok(interval)) => {
            if interval < Duration::from_secs(1) {
                warnings.push(
                    "sync_interval: below 1s `sync --watch` may use up the subscription's request quota"
                        .to_owned(),
                );
            }
            interval
        }
        Some(Err(message)) => {
            root.problem("sync_interval", message);
            Duration::from_secs(5)
        }
    };
    let upstreams = upstreams(&root, problems);
    Some(Config {
        resource_manager: resource_manager?,
        api_endpoint: api_endpoint?,
        api_key,
        custom_headers: headers.others,
        sync_interval,
        upstreams,
        warnings,
    })
}

fn resource_manager(root: &Mapping<'_, '_>) -> Option<ResourceManager> {
    let (endpoint, audience) = root.choice("cloud", &CLOUDS).unwrap_or(CLOUDS[0].1);
    let endpoint = match root.text("resource_manager_endpoint") {
        None => Url::parse(endpoint).ok(),
        Some(text) => match plain_url(text) {
            Ok(url) if url.scheme() != "https" => {
                root.problem(
                    "resource_manager_endpoint",
                    "must be https: a token is sent there",
                );
                None
            }
            Ok(url) if url.path() != "/" => {
                root.problem("resource_manager_endpoint", "must not have a path");
                None
            }
            Ok(url) => Some(url),
            Err(message) => {
                root.problem("resource_manager_endpoint", message);
                None
            }
        },
    };
    let audience = root.text("resource_manager_audience").unwrap_or(audience);
    // To the letter: Azure compares audiences as texts, a slash at the end included.
    let audience = audience
        .strip_suffix("/.default")
        .unwrap_or(audience)
        .to_owned();
    if Url::parse(&audience).is_err() && !is_guid(&audience) {
        root.problem(
            "resource_manager_audience",
            "must be a URL, e.g. `https://management.azure.com`, or an application's GUID",
        );
    }
    Some(ResourceManager {
        endpoint: endpoint?,
        audience,
    })
}

fn is_guid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn api_endpoint(root: &Mapping<'_, '_>, warnings: &mut Vec<String>) -> Option<Url> {
    let insecure_allowed = root.boolean("allow_insecure_endpoint").unwrap_or(false);
    let text = root.required("api_endpoint", "https://<name>.<region>.nginxaas.net/nplus")?;
    let mut url = match plain_url(text) {
        Ok(url) => url,
        Err(message) => {
            root.problem("api_endpoint", message);
            return None;
        }
    };
    if url.scheme() == "http" && !is_loopback(&url) {
        if !insecure_allowed {
            root.problem(
                "api_endpoint",
                "must be https: the API key is sent there (or set `allow_insecure_endpoint: true`)",
            );
            return None;
        }
        warnings.push(
            "`api_endpoint` is plain http: the API key can be read on the way; use https".into(),
        );
    }
    if let Some(host) = url.host()
        && is_metadata_service(&host)
    {
        root.problem(
            "api_endpoint",
            "is the platform's metadata service, not an NGINX Plus API",
        );
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if path.is_empty() {
        warnings.push(
            "`api_endpoint` has no path: NGINXaaS needs the `/nplus` suffix, NGINX Plus usually `/api`"
                .into(),
        );
    }
    url.set_path(&path);
    Some(url)
}

/// Link-local addresses hand out identities on Azure; an API key or a list of servers has no
/// business there.
fn is_metadata_service(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Ipv4(ip) => ip.is_link_local() || ip.octets() == [168, 63, 129, 16],
        url::Host::Ipv6(ip) => {
            let mapped = ip.to_ipv4_mapped().map(url::Host::Ipv4);
            ip.is_unicast_link_local() || mapped.is_some_and(|host| is_metadata_service(&host))
        }
        url::Host::Domain(_) => false,
    }
}

#[derive(Default)]
struct CustomHeaders {
    authorization: Option<SecretString>,
    others: BTreeMap<String, String>,
}

fn custom_headers(root: &Mapping<'_, '_>, problems: &Problems) -> CustomHeaders {
    let mut headers = CustomHeaders::default();
    let Some(node) = root.get("custom_headers") else {
        return headers;
    };
    let path = root.path_of("custom_headers");
    let Some(mapping) = Mapping::new(node, &path, None, problems) else {
        return headers;
    };
    let mut seen = BTreeSet::new();
    for name in mapping.keys() {
        let valid_name = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        if name.is_empty() || !valid_name {
            mapping.problem(name, "is not a header name");
            continue;
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            mapping.problem(name, "is set twice: a header's name has no case");
            continue;
        }
        let Some(value) = mapping.scalar(name) else {
            continue;
        };
        if value.chars().any(|c| c.is_control() || !c.is_ascii()) {
            mapping.problem(name, "has a character that cannot stand in a header");
        } else if name.eq_ignore_ascii_case("authorization") {
            headers.authorization = Some(SecretString::from(value));
        } else if ["host", "content-length", "transfer-encoding", "connection"]
            .iter()
            .any(|managed| name.eq_ignore_ascii_case(managed))
        {
            mapping.problem(name, "is set by the HTTP client and cannot be overridden");
        } else {
            headers.others.insert(name.to_ascii_lowercase(), value);
        }
    }
    headers
}

fn api_key(
    root: &Mapping<'_, '_>,
    authorization: Option<SecretString>,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> ApiKeySource {
    let secret = root.text("api_key_secret").and_then(|text| {
        secret_id(text)
            .map_err(|message| root.problem("api_key_secret", message))
            .ok()
    });
    let configured = root.get("api_key_secret").is_some();
    if authorization.is_some() && (configured || environment.api_key.is_some()) {
        let other = if configured {
            "`api_key_secret`"
        } else {
            "`NGINXAAS_DATAPLANE_API_KEY`"
        };
        root.problem(
            "custom_headers",
            format!("has an `Authorization`, and {other} is set too: keep one source of the key"),
        );
    }
    match (secret, authorization, &environment.api_key) {
        (Some(secret), _, _) => ApiKeySource::KeyVault(secret),
        (None, Some(header), _) => {
            warnings.push(
                "the API key stands in `custom_headers.Authorization`: move it to Key Vault and set `api_key_secret`"
                    .into(),
            );
            ApiKeySource::Header(header)
        }
        (None, None, Some(key)) => ApiKeySource::Environment(key.clone()),
        (None, None, None) => {
            if !configured {
                warnings.push(
                    "no API key is configured (`api_key_secret`, `NGINXAAS_DATAPLANE_API_KEY`): calls to NGINX carry none"
                        .into(),
                );
            }
            ApiKeySource::None
        }
    }
}
