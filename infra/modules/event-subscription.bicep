// Changes of the scale sets of this resource group go to the event function.
// tests/it/infra/events.rs holds the filter against what the handler acts on.

param topicName string
param subscriptionName string

@description('Resource id of the function. It must be published, with its trigger.')
param functionId string

param uniformSets string[]
param flexibleSets string[]

@description('Resource id of the account for dead letters. Empty = none are kept.')
param deadLetterStorageId string
param deadLetterContainerName string

var sets = concat(uniformSets, flexibleSets)

// A subscription may compare with 25 values in all. Where there are more sets, the handler tells them apart.
var ofSets = length(sets) > 23 ? [
  '/providers/Microsoft.Compute/virtualMachineScaleSets/'
] : map(sets, set => '/providers/Microsoft.Compute/virtualMachineScaleSets/${set}')

// The machines and interfaces of a Flexible set stand beside it.
var ofFlexibleSets = empty(flexibleSets) ? [] : [
  '/providers/Microsoft.Compute/virtualMachines/'
  '/providers/Microsoft.Network/networkInterfaces/'
]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: subscriptionName
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: functionId
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Resources.ResourceWriteSuccess'
        'Microsoft.Resources.ResourceWriteFailure'
        'Microsoft.Resources.ResourceWriteCancel'
        'Microsoft.Resources.ResourceDeleteSuccess'
        'Microsoft.Resources.ResourceDeleteFailure'
        'Microsoft.Resources.ResourceDeleteCancel'
        'Microsoft.Resources.ResourceActionSuccess'
        'Microsoft.Resources.ResourceActionFailure'
        'Microsoft.Resources.ResourceActionCancel'
      ]
      advancedFilters: [
        {
          operatorType: 'StringContains'
          key: 'data.resourceUri'
          values: concat(ofSets, ofFlexibleSets)
        }
      ]
    }
    // Old events are worth nothing: the timer has looked meanwhile.
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 60
    }
    deadLetterWithResourceIdentity: empty(deadLetterStorageId) ? null : {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: deadLetterStorageId
          blobContainerName: deadLetterContainerName
        }
      }
    }
  }
}
