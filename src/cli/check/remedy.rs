//! Commands to be pasted. Everything that comes from elsewhere is quoted for a shell.

use serde_json::json;

use super::finding::Remedy;
use crate::azure::{Principal, actions};
use crate::config::SecretId;
use crate::model::{ResourceId, ScaleSetId};
use crate::reconcile::Mode;

/// Stands in commands for what only the operator knows.
const OBJECT_ID: &str = "OBJECT-ID-OF-THE-IDENTITY";

/// A word as a POSIX shell reads it.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The resource group of a set.
pub(super) fn group_scope(set: &ScaleSetId) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}",
        set.subscription, set.resource_group
    )
}

/// Prints the ids of the sets with this name, wherever in the subscription they are.
pub(super) fn find_set(set: &ScaleSetId) -> String {
    let query = format!("[?name=='{}'].id", set.name);
    format!(
        "az vmss list --subscription {} --query {} --output tsv",
        word(&set.subscription),
        shell_double(&query)
    )
}

/// In double quotes, which the single quotes of a `JMESPath` expression need.
fn shell_double(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| {
            let escape = matches!(c, '"' | '$' | '`' | '\\').then_some('\\');
            escape.into_iter().chain([c])
        })
        .collect();
    format!("\"{escaped}\"")
}

/// Defines the role of a mode, with the groups of every configured set as assignable scopes.
fn define_role(mode: Mode, groups: &[String]) -> String {
    let role = json!({
        "Name": role_name(mode),
        "Description": "Lets nginx-vmss-sync read scale sets, instances and network interfaces",
        "Actions": actions(mode),
        "AssignableScopes": groups,
    });
    format!(
        "az role definition create --role-definition {}",
        word(&role.to_string())
    )
}

fn role_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Uniform => "nginx-vmss-sync Uniform reader",
        Mode::Flexible => "nginx-vmss-sync Flexible reader",
    }
}

/// Assigns a role to the identity.
fn assign(principal: &Principal, role: &str, scope: &str) -> String {
    let kind = if principal.is_user {
        "User"
    } else {
        "ServicePrincipal"
    };
    format!(
        "az role assignment create --assignee-object-id {} --assignee-principal-type {kind} --role {} --scope {scope}",
        principal.object_id.as_deref().unwrap_or(OBJECT_ID),
        word(role)
    )
}

/// Defines and assigns the role that a set of this mode needs.
pub(super) fn grant(
    mode: Mode,
    set: &ScaleSetId,
    groups: &[String],
    principal: &Principal,
) -> [String; 2] {
    let scope = match mode {
        Mode::Uniform => set.path(),
        Mode::Flexible => group_scope(set),
    };
    [
        define_role(mode, groups),
        assign(principal, role_name(mode), &word(&scope)),
    ]
}

/// A sentence for whoever must fill in the object id; empty where it is known.
pub(super) fn about(principal: &Principal) -> &'static str {
    match principal.object_id {
        Some(_) => "",
        None => {
            " (the object id is the `principalId` that `az functionapp identity show` or `az identity show` prints)"
        }
    }
}

/// The vault's name, as `az keyvault` wants it.
pub(super) fn vault_name(secret: &SecretId) -> &str {
    let host = secret.vault.host_str().unwrap_or_default();
    host.split('.').next().unwrap_or_default()
}

/// Assigns the role that lets the identity read the secret.
pub(super) fn grant_secret(
    secret: &SecretId,
    id: Option<&ResourceId>,
    principal: &Principal,
) -> String {
    let scope = match id {
        Some(id) => word(id.as_str()),
        None => format!(
            "\"$(az keyvault show --name {} --query id --output tsv)/secrets/{}\"",
            word(vault_name(secret)),
            secret.name
        ),
    };
    assign(principal, "Key Vault Secrets User", &scope)
}

/// Lets the identity read secrets by an access policy.
pub(super) fn grant_by_policy(secret: &SecretId, principal: &Principal) -> String {
    format!(
        "az keyvault set-policy --name {} --object-id {} --secret-permissions get",
        word(vault_name(secret)),
        principal.object_id.as_deref().unwrap_or(OBJECT_ID)
    )
}

/// Stores a key that stands in the shell variable `key`.
pub(super) fn store_key(secret: &SecretId) -> String {
    format!(
        "az keyvault secret set --vault-name {} --name {} --value \"$key\"",
        word(vault_name(secret)),
        secret.name
    )
}

