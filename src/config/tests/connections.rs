//! Endpoints, keys and headers.

use super::*;

fn endpoint(url: &str) -> String {
    instead("api_endpoint", url)
}

fn key_of(config: &Config) -> String {
    match &config.api_key {
        ApiKeySource::KeyVault(secret) => format!("vault {}", secret.name),
        ApiKeySource::Environment(key) => format!("environment {}", key.expose_secret()),
        ApiKeySource::Header(header) => format!("header {}", header.expose_secret()),
        ApiKeySource::None => "none".into(),
    }
}

const VAULT: &str = "api_key_secret: https://v.vault.azure.net/secrets/name";
const HEADER: &str = "custom_headers: {authorization: ApiKey aGk=}";

#[test]
fn an_https_endpoint_is_taken_without_its_trailing_slash() {
    let config = read(&endpoint("https://lb.example:8443/nplus/")).unwrap();
    assert_eq!(
        config.api_endpoint.as_str(),
        "https://lb.example:8443/nplus"
    );
}

#[test]
fn plain_http_is_for_this_machine_or_for_who_asks_for_it() {
    for here in [
        "http://localhost:8080/api",
        "http://127.0.0.1/api",
        "http://[::1]:8080/api",
    ] {
        assert!(read(&endpoint(here)).is_ok(), "{here}");
    }
    let away = endpoint("http://lb.example/api");
    assert_eq!(
        problems(read(&away)),
        [
            "api_endpoint: must be https: the API key is sent there (or set `allow_insecure_endpoint: true`)"
        ]
    );
    let config = read(&format!("allow_insecure_endpoint: true\n{away}")).unwrap();
    let warning = "`api_endpoint` is plain http: the API key can be read on the way; use https";
    assert!(
        config.warnings.iter().any(|known| known == warning),
        "{:?}",
        config.warnings
    );
}

#[test]
fn the_platforms_metadata_services_are_no_endpoint() {
    for url in [
        "https://169.254.169.254/metadata",
        "https://[fe80::1]/api",
        "https://[::ffff:169.254.169.254]/api",
        "http://168.63.129.16/api",
        "http://0xa9fea9fe/api",
    ] {
        assert_eq!(
            problems(read(&format!(
                "allow_insecure_endpoint: true\n{}",
                endpoint(url)
            ))),
            ["api_endpoint: is the platform's metadata service, not an NGINX Plus API"],
            "{url}"
        );
    }
}

#[test]
fn an_endpoint_that_is_no_plain_url_is_refused() {
    for (url, problem) in [
        ("lb.example", "not a URL: it must begin with `https://`"),
        ("ftp://lb.example/", "`ftp` is not https"),
        (
            "https://user:secret@lb.example/",
            "must not carry a user name or password",
        ),
        (
            "https://lb.example/?a=b",
            "must not carry a query or a fragment",
        ),
        ("https://", "not a URL: empty host"),
    ] {
        assert_eq!(
            problems(read(&endpoint(url))),
            [format!("api_endpoint: {problem}")]
        );
    }
}

#[test]
fn an_endpoint_without_a_path_works_with_a_warning() {
    let config = read(&endpoint("https://lb.example")).unwrap();
    let warning =
        "`api_endpoint` has no path: NGINXaaS needs the `/nplus` suffix, NGINX Plus usually `/api`";
    assert!(
        config.warnings.iter().any(|known| known == warning),
        "{:?}",
        config.warnings
    );
}

#[test]
fn resource_manager_is_an_https_origin() {
    for (url, problem) in [
        ("http://localhost/", "must be https: a token is sent there"),
        ("https://arm.example/x", "must not have a path"),
        ("arm.example", "not a URL: it must begin with `https://`"),
    ] {
        let text = with(&format!("resource_manager_endpoint: {url}"));
        assert_eq!(
            problems(read(&text)),
            [format!("resource_manager_endpoint: {problem}")]
        );
    }
    assert_eq!(
        problems(read(&with("resource_manager_audience: management"))),
        [
            "resource_manager_audience: must be a URL, e.g. `https://management.azure.com`, or an application's GUID"
        ]
    );
    let config = read(&with(
        "resource_manager_audience: https://arm.example/.default",
    ))
    .unwrap();
    assert_eq!(config.resource_manager.audience, "https://arm.example");
    let application = "797f4846-ba00-4fd7-ba43-dac1f8f63013";
    for audience in ["https://arm.example/", "api://arm/x", application] {
        let config = read(&with(&format!("resource_manager_audience: {audience}"))).unwrap();
        assert_eq!(config.resource_manager.audience, audience);
    }
}

