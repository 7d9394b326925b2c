// The vault that holds the API key. Access is by Azure roles only.

param location string
param tags object

@description('Name of the vault: 3 to 24 letters, digits and hyphens.')
param name string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
  }
}
