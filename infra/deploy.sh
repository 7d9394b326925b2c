#!/usr/bin/env bash
# Deploys nginx-vmss-sync: see usage() below, or infra/README.md for the same by hand.
#
# Every step may be repeated: a deployment sets what is there already to the same state again. What
# a later step needs of an earlier one it asks of Azure; nothing is remembered on this machine.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(dirname "$here")"
program="${0##*/}"

usage() {
    cat <<END
NAME
    $program - deploy nginx-vmss-sync to Azure Functions

SYNOPSIS
    $program --resource-group GROUP [--parameters FILE] [OPTION...]

DESCRIPTION
    Four steps, in this order:

    infrastructure  everything in main.bicep but the event subscriptions
    publish         the zip that \`cargo xtask package\` makes; tried again while a role is too fresh
    functions       waits until Azure lists the four functions
    events          main.bicep again with deployEvents=true: Event Grid refuses a function that it
                    cannot find, so this comes last

    Before the first of them it checks the tools, the login, the resource providers and the files.
    Each step can be repeated. After a failure, run the same command again, or name the step to go
    on with; the last line of a failed run says which.

OPTIONS
    -g, --resource-group GROUP  the resource group of the function app
    -p, --parameters FILE       the parameters, .bicepparam or .json; default: infra/main.bicepparam
    -s, --subscription ID       a subscription's id or name; default: the Azure CLI's
    -l, --location REGION       make the resource group in this region if it does not exist
    -z, --zip FILE              what is published; default: target/nginx-vmss-sync.zip
        --from STEP             begin with this step: infrastructure, publish, functions or events
        --no-events             stop before the events step: the timer alone triggers passes
        --rotate-api-key SLOT   make a new NGINXaaS API key in slot a or b and store it in the vault;
                                without it no key is made, whatever rotateApiKey in FILE says
        --what-if               show what would change, and change nothing
    -h, --help                  this text

EXIT STATUS
    0  done
    1  a step failed; what went wrong and what to do about it is on standard error
    2  the command line is wrong

EXAMPLES
    cp infra/main.sample.bicepparam infra/main.bicepparam      # then fill it in
    cargo xtask package
    infra/$program -g rg-vmss-sync -l westeurope --what-if
    infra/$program -g rg-vmss-sync -l westeurope --rotate-api-key a
    infra/$program -g rg-vmss-sync --from publish              # a new version of the program
    infra/$program -g rg-vmss-sync --rotate-api-key b          # a new API key; a and b in turn
END
}

# ---------------------------------------------------------------- what is fixed

readonly bicep="$here/main.bicep"
readonly deployment=nginx-vmss-sync
readonly steps="infrastructure publish functions events"
readonly functions="VmssScaleEvent ReconcileTimer Reconcile Status"
# The resource providers of main.bicep. A deployment registers most of them, if it may.
readonly providers="Microsoft.Web Microsoft.Storage Microsoft.ManagedIdentity Microsoft.KeyVault
    Microsoft.Insights Microsoft.OperationalInsights Microsoft.EventGrid"
# The first Azure CLI that knows Flex Consumption, and the first Bicep in which a file may import the
# types of another.
readonly minimum_cli=2.60.0 minimum_bicep=0.25.3
# A role takes minutes to reach the storage account.
readonly publish_tries=8 publish_pause=30
readonly listing_tries=40 listing_pause=15
# Event Grid may find a function a little later than the listing does.
readonly event_tries=4 event_pause=30

# ---------------------------------------------------------------- messages

# The step that a failure interrupts, for the hint on how to go on.
step=""

say() {
    printf '%s\n' "$*"
}

# Two messages: what is wrong, what to do about it.
die() {
    printf '%s: %s\n' "$program" "$1" >&2
    if (($# > 1)); then
        printf 'hint: %s\n' "$2" >&2
    fi
    if [[ "$step" == infrastructure ]]; then
        printf 'go on with: %s\n' "$whole_command_line" >&2
    elif [[ -n "$step" ]]; then
        printf 'go on with: %s --from %s\n' "$command_line" "$step" >&2
    fi
    exit 1
}

misused() {
    printf '%s: %s\nhint: %s --help\n' "$program" "$1" "$program" >&2
    exit 2
}

# ---------------------------------------------------------------- the command line

group="" parameters="$here/main.bicepparam" subscription="" location=""
zip="$repository/target/nginx-vmss-sync.zip"
from=infrastructure events=true what_if=false slot=""

quoted() {
    printf ' %q' "$@"
}

# How to call it again: all of it, and without --from, --location and --rotate-api-key, which have
# had their effect once the infrastructure is there.
whole_command_line="$0$( (($# == 0)) || quoted "$@")"
command_line="$0"

remember() {
    command_line+="$(quoted "$@")"
}

while (($# > 0)); do
    case "$1" in
        -g | --resource-group | -p | --parameters | -s | --subscription | -l | --location | \
            -z | --zip | --from | --rotate-api-key)
            if (($# < 2)) || [[ -z "$2" ]]; then
                misused "$1 needs a value"
            fi
            ;;
    esac
    case "$1" in
        -g | --resource-group) group="$2" ; remember "$1" "$2" ; shift 2 ;;
        -p | --parameters) parameters="$2" ; remember "$1" "$2" ; shift 2 ;;
        -s | --subscription) subscription="$2" ; remember "$1" "$2" ; shift 2 ;;
        -z | --zip) zip="$2" ; remember "$1" "$2" ; shift 2 ;;
        -l | --location) location="$2" ; shift 2 ;;
        --rotate-api-key) slot="$2" ; shift 2 ;;
        --from) from="$2" ; shift 2 ;;
        --no-events) events=false ; remember "$1" ; shift ;;
        --what-if) what_if=true ; shift ;;
        -h | --help) usage ; exit 0 ;;
        *) misused "what is \`$1\`?" ;;
    esac
done

[[ -n "$group" ]] || misused "--resource-group is missing"
[[ " $steps " == *" $from "* ]] || misused "--from takes one of: $steps"
[[ -z "$slot" || "$slot" == a || "$slot" == b ]] || misused "--rotate-api-key takes a or b"
[[ -z "$slot" || "$from" == infrastructure ]] ||
    misused "--rotate-api-key belongs to the infrastructure step, and --from $from leaves it out"
[[ "$events" == true || "$from" != events ]] || misused "--no-events leaves nothing of --from events"

# As it goes into commands that are printed: a group's name may have parentheses.
shown="$(printf '%q' "$group")"

# Nobody is asked anything: a question in the middle of a pipeline is a hang.
exec </dev/null

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
errors="$scratch/errors"

# ---------------------------------------------------------------- the Azure CLI

# Is the version $1 at least $2?
at_least() {
    [[ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" == "$2" ]]
}

# A question to Azure; the answer is one value. Nothing on standard output where it has none.
ask() {
    # On Windows the lines end in CR LF.
    az "$@" --subscription "$subscription" --output tsv 2>"$errors" | tr -d '\r'
}

# Something that changes Azure; its messages are kept, and shown when it ends.
change() {
    local code=0
    az "$@" --subscription "$subscription" --only-show-errors --output none 2>"$errors" || code=$?
    cat "$errors" >&2
    return "$code"
}

failed_with() {
    grep -Eiq "$1" "$errors"
}

# What to do about what stands in $errors.
remedy() {
    if failed_with 'AuthorizationFailed|does not have (authorization|permission)'; then
        echo "the deployer needs Contributor and User Access Administrator (or Owner) on $group and on" \
            "each resource group with scale sets: see \"Who may deploy\" in infra/README.md"
    elif failed_with 'MissingSubscriptionRegistration|not registered to use namespace'; then
        echo "az provider register --namespace NAMESPACE --wait, with the namespace named above, in" \
            "each subscription that has scale sets"
    elif failed_with 'one system topic is allowed per source|existing tracked system topic'; then
        echo "that resource group has a system topic already: name it as existingSystemTopic of the" \
            "group in $parameters (az eventgrid system-topic list --resource-group THAT_GROUP)"
    elif failed_with 'VaultAlreadyExists|soft.deleted|deleted but recoverable|FlagMustBeSetForRestore'; then
        echo "a deleted vault keeps its name until it is purged: az keyvault list-deleted, then" \
            "az keyvault recover --name NAME, or az keyvault purge --name NAME"
    elif failed_with 'RoleDefinitionWithSameNameExists'; then
        echo "a custom role of that name is left from another deployment: az role definition list" \
            "--custom-role-only true, then az role definition delete"
    elif failed_with 'RoleAssignmentExists'; then
        echo "somebody made that role assignment by hand: delete it (az role assignment list --scope" \
            "SCOPE), the deployment makes its own"
    elif failed_with 'LocationNotAvailable|not available (in|for) (the )?(location|region)|NoRegisteredProviderFound'; then
        echo "choose another location: az functionapp list-flexconsumption-locations --output table"
    elif failed_with 'DeploymentActive'; then
        echo "another deployment of the same name is still running: wait for it (az deployment group" \
            "list --resource-group $shown --output table)"
    elif failed_with 'AADSTS|az login|InteractionRequired|ExpiredAuthenticationToken'; then
        echo "az login"
    elif failed_with 'BCP[0-9]+|\.bicep(param)?\('; then
        echo "the message names the file and the line; README.md has the meaning of every key of the" \
            "configuration"
    else
        echo "the message above is Azure's; details: az deployment operation group list" \
            "--resource-group $shown --name $deployment --output table"
    fi
}

# ---------------------------------------------------------------- checks

check_tools() {
    local version
    command -v az >/dev/null || die "there is no Azure CLI" \
        "install it (the package azure-cli of your system, or pip install azure-cli), then az login"
    version="$(az version --query '"azure-cli"' --output tsv 2>"$errors" | tr -d '\r')" || die "az does not run" \
        "az version says: $(tail -n 1 "$errors")"
    at_least "$version" "$minimum_cli" || die "the Azure CLI is $version, and $minimum_cli is needed" \
        "az upgrade"
    version="$(az bicep version 2>"$errors" | grep -Eo '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)" || true
    [[ -n "$version" ]] || die "the Azure CLI has no Bicep" "az bicep install"
    at_least "$version" "$minimum_bicep" || die "Bicep is $version, and $minimum_bicep is needed" \
        "az bicep upgrade"
}

check_login() {
    local choice=()
    [[ -z "$subscription" ]] || choice=(--subscription "$subscription")
    # The id, whatever was said: so nothing that happens elsewhere meanwhile changes the target.
    subscription="$(az account show ${choice[@]+"${choice[@]}"} --query id --output tsv 2>"$errors" | tr -d '\r')" ||
        if failed_with 'not found|doesn.t exist'; then
            die "there is no subscription \`${choice[1]-}\` in this login" \
                "az account list --output table; or az login --tenant TENANT"
        else
            die "nobody is logged in" "az login (in a pipeline: az login --service-principal, or --identity)"
        fi
}

check_providers() {
    local registered provider missing=""
    registered="$(ask provider list --query "[?registrationState=='Registered'].namespace")" ||
        die "the resource providers cannot be listed: $(tail -n 1 "$errors")" "$(remedy)"
    local wanted="$providers"
    # Outgoing traffic through a virtual network.
    if grep -Eq "^[[:space:]]*param[[:space:]]+subnetId[[:space:]]*=[[:space:]]*'[^']" "$parameters" ||
        grep -Eq '"subnetId"' "$parameters"; then
        wanted+=" Microsoft.App"
    fi
    for provider in $wanted; do
        grep -Fixq "$provider" <<<"$registered" || missing+=" $provider"
    done
    if [[ -n "$missing" ]]; then
        local namespace remedies=""
        for namespace in $missing; do
            remedies+="${remedies:+; }az provider register --namespace $namespace --subscription $subscription --wait"
        done
        die "resource providers are not registered in the subscription:$missing" "$remedies"
    fi
}

check_parameters() {
    [[ -f "$parameters" ]] || die "there is no parameter file $parameters" \
        "cp infra/main.sample.bicepparam infra/main.bicepparam, then fill it in; or name yours with --parameters"
    case "$parameters" in
        *.bicepparam | *.json) ;;
        *) die "$parameters is neither a .bicepparam nor a .json file" "infra/main.sample.bicepparam shows the form" ;;
    esac
    if cmp -s "$parameters" "$here/main.sample.bicepparam"; then
        die "$parameters is the sample, unchanged" "fill in your own names"
    fi
    if grep -Fq 00000000-0000-0000-0000-000000000000 "$parameters"; then
        die "$parameters has a made-up subscription, 00000000-..." \
            "fill in your own: az account show --query id --output tsv"
    fi
    # Compiling changes nothing, and finds a wrong line before anything is deployed.
    if [[ "$parameters" == *.bicepparam ]]; then
        az bicep build-params --file "$parameters" --stdout >/dev/null 2>"$errors" || {
            cat "$errors" >&2
            die "$parameters does not compile" "$(remedy)"
        }
    fi
}

check_zip() {
    [[ -f "$zip" ]] || die "there is no $zip" "cargo xtask package makes target/nginx-vmss-sync.zip"
    # Without unzip the host's own complaint must do.
    command -v unzip >/dev/null || return 0
    local names name
    names="$(unzip -Z1 "$zip" 2>/dev/null)" || die "$zip is not a zip archive" "cargo xtask package"
    for name in host.json handler; do
        grep -Fxq "$name" <<<"$names" ||
            die "$zip has no $name in its root, so the host would not start" "cargo xtask package"
    done
}

check_group() {
    local exists
    exists="$(ask group exists --name "$group")" ||
        die "the resource group cannot be looked up: $(tail -n 1 "$errors")" "$(remedy)"
    [[ "$exists" != true ]] || return 0
    [[ -n "$location" ]] || die "there is no resource group $group in this subscription" \
        "add --location REGION to make it (az functionapp list-flexconsumption-locations --output table)"
    if [[ "$what_if" == true ]]; then
        say "The resource group $group would be made in $location. What would be in it, Azure can only"
        say "tell of a group that exists: az group create --name $shown --location $location"
        exit 0
    fi
    say "Making the resource group $group in $location"
    change group create --name "$group" --location "$location" ||
        die "the resource group cannot be made" "$(remedy)"
}

# ---------------------------------------------------------------- the steps

# The template and the parameters, as az takes them; more parameters follow as arguments.
template_arguments() {
    if [[ "$parameters" == *.bicepparam ]]; then
        # It names its template itself, and may be given once only.
        template=(--parameters "$parameters" "$@")
    else
        template=(--template-file "$bicep" --parameters "@$parameters" "$@")
    fi
}

# An output of the infrastructure's deployment.
output() {
    ask deployment group show --resource-group "$group" --name "$deployment" \
        --query "properties.outputs.$1.value"
}

app=""

find_app() {
    [[ -z "$app" ]] || return 0
    app="$(output functionAppName)" || app=""
    [[ -n "$app" ]] || die "$group has no finished deployment $deployment, so the function app is unknown" \
        "run it without --from: the infrastructure comes first"
}

infrastructure() {
    local rotation=(rotateApiKey=false)
    [[ -z "$slot" ]] || rotation=(rotateApiKey=true "apiKeySlot=$slot")
    template_arguments deployEvents=false "${rotation[@]}"
    say "Infrastructure: deployment $deployment in $group (a few minutes)"
    change deployment group create --resource-group "$group" --name "$deployment" "${template[@]}" ||
        die "the infrastructure was not deployed" "$(remedy)"
}

publish() {
    find_app
    local try
    for ((try = 1; try <= publish_tries; try++)); do
        say "Publish: $zip to $app (a few minutes)"
        if change functionapp deployment source config-zip \
            --resource-group "$group" --name "$app" --src "$zip"; then
            return 0
        fi
        if failed_with 'Deployment was successful'; then
            say "The package is in place; the next step tells whether the host took it."
            return 0
        fi
        if failed_with 'was not found in resource group|ResourceNotFound|AuthorizationFailed|AADSTS|az login'; then
            die "the package was not published" "$(remedy)"
        fi
        if ((try < publish_tries)); then
            say "A fresh role takes some minutes to reach the storage account. Again in $publish_pause s."
            sleep "$publish_pause"
        fi
    done
    die "the package was not published in $publish_tries tries" \
        "the identity needs Storage Blob Data Owner on the storage account of $app, and that account must be reachable: az role assignment list --all --assignee IDENTITY --output table; an IP restriction of the app's deployment site keeps out this machine too"
}

functions() {
    find_app
    local try listed name missing=""
    say "Functions: waiting until Azure lists them"
    for ((try = 1; try <= listing_tries; try++)); do
        # Not listed yet, or an error of the moment: both are asked again.
        listed="$(ask functionapp function list --resource-group "$group" --name "$app" --query '[].name')" ||
            listed=""
        missing=""
        for name in $functions; do
            # Listed as APP/FUNCTION.
            grep -Eq "(^|/)$name\$" <<<"$listed" || missing+="${missing:+, }$name"
        done
        [[ -n "$missing" ]] || return 0
        ((try == listing_tries)) || sleep "$listing_pause"
    done
    die "after $((listing_tries * listing_pause / 60)) minutes Azure does not list: $missing" \
        "az functionapp restart --resource-group $shown --name $app, then go on as below; if that does not help, the host could not start the handler: its reason is in the traces of Application Insights, and --from publish puts the package there anew"
}

events() {
    find_app
    template_arguments deployEvents=true rotateApiKey=false
    local try
    for ((try = 1; try <= event_tries; try++)); do
        say "Events: deployment $deployment-events in $group"
        if change deployment group create --resource-group "$group" --name "$deployment-events" "${template[@]}"; then
            return 0
        fi
        failed_with 'endpoint validation|destination endpoint not found|resource should pre-exist|supports EventGrid Trigger' ||
            die "the event subscription was not deployed" "$(remedy)"
        if ((try < event_tries)); then
            say "Event Grid does not see the function yet. Again in $event_pause s."
            sleep "$event_pause"
        fi
    done
    die "Event Grid does not find the function VmssScaleEvent" \
        "az functionapp function show --resource-group $shown --name $app --function-name VmssScaleEvent must show it; then go on as below"
}

show_changes() {
    local rotation=(rotateApiKey=false)
    [[ -z "$slot" ]] || rotation=(rotateApiKey=true "apiKeySlot=$slot")
    template_arguments "deployEvents=$events" "${rotation[@]}"
    az deployment group what-if --resource-group "$group" --subscription "$subscription" \
        "${template[@]}" 2>"$errors" || {
        cat "$errors" >&2
        die "Azure cannot tell what would change" "$(remedy)"
    }
    say "Then $zip would be published. Nothing was changed."
}

farewell() {
    find_app
    local host unreadable
    host="$(output functionAppHostName)" || host=""
    [[ -n "$host" ]] || host="$app.azurewebsites.net"
    unreadable="$(ask deployment group show --resource-group "$group" --name "$deployment" \
        --query "join(', ', properties.outputs.scaleSetsWithoutAccess.value)")" || unreadable=""
    if [[ -n "$unreadable" ]]; then
        printf '%s: warning: the identity may not read these scale sets: %s\nhint: %s\n' "$program" "$unreadable" \
            "name them in scaleSetGroups of $parameters, and run $command_line" >&2
    fi
    if [[ -z "$slot" && "$from" == infrastructure ]]; then
        cat <<END
The API key of NGINXaaS is not made here unless you say so. If the vault does not hold it yet:
  $command_line --rotate-api-key a
or, with a key that you have:
  az keyvault secret set --subscription $subscription --vault-name $(output keyVaultName || echo VAULT) --name $(output apiKeySecretName || echo NAME) --file KEY_FILE

END
    fi
    cat <<END
Done: $app in $group.

Look at it (the last pass, each upstream, what is held and why):
  key="\$(az functionapp function keys list --subscription $subscription --resource-group $shown --name $app --function-name Status --query default --output tsv)"
  curl --header "x-functions-key: \$key" "https://$host/api/Status"

Let it make a pass now, without waiting for the timer; {"dry_run":true} only shows the plan:
  key="\$(az functionapp function keys list --subscription $subscription --resource-group $shown --name $app --function-name Reconcile --query default --output tsv)"
  curl --request POST --header "x-functions-key: \$key" --header "content-type: application/json" --data '{"dry_run":true}' "https://$host/api/Reconcile"

If a pass fails, nginx-vmss-sync check --config FILE, with the same configuration, tries each read and names each remedy.
A new version: cargo xtask package, then $command_line --from publish
To remove all of it: "Uninstall" in infra/README.md.
END
}

# ---------------------------------------------------------------- in order

check_tools
check_login
check_parameters
check_providers
[[ "$from" == functions || "$from" == events || "$what_if" == true ]] || check_zip
check_group

if [[ "$what_if" == true ]]; then
    show_changes
    exit 0
fi

reached=false
for step in $steps; do
    [[ "$step" != "$from" ]] || reached=true
    [[ "$reached" == true ]] || continue
    [[ "$step" != events || "$events" == true ]] || continue
    "$step"
done
step=""
farewell
