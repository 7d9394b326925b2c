//! The type data.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Type data by resource type.
#[derive(Debug, Default)]
pub struct Schemas(BTreeMap<String, Schema>);

/// One resource type in its one api-version.
#[derive(Debug)]
pub struct Schema {
    /// The api-version.
    pub version: String,
    body: Value,
    named: BTreeMap<String, Value>,
}

/// A property as the data describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property<'s> {
    pub(super) name: &'s str,
    pub(super) of: &'s str,
    flags: &'s str,
}

impl Property<'_> {
    pub(super) fn is_required(self) -> bool {
        self.flags.contains("Required")
    }

    pub(super) fn is_read_only(self) -> bool {
        self.flags.contains("ReadOnly")
    }
}

/// An object type: plain, or one of several by the value of a property.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'s>(&'s Value);

impl<'s> Object<'s> {
    /// The property whose value chooses among several object types, where there are several.
    pub(super) fn discriminator(self) -> Option<&'s str> {
        self.0["discriminator"].as_str()
    }

    /// The properties; `chosen` is the value of the discriminator. None where no type has it.
    pub(super) fn properties(self, chosen: Option<&str>) -> Option<Vec<Property<'s>>> {
        let Some(discriminator) = self.discriminator() else {
            return Some(properties(&self.0["properties"]));
        };
        let mut elements = self.elements();
        let element = elements.find(|element| {
            let mut all = properties(&element["properties"]).into_iter();
            all.any(|property| property.name == discriminator && Some(property.of) == chosen)
        })?;
        let mut all = properties(&self.0["baseProperties"]);
        all.extend(properties(&element["properties"]));
        Some(all)
    }

    /// The properties of all its types together.
    fn any(self) -> Vec<Property<'s>> {
        let mut all = properties(&self.0["properties"]);
        all.extend(properties(&self.0["baseProperties"]));
        all.extend(
            self.elements()
                .flat_map(|element| properties(&element["properties"])),
        );
        all
    }

    fn elements(self) -> impl Iterator<Item = &'s Value> {
        self.0["elements"].as_array().into_iter().flatten()
    }

    /// The type of properties with any name.
    pub(super) fn additional(self) -> Option<&'s str> {
        self.0["additionalPropertiesType"].as_str()
    }
}

fn properties(list: &Value) -> Vec<Property<'_>> {
    let all = list.as_array().into_iter().flatten();
    all.map(|property| Property {
        name: property["name"].as_str().unwrap_or_default(),
        of: property["type"].as_str().unwrap_or_default(),
        flags: property["flags"].as_str().unwrap_or_default(),
    })
    .collect()
}

impl Schema {
    pub(super) fn body(&self) -> Object<'_> {
        Object(&self.body)
    }

    pub(super) fn object(&self, name: &str) -> Option<Object<'_>> {
        self.named.get(name).map(Object)
    }

    /// Whether there is such a property, by its path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let mut object = self.body();
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(property) = object.any().into_iter().find(|other| other.name == name) else {
                return object.additional().is_some();
            };
            match self.object(property.of) {
                Some(inner) => object = inner,
                None => return names.peek().is_none(),
            }
        }
        true
    }
}

impl Schemas {
    /// The data of a type, which Azure names in any case.
    #[must_use]
    pub fn get(&self, of: &str) -> Option<&Schema> {
        self.0.get(&of.to_lowercase())
    }

    pub(super) fn load(&mut self, directory: &Path) -> Result<(), String> {
        let entries = std::fs::read_dir(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|end| end == "json") {
                let failed = |error: String| format!("{}: {error}", path.display());
                let text = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
                let data: Value =
                    serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
                self.add(&data).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, data: &Value) -> Result<(), String> {
        let entries = data["results"]["BicepSchemaResult"].as_array();
        let entries = entries.ok_or("no type data")?;
        let mut schema = None;
        let mut named = BTreeMap::new();
        for entry in entries {
            let name = entry["name"].as_str().unwrap_or_default();
            match entry["$type"].as_str() {
                Some("Resource") => {
                    let (of, version) = name.split_once('@').ok_or("a resource without version")?;
                    schema = Some((
                        of.to_lowercase(),
                        version.to_owned(),
                        entry["bodyType"].clone(),
                    ));
                }
                Some("Object" | "DiscriminatedObject") => {
                    named.insert(name.to_owned(), entry.clone());
                }
                _ => {}
            }
        }
        let (of, version, body) = schema.ok_or("no resource")?;
        let schema = Schema {
            version,
            body,
            named,
        };
        match self.0.insert(of.clone(), schema) {
            None => Ok(()),
            Some(_) => Err(format!("{of} twice")),
        }
    }
}
