//! A Bicep file as a tree.

use std::path::PathBuf;

use crate::problem::Place;

/// A file: a template (`.bicep`) or the parameters of one (`.bicepparam`).
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// The template that a parameters file is for.
    pub using: Option<String>,
    /// What it declares, in order.
    pub items: Vec<Item>,
}

/// One declaration with its decorators.
#[derive(Debug, Clone)]
pub struct Item {
    /// Where it begins.
    pub place: Place,
    /// The declared name; empty for an import and for the target scope.
    pub name: String,
    /// `@description('...')` and the like, as calls.
    pub decorators: Vec<Call>,
    /// What is declared.
    pub kind: ItemKind,
}

/// What is declared.
#[derive(Debug, Clone)]
pub enum ItemKind {
    /// `targetScope = '...'`.
    TargetScope(String),
    /// `import { a, b } from '...'`.
    Import {
        /// The names.
        names: Vec<String>,
        /// The file.
        from: String,
    },
    /// `param name type = default`; in a parameters file an assignment, without a type.
    Param {
        /// The declared type.
        of: Option<Type>,
        /// The default, or the value assigned.
        value: Option<Expr>,
    },
    /// `var name = value`.
    Var(Expr),
    /// `type name = ...`.
    Type(Type),
    /// `resource name 'type@version' = ...`.
    Resource(Resource),
    /// `module name 'path' = ...`.
    Module {
        /// The path, relative to the file.
        path: String,
        /// An object, or a loop or condition around one.
        body: Expr,
    },
    /// `output name type = value`.
    Output {
        /// The declared type.
        of: Type,
        /// The value.
        value: Expr,
    },
}

/// A resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The type without the version, e.g. `Microsoft.Web/sites`.
    pub of: String,
    /// The api-version.
    pub version: String,
    /// Whether it is only referred to.
    pub existing: bool,
    /// An object, or a loop or condition around one.
    pub body: Expr,
}

/// A type expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// `string`, `int`, `bool`, `object`, `array`, or a declared type.
    Named(String),
    /// `'text'`.
    Text(String),
    /// `1`.
    Number(i64),
    /// `a | b`.
    Union(Vec<Type>),
    /// `a[]`.
    Array(Box<Type>),
    /// `a?`.
    Nullable(Box<Type>),
    /// `{ ... }`.
    Object(Vec<Field>),
}

/// One property of an object type.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: Type,
    /// Its decorators.
    pub decorators: Vec<Call>,
}

/// An expression and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: ExprKind,
}

/// A function call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Where it begins.
    pub place: Place,
    /// The function's name.
    pub name: String,
    /// The arguments.
    pub arguments: Vec<Expr>,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `'a${b}c'`.
    Text(Vec<Part>),
    /// `1`.
    Number(i64),
    /// `true`.
    Bool(bool),
    /// `null`.
    Null,
    /// A symbol.
    Name(String),
    /// `object.name`, `object.?name`, `object!.name`.
    Member {
        /// The object.
        object: Box<Expr>,
        /// The property.
        name: String,
        /// Whether it is `.?`.
        safe: bool,
    },
    /// `object[index]`.
    Index {
        /// The object.
        object: Box<Expr>,
        /// The index.
        index: Box<Expr>,
    },
    /// `name(arguments)`.
    Call(Call),
    /// `name => body`.
    Lambda {
        /// The parameter.
        name: String,
        /// The body.
        body: Box<Expr>,
    },
    /// `left op right`.
    Binary {
        /// The operator.
        operator: String,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// `!a`.
    Not(Box<Expr>),
    /// `condition ? yes : no`.
    Ternary {
        /// The condition.
        condition: Box<Expr>,
        /// If it holds.
        yes: Box<Expr>,
        /// If not.
        no: Box<Expr>,
    },
    /// `[ ... ]`.
    Array(Vec<Expr>),
    /// `{ ... }`.
    Object(Vec<Property>),
    /// `[for item in list: body]`, `[for (item, index) in list: body]`.
    For {
        /// The item's name.
        item: String,
        /// The index's name.
        index: Option<String>,
        /// The list.
        list: Box<Expr>,
        /// The body.
        body: Box<Expr>,
    },
    /// `if (condition) body`, around the body of a resource or module.
    If {
        /// The condition.
        condition: Box<Expr>,
        /// The body.
        body: Box<Expr>,
    },
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Characters, escapes resolved.
    Literal(String),
    /// `${...}`.
    Value(Expr),
}

/// One property of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Where it begins.
    pub place: Place,
    /// Its name; more than one literal part where the name is computed.
    pub name: Vec<Part>,
    /// Its value.
    pub value: Expr,
}

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
