"""Reading: values, places, bounds; and every attack's first line."""

import io
import math
import sys

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.source import read, scalars
from layerctl.source.document import Mapping, Sequence
from layerctl.source.read import load, loads


def first_lines(action, *args):
    with pytest.raises(LayerctlError) as caught:
        action(*args)
    return [d.first_line() for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("+3", 3), ("0o17", 15), ("0x1F", 31), ("0", 0), ("9" * 30, int("9" * 30)),
        ("1e-3", 1e-3), ("1E5", 1e5), (".5", 0.5), ("1.", 1.0), ("-2.5e+3", -2500.0), ("1e3", 1000.0),
        ("-.inf", -math.inf), (".Inf", math.inf), ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("on", "on"), ("no", "no"), ("yes", "yes"), ("Off", "Off"), ("12:30", "12:30"), ("12:30:45", "12:30:45"),
        ("1_000", "1_000"), ("2024-01-02", "2024-01-02"), ("inf", "inf"), ("nan", "nan"), ("1e", "1e"), ("0b1", "0b1"),
        ("١٢", "١٢"), ("1.2.3", "1.2.3"), ("=", "="), ("-", "-"), (".", "."), ("tRue", "tRue"), ("None", "None"),
    ],
)  # fmt: skip
def test_plain_scalars(text, value):
    assert type(scalars.resolve(text)) is type(value)
    assert scalars.resolve(text) == value


def test_nan_and_quoted_text():
    root = loads("a: .nan\nb: '1'\nc: \"true\"\nd: |\n  5\ne: >\n  6\n").plain()
    assert math.isnan(root["a"])
    assert (root["b"], root["c"], root["d"], root["e"]) == ("1", "true", "5\n", "6\n")


def test_nodes_know_paths_places_and_styles():
    document = loads("model:\n  - Dense: {units: 64, name: 'x'}\n    name: a\nvars: [1, \"b\"]\n", "m.yaml")
    root = document.root
    assert isinstance(root, Mapping)
    dense = root.get("model").items[0].get("Dense")
    assert dense.path == ("model", 0, "Dense")
    assert dense.get("units").path == ("model", 0, "Dense", "units")
    assert str(dense.get("units").span) == "m.yaml:2:20"
    assert str(dense.key("name").span) == "m.yaml:2:24"
    assert [dense.get("name").style, root.get("vars").items[1].style, dense.get("units").style] == ["'", '"', "plain"]
    assert (root.span.line, root.span.end_line, root.span.end_column) == (1, 4, 15)
    block = root.get("model")
    assert (block.span.line, block.span.column, block.span.end_line, block.span.end_column) == (2, 3, 3, 12)
    assert [key.value for key, _ in root] == ["model", "vars"]
    assert "model" in root and "modle" not in root and root.get("modle") is None and len(root) == 2
    with pytest.raises(KeyError):
        root.key("modle")
    assert isinstance(root.get("vars"), Sequence) and len(root.get("vars")) == 2


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("model", 0, "Dense", "units"), "t:2:20"),
        (("model", 0, "Dense", "missing"), "t:2:5"),
        (("model", 0, "tag-of-a-union", "Dense", "units"), "t:2:20"),
        (("model", 0, "missing"), "t:2:5"),
        (("model", 9), "t:1:1"),
        (("missing",), "t:1:1"),
        (("model", 0, "Dense", "units", "int"), "t:2:20"),
        ((), "t:1:1"),
    ],
)
def test_the_place_of_a_path(path, place):
    assert str(loads("model:\n  - Dense: {units: 3}\n", "t").span_at(path)) == place


def test_aliases_are_copied_with_their_own_paths():
    document = loads("a: &x {k: [1, 2]}\nb: *x\nc: [*x]\nd: &n name\n*n : 5\n")
    assert document.plain() == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": [{"k": [1, 2]}], "d": "name", "name": 5}
    assert document.node_at(("c", 0, "k", 1)).path == ("c", 0, "k", 1)
    assert document.node_at(("b", "k")).span.line == 1


def test_number_keys_are_text():
    assert loads("{0: 1.0, 1.5: 2, '2': 3}").plain() == {"0": 1.0, "1.5": 2, "2": 3}


def test_the_pure_parser_builds_the_same(monkeypatch):
    text = "a: &x {k: [1, 'é', {b: ~}]}\nb: *x\nc: |\n  text\n  more\n"
    with_c = loads(text)
    monkeypatch.setattr(read, "_Parser", read._PureParser)
    pure = loads(text)
    assert pure.plain() == with_c.plain()
    for path in (("a", "k", 1), ("b",), ("c",), ()):
        assert str(pure.span_at(path)) == str(with_c.span_at(path))
    for bad in ("a: [1\nb: 2\n", "a:\n\tb: 1\n", "a:\n  b: 1\n c: 2\n", "a: @x\n", "a: b: c\n", "a: 'x\n"):
        monkeypatch.setattr(read, "_Parser", read._PureParser)
        by_pure = first_lines(loads, bad)
        monkeypatch.undo()
        assert by_pure == first_lines(loads, bad)


