use super::*;

fn read(variables: &[(&str, &str)]) -> Settings {
    Settings::read(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// The endpoints of traces and of metrics; `-` for none.
fn endpoints(settings: &Settings) -> [&str; 2] {
    [&settings.traces, &settings.metrics].map(|target| {
        target
            .as_ref()
            .map_or("-", |target| target.endpoint.as_str())
    })
}

const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

#[test]
fn without_an_endpoint_nothing_is_exported() {
    for variables in [
        &[][..],
        &[
            ("OTEL_SERVICE_NAME", "x"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", " "),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
        &[ALL, ("OTEL_SDK_DISABLED", "True")],
        &[
            ALL,
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "None"),
        ],
    ] {
        assert_eq!(read(variables), Settings::default(), "{variables:?}");
    }
}

#[test]
fn the_endpoint_of_all_signals_is_a_base_and_that_of_one_is_used_as_it_is() {
    let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example/base/")]);
    let expected = [
        "https://c.example/base/v1/traces",
        "https://c.example/base/v1/metrics",
    ];
    assert_eq!(endpoints(&settings), expected);
    let own = (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "http://localhost:9090/otlp",
    );
    assert_eq!(
        endpoints(&read(&[own])),
        ["-", "http://localhost:9090/otlp"]
    );
    let expected = [
        "http://127.0.0.1:4318/v1/traces",
        "http://localhost:9090/otlp",
    ];
    assert_eq!(endpoints(&read(&[ALL, own])), expected);
    assert_eq!(settings.problems, [""; 0]);
}

#[test]
fn protocol_and_timeout_can_be_set_for_one_signal_or_for_all() {
    let settings = read(&[
        ALL,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
    ]);
    let (traces, metrics) = (settings.traces.unwrap(), settings.metrics.unwrap());
    assert_eq!(
        (traces.protocol, metrics.protocol),
        (Protocol::Json, Protocol::Protobuf)
    );
    assert_eq!(
        (traces.timeout.as_millis(), metrics.timeout.as_secs()),
        (250, 10)
    );
}

#[test]
fn what_cannot_be_followed_is_told_by_the_variables_name_and_never_by_its_value() {
    for (name, value, told) in [
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "traces are not exported; `http/protobuf`",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "canary",
            "gRPC is not",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "canary:4317",
            "is not an http or https URL",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "canary",
            "is not a URL",
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "canary",
            "is not a number of milliseconds: 10 s",
        ),
        ("OTEL_TRACES_SAMPLER", "canary", "`always_on` is used"),
        ("OTEL_METRICS_EXPORTER", "canary", "by `otlp` or not at all"),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "canary",
            "nothing is compressed",
        ),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "canary", "SSL_CERT_FILE"),
    ] {
        let settings = read(&[ALL, (name, value)]);
        let problem = settings
            .problems
            .iter()
            .find(|problem| problem.starts_with(name));
        assert!(
            problem.is_some_and(|problem| problem.contains(told)),
            "{name}: {settings:?}"
        );
        assert!(
            !format!("{:?}", settings.problems).contains("canary"),
            "{settings:?}"
        );
    }
    let one = read(&[ALL, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")]);
    assert!(one.traces.is_none() && one.metrics.is_some(), "{one:?}");
}

#[test]
fn a_known_sampler_is_left_to_the_sdk() {
    let with = |variables: &[(&str, &str)]| read(&[&[ALL], variables].concat());
    assert!(!with(&[]).sampler_is_set);
    for name in ["always_off", "parentbased_always_on"] {
        let settings = with(&[("OTEL_TRACES_SAMPLER", name)]);
        assert!(settings.sampler_is_set, "{name}");
        assert_eq!(settings.problems, [""; 0], "{name}");
    }
    let ratio = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    assert_eq!(
        with(&[ratio, ("OTEL_TRACES_SAMPLER_ARG", "0.25")]).problems,
        [""; 0]
    );
    for argument in ["", "2", "canary"] {
        let settings = with(&[ratio, ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert!(
            settings.problems[0].contains("from 0 to 1: 1 is used"),
            "{settings:?}"
        );
    }
}

#[test]
fn headers_that_would_travel_unencrypted_are_told() {
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=canary");
    assert_eq!(read(&[ALL, headers]).problems, [""; 0]);
    let far = (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://user:canary@c.example:4318?k=canary",
    );
    let settings = read(&[far, headers]);
    assert_eq!(
        settings.problems[0],
        "OTEL_EXPORTER_OTLP_HEADERS is sent unencrypted to http://c.example:4318: use an https endpoint"
    );
    assert!(!format!("{settings:?}").contains("canary"), "{settings:?}");
}
