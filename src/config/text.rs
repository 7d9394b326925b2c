//! Texts with a grammar of their own: durations, URLs, names.

use std::time::Duration;

use url::{Host, Url};

use super::SecretId;

/// Reads a duration as Go writes it (`5s`, `1m30s`, `500ms`, `1.5h`), the form of nginx-asg-sync's
/// `sync_interval`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!(
            "`{}` is not a duration: use e.g. `5s` or `1m30s`",
            text.escape_debug()
        )
    };
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut rest = text;
    let mut total = 0_f64;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return Err(bad()),
        };
        rest = &rest[letters..];
        total += number * factor;
    }
    // A day is more than any setting here means.
    if total <= 86_400.0 {
        Ok(Duration::from_secs_f64(total))
    } else {
        Err(bad())
    }
}

/// Whether the host is this machine, where plain http and a vault without a public name are safe.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Reads an absolute http(s) URL without credentials, query and fragment.
pub(super) fn plain_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "not a URL: it must begin with `https://`".to_owned()
        }
        error => format!("not a URL: {error}"),
    })?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("`{}` is not https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not carry a query or a fragment".into());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host".into());
    }
    Ok(url)
}

/// Reads a Key Vault secret id.
pub(super) fn secret_id(text: &str) -> Result<SecretId, String> {
    let form = "expected `https://<vault>/secrets/<name>[/<version>]`";
    let url = plain_url(text).map_err(|error| format!("{error}; {form}"))?;
    if url.scheme() != "https" {
        return Err(format!("must be https; {form}"));
    }
    let segments: Vec<&str> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty())
        .collect();
    let (name, version) = match segments[..] {
        ["secrets", name] => (name, None),
        ["secrets", name, version] => (name, Some(version)),
        _ => return Err(form.into()),
    };
    // The SDK puts the name into the path as it is, so only what a vault allows may pass.
    let allowed = |text: &str| {
        (1..=127).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if !allowed(name) || !version.is_none_or(allowed) {
        return Err(format!(
            "a secret's name and version have 1 to 127 letters, digits and `-`; {form}"
        ));
    }
    let mut vault = url.clone();
    vault.set_path("/");
    Ok(SecretId {
        vault,
        name: name.to_owned(),
        version: version.map(str::to_owned),
    })
}

/// Checks an Azure resource group or scale set name.
pub(super) fn azure_name(text: &str) -> Result<&str, String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    if text.chars().count() <= 90 && text.chars().all(allowed) && !text.ends_with('.') {
        Ok(text)
    } else {
        Err(format!(
            "`{}` cannot be an Azure name: up to 90 letters, digits, `-`, `_`, `.` and parentheses",
            text.escape_debug()
        ))
    }
}

/// Checks a subscription id. Normally a GUID, but Azure Stack and documents' placeholders differ, so
/// only what could not stand in a URL's path as it is gets refused.
pub(super) fn subscription(text: &str) -> Result<&str, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.len() <= 64 && text.chars().all(allowed) {
        Ok(text)
    } else {
        Err(format!(
            "`{}` is not a subscription id (a GUID); `az account show --query id` prints it",
            text.escape_debug()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for bad in ["", "s", "5x", "-5s", "1e9h", "5s5"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_name_cannot_climb_out_of_its_path() {
        let id = secret_id("https://v.vault.azure.net:8443/secrets/key/0123abc").unwrap();
        assert_eq!(id.vault.as_str(), "https://v.vault.azure.net:8443/");
        assert_eq!(
            (id.name.as_str(), id.version.as_deref()),
            ("key", Some("0123abc"))
        );
        for bad in [
            "http://v.vault.azure.net/secrets/key",
            "https://v.vault.azure.net/keys/key",
            "https://v.vault.azure.net/secrets/",
            "https://v.vault.azure.net/secrets/a/b/c",
            "https://v.vault.azure.net/secrets/..%2fkeys",
            "https://u:p@v.vault.azure.net/secrets/key",
            "https://v.vault.azure.net/secrets/key?x=1",
            "key",
        ] {
            assert!(secret_id(bad).is_err(), "{bad}");
        }
    }
}
