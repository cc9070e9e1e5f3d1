"""What is written in C by hand: reductions, convolutions, products, and the machine's primitives. `T` stands for a dtype's C type."""

from __future__ import annotations

import re

from layerctl.export._c.functions import C_TYPES

_LOOPS = """const int64_t own = channels / groups, made = filters / groups;
    int64_t image, a, b, c, i, j, k, z, f;
    for (image = 0; image < batch; image++)
        for (a = 0; a < g.out[0]; a++)
            for (b = 0; b < g.out[1]; b++)
                for (c = 0; c < g.out[2]; c++) {
                    @Y@T *to = y + (((image * g.out[0] + a) * g.out[1] + b) * g.out[2] + c) * filters;
                    for (f = 0; f < filters; f++)
                        """
_BODY = """
                    for (i = 0; i < g.kernel[0]; i++)
                        for (j = 0; j < g.kernel[1]; j++)
                            for (k = 0; k < g.kernel[2]; k++) {
                                const int64_t d = a * g.stride[0] + i * g.dilation[0] - g.before[0];
                                const int64_t r = b * g.stride[1] + j * g.dilation[1] - g.before[1];
                                const int64_t s = c * g.stride[2] + k * g.dilation[2] - g.before[2];
                                const T *taps = w + ((i * g.kernel[1] + j) * g.kernel[2] + k) * own * filters;
                                @X@T *from;
                                if (d < 0 || d >= g.in[0] || r < 0 || r >= g.in[1] || s < 0 || s >= g.in[2])
                                    continue;
                                from = x + (((image * g.in[0] + d) * g.in[1] + r) * g.in[2] + s) * channels;
                                for (z = 0; z < channels; z++) {
                                    const int64_t first = z / own * made;
                                    const T *line = taps + z % own * filters;
                                    for (f = first; f < first + made; f++)
                                        """
_AFTER = """
                                }
                            }
                }"""
_ROUTINES = {
    "matmul": """
/* c = a @ b, a batch of products; strides in elements, those of a batch 0 where one matrix serves all. */
static void matmul_T(const T *a, const T *b, T *c, int64_t batch, int64_t m, int64_t n, int64_t k, int64_t a_batch, int64_t a_row,
                     int64_t a_column, int64_t b_batch, int64_t b_row, int64_t b_column)
{
    int64_t q, i, j, x;
    for (q = 0; q < batch; q++)
        for (i = 0; i < m; i++) {
            T *to = c + (q * m + i) * n;
            for (j = 0; j < n; j++)
                to[j] = 0;
            for (x = 0; x < k; x++) {
                const T factor = a[q * a_batch + i * a_row + x * a_column];
                const T *line = b + q * b_batch + x * b_row;
                for (j = 0; j < n; j++)
                    to[j] = fma_T(factor, line[j * b_column], to[j]);
            }
        }
}
""",
    "conv": """
/* A convolution in three dimensions, channels last: y = x * w. */
static void conv_T(const T *x, const T *w, T *y, int64_t batch, int64_t channels, int64_t filters, int64_t groups, struct window g)
{
    @LOOPS@to[f] = 0;@BODY@to[f] = fma_T(from[z], line[f], to[f]);
}
""",
    "conv_transposed": """
/* The reverse of a convolution: x, which is zero before, from y. */
static void conv_transposed_T(T *x, const T *w, const T *y, int64_t batch, int64_t channels, int64_t filters, int64_t groups, struct window g)
{
    @LOOPS@(void)to[f];@BODY@from[z] = fma_T(to[f], line[f], from[z]);
}
""",
    "tile": """
/* c (+)= a @ b for b in panels, whose rows are filled up to eight columns. */
static void tile_T(int64_t rows, int64_t columns, const T *a, int64_t row_stride, int64_t k_stride, const T *b, int64_t depth, T *c,
                   int64_t c_stride, int64_t keep)
{
    const int64_t width = (columns + 7) / 8 * 8;
    int64_t i, j, k;
    for (i = 0; i < rows; i++) {
        T *to = c + i * c_stride;
        for (j = 0; j < columns && keep == 0; j++)
            to[j] = 0;
        for (k = 0; k < depth; k++) {
            const T factor = a[i * row_stride + k * k_stride];
            for (j = 0; j < columns; j++)
                to[j] = fma_T(factor, b[k * width + j], to[j]);
        }
    }
}
""",
    "copy_line": """
static void copy_line_T(int64_t columns, T *to, const T *source)
{
    const int64_t width = (columns + 7) / 8 * 8;
    int64_t j;
    for (j = 0; j < width; j++)
        to[j] = j < columns ? source[j] : 0;
}
""",
    "turn_lines": """
static void turn_lines_T(int64_t rows, int64_t columns, const T *source, int64_t stride, T *to, int64_t step)
{
    const int64_t width = (columns + 7) / 8 * 8;
    int64_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < width; j++)
            to[i * step + j] = j < columns ? source[i + j * stride] : 0;
}
""",
    "window_line": """
/* out[o, c] (+)= sum over r and t of x[at + o x_step + r row_step + t tap_step + c] w[r w_row + t w_tap + c]. */
static void window_line_T(int64_t columns, int64_t outputs, const T *x, int64_t at, int64_t x_step, int64_t rows, int64_t row_step,
                          int64_t across, int64_t tap_step, const T *w, int64_t w_row, int64_t w_tap, T *out, int64_t out_step, int64_t keep)
{
    int64_t o, c, r, t;
    for (o = 0; o < outputs; o++) {
        T *to = out + o * out_step;
        for (c = 0; c < columns && keep == 0; c++)
            to[c] = 0;
        for (r = 0; r < rows; r++)
            for (t = 0; t < across; t++)
                for (c = 0; c < columns; c++)
                    to[c] = fma_T(x[at + o * x_step + r * row_step + t * tap_step + c], w[r * w_row + t * w_tap + c], to[c]);
    }
}
""",
    "row_max": """
static T row_max_T(int64_t n, const T *x)
{
    T best = -(T)INFINITY;
    int64_t i;
    for (i = 0; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}
""",
    "row_sum": """
static double row_sum_T(int64_t n, const T *x)
{
    double total = 0;
    int64_t i;
    for (i = 0; i < n; i++)
        total += x[i];
    return total;
}
""",
    "row_dot": """
static double row_dot_T(int64_t n, const T *a, const T *b)
{
    double total = 0;
    int64_t i;
    for (i = 0; i < n; i++)
        total += (double)a[i] * b[i];
    return total;
}
""",
    "fma_line": """
static void fma_line_T(int64_t count, const T *a, const T *b, T *c)
{
    int64_t i;
    for (i = 0; i < count; i++)
        c[i] = fma_T(a[i], b[i], c[i]);
}
""",
    "finish_line": """
static void finish_line_T(int64_t columns, T *c, const T *bias, int64_t how)
{
    int64_t j;
    for (j = 0; j < columns; j++) {
        const T value = how & 1 ? c[j] + bias[j] : c[j];
        c[j] = how & 2 && value <= 0 ? 0 : value;
    }
}
""",
}
_PLAIN = {
    "window": """
/* Sizes of a convolution, as three dimensions. */
struct window {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], before[3];
};
""",
    "floor_divide": """
static int64_t floor_divide(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}
""",
    "floor_modulo": """
static int64_t floor_modulo(int64_t a, int64_t b)
{
    const int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
""",
}
# any and all end at the first element that decides: as a chain of `total |= v != 0`, gcc 12 turns them into vectors wrongly at -O2
_FOLD = {
    "sum": ("0", "total += {v};"),
    "sumsq": ("0", "total += {v} * {v};"),
    "sumabs": ("0", "total += {v} < 0 ? -({v}) : {v};"),
    "prod": ("1", "total *= {v};"),
    "any": ("0", "if ({v} != 0) {{\n                    total = 1;\n                    break;\n                }}"),
    "all": ("1", "if ({v} == 0) {{\n                    total = 0;\n                    break;\n                }}"),
}


