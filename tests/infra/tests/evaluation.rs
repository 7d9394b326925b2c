//! Values as Bicep defines them: precedence, null, loops, conditions, functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use std::collections::BTreeMap;

use bicep::Project;
use bicep::evaluate::{Azure, deploy_module};
use serde_json::{Value, json};

fn azure() -> Azure {
    Azure {
        cloud: "AzureCloud".to_owned(),
        subscription: "s".to_owned(),
        group: "g".to_owned(),
        known: BTreeMap::new(),
    }
}

fn outputs(text: &str, given: &Value) -> Result<Value, String> {
    let project = Project::from_texts(&[("main.bicep", text)]).expect("no fault");
    let given = given.as_object().unwrap();
    deploy_module(&project, "main.bicep", given, &azure()).map(|made| made.outputs.into())
}

/// The value of an expression over some parameters.
fn value(expr: &str) -> Value {
    let text = format!(
        "param o object = {{}}\nparam n object?\n\
         @description('after a nullable type the grammar wants a decorator')\n\
         param list array = [1, 2, 3]\nparam t bool = true\n\
         output all array = [o, n, list, t]\noutput value array = [\n  ({expr})\n]\n"
    );
    let given = json!({ "o": { "a": { "b": "ab" }, "z": null, "k": 5 } });
    let all = outputs(&text, &given).unwrap_or_else(|error| panic!("{expr}: {error}"));
    all["value"][0].clone()
}

#[test]
fn operators_bind_as_bicep_says_and_not_as_the_grammar_reads() {
    for (expr, expected) in [
        ("n.?x ?? o.?a.?b ?? 'none'", json!("ab")),
        ("n.?x ?? o.?y ?? 'none'", json!("none")),
        ("n.?x ?? (o.?y ?? 'none')", json!("none")),
        ("t || o.?a == null", json!(true)),
        ("!t || o.?a.?b == 'ab' && t", json!(true)),
        ("t && !t || t", json!(true)),
        ("!empty(list) && length(list) > 2", json!(true)),
        ("(t ? 1 : 2) == 1", json!(true)),
        ("t ? !t ? 1 : 2 : 3", json!(2)),
        // `==` binds tighter than `??`.
        ("o.?z ?? o.k == 5", json!(true)),
        ("(o.?z ?? o.k) == 5", json!(true)),
        ("o['a'].b", json!("ab")),
        ("map(list, x => o.?y ?? x)[1]", json!(2)),
        ("map(list, x => '${x}-${o.?a.?b ?? x}')[0]", json!("1-ab")),
        ("filter(list, x => x != 2 && x > 1)", json!([3])),
        (
            "flatten(map(list, x => map(list, y => '${x}${y}')))[4]",
            json!("22"),
        ),
    ] {
        assert_eq!(value(expr), expected, "{expr}");
    }
}

