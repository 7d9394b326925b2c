// Microsoft's own Kusto parser reads the queries of a document: syntax, names and types.
//
//   NODE_PATH=.../node_modules node tests/judges/queries.js docs/observability.md
//
// A query that begins with `lines` is read once behind each definition of it.

'use strict';

const fs = require('fs');
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { KustoCode, GlobalState, Diagnostic, Symbols } = Kusto.Language;

// The columns of Application Insights' tables that the queries may use.
const TABLES = {
  traces: 'timestamp:datetime, message:string, severityLevel:int, customDimensions:dynamic, operation_Id:string',
  requests:
    'timestamp:datetime, id:string, name:string, success:string, resultCode:string, duration:real, ' +
    'customDimensions:dynamic, operation_Id:string',
};
const FEWEST_QUERIES = 7;

const tables = Object.entries(TABLES).map(([name, columns]) =>
  Symbols.TableSymbol.From(`(${columns})`).WithName(name));
const database = new Symbols.DatabaseSymbol.$ctor1('resource', tables);
const globals = GlobalState.Default.WithDatabase(database);

function problems(query) {
  const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return System.Linq.Enumerable.from(found, Diagnostic).ToArray()
    .map((problem) => `${problem.Message} (${query.substr(problem.Start, problem.Length)})`);
}

const document = fs.readFileSync(process.argv[2], 'utf8');
const blocks = [...document.matchAll(/```kusto\n([\s\S]*?)```/g)].map(([, block]) => block);
const definitions = blocks.filter((block) => block.startsWith('let lines'));
const queries = blocks.flatMap((block) => {
  if (block.startsWith('let lines')) return [`${block}lines | take 1`];
  return block.startsWith('lines') ? definitions.map((definition) => definition + block) : [block];
});

let failed = false;
// A parser that finds fault with nothing is no judge.
for (const wrong of ['traces | where nonsense == 1', 'traces | wher timestamp > ago(1d)']) {
  if (problems(wrong).length === 0) {
    failed = true;
    console.error(`the parser accepts: ${wrong}`);
  }
}
for (const query of queries) {
  for (const problem of problems(query)) {
    failed = true;
    console.error(`${problem}\nin\n${query}`);
  }
}
if (blocks.length < FEWEST_QUERIES || definitions.length !== 2) {
  failed = true;
  console.error(`${blocks.length} queries and ${definitions.length} definitions of \`lines\` were found`);
}
if (failed) process.exit(1);
console.log(`${queries.length} queries are sound`);
