// The API key in the vault, as a new version that expires together with the key.

param vaultName string
param secretName string

@secure()
param keyText string

@description('When the key expires, RFC 3339.')
param expires string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: secretName
  properties: {
    value: keyText
    contentType: 'NGINXaaS data-plane API key'
    attributes: {
      enabled: true
      exp: dateTimeToEpoch(expires)
    }
  }
}
