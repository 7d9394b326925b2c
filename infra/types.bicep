// What the parameters of main.bicep are made of.

@export()
@description('One resource group with scale sets whose instances become servers. It gets the custom roles and the system topic.')
type scaleSetGroup = {
  @description('Name of the resource group; it exists.')
  @minLength(1)
  @maxLength(90)
  resourceGroupName: string

  @description('Subscription of the resource group. Default: the subscription of the deployment.')
  @minLength(36)
  @maxLength(36)
  subscriptionId: string?

  @description('Names of the scale sets with Uniform orchestration. The identity may read each of these sets.')
  uniformSets: string[]?

  @description('Names of the scale sets with Flexible orchestration. Their machines and interfaces stand beside the set, so the identity may read those of the whole resource group.')
  flexibleSets: string[]?

  @description('System topic that the resource group already has: Azure allows one. Default: one is made.')
  existingSystemTopic: existingTopic?
}

@export()
@description('A system topic that exists.')
type existingTopic = {
  @description('Name of the topic, in the resource group of its source.')
  @minLength(3)
  @maxLength(128)
  name: string

  @description('Object id of the system-assigned identity of the topic. Without it no dead letters are kept.')
  @minLength(36)
  @maxLength(36)
  principalId: string?
}

@export()
@description('An NGINXaaS deployment that exists.')
type nginxDeploymentReference = {
  @description('Name of the deployment.')
  @minLength(1)
  @maxLength(30)
  name: string

  @description('Its resource group. Default: the resource group of this deployment.')
  resourceGroupName: string?

  @description('Its subscription. Default: the subscription of this deployment.')
  subscriptionId: string?
}

@export()
@description('A Key Vault that exists and uses Azure RBAC.')
type keyVaultReference = {
  @description('Name of the vault.')
  @minLength(3)
  @maxLength(24)
  name: string

  @description('Its resource group. Default: the resource group of this deployment.')
  resourceGroupName: string?

  @description('Its subscription. Default: the subscription of this deployment.')
  subscriptionId: string?

  @description('System topic that the vault already has: Azure allows one. Default: one is made where alerts are deployed.')
  existingSystemTopicName: string?
}

@export()
@description('The configuration of nginx-vmss-sync. Its keys are those of the README, each with the same meaning.')
type syncConfiguration = {
  @description('Azure, any case.')
  cloud_provider: string?

  @description('Default: the cloud of the deployment.')
  cloud: ('AzurePublic' | 'AzureUSGovernment' | 'AzureChina')?

  @description('https URL used instead of the Resource Manager endpoint of the cloud.')
  resource_manager_endpoint: string?

  @description('What the Resource Manager token is asked for.')
  resource_manager_audience: string?

  @description('Subscription of the scale sets. Default: the subscription of the deployment.')
  subscription_id: string?

  @description('Resource group of the scale sets. Default: the resource group of the deployment.')
  resource_group_name: string?

  @description('Data-plane endpoint with its suffix. Default: that of nginxDeployment.')
  api_endpoint: string?

  @description('Allow plain http to api_endpoint.')
  allow_insecure_endpoint: bool?

  @description('Key Vault secret id. Default: apiKeySecretName in the vault of the deployment.')
  api_key_secret: string?

  @description('Headers sent on every NGINX call; not Authorization, since the key comes from Key Vault.')
  custom_headers: object?

  @description('For sync --watch only; the function app does not use it.')
  sync_interval: string?

  @description('The upstreams.')
  @minLength(1)
  upstreams: syncUpstream[]
}

@export()
@description('One upstream and the scale set that feeds it.')
type syncUpstream = {
  @description('Name of the upstream in the NGINX configuration.')
  @minLength(1)
  name: string

  @description('Which of the two proxies the upstream belongs to.')
  kind: 'http' | 'stream'

  @description('Port the instances serve on.')
  @minValue(1)
  @maxValue(65535)
  port: int

  @description('Name of the scale set.')
  @minLength(1)
  virtual_machine_scale_set: string

  @description('Subscription of this scale set.')
  subscription_id: string?

  @description('Resource group of this scale set.')
  resource_group_name: string?

  @description('Connections per server; 0 = no limit.')
  @minValue(0)
  max_conns: int?

  @description('Failures before a server counts as unavailable; 0 = never.')
  @minValue(0)
  max_fails: int?

  @description('NGINX time, whole seconds, e.g. 10s.')
  fail_timeout: string?

  @description('NGINX time, e.g. 30s.')
  slow_start: string?

  @description('Weight; left as it is in NGINX where it is not set.')
  @minValue(1)
  @maxValue(65535)
  weight: int?

  @description('Backup server; left as it is in NGINX where it is not set.')
  backup: bool?

  @description('Above this share, a removal needs an explanation.')
  @minValue(0)
  @maxValue(100)
  max_removal_percent: int?

  @description('http: how long a leaving instance that still has connections may drain.')
  drain_timeout: string?

  @description('Add an instance as soon as it has an address.')
  add_before_running: bool?

  @description('Add only what the Application Health extension calls healthy.')
  require_healthy: bool?

  @description('exclusive: servers that no instance explains are removed; scoped: only those in networks.')
  ownership: ('exclusive' | 'scoped')?

  @description('CIDRs: the scope of scoped, and addresses allowed besides the private ranges.')
  networks: string[]?

  @description('sync, upsert_only (never remove) or paused (frozen, still reported).')
  policy: ('sync' | 'upsert_only' | 'paused')?
}
