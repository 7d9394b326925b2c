//! Resource Manager's refusals, in the shapes that the real one uses.

use serde_json::{Value, json};

use crate::answer::{Answer, Seen};

/// A refusal.
pub(super) struct Problem {
    status: u16,
    code: &'static str,
    message: String,
    target: Option<&'static str>,
    details: bool,
}

impl Problem {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            target: None,
            details: false,
        }
    }

    pub(super) fn answer(&self, tenant: &str) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(target) = self.target {
            error["target"] = json!(target);
        }
        if self.details {
            error["details"] = Value::Array(Vec::new());
        }
        let answer = Answer::json(self.status, &json!({"error": error}));
        if self.status != 401 {
            return answer;
        }
        let challenge = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/{tenant}\", error=\"invalid_token\", error_description=\"{}\"",
            self.message
        );
        answer.with_header("www-authenticate", challenge)
    }

    pub(super) fn no_token() -> Self {
        Self::new(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    }

    pub(super) fn bad_token() -> Self {
        Self::new(
            401,
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        )
    }

    pub(super) fn expired_token() -> Self {
        Self::new(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        )
    }

    pub(super) fn wrong_audience(audience: &str) -> Self {
        Self::new(
            401,
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{audience}'."
            ),
        )
    }

    pub(super) fn wrong_tenant(tenant: &str) -> Self {
        let other = crate::random::guid();
        Self::new(
            401,
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer 'https://sts.windows.net/{tenant}/'. It must match the tenant 'https://sts.windows.net/{other}/' associated with this subscription."
            ),
        )
    }

    pub(super) fn missing_version() -> Self {
        Self::new(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    }

    pub(super) fn invalid_version(version: &str, kind: &str, supported: &[&str]) -> Self {
        let supported = supported.join(",");
        Self::new(
            400,
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid for '{kind}'. The supported versions are '{supported}'."
            ),
        )
    }

    pub(super) fn unknown_path(seen: &Seen) -> Self {
        Self::new(
            404,
            "InvalidResourceType",
            format!(
                "The resource type could not be found for the path '{}'.",
                seen.path
            ),
        )
    }

    pub(super) fn method_not_allowed(method: &str) -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            format!("The simulated Resource Manager only reads; '{method}' is refused."),
        )
    }

    pub(super) fn forbidden(principal: &str, action: &str, scope: &str) -> Self {
        Self::new(
            403,
            "AuthorizationFailed",
            format!(
                "The client '{principal}' with object id '{principal}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
            ),
        )
    }

    pub(super) fn no_subscription(subscription: &str) -> Self {
        Self::new(
            404,
            "SubscriptionNotFound",
            format!("The subscription '{subscription}' could not be found."),
        )
    }

    pub(super) fn no_group(group: &str) -> Self {
        Self::new(
            404,
            "ResourceGroupNotFound",
            format!("Resource group '{group}' could not be found."),
        )
    }

    pub(super) fn no_resource(kind: &str, name: &str, group: &str) -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            format!("The Resource '{kind}/{name}' under resource group '{group}' was not found."),
        )
    }

    /// The 404 of a NIC list: for Flexible sets, and for some Uniform sets without instances.
    pub(super) fn nics_not_found(set_id: &str) -> Self {
        let message = format!("Resource {set_id} not found.");
        Self {
            details: true,
            ..Self::new(404, "NotFound", message)
        }
    }

    pub(super) fn no_instance(instance: &str) -> Self {
        Self::new(
            404,
            "InstanceNotFound",
            format!(
                "The provided instanceId {instance} is not an active Virtual Machine Scale Set VM instanceId."
            ),
        )
    }

    pub(super) fn not_allowed_on(set: &str) -> Self {
        Self::new(
            400,
            "BadRequest",
            format!(
                "Operation 'VirtualMachineScaleSets.virtualMachines.GET' is not allowed on Virtual Machine Scale Set {set}."
            ),
        )
    }

    pub(super) fn expand_without_filter() -> Self {
        let message = "The $expand query option 'instanceView' can only be specified if a valid $filter option is specified.";
        Self {
            target: Some("$expand"),
            ..Self::new(400, "InvalidParameter", message)
        }
    }

    pub(super) fn bad_expand(text: &str) -> Self {
        let message = format!("The value '{text}' of the $expand query option is not supported.");
        Self {
            target: Some("$expand"),
            ..Self::new(400, "InvalidParameter", message)
        }
    }

    pub(super) fn bad_filter(text: &str) -> Self {
        let message = format!("The $filter '{text}' is not supported.");
        Self {
            target: Some("$filter"),
            ..Self::new(400, "InvalidParameter", message)
        }
    }

    pub(super) fn bad_skip_token() -> Self {
        let message = "The request URL is not valid.";
        Self {
            target: Some("$skiptoken"),
            ..Self::new(400, "InvalidParameter", message)
        }
    }
}
