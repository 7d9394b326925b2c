// nginx-vmss-sync as a function app on Flex Consumption, with everything it needs.
//
// Two deployments of this one file: first without events, then the code is published, then with
// deployEvents = true, since Event Grid refuses a function that it cannot find.

targetScope = 'resourceGroup'

import { keyVaultReference, nginxDeploymentReference, scaleSetGroup, syncConfiguration } from 'types.bicep'

// ---------------------------------------------------------------- what is deployed where

@description('Region of all resources. It must offer Flex Consumption.')
param location string = resourceGroup().location

@description('Name of the function app; part of its public host name, so unique in Azure.')
@minLength(3)
@maxLength(32)
param functionAppName string = 'vmss-sync-${uniqueString(resourceGroup().id)}'

@description('Tags of all resources that can carry tags.')
param tags object = {}

// ---------------------------------------------------------------- what is kept in step

@description('The resource groups with the scale sets, each of them once.')
@minLength(1)
param scaleSetGroups scaleSetGroup[]

@description('The configuration. What it leaves out of cloud, subscription_id, resource_group_name, api_endpoint and api_key_secret is filled in.')
param configuration syncConfiguration?

@description('The configuration as YAML text, used as it is instead of `configuration`.')
param configurationText string = ''

@description('The NGINXaaS deployment: source of api_endpoint, and owner of the API key where rotateApiKey is true.')
param nginxDeployment nginxDeploymentReference?

@description('Schedule of the timer: NCRONTAB with six fields, in UTC.')
@minLength(11)
param reconcileSchedule string = '0 * * * * *'

// ---------------------------------------------------------------- the API key

@description('The vault that holds the API key. Default: one is made.')
param existingKeyVault keyVaultReference?

@description('Name of the secret that holds the API key.')
@minLength(1)
@maxLength(127)
param apiKeySecretName string = 'nginxaas-dataplane-key'

@description('Where Key Vault Secrets User is assigned. `secret` needs the secret to exist, or rotateApiKey.')
@allowed([
  'secret'
  'vault'
])
param apiKeyRoleScope string = existingKeyVault == null ? 'vault' : 'secret'

@description('Make a new API key in nginxDeployment, and store it in the vault. Every deployment with true makes another one.')
param rotateApiKey bool = false

@description('Which of two API keys rotateApiKey writes. Alternate: the other one stays valid until it expires, so no call fails.')
@allowed([
  'a'
  'b'
])
param apiKeySlot string = 'a'

@description('Days until a new API key expires. NGINXaaS allows two years.')
@minValue(1)
@maxValue(730)
param apiKeyLifetimeDays int = 180

@description('The new API key; leave the default, which is random.')
@secure()
param newApiKey string = newGuid()

@description('The time from which apiKeyLifetimeDays counts; leave the default.')
param now string = utcNow('u')

// ---------------------------------------------------------------- the function app

@description('Memory of an instance in MB. The handler needs few of them.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Instances that each function may scale out to.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances of the event function that are kept running; 0 = it starts cold after a quiet time.')
@minValue(0)
@maxValue(10)
param alwaysReadyInstances int = 0

@description('Resource id of a subnet delegated to Microsoft.App/environments, for outgoing calls. Empty = none.')
param subnetId string = ''

@description('Filter of the log. Empty = the default of the handler: info, and of the Azure SDK warnings.')
param rustLog string = ''

@description('Format of the log lines.')
@allowed([
  'text'
  'json'
])
param logFormat string = 'text'

@description('App settings besides those of the template: a deployment replaces all settings of the app.')
param additionalSettings object = {}

// ---------------------------------------------------------------- logs, events, alerts

@description('Resource id of a Log Analytics workspace. Empty = one is made.')
param logAnalyticsWorkspaceId string = ''

@description('Days that a new workspace keeps its data.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Subscribe the event function. False for the first deployment: the code must be published before.')
param deployEvents bool = false

@description('Make the alert rules. Like events, they make sense once the code is published.')
param deployAlerts bool = deployEvents && !empty(alertActionGroupIds)

@description('Resource ids of the action groups that alerts notify.')
param alertActionGroupIds string[] = []

@description('Alert when no timer pass has succeeded for this many minutes.')
@allowed([
  5
  10
  15
  30
  45
  60
])
param alertAfterMinutes int = 15

// ---------------------------------------------------------------- derived

var here = subscription().subscriptionId
var eventFunctionName = 'VmssScaleEvent'

var vaultName = existingKeyVault.?name ?? 'kv-${uniqueString(resourceGroup().id, functionAppName)}'
var vaultSubscription = existingKeyVault.?subscriptionId ?? here
var vaultGroup = existingKeyVault.?resourceGroupName ?? resourceGroup().name
var apiKeySecretUri = 'https://${vaultName}${environment().suffixes.keyvaultDns}/secrets/${apiKeySecretName}'

