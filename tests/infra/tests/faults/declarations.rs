//! Names, types, defaults and parameters.

use super::{assert_among, assert_found};

#[test]
fn symbols_and_functions_that_do_not_exist() {
    for (from, to, expected) in [
        ("key: made", "key: maid", "`maid`"),
        ("!empty(name)", "!empty(nam)", "there is no `nam`"),
        ("'${name}${i}'", "'${name}${j}'", "`j`"),
        (
            "uniqueString(",
            "uniqueStrin(",
            "there is no function `uniqueStrin`",
        ),
        (
            "!empty(name)",
            "!empty(name, i)",
            "does not take 2 arguments",
        ),
        ("parent: store", "parent: shop", "shop"),
        ("    box\n", "    bx\n", "names no resource"),
    ] {
        assert_among("main.bicep", from, to, expected);
    }
}

#[test]
fn what_is_declared_twice_or_for_nothing() {
    let twice = "param size int = 1\nparam size int = 2";
    assert_found("main.bicep", "param size int = 1", twice, "declared twice");
    assert_found("part.bicep", "${level}", "", "`level` is not used");
    assert_found(
        "main.bicep",
        "var prefix",
        "var idle = 1\nvar prefix",
        "`idle` is not used",
    );
}

#[test]
fn types_that_do_not_exist_or_are_not_exported() {
    assert_found(
        "part.bicep",
        "level int",
        "level integer",
        "there is no type `integer`",
    );
    assert_found(
        "types.bicep",
        "zone: string?",
        "zone: strin?",
        "there is no type `strin`",
    );
    let hidden = "import { hidden, place }";
    assert_among(
        "main.bicep",
        "import { place }",
        hidden,
        "exports no `hidden`",
    );
    assert_among(
        "main.bicep",
        "from 'types.bicep'",
        "from 'typ.bicep'",
        "there is no file",
    );
}

#[test]
fn properties_that_a_type_does_not_have_or_that_may_be_missing() {
    assert_found(
        "main.bicep",
        "where.region",
        "where.regio",
        "there is no property `regio`",
    );
    assert_found("main.bicep", "other.?region", "other.region", "may be null");
    assert_among("main.bicep", "where.region", "size.region", "no object");
}

#[test]
fn functions_and_symbols_that_belong_into_defaults_only_or_never_there() {
    let key = "key: '${made}${utcNow()}'";
    assert_found("main.bicep", "key: made", key, "only stand in the default");
    assert_among(
        "main.bicep",
        "key: made",
        "key: newGuid()",
        "only stand in the default",
    );
    assert_found(
        "main.bicep",
        "param size int = 1",
        "param size int = prefix",
        "cannot refer",
    );
}

#[test]
fn parameters_files_that_do_not_fit_their_template() {
    let file = "main.bicepparam";
    assert_found(
        file,
        "param names = [\n  'one'\n]\n",
        "",
        "`names` is missing",
    );
    assert_among(file, "param where", "param were", "no parameter `were`");
    assert_among(file, "param where", "param were", "`where` is missing");
    assert_found(
        file,
        "  region: 'west'\n",
        "  region: 'west-europe'\n",
        "@maxLength(5)",
    );
    assert_found(
        file,
        "  region: 'west'\n",
        "  region: 'west'\n  zoone: '1'\n",
        "`zoone`",
    );
    assert_found(file, "  'one'\n", "  1\n", "is not");
    assert_found(file, "  'one'\n", "", "@minLength(1)");
    assert_found(
        file,
        "using 'main.bicep'",
        "using 'man.bicep'",
        "there is no template",
    );
}