#[test]
fn an_interval_below_a_second_is_taken_with_a_warning() {
    let config = read(&with("sync_interval: 250ms")).unwrap();
    assert_eq!(config.sync_interval, Duration::from_millis(250));
    assert!(
        config
            .warnings
            .iter()
            .any(|line| line.starts_with("sync_interval: below 1s"))
    );
    assert_eq!(
        problems(read(&with("sync_interval: 0ms"))),
        ["sync_interval: must be more than 0"]
    );
}

#[test]
fn the_key_comes_from_the_vault_then_from_the_environment() {
    assert_eq!(key_of(&read(&with(VAULT)).unwrap()), "vault name");
    assert_eq!(
        key_of(&read_with_key(&with(VAULT), "raw").unwrap()),
        "vault name"
    );
    assert_eq!(
        key_of(&read_with_key(SMALL, "raw").unwrap()),
        "environment raw"
    );
    assert_eq!(key_of(&read(&with(HEADER)).unwrap()), "header ApiKey aGk=");
    let none = read(SMALL).unwrap();
    assert_eq!(key_of(&none), "none");
    assert_eq!(
        none.warnings,
        [
            "no API key is configured (`api_key_secret`, `NGINXAAS_DATAPLANE_API_KEY`): calls to NGINX carry none"
        ]
    );
}

#[test]
fn an_authorization_header_beside_another_source_of_the_key_is_refused() {
    let told = |other: &str| {
        [format!(
            "custom_headers: has an `Authorization`, and {other} is set too: keep one source of the key"
        )]
    };
    let both = format!("{VAULT}\n{HEADER}");
    assert_eq!(problems(read(&with(&both))), told("`api_key_secret`"));
    assert_eq!(
        problems(read_with_key(&with(HEADER), "raw")),
        told("`NGINXAAS_DATAPLANE_API_KEY`")
    );
}

#[test]
fn a_secret_id_that_is_none_is_refused_and_not_repeated() {
    for bad in [
        "s3cr3t",
        "http://v.vault.azure.net/secrets/s3cr3t",
        "https://v.vault.azure.net/keys/s3cr3t",
    ] {
        let found = problems(read(&with(&format!("api_key_secret: {bad}"))));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("api_key_secret: "), "{found:?}");
        assert!(!found[0].contains("s3cr3t"), "{found:?}");
    }
}

#[test]
fn headers_that_cannot_be_sent_are_refused() {
    for (header, problem) in [
        ("'X Y': 1", "custom_headers.X Y: is not a header name"),
        (
            "X: \"a\\nb\"",
            "custom_headers.X: has a character that cannot stand in a header",
        ),
        (
            "X: ü",
            "custom_headers.X: has a character that cannot stand in a header",
        ),
        ("X: [1]", "custom_headers.X: must be a text, not a list"),
        (
            "Host: x",
            "custom_headers.Host: is set by the HTTP client and cannot be overridden",
        ),
        (
            "X-A: 1, x-a: 2",
            "custom_headers.x-a: is set twice: a header's name has no case",
        ),
        (
            "Authorization: a, authorization: b",
            "custom_headers.authorization: is set twice: a header's name has no case",
        ),
    ] {
        assert_eq!(
            problems(read(&with(&format!("custom_headers: {{{header}}}")))),
            [problem]
        );
    }
    assert_eq!(
        problems(read(&with("custom_headers: [a]"))),
        ["custom_headers: must be a mapping (`key: value`), not a list"]
    );
}

#[test]
fn no_secret_is_in_the_debug_output_of_a_configuration() {
    let text = with("custom_headers: {Authorization: ApiKey s3cr3t, X-Api-Key: s3cr3t}");
    for config in [read(&text), read_with_key(SMALL, "s3cr3t")] {
        let config = config.unwrap();
        for shown in [
            format!("{config:?}"),
            format!("{config:#?}"),
            config.warnings.concat(),
        ] {
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
    let text = with(
        "custom_headers: {Authorization: 'ApiKey s3cr3t\u{7f}'}\nallow_insecure_endpoint: s3cr3t",
    );
    let error = read(&text).unwrap_err();
    assert_eq!(error.problems.len(), 2);
    assert!(!format!("{error:?} {error}").contains("s3cr3t"), "{error}");
}
