#!/usr/bin/env bash
# Tests of infra/deploy.sh against a stubbed Azure CLI (stub/az): what it calls, in which order, how
# it goes on after a failure, and what it says. Needs bash and the core utilities, no network.
#
#   tests/deploy/run.sh [NAME...]       all tests, or those named
set -euo pipefail

tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(cd "$tests/../.." && pwd)"
deploy="$repository/infra/deploy.sh"
id=11111111-2222-3333-4444-555555555555

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# ---------------------------------------------------------------- arrange

# A machine with its tools and a subscription without anything in it.
fresh() {
    STUB="$work/$1"
    export STUB
    mkdir -p "$STUB/world" "$STUB/fail"
    : >"$STUB/calls"
    echo 2.91.0 >"$STUB/version"
    echo "Bicep CLI version 0.36.1 (a1b2c3d4e5)" >"$STUB/bicep"
    echo 0 >"$STUB/listed-after"
    printf '%s\n' Microsoft.Web Microsoft.Storage Microsoft.ManagedIdentity Microsoft.KeyVault \
        microsoft.insights Microsoft.OperationalInsights Microsoft.EventGrid >"$STUB/providers"
    printf 'zip\n%s\n%s\n' host.json handler >"$STUB/app.zip"
    printf "using 'main.bicep'\nparam location = 'westeurope'\n" >"$STUB/main.bicepparam"
    arguments=(-g rg-sync -p "$STUB/main.bicepparam" -z "$STUB/app.zip")
}

# A file of failures for the stub: the call, how often, the message.
failing() {
    printf '%s\n%s\n' "$2" "$3" >"$STUB/fail/$1"
}

repaired() {
    rm -f "$STUB"/fail/*
}

with_group() {
    touch "$STUB/world/group"
}

with_app() {
    touch "$STUB/world/group" "$STUB/world/app"
}

with_functions() {
    touch "$STUB/world/group" "$STUB/world/app" "$STUB/world/published" "$STUB/world/listed"
}

# ---------------------------------------------------------------- act

code=0 out="" err=""

run() {
    : >"$STUB/calls"
    rm -f "$STUB/polls"
    code=0
    # The stub refuses to work where it could read this answer: nobody may be asked anything.
    PATH="$tests/stub:$PATH" "$@" >"$STUB/out" 2>"$STUB/err" <<<"an answer" || code=$?
    out="$(cat "$STUB/out")"
    err="$(cat "$STUB/err")"
}

deploy() {
    run "$deploy" "${arguments[@]}" "$@"
}

# ---------------------------------------------------------------- assert

problems="" skipped=""

# For what this machine cannot run.
skip() {
    skipped="$1"
}

complain() {
    problems+="    $*"$'\n'
}

equal() {
    [[ "$1" == "$2" ]] || complain "$3: expected"$'\n'"$1"$'\n'"    and it was"$'\n'"$2"
}

exits() {
    [[ "$code" == "$1" ]] || complain "exit status $code, expected $1; it said: $err"
}

says() {
    [[ "$err" == *"$1"* ]] || complain "standard error has no \"$1\": $err"
}

prints() {
    [[ "$out" == *"$1"* ]] || complain "standard output has no \"$1\": $out"
}

# What changed Azure, in order, by the first words of the call.
changes() {
    sed -nE 's/^az (group create|functionapp deployment source config-zip) .*/\1/p;
        s/^az (deployment group create) .* --name ([a-z-]+) .*(deployEvents=[a-z]+).*/\1 \2 \3/p' "$STUB/calls"
}

everything="group create
deployment group create nginx-vmss-sync deployEvents=false
functionapp deployment source config-zip
deployment group create nginx-vmss-sync-events deployEvents=true"

number() {
    grep -cE "$1" "$STUB/calls" || true
}

# ---------------------------------------------------------------- the tests

test_an_empty_subscription_is_filled_in_order() {
    deploy --location westeurope
    exits 0
    equal "$everything" "$(changes)" "what changed"
    [[ -e "$STUB/world/subscription" ]] || complain "there is no event subscription"
    prints "https://vmss-sync-abc.example.net/api/Status"
    prints "az functionapp function keys list --subscription $id --resource-group rg-sync --name vmss-sync-abc --function-name Status"
}

test_a_second_run_changes_nothing_but_repeats_the_deployments() {
    deploy --location westeurope
    deploy --location westeurope
    exits 0
    equal "$(tail -n +2 <<<"$everything")" "$(changes)" "what changed"
}

