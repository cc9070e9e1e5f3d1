"""The C file: the model's function, and around it a program that reads a table and writes predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerctl import __version__
from layerctl.diagnostics import Diagnostic, LayerctlError
from layerctl.export._c.features import CANNOT, Features, string
from layerctl.export._c.functions import C_TYPES
from layerctl.export._c.graph import Graph, identifier, wrapped
from layerctl.export._c.outputs import Outputs, field
from layerctl.export._demands import unmet
from layerctl.export.base import Traced, dialect_of
from layerctl.ops.value import SIZE_OF, product


def c_file(traced: Traced) -> str:
    """The whole text.

    Raises:
        LayerctlError: for all that has no form in C, at once.
    """
    model = traced.model
    name = identifier(model.spec.name)
    graph = Graph(model, traced.outputs)
    dtypes = {n: v.dtype for n, v in traced.inputs.items()}
    features = Features(traced.features, dtypes)
    outputs = Outputs(model, {n: v.shape for n, v in traced.outputs.items()})
    if outputs.logits:
        graph.use("exp", ("f64",), "f64")
    problems = [*graph.problems.values(), *features.problems, *traced.problems("C"), *unmet(traced, "C", CANNOT), *_alike(traced)]
    if problems:
        raise LayerctlError(problems)
    main = _main(traced, name, features, outputs)
    body = model_part(traced, name, graph)
    head = _head(traced, name, graph, outputs)
    return "\n".join([head, body, f"#ifndef {name.upper()}_NO_MAIN\n", main, "#endif\n"])


def _alike(traced: Traced) -> list[Diagnostic]:
    """Names that are different in the file and the same in C."""
    out = []
    for what, names in (("inputs", traced.inputs), ("outputs", traced.outputs)):
        seen: dict[str, str] = {}
        for n in names:
            first = seen.setdefault(identifier(n), n)
            if first != n:
                out.append(Diagnostic("cannot-export", f"in C the {what} '{first}' and '{n}' have one name: {identifier(n)}", None, (),
                                      "rename one of them"))  # fmt: skip
    return out


def _signature(traced: Traced, name: str) -> str:
    params = [f"const {C_TYPES[v.dtype]} *in_{identifier(n)}" for n, v in traced.inputs.items()]
    params += [f"float *out_{identifier(n)}" for n in traced.outputs]
    return f"int {name}_predict({', '.join(params)})"


def _head(traced: Traced, name: str, graph: Graph, outputs: Outputs) -> str:
    sizes = [f" *     {'in_' + identifier(n)}: {_shown(v.shape[1:])} {C_TYPES[v.dtype]}" for n, v in traced.inputs.items()]
    sizes += [f" *     {'out_' + identifier(n)}: {_shown(v.shape[1:])} float" for n, v in traced.outputs.items()]
    memory = sum(n * SIZE_OF[k] for k, n in graph.sizes.items())
    return "\n".join([
        f"/* {name}: a model of layerctl {__version__}, in C99 without dependencies but the C library.",
        " *",
        f" *     cc -O2 -o {name} {name}.c -lm && ./{name} < data.csv",
        " *",
        " * reads a table from standard input and writes what `layerctl predict` writes. Errors go to standard error, with exit code 2.",
        f" * Within another program, compiled with -D{name.upper()}_NO_MAIN:",
        " *",
        f" *     {_signature(traced, name)};",
        " *",
        " * takes one row's features, encoded and scaled, in row-major order, and fills in the model's outputs:",
        *sizes,
        f" * It returns 0, and 1 for a null pointer. It takes {memory} bytes of static memory beside the weights, allocates nothing, and",
        " * is not to be called from two threads at once. Compile without -ffast-math: the functions round by adding and subtracting.",
        " */",
        "",
        *(f"#include <{h}.h>" for h in ("float", "math", "stdint", "stdio", "stdlib", "string")), "",
        f"{_signature(traced, name)};", "",
    ])  # fmt: skip


def _shown(shape: Any) -> str:
    return " x ".join(map(str, map(int, shape))) or "1"


def model_part(traced: Traced, name: str, graph: Graph) -> str:
    """The functions, the weights, the memory, and the function of one row."""
    lines = "\n".join(graph.lines)
    used = [d for d in graph.data if d.split("[")[0].split(" = ")[0].split()[-1] in _words(lines)]
    memory = [f"static {C_TYPES[k]} {k}_memory[{max(n, 1)}];" for k, n in graph.sizes.items()]
    pointers = [f"in_{identifier(n)}" for n in traced.inputs] + [f"out_{identifier(n)}" for n in traced.outputs]
    unread = [p for p in pointers if p.startswith("in_") and p not in _words(lines)]
    out = [
        *graph.parts.values(), *used, "\n".join(memory), "", _signature(traced, name), "{",
        *(f"    (void){p};" for p in unread),
        f"    if ({' || '.join(f'{p} == NULL' for p in pointers)})", "        return 1;",
        *(f"    {line}" for line in graph.lines),
        *(_copy(graph.place(v), f"out_{identifier(n)}", v) for n, v in traced.outputs.items()),
        "    return 0;", "}", "",
    ]  # fmt: skip
    return "\n".join(out)


def _words(text: str) -> set[str]:
    import re

    return set(re.findall(r"\w+", text))


def _copy(place: str, to: str, v: Any) -> str:
    size = int(product(v.shape))
    if v.dtype == "f32":
        return f"    memcpy({to}, {place}, {size} * sizeof(float));"
    return f"    {{\n        int64_t i;\n        for (i = 0; i < {size}; i++)\n            {to}[i] = (float)({place})[i];\n    }}"


def _main(traced: Traced, name: str, features: Features, outputs: Outputs) -> str:
    dialect, spec = dialect_of(traced.model), traced.model.spec.data
    missing = sorted(dialect.missing) or ["\001"]
    names = list(dialect.columns or ())
    targets = [n for t in spec.targets().values() for n in t.names()] if spec is not None else []
    window = features.window
    most = max(1024, 2 * len(features.columns), 2 * len(names))
    macros = {"LONGEST_RECORD": (max(65536, 32 * most), "bytes of a record"), "MOST_FIELDS": (most, "fields of a record")}
    parts = [f"#ifndef {k}\n#define {k} {v} /* {why}: what lies beyond is refused */\n#endif" for k, (v, why) in macros.items()]
    parts.append(f"#define DELIMITER {_character(dialect.delimiter)}")
    parts.append(f"#define QUOTE {_character(dialect.quote) if dialect.quote else '(-2)'}")
    if dialect.runs:
        parts.append("#define RUNS /* any number of blanks and tabs is one delimiter */")
    parts.append(f"#define ESCAPE {_character(dialect.escape) if dialect.escape else '(-2)'}")
    parts.append(f"#define COMMENT {_character(dialect.comment) if dialect.comment else '(-2)'}")
    if dialect.decimal == ",":
        parts.append("#define DECIMAL_COMMA")
    parts.append(f"static const char *const missing_values[] = {{\n{wrapped([string(m) for m in missing])}\n}};\n")
    parts.append(features.runtime())
    wanted = [string(c) for c in features.columns]
    parts.append(f"static const char *const wanted[] = {{\n{wrapped(wanted)}\n}};")
    parts.append(f"static int at[{len(wanted)}];\n{_cells(features.columns, spec.reading().missing_in if spec is not None else {})}")
    parts += features.parts
    parts += outputs.parts
    parts.append(_header(names, targets))
    parts.append(_rows(traced, name, features, outputs, window))
    return "\n".join(parts)


def _cells(columns: Sequence[str], missing_in: Mapping[str, Sequence[str]]) -> str:
    """What reads a field of a column; one that stands for a missing value in that column alone is any that does so everywhere."""
    own = [f"{{{i}, {string(w)}}}" for i, c in enumerate(columns) for w in missing_in.get(c, ())]
    if not own:
        return "#define CELL(i) (fields[at[i]])\n"
    return (
        "/* What stands for a missing value in one column alone. */\n"
        f"static const struct {{ int column; const char *word; }} gone[] = {{\n{wrapped(own)}\n}};\n\n"
        "static const char *cell(int column, const char *text)\n{\n    size_t i;\n"
        "    for (i = 0; i < sizeof gone / sizeof gone[0]; i++)\n"
        "        if (gone[i].column == column && strcmp(gone[i].word, text) == 0)\n"
        "            return missing_values[0];\n    return text;\n}\n\n#define CELL(i) (cell(i, fields[at[i]]))\n"
    )


def _character(c: str) -> str:
    return {"\t": "'\\t'", "'": "'\\''", "\\": "'\\\\'"}.get(c, f"'{c}'")


_WITH_HEADER = """
/* Takes the columns' names from the first line, and finds those that the model needs; whether a row of data stands in the fields. */
static int read_header(void)
{
    static char names[LONGEST_RECORD + 1 + 20 * MOST_FIELDS];
    static const char *header[MOST_FIELDS];
    char *to = names;
    int i, j;
    if (!read_record() || (is_mark() && !read_record()))
        refuse(NULL, "the file has no data");
    for (i = 0; i < field_count; i++) {
        header[i] = to;
        if (fields[i][0] != 0)
            strcpy(to, fields[i]);
        else
            sprintf(to, "column_%d", i + 1);
        to += strlen(to) + 1;
        for (j = 0; j < i; j++)
            if (strcmp(header[i], header[j]) == 0)
                refuse(header[i], "two columns are called so");
    }
    columns = field_count;
    find_columns(header);
    return 0;
}
"""
_WITH_NAMES = """
static int is_told_apart(const char *name, const char *given)
{
    const size_t n = strlen(given);
    return strncmp(name, given, n) == 0 && (name[n] == 0 || (name[n] == '_' && name[n + 1] != 0 && strspn(name + n + 1, "0123456789") == strlen(name + n + 1)));
}

