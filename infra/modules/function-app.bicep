// The function app on a Flex Consumption plan.

param location string
param tags object
param name string

@description('Resource id of the identity of the app, which has its roles by now.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Blob endpoint of the storage of the host, with a slash at its end.')
param blobEndpoint string

@description('Container that the published package goes to.')
param deploymentContainerName string

@description('Connection string of Application Insights. It holds no secret that is of use: local authentication is off.')
param connectionString string

@description('The configuration, with the keys of the README.')
param configuration object

@description('The configuration as text, used instead where it is not empty.')
param configurationText string

@description('What api_endpoint is where the configuration has none. Empty = not filled in.')
param apiEndpoint string

@description('What api_key_secret is where the configuration has none.')
param apiKeySecretUri string

param reconcileSchedule string
param rustLog string
param logFormat string
param additionalSettings object
param instanceMemoryMB int
param maximumInstanceCount int

@description('Instances of the event function that are kept running.')
param alwaysReadyInstances int

@description('Name of the event function.')
param eventFunctionName string

@description('Resource id of the subnet for outgoing calls. Empty = none.')
param subnetId string

var clouds = {
  AzureCloud: 'AzurePublic'
  AzureUSGovernment: 'AzureUSGovernment'
  AzureChinaCloud: 'AzureChina'
}

// JSON is YAML. What the configuration says itself wins.
var filledIn = union({
  cloud: clouds[environment().name]
  subscription_id: subscription().subscriptionId
  resource_group_name: resourceGroup().name
  api_key_secret: apiKeySecretUri
}, empty(apiEndpoint) ? {} : {
  api_endpoint: apiEndpoint
}, configuration)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: '${name}-plan'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [
          {
            name: 'function:${eventFunctionName}'
            instanceCount: alwaysReadyInstances
          }
        ]
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
    }
  }
}

// No FUNCTIONS_WORKER_RUNTIME and no WEBSITE_RUN_FROM_PACKAGE: Flex Consumption refuses them.
resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'appsettings'
  properties: union(additionalSettings, {
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
    AZURE_CLIENT_ID: identityClientId
    AzureWebJobsStorage__blobServiceUri: blobEndpoint
    AzureWebJobsStorage__clientId: identityClientId
    AzureWebJobsStorage__credential: 'managedidentity'
    LOG_FORMAT: logFormat
    RECONCILE_SCHEDULE: reconcileSchedule
    RUST_LOG: rustLog
    VMSS_SYNC_CONFIG: empty(configurationText) ? string(filledIn) : configurationText
  })
}

output id string = site.id
output name string = site.name
output hostName string = site.properties.defaultHostName
