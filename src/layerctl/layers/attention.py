"""Attention: means of values, weighted by how well queries fit keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from layerctl.configured import ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer, training
from layerctl.layers.dense import EinsumDense
from layerctl.layers.dropout import drop
from layerctl.ops.attention import attention
from layerctl.ops.cumulative import cumulative
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import expand_dims, reshape
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Shape, ShapeError, Unknown, Value, Weight, current, shown

_CAUSAL = "Whether a query sees only keys that come no later than itself."
_SCORES = "Whether the weights of the mean are a second result."


def causal_mask(queries: int, keys: int) -> Value:
    """(1, queries, keys): true where the key comes no later than the query."""
    if isinstance(queries, Unknown) or isinstance(keys, Unknown):
        rows, columns = (cumulative("sum", broadcast_to(constant(1, "i32"), (n,)), 0) for n in (queries, keys))
        return expand_dims(apply("ge", expand_dims(rows, 1), expand_dims(columns, 0)), 0)
    return constant([[[j <= i for j in range(int(keys))] for i in range(int(queries))]], "bool")


class Attention(Layer):
    """`softmax(query @ key.T) @ value` (Luong et al. 2015); with `score_mode: concat` the score is `sum(tanh(query + key))`.

    It takes [query, value] or [query, value, key]; the key is the value if not given. Their masks: masked values get no weight, masked
    queries give 0. Shapes: (batch, tq, d), (batch, tv, d) → (batch, tq, d), and scores (batch, tq, tv).
    """

    category: ClassVar[str] = "attention"
    supports_masking: ClassVar[bool] = True
    call_fields: ClassVar[tuple[str, ...]] = ("use_causal_mask", "return_attention_scores")

    use_scale: bool = Field(False, description="Whether a learned factor multiplies the scores.")
    score_mode: Literal["dot", "concat"] = Field("dot", description="How a query and a key are compared.")
    dropout: float = Field(0.0, ge=0, lt=1, description="The share of weights that is dropped in training.")
    seed: int | None = Field(None, description="The layer's own seed for dropout.")
    use_causal_mask: bool = Field(False, description=_CAUSAL)
    return_attention_scores: bool = Field(False, description=_SCORES)

    _scale: Weight | None = None
    _factor: Weight | None = None

    @property
    def takes_list(self) -> bool:
        return True

    def build(self, input_shape: list[Shape]) -> None:
        if len(input_shape) not in (2, 3):
            raise ShapeError(f"{type(self).__name__} takes [query, value] or [query, value, key], got {len(input_shape)} tensors")
        self.add_weights(input_shape[0])

    def add_weights(self, query: Shape) -> None:
        """Declares the weights of the scores."""
        if self.use_scale:
            self._scale = self.add_weight("scale", (), "ones")
        if self.score_mode == "concat":
            self._factor = self.add_weight("concat_score_weight", (), "ones")

    def scores(self, query: Value, key: Value) -> Value:
        """(batch, tq, tv): how well each query fits each key."""
        scale = current().read(self._scale) if self._scale is not None else None
        if self._factor is None:
            found = matmul(query, key, transpose_b=True)
            return found if scale is None else found * scale
        both = expand_dims(query, -2) + expand_dims(key, -3)
        return current().read(self._factor) * reduce("sum", apply("tanh", both if scale is None else both * scale), -1)

    def call(self, inputs: list[Value], mask: Any = None) -> Any:
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        scores = self.scores(query, key)
        kept = expand_dims(cast(value_mask, "bool"), -2) if value_mask is not None else None
        if self.use_causal_mask:
            causal = causal_mask(scores.shape[-2], scores.shape[-1])
            kept = causal if kept is None else apply("and", kept, causal)
        if kept is not None:
            scores = apply("where", kept, scores, scores - 1e9)
        weights = softmax(scores, -1)
        if training() and self.dropout:
            weights = drop(weights, self.dropout, weights.shape, self.seed)
        result = matmul(weights, value)
        if query_mask is not None:
            result = apply("where", expand_dims(cast(query_mask, "bool"), -1), result, 0.0)
        return [result, weights] if self.return_attention_scores else result

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        first = mask[0] if mask else None
        return [first, None] if self.return_attention_scores else first


class AdditiveAttention(Attention):
    """`softmax(sum(scale * tanh(query + key))) @ value`. Bahdanau et al. 2014.

    It takes [query, value] or [query, value, key], like Attention. Shapes: (batch, tq, d), (batch, tv, d) → (batch, tq, d).
    """

    use_scale: bool = Field(True, description="Whether learned factors multiply the features of the score.")
    score_mode: Literal["dot"] = Field("dot", description="Accepted: the score is additive.")

    def add_weights(self, query: Shape) -> None:
        if self.use_scale:
            self._scale = self.add_weight("scale", (query[-1],), "glorot_uniform")

    def scores(self, query: Value, key: Value) -> Value:
        both = apply("tanh", expand_dims(query, -2) + expand_dims(key, -3))
        return reduce("sum", both * current().read(self._scale) if self._scale is not None else both, -1)


class _Heads(Layer):
    """What attention with several heads has."""

    category: ClassVar[str] = "attention"
    supports_masking: ClassVar[bool] = True
    call_fields: ClassVar[tuple[str, ...]] = ("use_causal_mask", "return_attention_scores")

    dropout: float = Field(0.0, ge=0, lt=1, description="The share of weights that is dropped in training.")
    use_bias: bool = Field(True, description="Whether the projections have biases.")
    flash_attention: bool | None = Field(None, description="Accepted: how it is computed is the compiler's business.")
    sliding_window: PositiveInt | None = Field(None, description="A query sees keys less than this many places away.")
    use_gate: bool = Field(False, description="Whether a sigmoid of the query multiplies the heads' results.")
    kernel_initializer: InitializerField = Field("glorot_uniform", description="Fills the projections' kernels.", validate_default=True)
    bias_initializer: InitializerField = Field("zeros", description="Fills the biases.", validate_default=True)
    kernel_regularizer: RegularizerField = Field(None, description="Penalty on the kernels.")
    bias_regularizer: RegularizerField = Field(None, description="Penalty on the biases.")
    activity_regularizer: RegularizerField = Field(None, description="Penalty on the projections' results.")
    kernel_constraint: ConstraintField = Field(None, description="Applied to the kernels after each step.")
    bias_constraint: ConstraintField = Field(None, description="Applied to the biases after each step.")
    seed: int | None = Field(None, description="The layer's own seed for dropout.")
    use_causal_mask: bool = Field(False, description=_CAUSAL)
    return_attention_scores: bool = Field(False, description=_SCORES)

    _parts: dict[str, EinsumDense] = {}

    def sublayers(self) -> Sequence[Layer]:
        return [self._parts[n] for n in ("query", "key", "gate", "value", "attention_output") if n in self._parts]

    def projection(self, name: str, equation: str, shape: Sequence[int | None], axes: str, x: Shape, **more: Any) -> None:
        """Declares one of the projections."""
        shared = {n: getattr(self, n) for n in (
            "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "kernel_constraint", "bias_constraint",
            "activity_regularizer", "dtype",
        )}  # fmt: skip
        made = EinsumDense(equation=equation, output_shape=list(shape), bias_axes=axes if self.use_bias else None, name=name, **shared, **more)
        made.place(f"{self.path}/{name}")
        made.build(x)
        made._built = True
        self._parts = {**self._parts, name: made}

    def projected(self, query: Value, value: Value, key: Value) -> tuple[Value, Value, Value]:
        """The query, key and value of each head; the projections are declared at the first call."""
        if not self._parts:
            self._build(query.shape, value.shape, key.shape)
        return self._parts["query"](query), self._parts["key"](key), self._parts["value"](value)

    def operands(self, query: Any, value: Any, key: Any) -> tuple[Value, Value, Value]:
        """The three tensors; of one alone all are that one.

        Raises:
            ShapeError: if their shapes do not fit one another.
        """
        if isinstance(query, (list, tuple)):
            query, value, key = (*query, None, None)[:3]
        value = query if value is None else value
        key = value if key is None else key
        if len({query.rank, value.rank, key.rank}) > 1 or [*map(int, value.shape[1:-1])] != [*map(int, key.shape[1:-1])]:
            raise ShapeError(
                f"{type(self).__name__}: query {shown(query.shape)}, value {shown(value.shape)} and key {shown(key.shape)} do not fit one another"
            )
        return query, value, key

    def visible(self, query: Value, value: Value, key: Value, attention_mask: Any) -> Value | None:
        """(batch or 1, tq, tv): which keys each query may see; None where it is all of them."""
        parts = []
        for v, axis in ((query, -1), (value, -2), (key if key is not value else None, -2)):
            own = getattr(v, "mask", None) if v is not None else None
            if own is not None:
                parts.append(expand_dims(cast(own, "bool"), axis))
        tq, tv = query.shape[1], value.shape[1]
        if self.use_causal_mask:
            parts.append(causal_mask(tq, tv))
        if self.sliding_window is not None:
            near = self.sliding_window
            parts.append(constant([[[abs(i - j) < near for j in range(int(tv))] for i in range(int(tq))]], "bool"))
        if attention_mask is not None:
            parts.append(cast(attention_mask, "bool"))
        out = None
        for p in parts:
            out = p if out is None else apply("and", out, p)
        return out

    def weights_of(self, scores: Value, kept: Value | None, axes: Sequence[int]) -> tuple[Value, Value]:
        """(the weights as they are applied, the weights without dropout) of scores (batch, heads, tq..., tv...).

        A query that may see nothing averages everything where Keras takes its fused path, and gives 0 elsewhere.
        """
        fused = scores.rank == 4 and not (self.dropout > 0 or self.return_attention_scores)
        if kept is not None:
            if kept.rank <= 2 * len(axes):
                need = f"a mask of at least {2 * len(axes) + 1} dimensions (batch, queries, keys)"
                raise ShapeError(f"{type(self).__name__}: attention over {len(axes)} dimensions needs {need}, got {shown(kept.shape)}")
            while kept.rank < scores.rank:
                kept = expand_dims(kept, -2 * len(axes) - 1)
            scores = apply("where", kept, scores, -3.4028235e38 if fused else -1e9)
        weights = softmax(scores, axes[0] if len(axes) == 1 else tuple(axes))
        if kept is not None and not fused:
            weights = apply("where", kept, weights, 0.0)
        if training() and self.dropout:
            return drop(weights, self.dropout, weights.shape, self.seed), weights
        return weights, weights

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        first = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        own = getattr(first, "mask", None)
        return [own, None] if self.return_attention_scores else own


class MultiHeadAttention(_Heads):
    """`concat(softmax(q_h @ k_h.T / sqrt(key_dim)) @ v_h for each head h) @ output`, q, k and v learned projections. Vaswani et al. 2017.

    `from: x` is self-attention; `from: [query, value]`, or `from: {query: q, value: v, key: k, attention_mask: m}`. Masks of the operands
    are obeyed. Shapes: (batch, tq, ..., d), (batch, tv, ..., d) → (batch, tq, ..., d or output_shape), scores (batch, num_heads, tq, tv).
    """

    num_heads: PositiveInt = Field(description="How many heads there are.")
    key_dim: PositiveInt = Field(description="The size of a head's queries and keys.")
    value_dim: PositiveInt | None = Field(None, description="The size of a head's values; key_dim if not given.")
    output_shape: int | list[int] | None = Field(None, description="The result's last sizes; the query's if not given.")
    attention_axes: int | list[int] | None = Field(None, description="The dimensions over which it attends; all between batch and features.")

    def _axes(self, rank: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        given = [self.attention_axes] if isinstance(self.attention_axes, int) else self.attention_axes
        return tuple(a % rank for a in given)

    def _build(self, query: Shape, value: Shape, key: Shape) -> None:
        letters = "abcdefgh"[: len(query) - 1]
        into = f"{letters}x,xyz->{letters}yz"
        free = [None] * (len(query) - 2)
        size = self.value_dim or self.key_dim
        self.projection("query", into, [*free, self.num_heads, self.key_dim], "yz", query)
        self.projection("key", into, [*free, self.num_heads, self.key_dim], "yz", key)
        if self.use_gate:
            self.projection("gate", into, [*free, self.num_heads, size], "yz", query, activation="sigmoid")
        self.projection("value", into, [*free, self.num_heads, size], "yz", value)
        wanted = self.output_shape if self.output_shape is not None else query[-1]
        last = [wanted] if isinstance(wanted, int) else list(wanted)
        names = "stuvw"[: len(last)]
        out = f"{letters}yz,yz{names}->{letters}{names}"
        self.projection("attention_output", out, [*free, *last], names, (*query[:-1], self.num_heads, size))

    def build(self, input_shape: Any) -> None:
        """The projections are declared at the call, when all operands are known."""

    def call(self, query: Any, value: Any = None, key: Any = None, attention_mask: Any = None) -> Any:
        query, value, key = self.operands(query, value, key)
        q, k, v = self.projected(query, value, key)
        kept = self.visible(query, value, key, attention_mask)
        axes, q, weights = self._axes(query.rank), q * (1.0 / self.key_dim**0.5), None
        if q.rank == 4 and not (self.dropout > 0 or self.return_attention_scores) and (kept is None or kept.rank > 2):
            result = attention(q, k, v, kept)
        else:
            equation, back = _equations(q.rank, axes)
            scores = einsum(equation, q, k)
            used, weights = self.weights_of(scores, kept, range(scores.rank - len(axes), scores.rank))
            result = einsum(back, used, v)
        if self.use_gate:
            result = result * self._parts["gate"](query)
        result = self._parts["attention_output"](result)
        return [result, weights] if self.return_attention_scores else result


class GroupQueryAttention(_Heads):
    """Multi-head attention in which groups of query heads share a key and a value head. Ainslie et al. 2023.

    Shapes: (batch, tq, d), (batch, tv, d) → (batch, tq, d), scores (batch, num_query_heads, tq, tv).
    """

    head_dim: PositiveInt = Field(description="The size of a head's queries, keys and values.")
    num_query_heads: PositiveInt = Field(description="How many query heads there are.")
    num_key_value_heads: PositiveInt = Field(description="How many key and value heads; a divisor of num_query_heads.")

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_query_heads ({self.num_query_heads}) must be a multiple of num_key_value_heads ({self.num_key_value_heads})"
            )

    def build(self, input_shape: Any) -> None:
        """The projections are declared at the call, when all operands are known."""

    def _build(self, query: Shape, value: Shape, key: Shape) -> None:
        if len(query) != 3:
            raise ShapeError(f"GroupQueryAttention needs inputs of 3 dimensions (batch, time, features), got {shown(query)}")
        own, shared, size = self.num_query_heads, self.num_key_value_heads, self.head_dim
        self.projection("query", "bqm,muh->bquh", [None, own, size], "uh", query)
        self.projection("key", "bkm,mvh->bkvh", [None, shared, size], "vh", key)
        if self.use_gate:
            self.projection("gate", "bqm,muh->bquh", [None, own, size], "uh", query, activation="sigmoid")
        self.projection("value", "bkm,mvh->bkvh", [None, shared, size], "vh", value)
        self.projection("attention_output", "bquh,uhm->bqm", [None, query[-1]], "m", (*query[:-1], own, size))

    def call(self, query: Any, value: Any = None, key: Any = None, attention_mask: Any = None) -> Any:
        query, value, key = self.operands(query, value, key)
        q, k, v = self.projected(query, value, key)
        kept = self.visible(query, value, key, attention_mask)
        heads = self.num_key_value_heads
        q = reshape(q, (*q.shape[:2], heads, self.num_query_heads // heads, self.head_dim))
        scores = einsum("bqvgh,bkvh->bvgqk", q * (1.0 / self.head_dim**0.5), k)
        scores = reshape(scores, (scores.shape[0], self.num_query_heads, *scores.shape[3:]))
        used, weights = self.weights_of(scores, kept, [3])
        result = einsum("bvgqk,bkvh->bqvgh", reshape(used, (used.shape[0], heads, -1, *used.shape[2:])), v)
        result = reshape(result, (*result.shape[:2], self.num_query_heads, self.head_dim))
        if self.use_gate:
            result = result * self._parts["gate"](query)
        result = self._parts["attention_output"](result)
        return [result, weights] if self.return_attention_scores else result


def _equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """The products of queries and keys (batch..., heads, size), and of weights and values, attending over `axes`."""
    query = "abcdefgh"[: rank - 2] + "yz"
    key = "".join(c.upper() if i in axes else c for i, c in enumerate(query))
    kept = "".join(c for i, c in enumerate(query[:-2]) if i not in axes)
    scores = kept + "y" + "".join(query[a] for a in axes) + "".join(key[a] for a in axes)
    return f"{query},{key}->{scores}", f"{scores},{key}->{query}"
