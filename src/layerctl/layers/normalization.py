"""Normalisation over the batch, over features, over groups of channels, and of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt, field_validator

from layerctl.catalogue import snake_case
from layerctl.configured import InitializerField, LayerField, Usual
from layerctl.initializers.base import Initializer
from layerctl.layers._weighted import ScaleFields, along
from layerctl.layers.base import Layer, training
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import mean, normal_axes, reduce, variance
from layerctl.ops.reshape import expand_dims, reshape
from layerctl.ops.stop import stop_gradient
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown

Following = Annotated[float, Field(ge=0, le=1), Usual(lt=1, then="the averages stay as they begin, and predictions go by them", cure="usual is 0.99")]


class _Root(Initializer):
    """The root of another initializer's numbers."""

    inner: Any

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.inner(shape, self.inner.key(key)) ** 0.5


class BatchNormalization(ScaleFields):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta` for each channel.

    In training mean and variance are the batch's (steps that a mask leaves out do not count), and the moving averages follow them:
    `moving = momentum * moving + (1 - momentum) * batch`. Otherwise they are the moving averages. Ioffe and Szegedy 2015.
    Shapes: (batch, ...) → the same; weights of the channels' number.
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    axis: int = Field(-1, description="The dimension of the channels.")
    momentum: Following = Field(0.99, description="How slowly the moving averages follow.")
    epsilon: float = Field(1e-3, ge=0, description="Added to the variance.")
    moving_mean_initializer: InitializerField = Field("zeros", description="Fills the moving mean.", validate_default=True)
    moving_variance_initializer: InitializerField = Field("ones", description="Fills the moving variance.", validate_default=True)
    renorm: bool = Field(False, description="Whether batches are normalised as the moving averages would (Ioffe 2017).")
    renorm_clipping: dict[str, float] | None = Field(None, description="Bounds rmin, rmax and dmax of renorm's correction.")
    renorm_momentum: Following = Field(0.99, description="How slowly renorm's own averages follow.")
    synchronized: bool = Field(False, description="Accepted: statistics are always those of the whole batch.")

    _mean: Weight
    _variance: Weight
    _renorm: tuple[Weight, ...] = ()

    @field_validator("renorm_clipping")
    @classmethod
    def _bounds(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for key in value or ():
            if key not in ("rmin", "rmax", "dmax"):
                raise ValueError(f"expected rmin, rmax and dmax, got {key!r}")
        return value

    def build(self, input_shape: Shape) -> None:
        (axis,) = normal_axes(self.axis, len(input_shape), "BatchNormalization")
        size = (input_shape[axis],)
        self.add_scale(size)
        self._mean = self.add_weight("moving_mean", size, self.moving_mean_initializer, trainable=False)
        self._variance = self.add_weight("moving_variance", size, self.moving_variance_initializer, trainable=False)
        if self.renorm:
            starts = {"moving_stddev": _Root(inner=self.moving_variance_initializer), "renorm_mean": self.moving_mean_initializer}
            starts["renorm_stddev"] = starts["moving_stddev"]
            self._renorm = tuple(self.add_weight(name, size, start, trainable=False) for name, start in starts.items())

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        trace = current()
        (axis,) = normal_axes(self.axis, inputs.rank, "BatchNormalization")
        others = tuple(i for i in range(inputs.rank) if i != axis)
        moving = (trace.read(self._mean), trace.read(self._variance))
        centre, spread = self._batch_moments(inputs, others, mask) if training() and self.trainable else moving
        factor = apply("rsqrt", spread + self.epsilon)
        normal = (inputs - along(centre, inputs.rank, [axis])) * along(factor, inputs.rank, [axis])
        if training() and self.trainable:
            if self.renorm:
                normal = self._corrected(normal, centre, spread, axis)
            else:
                self._follow(self._mean, centre, self.momentum)
                self._follow(self._variance, spread, self.momentum)
        return self.scaled(normal, [axis])

    def _follow(self, weight: Weight, value: Value, momentum: float) -> Value:
        trace = current()
        trace.update(weight, trace.read(weight) * momentum + value * (1.0 - momentum))
        return trace.read(weight)

    def _corrected(self, x: Value, centre: Value, spread: Value, axis: int) -> Value:
        """x * r + d, by which the batch is normalised as by renorm's averages; they and the moving ones follow the batch."""
        trace, bounds = current(), self.renorm_clipping or {}
        stddev, mean, own = self._renorm
        size = apply("sqrt", spread + self.epsilon)
        usual = apply("max", trace.read(own), self.epsilon**0.5)
        r, d = stop_gradient(size / usual), stop_gradient((centre - trace.read(mean)) / usual)
        r = apply("max", r, bounds["rmin"]) if "rmin" in bounds else r
        r = apply("min", r, bounds["rmax"]) if "rmax" in bounds else r
        d = apply("max", apply("min", d, bounds["dmax"]), -bounds["dmax"]) if "dmax" in bounds else d
        self._follow(mean, centre, self.renorm_momentum)
        self._follow(own, size, self.renorm_momentum)
        self._follow(self._mean, centre, self.momentum)
        moving = self._follow(stddev, size, self.momentum)
        trace.update(self._variance, apply("relu", moving * moving - self.epsilon))
        return x * along(r, x.rank, [axis]) + along(d, x.rank, [axis])

    def _batch_moments(self, x: Value, others: tuple[int, ...], mask: Value | None) -> tuple[Value, Value]:
        if mask is None:
            return mean(x, others), variance(x, others)
        kept = cast(mask, x.dtype)
        while kept.rank < x.rank:
            kept = expand_dims(kept, -1)
        kept = kept + x * 0.0
        count = apply("max", reduce("sum", kept, others, keepdims=True), 1e-7)
        centre = reduce("sum", x * kept, others, keepdims=True) / count
        spread = reduce("sum", apply("square", (x - centre) * kept), others, keepdims=True) / count
        shape = tuple(d for i, d in enumerate(x.shape) if i not in others)
        return reshape(centre, shape), reshape(spread, shape)


class LayerNormalization(ScaleFields):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, mean and variance over `axis` of each row by itself. Ba et al. 2016.

    Shapes: (batch, ...) → the same; weights of the sizes of `axis`.
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] = Field(-1, description="The dimensions that are normalised over.")
    epsilon: float = Field(1e-3, ge=0, description="Added to the variance.")

    def build(self, input_shape: Shape) -> None:
        axes = normal_axes(self.axis, len(input_shape), "LayerNormalization")
        if 0 in axes:
            raise ShapeError(f"LayerNormalization cannot normalise over the batch, axis 0 of {shown(input_shape)}")
        self.add_scale(tuple(input_shape[a] for a in axes))

    def call(self, inputs: Value) -> Value:
        axes = normal_axes(self.axis, inputs.rank, "LayerNormalization")
        centred = inputs - mean(inputs, axes, keepdims=True)
        spread = mean(apply("square", centred), axes, keepdims=True)
        return self.scaled(centred * apply("rsqrt", spread + self.epsilon), axes)


class GroupNormalization(ScaleFields):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, mean and variance of each row over each group of channels. Wu and He 2018.

    Shapes: (batch, ..., channels) → the same; weights (channels).
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    groups: int = Field(32, description="How many groups the channels are in; -1 makes each channel a group.")
    axis: int = Field(-1, description="The dimension of the channels.")
    epsilon: float = Field(1e-3, ge=0, description="Added to the variance.")

    def build(self, input_shape: Shape) -> None:
        (axis,) = normal_axes(self.axis, len(input_shape), "GroupNormalization")
        channels = input_shape[axis]
        if axis == 0:
            raise ShapeError(f"GroupNormalization cannot normalise over the batch, axis 0 of {shown(input_shape)}")
        if self.groups != -1 and (self.groups < 1 or int(channels) % self.groups):
            raise ShapeError(f"GroupNormalization: the input's {channels} channels are no multiple of groups={self.groups}")
        self.add_scale((channels,))

    def call(self, inputs: Value) -> Value:
        (axis,) = normal_axes(self.axis, inputs.rank, "GroupNormalization")
        channels = inputs.shape[axis]
        groups = int(channels) if self.groups == -1 else self.groups
        x = reshape(inputs, (*inputs.shape[:axis], groups, channels // groups, *inputs.shape[axis + 1 :]))
        over = [i for i in range(1, x.rank) if i != axis]
        centred = x - mean(x, over, keepdims=True)
        y = centred * apply("rsqrt", mean(apply("square", centred), over, keepdims=True) + self.epsilon)
        return self.scaled(reshape(y, inputs.shape), [axis])


class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x ** 2) + epsilon)` over `axis`. Zhang and Sennrich 2019.

    Shapes: (batch, ...) → the same; weights of the sizes of `axis`.
    """

    category: ClassVar[str] = "normalization"

    axis: int | list[int] = Field(-1, description="The dimensions that are normalised over.")
    epsilon: float = Field(1e-6, ge=0, description="Added to the mean square.")

    _scale: Weight

    def build(self, input_shape: Shape) -> None:
        axes = normal_axes(self.axis, len(input_shape), "RMSNormalization")
        self._scale = self.add_weight("scale", tuple(input_shape[a] for a in axes), "ones")

    def call(self, inputs: Value) -> Value:
        axes = normal_axes(self.axis, inputs.rank, "RMSNormalization")
        size = mean(apply("square", inputs), axes, keepdims=True)
        return inputs * apply("rsqrt", size + self.epsilon) * along(current().read(self._scale), inputs.rank, axes)


class UnitNormalization(Layer):
    """`x / sqrt(sum(x ** 2))` over `axis`: rows of length 1.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] = Field(-1, description="The dimensions that are normalised over.")

    def call(self, inputs: Value) -> Value:
        return normalized(inputs, normal_axes(self.axis, inputs.rank, "UnitNormalization"))