#[test]
fn functions_do_what_their_names_say() {
    for (expr, expected) in [
        ("union(o, { a: { c: 1 } }).a", json!({ "b": "ab", "c": 1 })),
        ("union({ l: [1] }, { l: [2] }).l", json!([2])),
        (
            "string({ a: [1, true, null] })",
            json!(r#"{"a":[1,true,null]}"#),
        ),
        ("string('x')", json!("x")),
        ("concat(list, [4])", json!([1, 2, 3, 4])),
        ("concat('a', 'b')", json!("ab")),
        ("toLower('AbC')", json!("abc")),
        ("contains(list, 2)", json!(true)),
        ("contains(o, 'a')", json!(true)),
        ("endsWith('https://x/', '/')", json!(true)),
        ("empty('')", json!(true)),
        ("empty(o)", json!(false)),
        ("'a\\'b\\\\c\\${d}'", json!("a'b\\c${d}")),
        (
            "resourceGroup().id",
            json!("/subscriptions/s/resourceGroups/g"),
        ),
    ] {
        assert_eq!(value(expr), expected, "{expr}");
    }
    let differ = value("map(['a', 'b', 'a'], x => guid(x))");
    assert_eq!(differ[0], differ[2]);
    assert_ne!(differ[0], differ[1]);
    assert_eq!(value("uniqueString('a')").as_str().unwrap().len(), 13);
}

#[test]
fn what_is_not_there_is_an_error_and_not_null() {
    for expr in ["n.x", "o.y", "o.a.b.c", "list[3]", "o['y']"] {
        let text = format!(
            "param o object\nparam n object?\n@secure()\nparam list array\noutput v bool = {expr} == null\n"
        );
        let given = json!({ "o": { "a": { "b": "ab" } }, "list": [1, 2, 3] });
        assert!(outputs(&text, &given).is_err(), "{expr}");
    }
}

#[test]
fn a_circle_is_an_error() {
    let text = "var a = b\nvar b = [a]\noutput c array = b\n";
    let error = outputs(text, &json!({})).unwrap_err();
    assert!(error.contains("depends on itself"), "{error}");
}

#[test]
fn resources_in_loops_and_conditions_have_their_ids_and_only_some_are_made() {
    let text = "
param names array
param wanted bool

resource a 'P/as@1' = [for (name, i) in names: if (name != 'no') {
  name: '${name}${i}'
  properties: {
    next: wanted ? d!.properties.told : null
  }
}]

resource b 'P/as/bs@1' = {
  parent: a[0]
  name: 'b'
}

resource c 'P/cs@1' = if (wanted) {
  name: 'c'
  scope: b
}

resource d 'P/ds@1' = if (wanted) {
  name: 'd'
}

output ids array = [(a[0].id), (a[1].id), b.id, c.id]
output told string = wanted ? c!.properties.told : 'nothing'
";
    let project = Project::from_texts(&[("main.bicep", text)]).unwrap();
    for wanted in [true, false] {
        let given = json!({ "names": ["yes", "no"], "wanted": wanted });
        let made = deploy_module(&project, "main.bicep", given.as_object().unwrap(), &azure());
        let made = made.unwrap();
        let group = "/subscriptions/s/resourceGroups/g/providers/P";
        let b = format!("{group}/as/yes0/bs/b");
        let c = format!("{b}/providers/P/cs/c");
        let ids = json!([format!("{group}/as/yes0"), format!("{group}/as/no1"), b, c]);
        assert_eq!(made.outputs["ids"], ids);
        let mut expected = vec![format!("{group}/as/yes0"), b.clone()];
        if wanted {
            expected.extend([c.clone(), format!("{group}/ds/d")]);
        }
        let mut found: Vec<String> = made.resources.iter().map(|one| one.id.clone()).collect();
        found.sort();
        assert_eq!(found, expected);
        let told = format!("<properties.told of {c}>");
        let expected = if wanted { told.as_str() } else { "nothing" };
        assert_eq!(made.outputs["told"], expected);
        let a = made.of("P/as").next().unwrap();
        assert_eq!(a.body["properties"].get("next").is_some(), wanted);
    }
}

#[test]
fn modules_take_typed_parameters_and_two_of_one_name_in_one_place_are_refused() {
    let part = "
@maxLength(3)
param word string
param group object = resourceGroup()
output said string = '${word}@${group.name}'
";
    let main = |first: &str, second: &str, word: &str| {
        format!(
            "
module a 'part.bicep' = {{
  name: '{first}'
  scope: resourceGroup('elsewhere')
  params: {{
    word: '{word}'
  }}
}}

module b 'part.bicep' = {{
  name: '{second}'
  scope: resourceGroup('elsewhere')
  params: {{
    word: 'b'
  }}
}}

output said array = [a.outputs.said, b.outputs.said]
"
        )
    };
    let run = |text: &str| {
        let files = [("main.bicep", text), ("part.bicep", part)];
        let project = Project::from_texts(&files).unwrap();
        let given = serde_json::Map::new();
        deploy_module(&project, "main.bicep", &given, &azure()).map(|made| made.outputs)
    };
    let said = run(&main("x", "y", "a")).unwrap();
    assert_eq!(said["said"], json!(["a@elsewhere", "b@elsewhere"]));
    let error = run(&main("x", "x", "a")).unwrap_err();
    assert!(error.contains("deployment name"), "{error}");
    let error = run(&main("x", "y", "long")).unwrap_err();
    assert!(error.contains("@maxLength(3)"), "{error}");
}