ERRORS = {
    "a: [1, 2\nb: 3\n": "1:4: error: '[' is not closed, expected ']' [yaml-unclosed]",
    "a: {b: 1\nc: 2\n": "1:4: error: '{' is not closed, expected '}' [yaml-unclosed]",
    "a: 'x\n": "1:4: error: the quote ' is not closed [yaml-unclosed]",
    "a: [1, 2]]\n": "1:10: error: ']' closes nothing [yaml-unclosed]",
    "{a: 1}}": "1:7: error: '}' closes nothing [yaml-unclosed]",
    "a: {b: x, c: [1}\n": "1:16: error: '}' closes '[', expected ']' [yaml-unclosed]",
    "a:\n  b: 1\n c: 2\n": "3:2: error: an indentation of 1 space, expected 0 or 2 [yaml-indentation]",
    "model:\n- Dense: 2\n  name: x\n - Dense: 3\n":
        "4:2: error: an indentation of 1 space, expected 0 or 2 [yaml-indentation]",
    "a: x\n  b: 1\n": "2:3: error: a key under line 1, which already has a value [yaml-indentation]",
    "- a\nb: 1\n": "2:1: error: a key beside the items of a list, expected '- ' [yaml-indentation]",
    "b: 1\n- a\n": "2:1: error: an item '- ' beside the keys of a mapping, expected a key [yaml-indentation]",
    "a:\n\tb: 1\n": "2:1: error: a tab in the indentation, expected spaces [yaml-tab]",
    "a: b: c\n": "1:5: error: a second ': ' in one value [yaml-colon]",
    "call: lambda x: x * 2\n": "1:15: error: a second ': ' in one value [yaml-colon]",
    "a:1\nb: 2\n": "1:1: error: 'a:1' is one word, expected a space after ':' [yaml-colon]",
    "a: {b:1}\n": "1:5: error: 'b:1' is one word, expected a space after ':' [yaml-colon]",
    "a\nb: 1\n": "1:1: error: no ':' after 'a' [yaml-colon]",
    "a: 1\nfoo\nbar: 2\n": "2:1: error: no ':' after 'foo' [yaml-colon]",
    "a: @x\n": "1:4: error: a value cannot start with '@' unless it is quoted [yaml-unquoted]",
    "a: %x\n": "1:4: error: a value cannot start with '%' unless it is quoted [yaml-unquoted]",
    "a: `x`\n": "1:4: error: a value cannot start with '`' unless it is quoted [yaml-unquoted]",
    "%x\n": "1:1: error: a line cannot start with '%' unless it is quoted [yaml-unquoted]",
    "a: {b: ${x}}\n": "1:8: error: '${x}' stands inside '{…}' without quotes [yaml-unquoted]",
    "a: [1, ${x}]\n": "1:8: error: '${x}' stands inside '[…]' without quotes [yaml-unquoted]",
    "a: {{b}}\n": "1:5: error: '{{' opens a mapping inside a mapping, expected a value [yaml-unquoted]",
    "a: {total: total + sum(x, axis=0)}\n":
        "1:12: error: 'total + sum(x' is cut at its comma, which ends a value inside braces [yaml-unquoted]",
    "a: {c: f(x[:, 0])}\n": "1:11: error: '[' inside a value, where '{…}' expects ',' or '}' [yaml-unquoted]",
    'a: "x" y\n': "1:8: error: 'y' after a value that is complete [yaml-unquoted]",
    "a: 1\nb: *\n": "2:4: error: '*' begins an alias and needs a name [yaml-unquoted]",
    'a: "x\\q"\n': "1:6: error: '\\q' is no escape of YAML's double quotes [yaml-escape]",
    "a: > x\n": "1:6: error: text after '>', which begins a text on the lines below [yaml-syntax]",
    "a: ['x' y]\n": "1:9: error: expected ',' or ']' before 'y]' [yaml-syntax]",
    "a: [,1]\n": "1:5: error: a ',' without a value before it [yaml-syntax]",
    "a: !!python/object/apply:os.system [ls]\n":
        "1:4: error: the tag '!!python/object/apply:os.system' is not taken, expected a plain value [yaml-tag]",
    "a: !x 1\n": "1:4: error: the tag '!x' is not taken, expected a plain value [yaml-tag]",
    "a: !e!x 1\n": "1:4: error: a tag ('!…') is not taken, expected a plain value [yaml-tag]",
    "b: &a {c: 1}\nd:\n  <<: *a\n":
        "3:3: error: the merge key '<<' is not taken, expected the keys themselves [yaml-merge-key]",
    "- a: 1\n  a: 2\n": "2:3: error: the key 'a' stands here a second time, expected it once [yaml-duplicate-key]",
    "{1: a, '1': b}": "1:8: error: the key '1' stands here a second time, expected it once [yaml-duplicate-key]",
    "{true: 1}": "1:2: error: a key is the value true, expected text or a number [yaml-key]",
    "{null: 1}": "1:2: error: a key is the value null, expected text or a number [yaml-key]",
    ": 1\n": "1:1: error: a ':' without a key before it [yaml-key]",
    "{: 1}": "1:2: error: a ':' without a key before it [yaml-key]",
    "? [a]\n: 1\n": "1:3: error: a key is a list, expected text or a number [yaml-key]",
    "a: &x [1]\n*x : 2\n": "2:1: error: a key is a list, expected text or a number [yaml-key]",
    "a: 1\n---\nb: 2\n": "2:1: error: a second document begins at '---', expected one document [yaml-documents]",
    "a: &a [*a]\n":
        "1:8: error: the alias '*a' stands inside its own anchor '&a', expected values without a cycle [yaml-cycle]",
    "a: &abc 1\nb: *abd\n":
        "2:4: error: the alias '*abd' has no anchor '&abd' above it; did you mean 'abc'? [yaml-unknown-anchor]",
    "a: 017": "1:4: error: 017 is a whole number that begins with 0 [yaml-number]",
    "a: {b: c\"}": "1:8: error: the quote \" behind 'c' has none before it [yaml-unclosed]",
    "a: it's, or 'x'\nb: c'": "2:4: error: the quote ' behind 'c' has none before it [yaml-unclosed]",
    "a:: 1": "1:1: error: a second ':' behind 'a' [yaml-colon]",
    "a: {b: 1,000, c: 2}": "1:8: error: '1,000' is cut at its comma, which ends a value inside braces [yaml-unquoted]",
    "a:\n  - B\n    - C": "3:5: error: an item indented by 4 spaces below one of 2, expected 2 [yaml-indentation]",
    "a:\n    b: 1\n  c:\n    d: 1\n  e: 1": "2:5: error: an indentation of 4 spaces, the lines after it have 2 [yaml-indentation]",
    "a: " + "9" * 5000: "1:4: error: an integer of 5000 digits; expected at most 30 [yaml-number]",
    "a: 1e999":
        "1:4: error: 1e999 is beyond the largest float, 1.8e308; expected a smaller number, or .inf [yaml-number]",
    "a: x\0": "1:5: error: the character U+0000 may not stand in YAML, expected printable text [yaml-character]",
    "a: 1\nb: \x1b[0m\n":
        "2:4: error: the character U+001B may not stand in YAML, expected printable text [yaml-character]",
    "a: x\u2028y": "1:5: error: the character U+2028 may not stand in YAML, expected printable text [yaml-character]",
    "a: \ud800": "1:4: error: the character U+D800 may not stand in YAML, expected printable text [yaml-character]",
    "a:\n  b: 1\n\u00a0 c: 2\n":
        "3:1: error: a space that is not the ordinary one (U+0020) stands before this text [yaml-space]",
    "": " error: 't' is empty, expected a model [file-empty]",
    " \n\t\n": " error: 't' is empty, expected a model [file-empty]",
    "# only a comment\n": " error: the file holds no YAML, expected a model [file-empty]",
    "---\n": " error: the file holds no YAML, expected a model [file-empty]",
    "[" * 51: "1:51: error: values nested more than 50 deep, expected at most 50 [yaml-too-deep]",
    "[" * 200_000: "1:51: error: values nested more than 50 deep, expected at most 50 [yaml-too-deep]",
    "{a: " * 200_000: "1:201: error: values nested more than 50 deep, expected at most 50 [yaml-too-deep]",
    "- " * 200_000: "1:101: error: values nested more than 50 deep, expected at most 50 [yaml-too-deep]",
    "[" + "1," * 100_001 + "]":
        "1:200000: error: the file has more than 100000 values, expected at most 100000 [yaml-too-many-values]",
    "#" + "x" * (1 << 20):
        " error: 't' has more than 1048576 bytes, expected at most 1 MiB of YAML [file-too-large]",
}  # fmt: skip