test_every_call_names_the_subscription_by_its_id() {
    deploy --location westeurope --subscription production
    exits 0
    equal "" "$(grep -vE "^az (version|bicep|account)|^sleep" "$STUB/calls" | grep -v -- "--subscription $id" || true)" \
        "calls without the subscription's id"
}

test_lines_may_end_as_on_windows() {
    touch "$STUB/crlf"
    deploy --location westeurope
    exits 0
    equal "$everything" "$(changes)" "what changed"
    equal "" "$(grep -F '\r' "$STUB/calls" || true)" "calls with a carriage return"
}

test_after_a_failure_the_printed_command_goes_on_with_that_step() {
    local step expected command
    for step in infrastructure publish functions events; do
        fresh "resume/$step"
        failing "$step" always "ERROR: (Conflict) the step $step does not work today"
        deploy --location westeurope
        exits 1
        command="$(sed -n 's/^go on with: //p' "$STUB/err")"
        [[ -n "$command" ]] || { complain "$step: no word on how to go on: $err" ; continue ; }
        repaired
        run bash -c "$command"
        exits 0
        case "$step" in
            infrastructure) expected="$(tail -n +2 <<<"$everything")" ;;
            publish) expected="$(tail -n +3 <<<"$everything")" ;;
            *) expected="$(tail -n +4 <<<"$everything")" ;;
        esac
        equal "$expected" "$(changes)" "$step: what the second run changed"
        [[ -e "$STUB/world/subscription" ]] || complain "$step: there is no event subscription"
    done
}

test_the_printed_command_keeps_names_with_blanks() {
    mkdir "$STUB/my files"
    cp "$STUB/app.zip" "$STUB/my files/the app.zip"
    arguments=(-g "rg (sync)" -p "$STUB/main.bicepparam" -z "$STUB/my files/the app.zip")
    with_group
    failing functions always "ERROR: later"
    deploy
    exits 1
    repaired
    run bash -c "$(sed -n 's/^go on with: //p' "$STUB/err")"
    exits 0
    equal 1 "$(grep -Fc -- '--name rg\ \(sync\)' "$STUB/calls")" "calls that look up the group"
    prints '--resource-group rg\ \(sync\)'
}

test_what_if_changes_nothing() {
    with_group
    deploy --what-if --rotate-api-key a
    exits 0
    equal "" "$(changes)" "what changed"
    equal 1 "$(number '^az deployment group what-if .* deployEvents=true rotateApiKey=true apiKeySlot=a')" "what-if"
    equal "group" "$(ls "$STUB/world")" "the world"
    fresh what_if/empty
    deploy --what-if --location westeurope
    exits 0
    equal "" "$(changes)" "what changed without a group"
    prints "az group create --name rg-sync --location westeurope"
    equal "" "$(ls "$STUB/world")" "the world"
}

test_what_if_reports_what_azure_refuses() {
    with_group
    failing what-if always "ERROR: (MissingSubscriptionRegistration) not registered to use namespace 'Microsoft.Web'"
    deploy --what-if
    exits 1
    says "az provider register"
}

test_publishing_is_tried_again_while_the_role_is_fresh() {
    with_group
    failing publish 3 "ERROR: Status Code: 400, Details: BlobUploadFailedException: 403 AuthorizationPermissionMismatch"
    deploy
    exits 0
    equal 4 "$(number '^az functionapp deployment source config-zip ')" "tries"
    equal 3 "$(number '^sleep 30$')" "pauses"
}

test_publishing_ends_with_a_remedy() {
    with_group
    failing publish always "ERROR: Status Code: 400, Details: BlobUploadFailedException: 403"
    deploy
    exits 1
    equal 8 "$(number '^az functionapp deployment source config-zip ')" "tries"
    equal 7 "$(number '^sleep 30$')" "pauses"
    says "Storage Blob Data Owner"
    says "--from publish"
    equal 0 "$(number 'deployEvents=true')" "event deployments"
}

test_publishing_is_not_tried_again_where_that_cannot_help() {
    with_group
    failing publish always "ERROR: (AuthorizationFailed) The client does not have authorization"
    deploy
    exits 1
    equal 1 "$(number '^az functionapp deployment source config-zip ')" "tries"
    says "User Access Administrator"
}

