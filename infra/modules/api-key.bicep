// One API key of the data plane of an NGINXaaS deployment. NGINXaaS wants 12 characters or more of
// three classes; it says itself that a UUID will do.

param deploymentName string
param keyName string

@secure()
param keyText string

@description('When the key expires, RFC 3339.')
param expires string

resource nginx 'Nginx.NginxPlus/nginxDeployments@2025-11-01' existing = {
  name: deploymentName
}

resource key 'Nginx.NginxPlus/nginxDeployments/apiKeys@2025-11-01' = {
  parent: nginx
  name: keyName
  properties: {
    secretText: keyText
    endDateTime: expires
  }
}
