//! A Bicep file as a tree.

mod find;

use std::path::PathBuf;

pub use find::description;

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