/// A new API key for NGINXaaS, stored where it is read from.
pub(super) fn new_key(secret: Option<&SecretId>) -> Remedy {
    let mut lines = vec![
        "key=$(uuidgen --random)".to_owned(),
        "az nginx deployment api-key create --name nginx-vmss-sync --secret-text \"$key\" --deployment-name DEPLOYMENT --resource-group GROUP"
            .to_owned(),
    ];
    lines.extend(secret.map(store_key));
    let text = match secret {
        Some(_) => {
            "make a new key in the NGINXaaS deployment and store it, raw; a running handler reads it at its next 401:"
        }
        None => {
            "make a new key in the NGINXaaS deployment and put it where the configuration has the old one:"
        }
    };
    Remedy::new(text).paste(lines)
}

/// Sets a setting of the function app.
pub(super) fn set_app_setting(setting: &str) -> String {
    format!(
        "az functionapp config appsettings set {} --settings {}",
        function_app(),
        word(setting)
    )
}

/// Names the function app, as far as the platform tells this process.
pub(super) fn function_app() -> String {
    let known = |name: &str, unknown: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        word(&value.unwrap_or_else(|| unknown.to_owned()))
    };
    format!(
        "--name {} --resource-group {}",
        known("WEBSITE_SITE_NAME", "APP"),
        known("WEBSITE_RESOURCE_GROUP", "GROUP")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ScaleSetId {
        ScaleSetId {
            subscription: "s1".into(),
            resource_group: "rg(app)".into(),
            name: "web".into(),
        }
    }

    fn principal() -> Principal {
        Principal {
            object_id: Some("11-22".into()),
            ..Principal::default()
        }
    }

    #[test]
    fn a_word_with_signs_of_the_shell_is_quoted() {
        assert_eq!(word("rg-app_1.x"), "rg-app_1.x");
        assert_eq!(word("rg(app)"), "'rg(app)'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
        assert_eq!(shell_double(r#"a"$`\"#), r#""a\"\$\`\\""#);
    }

    #[test]
    fn a_uniform_sets_role_is_assigned_at_the_set_and_a_flexible_ones_at_its_group() {
        let groups = [group_scope(&set())];
        let [define, assign] = grant(Mode::Uniform, &set(), &groups, &principal());
        assert_eq!(
            define,
            "az role definition create --role-definition '{\"Actions\":[\"Microsoft.Compute/virtualMachineScaleSets/read\",\
             \"Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read\",\
             \"Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read\"],\
             \"AssignableScopes\":[\"/subscriptions/s1/resourceGroups/rg(app)\"],\
             \"Description\":\"Lets nginx-vmss-sync read scale sets, instances and network interfaces\",\
             \"Name\":\"nginx-vmss-sync Uniform reader\"}'"
        );
        assert_eq!(
            assign,
            "az role assignment create --assignee-object-id 11-22 --assignee-principal-type ServicePrincipal \
             --role 'nginx-vmss-sync Uniform reader' --scope \
             '/subscriptions/s1/resourceGroups/rg(app)/providers/Microsoft.Compute/virtualMachineScaleSets/web'"
        );
        let [_, assign] = grant(Mode::Flexible, &set(), &groups, &principal());
        assert!(assign.ends_with("--scope '/subscriptions/s1/resourceGroups/rg(app)'"));
    }

    #[test]
    fn a_set_is_looked_for_in_the_whole_subscription() {
        assert_eq!(
            find_set(&set()),
            "az vmss list --subscription s1 --query \"[?name=='web'].id\" --output tsv"
        );
    }

    #[test]
    fn the_secrets_role_is_assigned_at_the_secret() {
        let secret = SecretId {
            vault: "https://my-vault.vault.azure.net/".parse().unwrap(),
            name: "key".into(),
            version: None,
        };
        assert!(grant_secret(&secret, None, &principal()).ends_with(
            "--role 'Key Vault Secrets User' --scope \"$(az keyvault show --name my-vault --query id --output tsv)/secrets/key\""
        ));
        let nobody = Principal::default();
        assert!(grant_secret(&secret, None, &nobody).contains(OBJECT_ID));
        assert!(about(&nobody).contains("principalId"));
    }
}
