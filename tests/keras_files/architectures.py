"""Models of many kinds as people write them in Keras."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as L
from keras import ops


def residual():
    x = inputs = keras.Input((12, 12, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(8, 3, padding="same", use_bias=False)(x)))
    for filters, strides in ((8, 1), (16, 2)):
        kept = x
        y = L.Conv2D(filters, 3, strides=strides, padding="same", kernel_regularizer="l2")(x)
        y = L.Activation("relu")(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(y))
        if strides > 1:
            kept = L.Conv2D(filters, 1, strides=strides)(x)
        x = L.Activation("relu")(L.Add()([kept, y]))
    return keras.Model(inputs, L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def u_net():
    inputs = keras.Input((16, 16, 1))
    a = L.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    b = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D()(a))
    c = L.Dropout(0.3)(L.Conv2D(12, 3, padding="same", activation="relu")(L.MaxPooling2D()(b)))
    d = L.Concatenate()([L.Conv2DTranspose(8, 2, strides=2)(c), b])
    d = L.Conv2D(8, 3, padding="same", activation="relu")(d)
    e = L.Concatenate()([L.UpSampling2D()(d), a])
    return keras.Model(inputs, L.Conv2D(1, 1, activation="sigmoid")(L.Conv2D(4, 3, padding="same")(e)))


def mobile():
    x = inputs = keras.Input((16, 16, 3))
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, use_bias=False)(x)))
    for filters, strides in ((8, 1), (12, 2)):
        x = L.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = L.ReLU(6.0)(L.BatchNormalization()(x))
        x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(filters, 1, use_bias=False)(x)))
    x = L.SeparableConv2D(10, 3, padding="same")(x)
    x = L.GlobalAveragePooling2D(keepdims=True)(x)
    x = L.Flatten()(L.Conv2D(4, 1)(L.Dropout(0.001)(x)))
    return keras.Model(inputs, L.Activation("softmax")(x))


def text_cnn():
    inputs = keras.Input((14,), dtype="int32")
    x = L.Embedding(20, 6)(inputs)
    parts = [L.GlobalMaxPooling1D()(L.Conv1D(5, k, activation="relu")(x)) for k in (2, 3, 4)]
    return keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Dropout(0.5)(L.Concatenate()(parts))))


def stacked_bidirectional():
    return keras.Sequential([
        keras.Input((9,), dtype="int32"), L.Embedding(11, 6, mask_zero=True), L.Bidirectional(L.LSTM(5, return_sequences=True, dropout=0.1)),
        L.Bidirectional(L.LSTM(4, name="own"), merge_mode="ave"), L.Dense(3),
    ], name="stacked")  # fmt: skip


def seq2seq():
    source, target = keras.Input((7,), dtype="int32", name="source"), keras.Input((5,), dtype="int32", name="target")
    words = L.Embedding(9, 6, mask_zero=True)
    _, h, c = L.LSTM(8, return_state=True, name="encoder")(words(source))
    y = L.LSTM(8, return_sequences=True, name="decoder")(words(target), initial_state=[h, c])
    return keras.Model([source, target], L.TimeDistributed(L.Dense(9, activation="softmax"))(y))


def transformer():
    ids = keras.Input((8,), dtype="int32")
    x = L.Embedding(12, 8)(ids)
    x = x * 2.0 + L.Embedding(12, 8, name="second")(ids)
    for _ in range(2):
        a = L.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
        x = L.LayerNormalization(epsilon=1e-6)(x + a)
        f = L.Dense(8)(L.Dense(16, activation="gelu")(x))
        x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, L.Dropout(0.1)(f)]))
    return keras.Model(ids, L.Dense(3)(ops.mean(x, axis=1)))


def cross_attention():
    a, b = keras.Input((5, 6), name="a"), keras.Input((7, 6), name="b")
    y, scores = L.MultiHeadAttention(2, 3)(a, b, return_attention_scores=True)
    z = L.Attention(use_scale=True)([y, b])
    return keras.Model([a, b], {"z": z, "scores": scores})


def siamese():
    tower = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.BatchNormalization(), L.Dense(4)], name="tower")
    a, b = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    distance = ops.sum(ops.square(tower(a) - tower(b)), axis=-1, keepdims=True)
    return keras.Model([a, b], L.Dense(1, activation="sigmoid")(distance))


def autoencoder():
    a = keras.Input((10,))
    encoder = keras.Model(a, L.Dense(3, activation="tanh")(L.Dense(6, activation="relu")(a)), name="encoder")
    b = keras.Input((3,))
    decoder = keras.Model(b, L.Dense(10)(L.Dense(6, activation="relu")(b)), name="decoder")
    x = keras.Input((10,))
    return keras.Model(x, decoder(encoder(x)), name="auto")


def wave():
    x = inputs = keras.Input((24, 4))
    skips = []
    for dilation in (1, 2, 4):
        gate = L.Conv1D(6, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        value = L.Conv1D(6, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        z = L.Multiply()([gate, value])
        skips.append(L.Conv1D(5, 1)(z))
        x = L.Add()([L.Conv1D(4, 1)(z), x])
    return keras.Model(inputs, L.Conv1D(3, 1)(L.Activation("relu")(L.Add()(skips))))


def conv_lstm():
    return keras.Sequential([
        keras.Input((4, 8, 8, 2)), L.ConvLSTM2D(5, 3, padding="same", return_sequences=True), L.BatchNormalization(), L.ConvLSTM2D(3, 3),
        L.Conv2D(1, 3, activation="sigmoid"),
    ])  # fmt: skip


def heads():
    x = inputs = keras.Input((7,))
    x = L.LeakyReLU(negative_slope=0.2)(L.Dense(9)(x))
    outputs = {"kind": L.Dense(3, activation="softmax", name="kind")(x), "size": L.Dense(1, name="size_head")(x)}
    model = keras.Model(inputs, outputs)
    model.compile("adam", loss={"kind": "sparse_categorical_crossentropy", "size": keras.losses.MeanAbsoluteError()},
                  loss_weights={"kind": 2.0, "size": 0.5}, metrics={"kind": ["accuracy"]})  # fmt: skip
    return model


def cells():
    x = inputs = keras.Input((6, 5))
    x = L.Masking(0.0)(x)
    x, *_ = L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True, return_state=True)(x)
    x = L.Bidirectional(L.GRU(4, return_sequences=True, reset_after=False), merge_mode="sum")(x)
    return keras.Model(inputs, L.SimpleRNN(3, go_backwards=True)(x))


def parts():
    x = inputs = keras.Input((6, 4))
    first = x[:, 0]
    last = x[:, -1, :]
    y = ops.concatenate([first, last], axis=-1)
    y = ops.reshape(ops.expand_dims(y, 1), (-1, 1, 8))
    z = ops.maximum(ops.relu(y) / 3.0, 1 - y)
    return keras.Model(inputs, [L.Dense(2)(ops.squeeze(z, 1)), ops.softmax(first), ops.matmul(x, ops.transpose(x, (0, 2, 1)))])


def deep():
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, name="same")], name="inner")
    a = keras.Input((5,))
    middle = keras.Model(a, [L.Dense(3, name="same")(inner(a)), inner(a)], name="middle")
    x = keras.Input((5,))
    y, z = middle(x)
    each = keras.Sequential([keras.Input((5,)), L.Dense(3), L.Dense(2)], name="each")
    return keras.Model(x, [L.Dense(2, name="same")(y), z, L.TimeDistributed(each)(L.Reshape((1, 5))(x))])


def masked_convolution():
    ids = keras.Input((8,), dtype="int32")
    x = L.Embedding(6, 5, mask_zero=True)(ids)
    y = L.Conv1D(4, 3, padding="same")(x)
    return keras.Model(ids, [L.LSTM(3)(y), L.LSTM(3)(x), L.LSTM(3)(x * 2.0), L.GlobalAveragePooling1D()(L.Dropout(0.2)(x))])


def explicit_mask():
    x, keep = keras.Input((6, 4)), keras.Input((6,), dtype="bool", name="keep")
    return keras.Model([x, keep], L.LSTM(5)(x, mask=keep))


def gates():
    x = inputs = keras.Input((10, 4))
    skips = []
    for dilation in (1, 2):
        value, gate = ops.split(L.Conv1D(8, 2, padding="causal", dilation_rate=dilation)(x), 2, axis=-1)
        z = ops.tanh(value) * ops.sigmoid(gate)
        x = L.Conv1D(4, 1)(z) + x
        skips.append(z)
    best, places = ops.top_k(ops.sum(ops.stack(skips, axis=0), axis=0), 2)
    return keras.Model(inputs, [L.Dense(3)(ops.relu(best)), places])


def attended_steps():
    ids = keras.Input((9,), dtype="int32")
    x = L.Embedding(12, 6, mask_zero=True)(ids)
    h, fh, _, bh, _ = L.Bidirectional(L.LSTM(5, return_sequences=True, return_state=True))(x)
    weights = L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(h)))
    weighted = L.Multiply()([h, L.Permute((2, 1))(L.RepeatVector(10)(weights))])
    both = L.Maximum()([h, L.Minimum()([h, weighted])])
    found = L.AdditiveAttention()([L.Reshape((1, 10))(L.Concatenate()([fh, bh])), h])
    return keras.Model(ids, L.Dense(3)(L.Concatenate()([ops.sum(weighted, axis=1), ops.sum(both, axis=1), L.Flatten()(found)])))


def routing():
    x = inputs = keras.Input((8, 8, 1))
    u = ops.reshape(L.Conv2D(8, 3, strides=2, activation="relu")(x), (-1, 18, 4))
    votes = L.EinsumDense("bid,djk->bijk", output_shape=(18, 3, 4))(u)
    logits = ops.zeros_like(votes[..., 0])
    for _ in range(2):
        s = ops.einsum("bij,bijk->bjk", ops.softmax(logits, axis=2), votes)
        n = ops.sum(ops.square(s), axis=-1, keepdims=True)
        v = n / (1 + n) / ops.sqrt(n + 1e-7) * s
        logits = logits + ops.einsum("bijk,bjk->bij", votes, v)
    return keras.Model(inputs, ops.sqrt(ops.sum(v * v, axis=-1)))


def patches():
    x = inputs = keras.Input((8, 8, 3))
    p = ops.reshape(ops.image.extract_patches(x, size=4), (-1, 4, 48)) + np.linspace(-1, 1, 192).reshape(1, 4, 48).astype("float32")
    for _ in range(2):
        p = p + L.Permute((2, 1))(L.Dense(4, activation="leaky_relu")(L.Permute((2, 1))(L.LayerNormalization()(p))))
    y = ops.nn.depth_to_space(L.Conv2D(8, 1)(x), 2) if hasattr(ops.nn, "depth_to_space") else x
    chosen = ops.take_along_axis(p, ops.argsort(p[:, :, :1], axis=1), axis=1)
    return keras.Model(inputs, [L.Dense(2)(ops.mean(chosen, axis=1)), L.GlobalMaxPooling2D()(y), ops.where(ops.equal(ops.round(p), 0), p, -p)])


def keeping_states():
    return keras.Sequential([
        keras.Input(batch_shape=(3, 5, 2)), L.LSTM(4, stateful=True, return_sequences=True), L.GRU(3, stateful=True), L.Dense(1),
    ])  # fmt: skip


def squeezed():
    inputs = keras.Input((24, 24, 3))
    x = L.Rescaling(1.0 / 255)(inputs)
    x = L.Normalization(mean=[0.4, 0.4, 0.5], variance=[0.05, 0.06, 0.07])(x)
    x = L.ZeroPadding2D(padding=((0, 1), (0, 1)))(x)
    x = L.Conv2D(8, 3, strides=2, padding="valid", use_bias=False)(x)
    x = L.BatchNormalization(axis=-1)(x)
    x = L.Activation("swish")(x)
    for i, (f_out, k, s) in enumerate([(8, 3, 1), (12, 5, 2), (12, 5, 1)]):
        f_in = x.shape[-1]
        kept = x
        y = L.Conv2D(f_in * 4, 1, padding="same", use_bias=False, name=f"b{i}_expand")(x)
        y = L.BatchNormalization(name=f"b{i}_bn")(y)
        y = L.Activation("silu", name=f"b{i}_act")(y)
        y = L.DepthwiseConv2D(k, strides=s, padding="same", use_bias=False)(y)
        y = L.BatchNormalization()(y)
        y = L.Activation("silu")(y)
        se = L.GlobalAveragePooling2D()(y)
        se = L.Reshape((1, 1, f_in * 4))(se)
        se = L.Conv2D(max(1, f_in // 4), 1, padding="same", activation="silu")(se)
        se = L.Conv2D(f_in * 4, 1, padding="same", activation="sigmoid")(se)
        y = L.multiply([y, se])
        y = L.Conv2D(f_out, 1, padding="same", use_bias=False)(y)
        y = L.BatchNormalization()(y)
        if s == 1 and f_in == f_out:
            y = L.Dropout(0.2, noise_shape=(None, 1, 1, 1))(y)
            y = L.add([y, kept])
        x = y
    x = L.GlobalAveragePooling2D(name="avg_pool")(x)
    x = L.Dropout(0.2, name="top_dropout")(x)
    return keras.Model(inputs, L.Dense(4, activation="softmax", name="predictions")(x), name="efficientnet-like")


def densenet():
    def block(x, n, growth):
        for _ in range(n):
            y = L.BatchNormalization(axis=3, epsilon=1.001e-5)(x)
            y = L.Activation("relu")(y)
            y = L.Conv2D(4 * growth, 1, use_bias=False)(y)
            y = L.BatchNormalization(axis=3, epsilon=1.001e-5)(y)
            y = L.Activation("relu")(y)
            y = L.Conv2D(growth, 3, padding="same", use_bias=False)(y)
            x = L.Concatenate(axis=3)([x, y])
        return x
    inputs = keras.Input((32, 32, 3))
    x = L.ZeroPadding2D(padding=((3, 3), (3, 3)))(inputs)
    x = L.Conv2D(8, 7, strides=2, use_bias=False)(x)
    x = L.ZeroPadding2D(padding=((1, 1), (1, 1)))(x)
    x = L.MaxPooling2D(3, strides=2)(x)
    x = block(x, 2, 4)
    x = L.Conv2D(int(x.shape[3] * 0.5), 1, use_bias=False)(x)
    x = L.AveragePooling2D(2, strides=2)(x)
    x = block(x, 2, 4)
    x = L.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, L.Dense(3)(x))


def tcn():
    inputs = keras.Input((40, 3))
    x = inputs
    for d in (1, 2, 4):
        kept = x
        for _ in range(2):
            x = L.Conv1D(6, 3, dilation_rate=d, padding="causal", kernel_initializer="he_normal")(x)
            x = L.LayerNormalization()(x)
            x = L.Activation("relu")(x)
            x = L.SpatialDropout1D(0.1)(x)
        if kept.shape[-1] != x.shape[-1]:
            kept = L.Conv1D(6, 1, padding="same")(kept)
        x = L.Activation("relu")(L.add([x, kept]))
    x = x[:, -1, :]
    return keras.Model(inputs, L.Dense(1)(x))


def variational():
    enc_in = keras.Input((28, 28, 1))
    x = L.Conv2D(4, 3, activation="relu", strides=2, padding="same")(enc_in)
    x = L.Conv2D(8, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Flatten()(x)
    x = L.Dense(16, activation="relu")(x)
    mean = L.Dense(2, name="z_mean")(x)
    log_var = L.Dense(2, name="z_log_var")(x)
    encoder = keras.Model(enc_in, [mean, log_var], name="encoder")
    dec_in = keras.Input((2,))
    x = L.Dense(7 * 7 * 8, activation="relu")(dec_in)
    x = L.Reshape((7, 7, 8))(x)
    x = L.Conv2DTranspose(8, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Conv2DTranspose(4, 3, activation="relu", strides=2, padding="same")(x)
    out = L.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x)
    decoder = keras.Model(dec_in, out, name="decoder")
    inp = keras.Input((28, 28, 1))
    m, v = encoder(inp)
    z = m + ops.exp(0.5 * v)
    return keras.Model(inp, [decoder(z), m, v], name="vae")


def mixed_columns():
    numbers = [keras.Input((1,), name=f"number_{i}") for i in range(3)]
    words = [keras.Input((1,), name=f"word_{i}", dtype="int64") for i in range(2)]
    tables = [L.Flatten()(L.Embedding(10, 3, embeddings_regularizer=keras.regularizers.L2(1e-4))(w)) for w in words]
    x = L.concatenate(numbers + tables)
    x = L.Dense(16, kernel_regularizer=keras.regularizers.L1L2(1e-5, 1e-4), kernel_constraint=keras.constraints.MaxNorm(3))(x)
    for activation in (L.LeakyReLU(negative_slope=0.1), L.PReLU(), L.ELU()):
        x = activation(x)
    outputs = {"price": L.Dense(1, name="price")(x), "kind": L.Dense(3, activation="softmax", name="kind")(x)}
    return keras.Model({i.name: i for i in numbers + words}, outputs)


def generator():
    return keras.Sequential([
        keras.Input((8,)), L.Dense(4 * 4 * 8, use_bias=False), L.BatchNormalization(), L.LeakyReLU(0.2), L.Reshape((4, 4, 8)),
        L.Conv2DTranspose(6, 5, padding="same", use_bias=False), L.BatchNormalization(momentum=0.8), L.LeakyReLU(),
        L.UpSampling2D((2, 2), interpolation="bilinear"), L.Conv2DTranspose(4, (4, 4), strides=(2, 2), padding="same", use_bias=False), L.ReLU(),
        L.Conv2DTranspose(3, 5, strides=2, padding="valid", output_padding=1, activation="tanh"), L.Cropping2D(((1, 2), (2, 1))),
    ])  # fmt: skip


def deepfm():
    inputs = keras.Input((5,), dtype="int32")
    e = L.Embedding(40, 6)(inputs)
    s = ops.square(ops.sum(e, axis=1))
    q = ops.sum(ops.square(e), axis=1)
    fm = 0.5 * ops.sum(s - q, axis=-1, keepdims=True)
    lin = ops.sum(L.Embedding(40, 1)(inputs), axis=1)
    deep = L.Dense(1)(L.Dense(12, activation="relu")(L.Flatten()(e)))
    return keras.Model(inputs, keras.activations.sigmoid(fm + lin + deep))


def own_masks():
    ids = keras.Input((6,), dtype="int32")
    x, seen = L.Embedding(20, 8)(ids), ops.not_equal(ids, 0)
    past = ops.reshape(ops.arange(6)[:, None] >= ops.arange(6), (1, 6, 6))
    a = L.MultiHeadAttention(2, 4)(query=x, value=x, key=x, attention_mask=seen[:, None, :])
    b = L.MultiHeadAttention(2, 4)(a, a, attention_mask=past)
    kept = ops.cast(seen, "float32")[..., None]
    return keras.Model(ids, ops.sum(b * kept, axis=1) / ops.maximum(ops.sum(kept, axis=1), 1e-9))


def cells_both_ways():
    inputs = keras.Input((7, 5))
    x = L.Bidirectional(L.RNN(L.GRUCell(4), return_sequences=True))(inputs)
    return keras.Model(inputs, L.Bidirectional(L.RNN([L.LSTMCell(3), L.LSTMCell(2)]), merge_mode="mul")(x))


def mirrored():
    inputs = keras.Input((8, 8, 3))
    x = ops.pad(inputs, [[0, 0], [2, 1], [2, 2], [0, 0]], mode="reflect")
    x = ops.pad(L.Conv2D(4, 5)(x), [[0, 0], [0, 3], [1, 1], [0, 0]], mode="symmetric")
    flat = L.Dense(6)(L.GlobalAveragePooling2D()(x))
    start = keras.initializers.Constant(np.arange(6.0))
    return keras.Model(inputs, [x, flat, flat, inputs, ops.tensordot(flat, ops.transpose(flat), 1), L.Dense(6, bias_initializer=start)(flat)])


def lost_masks():
    """Keras's MultiHeadAttention takes the masks off what it is given, also through a dropout and out of a nested model."""
    k = keras.Input((6, 8))
    inner = keras.Model(k, [L.MultiHeadAttention(1, 4)(k, k), L.Conv1D(8, 3, padding="same")(k)])
    ids, others = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    words = L.Embedding(9, 8, mask_zero=True)
    x, y = words(ids), words(others)
    early = L.GRU(3)(x)
    d = L.Dropout(0.1)(x)
    a = L.MultiHeadAttention(2, 4)(d, d)
    b = L.MultiHeadAttention(2, 4)(x, y, y)
    added = L.Add()([x, a])
    c = L.MultiHeadAttention(2, 4)(L.LayerNormalization()(added), y)
    n, m = inner(y)
    after = L.Add()([y, n])
    pooled = [L.GlobalAveragePooling1D()(v) for v in (added, after, m, L.LayerNormalization()(c))]
    return keras.Model([ids, others], [b, early, L.LSTM(3)(x), L.LSTM(3)(after), *pooled])


ALL = [v for k, v in dict(globals()).items() if callable(v) and getattr(v, "__module__", "") == __name__]