/* The columns' names are known; the first line may repeat them, or some of them in any order, and rows may leave out the targets. */
static int read_header(void)
{
    static const char *header[MOST_FIELDS];
    const int known = (int)(sizeof names / sizeof names[0]);
    int i, j, same, some;
    if (!read_record() || (is_mark() && !read_record()))
        refuse(NULL, "the file has no data");
    same = field_count == known;
    for (i = 0; i < known && same; i++)
        same = is_told_apart(names[i], fields[i]);
    some = !same && field_count > 1;
    for (i = 0; i < field_count && some; i++) {
        for (j = 0; j < known && strcmp(names[j], fields[i]) != 0; j++)
            continue;
        header[i] = j < known ? names[j] : "";
        for (some = j < known, j = 0; j < i; j++)
            some &= header[j] != header[i];
    }
    if (some) {
        columns = field_count;
        find_columns(header);
        return 0;
    }
    columns = known;
    for (i = 0; i < known; i++)
        header[i] = names[i];
    if (field_count != known) {
        for (i = j = 0; i < known; i++)
            if (!is_target[i])
                header[j++] = names[i];
        columns = j;
    }
    find_columns(header);
    return !same;
}
"""
_FIND = """
static int columns;

/* Whether the record is the first line from which Excel takes the delimiter, such as sep=; */
static int is_mark(void)
{
    const char *text = fields[0];
    if (record_line != 1 || field_count > 2 || (text[0] | 32) != 's' || (text[1] | 32) != 'e' || (text[2] | 32) != 'p' || text[3] != '=')
        return 0;
    return field_count == 2 ? text[4] == 0 && fields[1][0] == 0 : text[4] != 0 && text[5] == 0;
}