def routine(name: str) -> str:
    """The text of a routine; `name` ends with the dtype where it has one (`matmul_f32`)."""
    if name in _PLAIN:
        return _PLAIN[name]
    base, _, dtype = name.rpartition("_")
    text = _ROUTINES[base]
    if "@LOOPS@" in text:
        text = text.replace("@LOOPS@", _LOOPS).replace("@BODY@", _BODY).replace("\n}\n", _AFTER + "\n}\n")
        ends = ("", "const ") if base == "conv_transposed" else ("const ", "")
        text = text.replace("@X@", ends[0]).replace("@Y@", ends[1])
    return re.sub(r"\bT\b", C_TYPES[dtype], re.sub(r"_T\b", f"_{dtype}", text)).replace("fma_f64(", "fma(")


def reduction(function: str, dtype: str, out: str) -> tuple[str, str]:
    """(name, text) of a reduction of x, seen as (outer, length, inner), over its length: sums in double, the first of equal extremes."""
    name = f"{function}_over_{dtype}" + (f"_to_{out}" if out != dtype else "")
    t, o = C_TYPES[dtype], C_TYPES[out]
    wide = "double" if dtype in ("f32", "f64") else "int64_t"
    if function in _FOLD:
        start, step = _FOLD[function]
        kept, result = (t if function in ("any", "all") else wide), "total"
        body = f"            {kept} total = {start};\n            for (j = 0; j < length; j++) {{\n"
        body += f"                const {wide} v = from[j * inner];\n                {step.format(v='v')}\n            }}\n"
    else:
        wins = "v > best" if "max" in function else "v < best"
        nan = " || (v != v && best == best)" if dtype in ("f32", "f64") else ""
        result = "place" if "arg" in function else "best"
        place = "int64_t place = 0;\n            " if "arg" in function else ""
        body = f"            {t} best = from[0];\n            {place}for (j = 1; j < length; j++) {{\n"
        body += f"                const {t} v = from[j * inner];\n                if ({wins}{nan}) {{\n                    best = v;\n"
        body += ("                    place = j;\n" if place else "") + "                }\n            }\n"
    return name, f"""
static void {name}(const {t} *x, {o} *y, int64_t outer, int64_t length, int64_t inner)
{{
    int64_t a, i, j;
    for (a = 0; a < outer; a++)
        for (i = 0; i < inner; i++) {{
            const {t} *from = x + a * length * inner + i;
{body}            y[a * inner + i] = ({o}){result};
        }}
}}
"""
