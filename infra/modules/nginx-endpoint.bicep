// Where the NGINX Plus API of an NGINXaaS deployment is.

param deploymentName string

resource nginx 'Nginx.NginxPlus/nginxDeployments@2025-11-01' existing = {
  name: deploymentName
}

@description('The data-plane endpoint with the suffix of the NGINX Plus API.')
output apiEndpoint string = endsWith(nginx.properties.dataplaneApiEndpoint, '/') ? '${nginx.properties.dataplaneApiEndpoint}nplus' : '${nginx.properties.dataplaneApiEndpoint}/nplus'