static void find_columns(const char *const *header)
{
    size_t i;
    int j;
    for (i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        for (j = 0; j < columns && strcmp(header[j], wanted[i]) != 0; j++)
            continue;
        if (j == columns)
            refuse(wanted[i], "the data lack this column");
        at[i] = j;
    }
}
"""


def _header(names: list[str], targets: list[str]) -> str:
    if not names:
        return _FIND + _WITH_HEADER
    flags = ", ".join(str(int(n in targets)) for n in names)
    table = f"static const char *const names[] = {{\n{wrapped([string(n) for n in names])}\n}};\n"
    return f"{_FIND}\n{table}static const char is_target[] = {{{flags}}};\n{_WITH_NAMES}"


def _rows(traced: Traced, name: str, features: Features, outputs: Outputs, window: Any) -> str:
    first = ",".join(field(n) for n in outputs.names)
    empty = '\\"\\"' if len(outputs.names) == 1 else "," * (len(outputs.names) - 1)
    buffers = [f"static {C_TYPES[v.dtype]} in_{identifier(n)}[{max(int(product(v.shape)), 1)}];" for n, v in traced.inputs.items()]
    buffers += [f"static float out_{identifier(n)}[{max(int(product(v.shape)), 1)}];" for n, v in traced.outputs.items()]
    args = [f"in_{identifier(n)}" for n in traced.inputs] + [f"out_{identifier(n)}" for n in traced.outputs]
    encode = []
    for n, f in traced.features.items():
        into = identifier(n)
        if f.kind == "window":
            step = len(f.columns)
            encode.append(f"memmove(in_{into}, in_{into} + {step}, {(f.length - 1) * step} * sizeof in_{into}[0]);")
            encode.append(f"encode_{into}(in_{into} + {(f.length - 1) * step});")
        else:
            encode.append(f"encode_{into}(in_{into});")
    wait = []
    if window is not None:  # no window ends at the first rows
        wait = [f"        if (rows < {window.length}) {{", f'            puts("{empty}");', "            continue;", "        }"]
    writing = "\n    putchar(',');\n    ".join(outputs.writing)
    loop = ["    int i;"] if "(i = 0" in writing else []
    tail = [
        *buffers, "", "static void write_row(void)", "{", *loop, f"    {writing}", "    putchar('\\n');", "}", "",
        "int main(void)", "{", "    long rows = 0;", "    int ready;", *_bom(),
        "    ready = read_header();", "    while (ready || read_record()) {", "        ready = 0;",
        "        if (field_count != columns && !(field_count == columns + 1 && present(fields[columns]) == NULL))",
        '            refuse(NULL, "this record has another number of fields than the first");',
        *(f"        {line}" for line in encode), "        rows++;", "        if (rows == 1)", f"            puts({string(first)});", *wait,
        f"        {name}_predict({', '.join(args)});", "        write_row();", "    }",
        "    if (fflush(stdout) != 0 || ferror(stdout))", "        return 2;", "    return 0;", "}", "",
    ]  # fmt: skip
    return "\n".join(tail)


def _bom() -> list[str]:
    """A mark of UTF-8 at the beginning is passed over."""
    return [
        "    int c = getchar();", "    if (c == 0xEF) {", "        c = getchar();", "        c = c == 0xBB ? getchar() : c;",
        "        if (c != 0xBF && c != EOF)", "            ungetc(c, stdin);", "    } else if (c != EOF) {", "        ungetc(c, stdin);",
        "    }",
    ]  # fmt: skip
