//! Finding things in a tree.

use super::{Call, Expr, ExprKind, File, Item, ItemKind, Part, Property, Resource};

impl Property {
    /// The name, where it is not computed.
    #[must_use]
    pub fn fixed_name(&self) -> Option<&str> {
        match self.name.as_slice() {
            [Part::Literal(name)] => Some(name),
            _ => None,
        }
    }
}

impl Expr {
    /// The text, where it is one without interpolation.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Text(parts) => match parts.as_slice() {
                [] => Some(""),
                [Part::Literal(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// The properties of the object inside loops and conditions.
    #[must_use]
    pub fn properties(&self) -> &[Property] {
        match &self.kind {
            ExprKind::Object(properties) => properties,
            ExprKind::For { body, .. } | ExprKind::If { body, .. } => body.properties(),
            _ => &[],
        }
    }

    /// The value of a property of the object inside loops and conditions.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Expr> {
        let mut properties = self.properties().iter();
        properties
            .find(|property| property.fixed_name() == Some(name))
            .map(|property| &property.value)
    }

    /// Every expression directly below this one.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        fn of_parts(parts: &[Part]) -> impl Iterator<Item = &Expr> {
            parts.iter().filter_map(|part| match part {
                Part::Value(value) => Some(value),
                Part::Literal(_) => None,
            })
        }
        match &self.kind {
            ExprKind::Text(parts) => of_parts(parts).collect(),
            ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Null | ExprKind::Name(_) => vec![],
            ExprKind::Member { object, .. } => vec![object],
            ExprKind::Index { object, index } => vec![object, index],
            ExprKind::Call(call) => call.arguments.iter().collect(),
            ExprKind::Lambda { body, .. } | ExprKind::Not(body) => vec![body],
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Ternary { condition, yes, no } => vec![condition, yes, no],
            ExprKind::Array(items) => items.iter().collect(),
            ExprKind::Object(properties) => properties
                .iter()
                .flat_map(|property| of_parts(&property.name).chain([&property.value]))
                .collect(),
            ExprKind::For { list, body, .. } => vec![list, body],
            ExprKind::If { condition, body } => vec![condition, body],
        }
    }
}

impl File {
    /// The declaration of a name.
    #[must_use]
    pub fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name == name)
    }

    /// The file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// A parameter with its declared type and default.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Item> {
        let mut items = self.items.iter();
        items.find(|item| item.name == name && matches!(item.kind, ItemKind::Param { .. }))
    }

    /// The parameters, in order.
    pub fn params(&self) -> impl Iterator<Item = &Item> {
        let is_param = |item: &&Item| matches!(item.kind, ItemKind::Param { .. });
        self.items.iter().filter(is_param)
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> impl Iterator<Item = &Item> {
        let is_output = |item: &&Item| matches!(item.kind, ItemKind::Output { .. });
        self.items.iter().filter(is_output)
    }

    /// An output's declaration.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Item> {
        self.outputs().find(|item| item.name == name)
    }

    /// The resources, in order.
    pub fn resources(&self) -> impl Iterator<Item = (&Item, &Resource)> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Resource(resource) => Some((item, resource)),
            _ => None,
        })
    }
}

impl Item {
    /// The text of `@description`.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        description(&self.decorators)
    }

    /// Whether it carries a decorator.
    #[must_use]
    pub fn is(&self, decorator: &str) -> bool {
        self.decorators.iter().any(|call| call.name == decorator)
    }
}

/// The text of `@description` among decorators.
#[must_use]
pub fn description(decorators: &[Call]) -> Option<&str> {
    let call = decorators.iter().find(|call| call.name == "description")?;
    call.arguments.first()?.text()
}