test_a_package_that_is_in_place_is_not_published_again() {
    with_group
    touch "$STUB/world/published"
    failing publish always "ERROR: Deployment was successful but the app appears to be unhealthy. Please check the app logs."
    deploy
    exits 0
    equal 1 "$(number '^az functionapp deployment source config-zip ')" "tries"
}

test_it_waits_until_the_functions_are_listed() {
    with_group
    echo 5 >"$STUB/listed-after"
    deploy
    exits 0
    equal 6 "$(number '^az functionapp function list ')" "polls"
    equal 5 "$(number '^sleep 15$')" "pauses"
}

test_waiting_ends_with_a_remedy() {
    with_group
    echo 1000 >"$STUB/listed-after"
    deploy
    exits 1
    equal 40 "$(number '^az functionapp function list ')" "polls"
    equal 39 "$(number '^sleep 15$')" "pauses"
    says "after 10 minutes Azure does not list: VmssScaleEvent, ReconcileTimer, Reconcile, Status"
    says "az functionapp restart --resource-group rg-sync --name vmss-sync-abc"
    says "--from functions"
    equal 0 "$(number 'deployEvents=true')" "event deployments"
}

test_events_are_tried_again_until_event_grid_sees_the_function() {
    with_functions
    failing events 2 "ERROR: Endpoint validation: Destination endpoint not found. Resource should pre-exist"
    deploy --from events
    exits 0
    equal 3 "$(number 'deployEvents=true')" "tries"
    fresh events/never
    with_functions
    failing events always "ERROR: Destination endpoint not found."
    deploy --from events
    exits 1
    equal 4 "$(number 'deployEvents=true')" "tries"
    says "--function-name VmssScaleEvent"
}

test_without_events_there_is_no_subscription() {
    deploy --location westeurope --no-events
    exits 0
    equal "$(head -n 3 <<<"$everything")" "$(changes)" "what changed"
    with_functions
    deploy --no-events --what-if
    equal 1 "$(number '^az deployment group what-if .* deployEvents=false')" "what-if"
}

test_one_run_makes_one_api_key() {
    with_group
    deploy --rotate-api-key b
    exits 0
    equal 1 "$(number 'rotateApiKey=true apiKeySlot=b')" "rotations"
    equal 1 "$(number 'deployEvents=true rotateApiKey=false')" "event deployments without a rotation"
    [[ "$out" != *"keyvault secret set"* ]] || complain "it asks for a key that it has made: $out"
    deploy
    equal 0 "$(number 'rotateApiKey=true')" "rotations without the option"
    prints "az keyvault secret set --subscription $id --vault-name vault-abc --name nginxaas-dataplane-key"
}

test_it_warns_of_scale_sets_that_may_not_be_read() {
    with_group
    echo "other-group/web, other-group/api" >"$STUB/without-access"
    deploy
    exits 0
    says "warning: the identity may not read these scale sets: other-group/web, other-group/api"
}

test_parameters_may_be_json() {
    with_group
    echo '{"parameters":{}}' >"$STUB/main.parameters.json"
    arguments=(-g rg-sync -p "$STUB/main.parameters.json" -z "$STUB/app.zip")
    deploy
    exits 0
    equal 2 "$(number "^az deployment group create .*--template-file .*/infra/main.bicep --parameters @.*json deployEvents=")" \
        "deployments with the template"
    equal 0 "$(number 'bicep build-params')" "compilations"
}

# A bad input, what is said about it, and the remedy.
refused() {
    local text
    exits 1
    equal "" "$(changes)" "what changed"
    says "hint: "
    for text in "$@"; do
        says "$text"
    done
}