@pytest.mark.parametrize("text", ERRORS, ids=lambda t: repr(t[:30]))
def test_the_first_line_of_each_error(text):
    lines = first_lines(loads, text, "t")
    assert lines[0] == "t:" + ERRORS[text]


def test_an_alias_bomb_is_refused_before_it_is_built():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    lines = first_lines(loads, "\n".join(levels), "t")
    where = "t:6:10: error: the alias '*a4' makes the file more than 100000 values, expected at most 100000"
    assert lines == [f"{where} [yaml-alias-bomb]"]


def test_depth_through_aliases_is_bounded():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 80)]
    assert first_lines(loads, "\n".join(lines), "t") == [
        "t:50:12: error: values nested more than 50 deep through the alias '*a48', expected at most 50 [yaml-too-deep]"
    ]


def test_all_that_can_be_found_is_reported_at_once():
    assert first_lines(loads, "a: 1\na: 2\nb: !t 3\nc: [1\n", "t") == [
        "t:2:1: error: the key 'a' stands here a second time, expected it once [yaml-duplicate-key]",
        "t:3:4: error: the tag '!t' is not taken, expected a plain value [yaml-tag]",
        "t:4:4: error: '[' is not closed, expected ']' [yaml-unclosed]",
    ]


def test_a_duplicate_points_at_both():
    with pytest.raises(LayerctlError) as caught:
        loads("ab: 1\nab: 2\n", "t")
    assert caught.value.diagnostics[0].render() == (
        "t:2:1: error: the key 'ab' stands here a second time, expected it once [yaml-duplicate-key]\n"
        "  2 │ ab: 2\n    │ ^^\nt:1:1: note: the first one is here\n  1 │ ab: 1\n    │ ^^\n"
        "  hint: remove one of the two"
    )


