// Copy to main.bicepparam and replace the names.
using 'main.bicep'

param scaleSetGroups = [
  {
    resourceGroupName: 'my-resource-group'
    uniformSets: [
      'backend-one-vmss'
    ]
    flexibleSets: [
      'backend-two-vmss'
    ]
  }
]

param nginxDeployment = {
  name: 'my-nginxaas'
  resourceGroupName: 'my-nginxaas-group'
}

param configuration = {
  resource_group_name: 'my-resource-group'
  upstreams: [
    {
      name: 'backend-one'
      kind: 'http'
      port: 80
      virtual_machine_scale_set: 'backend-one-vmss'
    }
    {
      name: 'backend-two'
      kind: 'http'
      port: 80
      virtual_machine_scale_set: 'backend-two-vmss'
    }
  ]
}