def normalized(x: Value, axes: Sequence[int], least: float = 1e-12) -> Value:
    """x / sqrt(max(sum(x ** 2), least)) over axes, as keras.ops.normalize."""
    return x * apply("rsqrt", apply("max", reduce("sum", apply("square", x), axes, keepdims=True), least))


class SpectralNormalization(Layer):
    """A layer whose kernel is divided by its largest singular value in each training step. Miyato et al. 2018.

    The optimizer changes the kernel as it was before, as in Keras on JAX; one that is not trained stays divided. The value is
    found by `power_iterations` of the power method, from the vector that the step before ended with.
    Shapes: as those of the layer.
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    layer: LayerField = Field(description="The layer; it has a kernel or a table of embeddings.")
    power_iterations: PositiveInt = Field(1, description="Iterations of the power method a step.")

    _of: Weight
    _vector: Weight

    def sublayers(self) -> Sequence[Layer]:
        return [self.layer]

    def place(self, path: str) -> None:
        self._path = path
        self.layer.place(f"{path}/{self.layer.name or snake_case(type(self.layer).__name__)}")

    def build(self, input_shape: Shape) -> None:
        self.layer.build(input_shape)
        self.layer._built = True
        found = [w for w in self.layer.weights() if w.path.rsplit("/", 1)[-1] in ("kernel", "embeddings")]
        if not found:
            raise ShapeError(f"SpectralNormalization: {type(self.layer).__name__} has neither a kernel nor embeddings")
        self._of = found[0]
        initializer = {"TruncatedNormal": {"stddev": 0.02}}
        self._vector = self.add_weight("vector_u", (1, self._of.shape[-1]), initializer, trainable=False)

    def weights(self) -> list[Weight]:
        return [self._of, *self._weights, *(w for w in self.layer.weights() if w is not self._of)]

    def call(self, inputs: Value) -> Any:
        if training():
            self._normalize()
        return self.layer(inputs)

    def _normalize(self) -> None:
        trace = current()
        kernel, u = trace.read(self._of), trace.read(self._vector)
        w = reshape(kernel, (-1, kernel.shape[-1]))
        fixed = stop_gradient(w)
        v = u
        for _ in range(self.power_iterations):
            v = normalized(matmul(u, fixed, transpose_b=True), (0, 1))
            u = normalized(matmul(v, fixed), (0, 1))
        sigma = reshape(matmul(matmul(v, w), u, transpose_b=True), ())
        blank = reduce("all", apply("eq", stop_gradient(kernel), 0.0))
        trace.update(self._vector, apply("where", blank, trace.read(self._vector), u))
        trace.update(self._of, apply("where", blank, kernel, kernel / apply("where", blank, 1.0, sigma)))
