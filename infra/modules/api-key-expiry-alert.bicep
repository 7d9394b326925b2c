// An alert 30 days before the API key in the vault expires, and when it has expired. Key Vault tells
// both as events, which Azure Monitor takes from Key Vault alone.

@description('Name of the system topic of the vault.')
param topicName string

param subscriptionName string
param vaultName string
param secretName string
param actionGroupIds string[]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: subscriptionName
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
}