test_each_bad_input_has_its_remedy() {
    local case
    for case in no-cli broken-cli old-cli no-bicep old-bicep no-login no-subscription no-provider no-app-provider \
        no-parameters wrong-kind sample made-up wrong-line no-zip not-a-zip no-handler no-group no-infrastructure; do
        fresh "bad/$case"
        with_group
        case "$case" in
            no-cli)
                # Everything but az.
                local tool bin="$STUB/bin"
                mkdir "$bin"
                for tool in bash env mktemp dirname basename sort head tail grep sed cat rm cmp; do
                    ln -s "$(command -v "$tool")" "$bin/$tool"
                done
                code=0
                PATH="$bin" "$deploy" "${arguments[@]}" >"$STUB/out" 2>"$STUB/err" || code=$?
                err="$(cat "$STUB/err")"
                refused "there is no Azure CLI" "install it"
                ;;
            broken-cli)
                failing version always "ModuleNotFoundError: No module named 'azure'"
                deploy ; refused "az does not run" "No module named 'azure'"
                ;;
            old-cli) echo 2.9.1 >"$STUB/version" ; deploy ; refused "2.9.1" "az upgrade" ;;
            no-bicep) failing bicep always "ERROR: Bicep CLI not found." ; deploy ; refused "az bicep install" ;;
            old-bicep)
                echo "Bicep CLI version 0.4.1008 (223b8d227a)" >"$STUB/bicep"
                deploy ; refused "0.4.1008" "az bicep upgrade"
                ;;
            no-login)
                failing login always "ERROR: Please run 'az login' to setup account."
                deploy ; refused "nobody is logged in" "az login"
                ;;
            no-subscription) deploy -s nowhere ; refused "\`nowhere\`" "az account list" ;;
            no-provider)
                sed -i '/EventGrid/d' "$STUB/providers"
                deploy
                refused "Microsoft.EventGrid" \
                    "az provider register --namespace Microsoft.EventGrid --subscription $id --wait"
                ;;
            no-app-provider)
                echo "param subnetId = '/subscriptions/x/subnets/functions'" >>"$STUB/main.bicepparam"
                deploy ; refused "az provider register --namespace Microsoft.App "
                ;;
            no-parameters) rm "$STUB/main.bicepparam" ; deploy ; refused "cp infra/main.sample.bicepparam" ;;
            wrong-kind) deploy -p "$STUB/app.zip" ; refused "neither a .bicepparam nor a .json" ;;
            sample) deploy -p "$repository/infra/main.sample.bicepparam" ; refused "is the sample, unchanged" ;;
            made-up)
                echo "param s = '00000000-0000-0000-0000-000000000000'" >>"$STUB/main.bicepparam"
                deploy ; refused "made-up subscription" "az account show"
                ;;
            wrong-line)
                failing compile always "$STUB/main.bicepparam(2,7) : Error BCP259: The parameter is not declared"
                deploy ; refused "does not compile" "BCP259" "names the file and the line"
                ;;
            no-zip) rm "$STUB/app.zip" ; deploy ; refused "cargo xtask package" ;;
            not-a-zip) echo PK >"$STUB/app.zip" ; deploy ; refused "not a zip archive" ;;
            no-handler) printf 'zip\nhost.json\nbin/handler\n' >"$STUB/app.zip" ; deploy ; refused "has no handler in its root" ;;
            no-group) rm "$STUB/world/group" ; deploy ; refused "there is no resource group rg-sync" "--location" ;;
            no-infrastructure) deploy --from publish ; refused "the infrastructure comes first" ;;
        esac
        problems="${problems//    exit/    $case: exit}"
    done
}

test_each_refusal_of_azure_has_its_remedy() {
    local row message text
    while IFS='|' read -r row message text; do
        fresh "refusal/$row"
        with_group
        failing infrastructure always "ERROR: $message"
        deploy
        exits 1
        says "ERROR: $message"
        says "$text"
        says "go on with: "
    done <<'END'
1|(AuthorizationFailed) The client 'x' does not have authorization to perform action|Who may deploy
2|(MissingSubscriptionRegistration) The subscription is not registered to use namespace 'Microsoft.App'|az provider register --namespace
3|Only one system topic is allowed per source|existingSystemTopic
4|(ConflictError) A vault with the same name already exists in deleted state: deleted but recoverable|az keyvault list-deleted
5|(RoleDefinitionWithSameNameExists) A custom role with the same name exists|az role definition list
6|(RoleAssignmentExists) The role assignment already exists.|az role assignment list
7|(LocationNotAvailableForResourceType) The provided location is not available|list-flexconsumption-locations
8|(DeploymentActive) Unable to edit or replace deployment|wait for it
9|AADSTS700082: The refresh token has expired|az login
10|(Whatever) Something else|az deployment operation group list --resource-group rg-sync --name nginx-vmss-sync
END
}

test_a_wrong_command_line_is_told_from_a_failure() {
    local line
    for line in "" "-g" "-g rg --from nowhere" "-g rg --rotate-api-key c" "-g rg --from events --no-events" \
        "-g rg --from publish --rotate-api-key a" "-g rg --frm publish" "rg"; do
        # Split on purpose.
        # shellcheck disable=SC2086
        run "$deploy" $line
        exits 2
        says "deploy.sh --help"
        equal "" "$(cat "$STUB/calls")" "calls of \`$line\`"
    done
    run "$deploy" --help
    exits 0
    prints "SYNOPSIS"
}

