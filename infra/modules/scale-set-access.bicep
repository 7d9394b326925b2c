// What the identity may read of the scale sets of one resource group: what a pass asks for, and
// nothing else. tests/it/infra/roles.rs holds the actions against the requests of real passes.

@description('Names of the Uniform sets, each of which is granted on its own.')
param uniformSets string[]

@description('Whether the resource group has Flexible sets.')
param flexible bool

@description('Object id of the identity of the app.')
param principalId string

var group = resourceGroup().id

resource sets 'Microsoft.Compute/virtualMachineScaleSets@2024-11-01' existing = [for name in uniformSets: {
  name: name
}]

// A role's name is unique in the tenant, and a resource group's is not.
resource uniformReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (!empty(uniformSets)) {
  name: guid(group, 'nginx-vmss-sync', 'Uniform')
  properties: {
    roleName: 'nginx-vmss-sync Uniform reader (${uniqueString(group)})'
    description: 'Reads Uniform scale sets, their instances and the addresses of these.'
    type: 'CustomRole'
    assignableScopes: [
      group
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Compute/virtualMachineScaleSets/read'
          'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read'
          'Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read'
        ]
      }
    ]
  }
}

resource uniformAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, i) in uniformSets: {
  name: guid(group, name, principalId, 'Uniform')
  scope: sets[i]
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', uniformReader.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

resource flexibleReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (flexible) {
  name: guid(group, 'nginx-vmss-sync', 'Flexible')
  properties: {
    roleName: 'nginx-vmss-sync Flexible reader (${uniqueString(group)})'
    description: 'Reads Flexible scale sets, and virtual machines and network interfaces.'
    type: 'CustomRole'
    assignableScopes: [
      group
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Compute/virtualMachineScaleSets/read'
          'Microsoft.Compute/virtualMachines/read'
          'Microsoft.Network/networkInterfaces/read'
        ]
      }
    ]
  }
}

// The machines and interfaces of a Flexible set are no children of it: the group is their scope.
resource flexibleAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (flexible) {
  name: guid(group, principalId, 'Flexible')
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', flexibleReader.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
