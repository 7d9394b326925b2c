// Alert rules on what the host and the handler tell Application Insights.
// tests/it/infra/alerts.rs holds the queries against the log of a real handler.

param location string
param tags object
param name string
param applicationInsightsId string
param actionGroupIds string[]

@description('Minutes that every query looks back.')
param windowMinutes int

// Severity 1 = the upstreams are not kept up to date; 2 = somebody should look today.
var rules = [
  {
    name: 'no-pass'
    title: 'No timer pass has succeeded'
    description: 'The upstreams may be out of date. Look at the failed requests of ReconcileTimer, then run `nginx-vmss-sync check`.'
    severity: 1
    query: 'requests | where name == "ReconcileTimer" and tostring(success) =~ "true" | summarize count_ = count()'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'failed'
    title: 'Passes fail'
    description: 'Three or more passes had a failure. The log line of each failed upstream tells the reason.'
    severity: 2
    query: 'requests | where name in ("ReconcileTimer", "VmssScaleEvent", "Reconcile") and tostring(success) =~ "false" | summarize count_ = count()'
    operator: 'GreaterThanOrEqual'
    threshold: 3
  }
  {
    name: 'held'
    title: 'A change of an upstream is held'
    description: 'A change needs an explanation or a release. The log line of the upstream tells the reason and the digest that releases it.'
    severity: 2
    query: 'traces | where message contains " outcome=held " or message contains "\\"outcome\\":\\"held\\"" | summarize count_ = count()'
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
]

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${rule.title}'
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [
      applicationInsightsId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT${windowMinutes}M'
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: 'count_'
          timeAggregation: 'Total'
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // A new component has no tables yet.
    skipQueryValidation: true
    actions: {
      actionGroups: actionGroupIds
    }
  }
}]
