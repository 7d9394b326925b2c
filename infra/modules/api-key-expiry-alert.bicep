// An alert 30 days before the API key in the vault expires, and when it has expired. Key Vault tells
// both as events, which Azure Monitor takes from Key Vault alone.

param tags object
param vaultName string
param secretName string

@description('Name of the system topic that the vault has. Empty = one is made.')
param existingTopicName string

param subscriptionName string
param actionGroupIds string[]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource newTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingTopicName)) {
  name: '${vaultName}-events'
  location: vault.location
  tags: tags
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: empty(existingTopicName) ? '${vaultName}-events' : existingTopicName
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: '${subscriptionName}-key-expiry'
  properties: {
    // The only schema that Azure Monitor takes.
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: {
      endpointType: 'MonitorAlert'
      properties: {
        severity: 'Sev2'
        description: 'The NGINXaaS API key in the vault ${vaultName} expires within 30 days, or has expired. Deploy with rotateApiKey and the other apiKeySlot.'
        actionGroups: actionGroupIds
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.KeyVault.SecretNearExpiry'
        'Microsoft.KeyVault.SecretExpired'
      ]
      subjectBeginsWith: secretName
      subjectEndsWith: secretName
    }
  }
  dependsOn: [
    newTopic
  ]
}