def test_bytes(tmp_path):
    def of(data, name="m.yaml"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    assert load(of(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")).plain() == {"a": 1, "b": 2}
    assert load(of("a: é\r".encode())).plain() == {"a": "é"}
    cases = {
        "a: 1".encode("utf-16"): ": error: '{}' is UTF-16, expected UTF-8 [file-encoding]",
        "a: 1".encode("utf-16-le"): ": error: '{}' is UTF-16, expected UTF-8 [file-encoding]",
        "a: 1\nb: né\n".encode("latin-1"):
            ":2:5: error: the byte 0xe9 ('é' in Latin-1) is not UTF-8, expected UTF-8 text [file-encoding]",
        b"PK\x03\x04abc":
            ": error: '{}' is a zip archive, as .keras and .npz files are, expected YAML text [file-binary]",
        b"\x89HDF\r\n": ": error: '{}' is an HDF5 file, expected YAML text [file-binary]",
        b'\x10\0\0\0\0\0\0\0{"a":{}}': ": error: '{}' is a safetensors file, expected YAML text [file-binary]",
        b"abc\0def": ": error: '{}' is a binary file (it has NUL bytes), expected YAML text [file-binary]",
        b"": ": error: '{}' is empty, expected a model [file-empty]",
        b"a" * (2 << 20): ": error: '{}' has more than 1048576 bytes, expected at most 1 MiB of YAML [file-too-large]",
    }  # fmt: skip
    for data, expected in cases.items():
        path = of(data)
        assert first_lines(load, path) == [f"{path}{expected.format(path)}"]


def test_paths(tmp_path, monkeypatch):
    (tmp_path / "model.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    missing = "modle.yaml: error: there is no file 'modle.yaml'; did you mean 'model.yaml'? [file-not-found]"
    assert first_lines(load, "modle.yaml") == [missing]
    folder = f"{tmp_path}: error: '{tmp_path}' is a folder, expected a YAML file [file-unreadable]"
    assert first_lines(load, tmp_path) == [folder]
    assert "[file-unreadable]" in first_lines(load, "x" * 5000)[0]
    assert "[file-unreadable]" in first_lines(load, "a\0b")[0]
    assert "[file-binary]" in first_lines(load, "/dev/zero")[0]

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    closed = "m.yaml: error: 'm.yaml' may not be read by this user [file-unreadable]"
    assert first_lines(load, "m.yaml") == [closed]


def test_standard_input(monkeypatch):
    class Input:
        buffer = io.BytesIO(b"a: [1")

    monkeypatch.setattr(sys, "stdin", Input())
    assert first_lines(load, "-") == ["<stdin>:1:4: error: '[' is not closed, expected ']' [yaml-unclosed]"]


def test_random_bytes_never_escape_as_other_exceptions():
    import random

    pieces = ["a: ", "- ", "[", "]", "{", "}", "\n", "  ", " ", "'", '"', "&a ", "*a", "!t ", "<<: ", "${x}", "|\n", ">\n", 
              "\t", "#", "1e5", "? ", ": ", ",", "é", "@", "%", "`", "---\n", "...\n", "\\", "x"]  # fmt: skip
    chance = random.Random(5)
    for _ in range(3000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 25)))
        try:
            loads(text).root.plain()
        except LayerctlError as error:
            for d in error.diagnostics:
                assert d.render()
                assert "\n" not in d.first_line()