var vaultTopicName = existingKeyVault.?existingSystemTopicName ?? '${vaultName}-events'

var dateFormat = 'yyyy-MM-ddTHH:mm:ssZ'
var apiKeyExpires = dateTimeAdd(now, 'P${apiKeyLifetimeDays}D', dateFormat)

// Sets as the configuration and as the groups name them, to tell those that nobody was given access to.
var knownSets = flatten(map(scaleSetGroups, group => map(concat(group.?uniformSets ?? [], group.?flexibleSets ?? []), name => toLower('${group.?subscriptionId ?? here}/${group.resourceGroupName}/${name}'))))
var configuredSets = map(configuration.?upstreams ?? [], upstream => toLower('${upstream.?subscription_id ?? configuration.?subscription_id ?? here}/${upstream.?resource_group_name ?? configuration.?resource_group_name ?? resourceGroup().name}/${upstream.virtual_machine_scale_set}'))

// ---------------------------------------------------------------- identity and what it may do

// Made and granted before the app, so that its first pass succeeds.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${functionAppName}-identity'
  location: location
  tags: tags
}

module storage 'modules/storage.bicep' = {
  name: '${functionAppName}-storage'
  params: {
    location: location
    tags: tags
    accountName: 'st${uniqueString(resourceGroup().id, functionAppName)}'
    principalId: identity.properties.principalId
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: '${functionAppName}-monitoring'
  params: {
    location: location
    tags: tags
    name: functionAppName
    workspaceId: logAnalyticsWorkspaceId
    retentionDays: logRetentionDays
    principalId: identity.properties.principalId
  }
}

module scaleSetAccess 'modules/scale-set-access.bicep' = [for (group, i) in scaleSetGroups: {
  name: '${functionAppName}-access-${i}'
  scope: resourceGroup(group.?subscriptionId ?? here, group.resourceGroupName)
  params: {
    uniformSets: group.?uniformSets ?? []
    flexible: !empty(group.?flexibleSets ?? [])
    principalId: identity.properties.principalId
  }
}]

module keyVault 'modules/key-vault.bicep' = if (existingKeyVault == null) {
  name: '${functionAppName}-vault'
  params: {
    location: location
    tags: tags
    name: vaultName
  }
}

// The key before the secret: a handler that reads the new key must find it accepted.
module apiKey 'modules/api-key.bicep' = if (rotateApiKey) {
  name: '${functionAppName}-api-key'
  scope: resourceGroup(nginxDeployment.?subscriptionId ?? here, nginxDeployment.?resourceGroupName ?? resourceGroup().name)
  params: {
    deploymentName: nginxDeployment.?name ?? ''
    keyName: 'vmss-sync-${apiKeySlot}'
    keyText: newApiKey
    expires: apiKeyExpires
  }
}

module apiKeySecret 'modules/api-key-secret.bicep' = if (rotateApiKey) {
  name: '${functionAppName}-api-key-secret'
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    vaultName: vaultName
    secretName: apiKeySecretName
    keyText: newApiKey
    expires: apiKeyExpires
  }
  dependsOn: [
    apiKey
    keyVault
  ]
}

module keyVaultAccess 'modules/key-vault-access.bicep' = {
  name: '${functionAppName}-vault-access'
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    vaultName: vaultName
    secretName: apiKeySecretName
    roleScope: apiKeyRoleScope
    principalId: identity.properties.principalId
  }
  dependsOn: [
    apiKeySecret
    keyVault
  ]
}

// ---------------------------------------------------------------- the function app