# ---------------------------------------------------------------- against the other files

# The value of a variable in deploy.sh, words one a line, sorted.
constant() {
    sed -n "/^readonly $1=/,\$p" "$deploy" | awk 'BEGIN { RS = "\"" } NR == 2' | xargs -n 1 | sort
}

test_it_waits_for_the_functions_that_there_are() {
    equal "$(cd "$repository/function-app" && printf '%s\n' * | sort)" "$(constant functions)" "functions"
    local uri
    uri="$(grep -oE 'function-name [A-Za-z]+' "$deploy" | cut -d' ' -f2 | sort -u)"
    equal "$uri" "$(grep -Fxf <(constant functions) <<<"$uri")" "functions that are named in commands"
}

test_the_template_has_the_parameters_and_outputs_that_are_used() {
    local name main="$repository/infra/main.bicep"
    for name in $(grep -oE '(deployEvents|rotateApiKey|apiKeySlot)=' "$deploy" | tr -d = | sort -u); do
        grep -Eq "^param $name " "$main" || complain "main.bicep has no parameter $name"
    done
    while read -r name; do
        grep -Eq "^output $name " "$main" || complain "main.bicep has no output $name"
    done < <(grep -ohE '\(output [A-Za-z]+|outputs\.[A-Za-z]+' "$deploy" "$repository/infra/README.md" |
        grep -oE '[A-Za-z]+$' | sort -u)
}

test_every_provider_of_the_template_is_checked_and_documented() {
    local used
    # Those of the scale sets and of NGINXaaS are registered: they are in use.
    used="$(grep -hoE "^resource [A-Za-z]+ '[A-Za-z]+\.[A-Za-z]+" "$repository"/infra/*.bicep "$repository"/infra/modules/*.bicep |
        cut -d"'" -f2 | grep -vE '^(Microsoft.Authorization|Microsoft.Compute|Nginx.NginxPlus)$' | sort -u)"
    equal "$used" "$(constant providers)" "providers"
    equal "$used" "$(sed -n '/^   for namespace in/,/do$/p' "$repository/infra/README.md" |
        grep -oE 'Microsoft\.[A-Za-z]+' | sort)" "providers in infra/README.md"
}

test_the_documented_options_are_those_there_are() {
    local option
    run "$deploy" --help
    while read -r option; do
        grep -Eq -- "^ +(-[a-z], )?$option\b" <<<"$out" || complain "deploy.sh --help does not know $option"
    done < <(grep -hoE 'deploy\.sh [^`|]*' "$repository/infra/README.md" "$repository"/docs/*.md |
        grep -oE -- '--[a-z-]+' | sort -u)
}

# As little as possible is open to the service: systemd's own measure, in tenths.
test_the_systemd_unit_is_sound_and_closed() {
    local unit="$STUB/nginx-vmss-sync.service"
    if ! systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
        skip "there is no systemd-analyze of 250 or later"
        return
    fi
    # The program need not be installed here.
    printf '#!/bin/sh\n' >"$STUB/nginx-vmss-sync"
    chmod +x "$STUB/nginx-vmss-sync"
    sed "s|/usr/local/bin/nginx-vmss-sync|$STUB/nginx-vmss-sync|" \
        "$repository/packaging/systemd/nginx-vmss-sync.service" >"$unit"
    run systemd-analyze verify --man=no "$unit"
    exits 0
    equal "" "$err" "complaints"
    run systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
    exits 0
}

# ---------------------------------------------------------------- in order

passed=0 failed=0 left_out=0
for name in $(declare -F | sed -n 's/^declare -f \(test_.*\)/\1/p'); do
    if (($# > 0)) && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    problems="" skipped=""
    fresh "$name"
    "$name"
    if [[ -n "$skipped" ]]; then
        printf 'skipped %s: %s\n' "$name" "$skipped"
        left_out=$((left_out + 1))
    elif [[ -z "$problems" ]]; then
        printf 'ok      %s\n' "$name"
        passed=$((passed + 1))
    else
        printf 'FAILED  %s\n%s' "$name" "$problems"
        failed=$((failed + 1))
    fi
done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$left_out"
((failed == 0 && passed > 0))
