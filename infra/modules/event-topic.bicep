// The system topic of this resource group, of which Azure allows one.

param tags object

@description('Name of the topic that the resource group has. Empty = one is made.')
param existingTopicName string

@description('Object id of that topic, or empty.')
param existingTopicPrincipalId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingTopicName)) {
  name: 'resource-group-${uniqueString(resourceGroup().id)}'
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: resourceGroup().id
    topicType: 'Microsoft.Resources.ResourceGroups'
  }
}

@description('Name of the topic.')
output topicName string = empty(existingTopicName) ? topic.name : existingTopicName

@description('Object id of the identity of the topic, or empty.')
output principalId string = empty(existingTopicName) ? topic!.identity.principalId : existingTopicPrincipalId