module nginxEndpoint 'modules/nginx-endpoint.bicep' = if (nginxDeployment != null) {
  name: '${functionAppName}-nginx-endpoint'
  scope: resourceGroup(nginxDeployment.?subscriptionId ?? here, nginxDeployment.?resourceGroupName ?? resourceGroup().name)
  params: {
    deploymentName: nginxDeployment.?name ?? ''
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: '${functionAppName}-app'
  params: {
    location: location
    tags: tags
    name: functionAppName
    identityId: identity.id
    identityClientId: identity.properties.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    deploymentContainerName: storage.outputs.deploymentContainerName
    connectionString: monitoring.outputs.connectionString
    configuration: configuration ?? {}
    configurationText: configurationText
    apiEndpoint: nginxDeployment == null ? '' : nginxEndpoint!.outputs.apiEndpoint
    apiKeySecretUri: apiKeySecretUri
    reconcileSchedule: reconcileSchedule
    rustLog: rustLog
    logFormat: logFormat
    additionalSettings: additionalSettings
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    eventFunctionName: eventFunctionName
    subnetId: subnetId
  }
  dependsOn: [
    keyVaultAccess
    scaleSetAccess
  ]
}

// ---------------------------------------------------------------- events

module eventTopic 'modules/event-topic.bicep' = [for (group, i) in scaleSetGroups: {
  name: '${functionAppName}-topic-${i}'
  scope: resourceGroup(group.?subscriptionId ?? here, group.resourceGroupName)
  params: {
    tags: tags
    existingTopicName: group.?existingSystemTopic.?name ?? ''
    existingTopicPrincipalId: group.?existingSystemTopic.?principalId ?? ''
  }
}]

module deadLetterAccess 'modules/dead-letter-access.bicep' = [for (group, i) in scaleSetGroups: if (group.?existingSystemTopic == null || group.?existingSystemTopic.?principalId != null) {
  name: '${functionAppName}-dead-letter-${i}'
  params: {
    accountName: storage.outputs.accountName
    containerName: storage.outputs.deadLetterContainerName
    principalId: eventTopic[i].outputs.principalId
  }
}]

module eventSubscription 'modules/event-subscription.bicep' = [for (group, i) in scaleSetGroups: if (deployEvents) {
  name: '${functionAppName}-events-${i}'
  scope: resourceGroup(group.?subscriptionId ?? here, group.resourceGroupName)
  params: {
    topicName: eventTopic[i].outputs.topicName
    subscriptionName: functionAppName
    functionId: '${functionApp.outputs.id}/functions/${eventFunctionName}'
    uniformSets: group.?uniformSets ?? []
    flexibleSets: group.?flexibleSets ?? []
    deadLetterStorageId: group.?existingSystemTopic == null || group.?existingSystemTopic.?principalId != null ? storage.outputs.accountId : ''
    deadLetterContainerName: storage.outputs.deadLetterContainerName
  }
  dependsOn: [
    deadLetterAccess
  ]
}]

// ---------------------------------------------------------------- alerts

module alerts 'modules/alerts.bicep' = if (deployAlerts) {
  name: '${functionAppName}-alerts'
  params: {
    location: location
    tags: tags
    name: functionAppName
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    actionGroupIds: alertActionGroupIds
    windowMinutes: alertAfterMinutes
  }
}

module keyVaultTopic 'modules/key-vault-topic.bicep' = if (deployAlerts && existingKeyVault.?existingSystemTopicName == null) {
  name: '${functionAppName}-vault-topic'
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    tags: tags
    name: vaultTopicName
    vaultName: vaultName
  }
  dependsOn: [
    keyVault
  ]
}

module apiKeyExpiryAlert 'modules/api-key-expiry-alert.bicep' = if (deployAlerts) {
  name: '${functionAppName}-key-expiry'
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    topicName: vaultTopicName
    subscriptionName: '${functionAppName}-key-expiry'
    vaultName: vaultName
    secretName: apiKeySecretName
    actionGroupIds: alertActionGroupIds
  }
  dependsOn: [
    keyVaultTopic
  ]
}

// ---------------------------------------------------------------- outputs

@description('Name of the function app.')
output functionAppName string = functionApp.outputs.name

@description('Resource id of the function app.')
output functionAppId string = functionApp.outputs.id

@description('Public host name of the function app.')
output functionAppHostName string = functionApp.outputs.hostName

@description('URL of the function that runs a pass now; a function key is needed.')
output reconcileUrl string = 'https://${functionApp.outputs.hostName}/api/Reconcile'

@description('URL of the status page; a function key is needed.')
output statusUrl string = 'https://${functionApp.outputs.hostName}/api/Status'

@description('Name of the function that takes events. It must be listed before deployEvents.')
output eventFunctionName string = eventFunctionName

@description('Name of the identity of the app.')
output identityName string = identity.name

@description('Client id of the identity of the app.')
output identityClientId string = identity.properties.clientId

@description('Object id of the identity of the app.')
output identityPrincipalId string = identity.properties.principalId

@description('Name of the storage account of the Functions host.')
output storageAccountName string = storage.outputs.accountName

@description('Container that the published package goes to.')
output deploymentContainerName string = storage.outputs.deploymentContainerName

@description('Container of the events that could not be delivered.')
output deadLetterContainerName string = storage.outputs.deadLetterContainerName

@description('Name of the vault that holds the API key.')
output keyVaultName string = vaultName

@description('Name of the secret that holds the API key.')
output apiKeySecretName string = apiKeySecretName

@description('Name of the Application Insights component.')
output applicationInsightsName string = monitoring.outputs.applicationInsightsName

@description('The system topic of each resource group, in the order of scaleSetGroups.')
output systemTopics array = [for (group, i) in scaleSetGroups: {
  subscriptionId: group.?subscriptionId ?? here
  resourceGroupName: group.resourceGroupName
  name: eventTopic[i].outputs.topicName
}]

@description('Configured scale sets, as subscription/group/name, that are in no group of scaleSetGroups: the identity was not given access to them, and their events are not subscribed. Empty is right.')
output scaleSetsWithoutAccess array = filter(configuredSets, set => !contains(knownSets, set))
