"""Names from PyTorch, older Keras and other tools, and what they are here. `foreign.py` makes answers of this table."""

from __future__ import annotations

INPUT = "the size of the input is known from what stands before; a model without data starts with `- Input: {shape: [4]}`"
SEQUENCE = "the batch comes first always: (batch, steps, features)"
RATE = "it is the optimizer's: `compile: {optimizer: {Adam: {learning_rate: 0.01}}}`"

NAMES: dict[str, dict[str, str]] = {
    "layers": {
        "Linear": "Dense", "FullyConnected": "Dense", "fc": "Dense", "TimeDistributedDense": "Dense", "LazyLinear": "Dense", "Conv": "Conv2D",
        "Conv1d": "Conv1D", "Conv2d": "Conv2D", "Conv3d": "Conv3D",
        "AtrousConvolution2D": "Conv2D", "Deconvolution2D": "Conv2DTranspose", "ConvTranspose1d": "Conv1DTranspose",
        "ConvTranspose2d": "Conv2DTranspose", "ConvTranspose3d": "Conv3DTranspose", "MaxPool1d": "MaxPooling1D", "MaxPool2d": "MaxPooling2D",
        "MaxPool3d": "MaxPooling3D", "AvgPool1d": "AveragePooling1D", "AvgPool2d": "AveragePooling2D", "AvgPool3d": "AveragePooling3D",
        "AdaptiveAvgPool1d": "AdaptiveAveragePooling1D", "AdaptiveAvgPool2d": "AdaptiveAveragePooling2D",
        "AdaptiveAvgPool3d": "AdaptiveAveragePooling3D", "AdaptiveMaxPool1d": "AdaptiveMaxPooling1D", "AdaptiveMaxPool2d": "AdaptiveMaxPooling2D",
        "BatchNorm": "BatchNormalization", "BatchNorm1d": "BatchNormalization", "BatchNorm2d": "BatchNormalization",
        "BatchNorm3d": "BatchNormalization", "SyncBatchNorm": "BatchNormalization", "LayerNorm": "LayerNormalization",
        "GroupNorm": "GroupNormalization", "RMSNorm": "RMSNormalization", "InstanceNorm1d": "GroupNormalization: {groups: -1}",
        "InstanceNorm2d": "GroupNormalization: {groups: -1}", "Dropout1d": "SpatialDropout1D", "Dropout2d": "SpatialDropout2D",
        "Dropout3d": "SpatialDropout3D", "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "Upsample": "UpSampling2D", "ZeroPad1d": "ZeroPadding1D",
        "ZeroPad2d": "ZeroPadding2D", "View": "Reshape", "Unflatten": "Reshape", "Merge": "Concatenate", "Concat": "Concatenate",
        "Cat": "Concatenate", "Sum": "Add", "Mul": "Multiply", "MultiheadAttention": "MultiHeadAttention", "EmbeddingBag": "Embedding",
        "ReLU6": "ReLU: {max_value: 6}", "Tanh": "Activation: tanh", "Sigmoid": "Activation: sigmoid", "GELU": "Activation: gelu",
        "SiLU": "Activation: silu", "Swish": "Activation: silu", "Mish": "Activation: mish", "SELU": "Activation: selu", "CELU": "Activation: celu",
        "Softplus": "Activation: softplus", "Softsign": "Activation: softsign", "Hardtanh": "Activation: hard_tanh",
        "Hardsigmoid": "Activation: hard_sigmoid", "Hardswish": "Activation: hard_silu", "LogSigmoid": "Activation: log_sigmoid",
        "LogSoftmax": "Activation: log_softmax", "ThresholdedReLU": "ReLU: {threshold: 1.0}", "Permutation": "Permute",
        "Deconv1D": "Conv1DTranspose", "Deconv2D": "Conv2DTranspose", "Deconv3D": "Conv3DTranspose", "LazyConv1d": "Conv1D", "LazyConv2d": "Conv2D",
        "LazyConv3d": "Conv3D", "LazyBatchNorm1d": "BatchNormalization", "LazyBatchNorm2d": "BatchNormalization", "RNNCell": "SimpleRNNCell",
        "UpsamplingNearest2d": "UpSampling2D", "UpsamplingBilinear2d": "UpSampling2D: {interpolation: bilinear}", "FeatureAlphaDropout": "AlphaDropout",
        "GLU": "Activation: glu", "Tanhshrink": "Activation: tanh_shrink", "Hardshrink": "Activation: hard_shrink", "Softshrink": "Activation: soft_shrink",
        "Threshold": "Activation: {activation: {threshold: {threshold: 0.1, default_value: 0.0}}}", "Softmin": 'Lambda: "softmax(-x)"',
        "PixelShuffle": 'Lambda: "depth_to_space(x, 2)"', "PixelUnshuffle": 'Lambda: "space_to_depth(x, 2)"',
        "Unfold": 'Lambda: "extract_patches(x, 3)"', "CosineSimilarity": "Dot: {axes: -1, normalize: true}",
        "PairwiseDistance": 'Lambda: "sqrt(sum(square(x[0] - x[1]), axis=-1))"',
    },
    "losses": {
        "CrossEntropyLoss": "{SparseCategoricalCrossentropy: {from_logits: true}}", "NLLLoss": "sparse_categorical_crossentropy",
        "BCELoss": "binary_crossentropy", "BCEWithLogitsLoss": "{BinaryCrossentropy: {from_logits: true}}", "MSELoss": "mean_squared_error",
        "L1Loss": "mean_absolute_error", "L2Loss": "mean_squared_error", "SmoothL1Loss": "huber", "HuberLoss": "huber", "KLDivLoss": "kl_divergence",
        "PoissonNLLLoss": "poisson", "CTCLoss": "ctc", "cross_entropy": "crossentropy", "softmax_cross_entropy": "categorical_crossentropy",
        "sigmoid_cross_entropy": "binary_crossentropy", "log_loss": "binary_crossentropy", "logloss": "binary_crossentropy",
        "nll_loss": "sparse_categorical_crossentropy", "l1_loss": "mean_absolute_error", "l1": "mean_absolute_error", "l2": "mean_squared_error",
        "rmse": "mean_squared_error", "root_mean_squared_error": "mean_squared_error", "focal_loss": "binary_focal_crossentropy",
        "HingeEmbeddingLoss": "hinge", "CosineEmbeddingLoss": "cosine_similarity", "dice_loss": "dice", "cosine_proximity": "cosine_similarity",
    },
    "metrics": {
        "f1": "f1_score", "f1score": "f1_score", "rmse": "root_mean_squared_error", "roc_auc": "auc", "ROCAUC": "auc", "AUROC": "auc",
        "r_squared": "r2_score", "top_5_accuracy": "{SparseTopKCategoricalAccuracy: {k: 5}}", "MSELoss": "mean_squared_error",
        "l1": "mean_absolute_error", "jaccard": "mean_io_u", "MulticlassAccuracy": "accuracy", "cross_entropy": "crossentropy",
        "log_loss": "binary_crossentropy", "F1": "f1_score", "auroc": "auc", "fmeasure": "f_beta_score", "BinaryF1Score": "f1_score",
        "MulticlassF1Score": "f1_score", "JaccardIndex": "mean_io_u",
    },
    "optimizers": {
        "RMSProp": "RMSprop", "AdamOptimizer": "Adam", "GradientDescent": "SGD", "GradientDescentOptimizer": "SGD",
        "MomentumOptimizer": "{SGD: {momentum: 0.9}}", "Momentum": "{SGD: {momentum: 0.9}}", "momentum": "{SGD: {momentum: 0.9}}", "NAdam": "Nadam",
        "LAMB": "Lamb", "AdaGrad": "Adagrad", "AdaDelta": "Adadelta", "AdaMax": "Adamax", "sgdm": "{SGD: {momentum: 0.9}}",
        "AMSGrad": "{Adam: {amsgrad: true}}", "SparseAdam": "Adam", "Nesterov": "{SGD: {momentum: 0.9, nesterov: true}}",
    },
    "schedules": {
        "CosineAnnealingLR": "CosineDecay", "CosineAnnealingWarmRestarts": "CosineDecayRestarts", "ExponentialLR": "ExponentialDecay",
        "StepLR": "PiecewiseConstantDecay", "MultiStepLR": "PiecewiseConstantDecay", "PolynomialLR": "PolynomialDecay",
        "LinearLR": "PolynomialDecay", "cosine": "CosineDecay", "exponential": "ExponentialDecay",
    },
    "callbacks": {
        "EarlyStop": "EarlyStopping", "LRScheduler": "LearningRateScheduler", "Checkpoint": "ModelCheckpoint", "TerminateOnNan": "TerminateOnNaN",
        "ReduceLR": "ReduceLROnPlateau", "StochasticWeightAveraging": "SwapEMAWeights",
    },
    "activations": {
        "lrelu": "leaky_relu", "hardtanh": "hard_tanh", "hardsigmoid": "hard_sigmoid", "hardswish": "hard_silu", "logsoftmax": "log_softmax",
        "logsigmoid": "log_sigmoid", "logistic": "sigmoid", "identity": "linear", "none": "linear", "None": "linear",
    },
    "initializers": {
        "xavier": "glorot_uniform", "xavier_uniform": "glorot_uniform", "xavier_normal": "glorot_normal", "glorot": "glorot_uniform",
        "kaiming": "he_normal", "kaiming_uniform": "he_uniform", "kaiming_normal": "he_normal", "he": "he_normal", "zero": "zeros", "one": "ones",
        "gaussian": "random_normal", "trunc_normal": "truncated_normal", "eye": "identity",
    },
    "regularizers": {
        "l1l2": "l1_l2", "weight_decay": "l2", "lasso": "l1", "ridge": "l2",
    },
    "constraints": {
        "maxnorm": "max_norm", "nonneg": "non_neg", "unitnorm": "unit_norm", "max_norm_constraint": "max_norm",
    },
}  # fmt: skip
"""By catalogue: a name of others, and what a file writes here."""

ABSENT: dict[str, str] = {
    "Sequential": "the list below `model:` is the sequence; write its layers there",
    "Model": "name the parts below `model:`: inputs, layers and outputs",
    "Bilinear": "a layer of expressions under `define` has what products you like",
    "LocallyConnected1D": "a Conv1D, whose weights are shared over the places, is the nearest",
    "LocallyConnected2D": "a Conv2D, whose weights are shared over the places, is the nearest",
    "MaxoutDense": "a Dense of k times the units, a Reshape, and a Lambda with max over the k",
    "Highway": "write it with `define`: two Dense, a Multiply and an Add",
    "TransformerEncoderLayer": "write it with `define`: MultiHeadAttention, Add, LayerNormalization, two Dense, Add, LayerNormalization",
    "TransformerEncoder": "write one block with `define`, and repeat it: `repeat: 6`",
    "TransformerDecoderLayer": "write it with `define`: MultiHeadAttention with `use_causal_mask`, another that takes the memory, two Dense, Adds, norms",
    "TransformerDecoder": "write one block with `define`, and repeat it: `repeat: 6`",
    "Transformer": "write its blocks with `define`, of MultiHeadAttention, LayerNormalization and Dense",
    "ModuleList": "the list below `model:` is the sequence; `repeat` writes a layer several times",
    "ReflectionPad1d": "ZeroPadding1D, which pads with zeros, is the nearest", "ReflectionPad2d": "ZeroPadding2D, which pads with zeros, is the nearest",
    "ReplicationPad2d": "ZeroPadding2D, which pads with zeros, is the nearest",
    "ConstantPad1d": 'a Lambda does it: `Lambda: "pad(x, [[0, 0], [1, 1], [0, 0]])"`',
    "ConstantPad2d": 'a Lambda does it: `Lambda: "pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])"`',
    "LocalResponseNorm": "BatchNormalization or LayerNormalization is what has taken its place", "RReLU": "LeakyReLU, whose slope is fixed, is the nearest",
    "LPPool2d": "a Lambda around an AveragePooling2D of powers does it", "MaxUnpool2d": "UpSampling2D is the nearest: places of the largest are not kept",
    "FractionalMaxPool2d": "AdaptiveMaxPooling2D, which gives a size as well, is the nearest",
    "ChannelShuffle": "a Reshape, a Permute and a Reshape do it", "Fold": "Conv2DTranspose adds up what overlaps, in the same way",
    "TripletMarginLoss": "write it as a loss with `define`: an expression of y_true and y_pred, or with a layer's `add_loss`",
    "MarginRankingLoss": "write it as a loss with `define`: an expression of y_true and y_pred", "GaussianNLLLoss": "write it as a loss with `define`: "
    "an expression of y_true and y_pred", "MultiMarginLoss": "categorical_hinge is the nearest", "MultiLabelMarginLoss": "hinge is the nearest",
    "SoftMarginLoss": "{BinaryCrossentropy: {from_logits: true}} is the same of logits", "ConfusionMatrix": "it is no number: `layerctl eval` prints it",
    "LambdaLR": "the callback does it: `LearningRateScheduler: lr * 0.95`", "RAdam": "Adam with a schedule's warmup_steps is the nearest",
    "ASGD": "{SGD: {use_ema: true}} averages weights too", "Rprop": "it wants whole passes, and training goes in batches; RMSprop is made of it",
    "LBFGS": "training goes in batches, by first derivatives; Adam is the usual choice",
    "OneCycleLR": "CosineDecay with warmup_target and warmup_steps is the nearest",
    "CyclicLR": "CosineDecayRestarts is the nearest",
}
"""What has no equal here, and what to write in its place."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "val": ("validation",), "valid": ("validation",), "val_size": ("validation",), "validation_split": ("validation",), "test_size": ("test",),
    "lr": ("learning_rate",), "base_lr": ("learning_rate",), "eta": ("learning_rate",), "alpha": ("negative_slope",), "nb_epoch": ("epochs",),
    "n_epochs": ("epochs",), "num_epochs": ("epochs",), "max_epochs": ("epochs",), "iterations": ("epochs",),
    "max_iter": ("epochs",), "bs": ("batch_size",), "output_dim": ("units",), "out_features": ("units",), "hidden_size": ("units",),
    "num_units": ("units",), "n_units": ("units",), "size": ("units", "pool_size"), "neurons": ("units",), "out_channels": ("filters",),
    "nb_filter": ("filters",), "n_filters": ("filters",), "num_filters": ("filters",), "channels": ("filters",), "kernel": ("kernel_size",),
    "filter_length": ("kernel_size",), "filter_size": ("kernel_size",), "nb_row": ("kernel_size",), "nb_col": ("kernel_size",),
    "window": ("kernel_size", "pool_size"), "stride": ("strides",), "subsample": ("strides",), "subsample_length": ("strides",),
    "border_mode": ("padding",), "dilation": ("dilation_rate",), "atrous_rate": ("dilation_rate",), "pool_length": ("pool_size",),
    "dim_ordering": ("data_format",), "bias": ("use_bias",), "dropout": ("rate", "dropout"), "p": ("rate",), "prob": ("rate",),
    "drop_rate": ("rate",), "rate": ("dropout", "learning_rate"), "keep_prob": ("rate",), "init": ("kernel_initializer", "embeddings_initializer"),
    "weight_init": ("kernel_initializer",), "initializer": ("kernel_initializer", "embeddings_initializer"),
    "inner_init": ("recurrent_initializer",), "forget_bias_init": ("unit_forget_bias",), "inner_activation": ("recurrent_activation",),
    "act": ("activation",), "nonlinearity": ("activation",), "W_regularizer": ("kernel_regularizer",), "U_regularizer": ("recurrent_regularizer",),
    "b_regularizer": ("bias_regularizer",), "regularizer": ("kernel_regularizer",), "regularization": ("kernel_regularizer",),
    "W_constraint": ("kernel_constraint",), "b_constraint": ("bias_constraint",), "U_constraint": ("recurrent_constraint",),
    "constraint": ("kernel_constraint",), "dropout_W": ("dropout",), "dropout_U": ("recurrent_dropout",), "eps": ("epsilon",), "fuzz": ("epsilon",),
    "num_embeddings": ("input_dim",), "vocab_size": ("input_dim", "vocabulary"), "embedding_dim": ("output_dim",),
    "embed_dim": ("output_dim", "key_dim"), "padding_idx": ("mask_zero",), "dim": ("axis",), "head_dim": ("key_dim",), "heads": ("num_heads",),
    "nhead": ("num_heads",), "scale_factor": ("size",), "num_groups": ("groups",), "beta1": ("beta_1",), "beta2": ("beta_2",), "betas": ("beta_1",),
    "weight_decay": ("kernel_regularizer",), "max_grad_norm": ("global_clipnorm",), "grad_clip": ("global_clipnorm",),
    "gradient_clip_val": ("global_clipnorm",), "threshold_mode": ("mode",), "accumulate_grad_batches": ("gradient_accumulation_steps",),
    "output_padding_mode": ("padding",), "upper": ("max_value",), "return_sequence": ("return_sequences",), "concat_axis": ("axis",),
    "dims": ("axis",), "func": ("function",), "shape": ("target_shape",), "epsilon": ("min_delta",),
}  # fmt: skip
"""An argument of others, and those that may be it here: the first that the thing has."""

NOTES: dict[str, str] = {
    "weight_decay": "as in `kernel_regularizer: {L2: 1e-4}`", "betas": "`betas: [a, b]` is `beta_1: a, beta_2: b`", "keep_prob": "rate is 1 - keep_prob",
    "padding_idx": "`mask_zero: true` leaves id 0 out", "nb_row": "`kernel_size: [rows, columns]`", "nb_col": "`kernel_size: [rows, columns]`",
    "CrossEntropyLoss": "for targets that are class indices; with a softmax as the last layer, sparse_categorical_crossentropy",
    "NLLLoss": "with a softmax as the last layer, and targets that are class indices", "CuDNNLSTM": "the fast way is taken by itself",
    "CuDNNGRU": "the fast way is taken by itself",
    "root_mean_squared_error": "it has the same minimum; the root is a metric: `metrics: [root_mean_squared_error]`",
}  # fmt: skip
"""What else is to be said of a name or an argument of others."""

NEEDLESS: dict[str, str] = {
    "lr": RATE, "learning_rate": RATE, "optimizer": "it belongs into `compile:`", "loss": "it belongs into `compile:`", "metrics": "it belongs into `compile:`",
    "epochs": "it belongs into `fit:`", "batch_size": "it belongs into `fit:`", "callbacks": "it belongs into `fit:`", "target": "it belongs into `data:`",
    "in_features": INPUT, "in_channels": INPUT, "input_size": INPUT, "num_features": INPUT, "normalized_shape": INPUT, "input_shape": INPUT,
    "batch_input_shape": INPUT, "input_dim": INPUT, "input_length": INPUT, "d_model": INPUT, "batch_first": SEQUENCE, "time_major": SEQUENCE,
    "num_layers": "write the layer several times, or give its item `repeat: 2`",
    "bidirectional": "put it into another: `Bidirectional: {layer: {LSTM: 32}}`",
    "inplace": "memory is planned for the whole model; nothing is to be said of it",
    "device": "models run on this machine's processor; `--threads` says on how many cores", "affine": "say `center` and `scale`",
    "track_running_stats": "the averages are kept always", "mode": "there is one mode", "consume_less": "the fastest way is taken by itself",
    "implementation": "the fastest way is taken by itself", "weights": "weights are read by `fit: {weights: FILE}`",
    "decay": "give a schedule: `learning_rate: {InverseTimeDecay: {initial_learning_rate: 0.01, decay_steps: 1, decay_rate: 1e-4}}`",
    "lr_decay": "give a schedule: `learning_rate: {ExponentialDecay: {initial_learning_rate: 0.01, decay_steps: 100, decay_rate: 0.9}}`",
    "dampening": "momentum is Keras's: `v = momentum * v - rate * g`", "validation_split": "write `data: {split: {validation: 0.1}}`",
    "validation_data": "write `data: {source: {train: a.csv, validation: b.csv}, …}`",
    "sample_weight": "name a column of weights: `data: {weight: importance}`",
    "verbose": "`--quiet` on the command line says less, `--json` says it for machines",
    "workers": "`--threads` on the command line says how many cores", "num_workers": "`--threads` on the command line says how many cores",
    "use_multiprocessing": "`--threads` on the command line says how many cores", "pin_memory": "models run on this machine's processor",
    "jit_compile": "everything is compiled", "run_eagerly": "everything is compiled; `print: true` shows a layer's results",
    "steps_per_execution": "many steps run in one call by themselves", "drop_last": "the last, smaller batch is used",
    "max_time": "say it on the command line: `--max-time 10m`", "early_stopping": "it is a callback: `callbacks: [{EarlyStopping: {patience: 5}}]`",
    "patience": "it is a callback's: `callbacks: [{EarlyStopping: {patience: 5}}]`",
    "cooldown_epochs": "it is a callback's: `ReduceLROnPlateau: {cooldown: 2}`", "dropout": "put a layer behind it: `- Dropout: 0.5`",
    "activation": "put a layer behind it: `- Activation: relu`", "num_classes": "the last layer's units say it",
    "n_classes": "the last layer's units say it", "classes": "the last layer's units say it",
    "ceil_mode": "`padding: same` gives ceil(n / stride) places", "return_indices": "places of the largest values are not given",
    "start_dim": "all dimensions but the batch become one", "end_dim": "all dimensions but the batch become one",
    "max_norm": "a constraint does it: `embeddings_constraint: max_norm`",
}  # fmt: skip
"""An argument of others that is not needed here and why, or where it goes."""

SECTIONS: dict[str, str] = {
    "layer": "model: [...]", "lr": "compile: {optimizer: {Adam: {learning_rate: …}}}", "network": "model: [...]",
    "architecture": "model: [...]", "net": "model: [...]",
    "dataset": "data: {source: …}",
    "datasets": "data: {source: …}", "input_features": "data: {features: {…}}", "output_features": "data: {target: …}", "training": "fit: {…}",
    "train": "fit: {…}", "trainer": "fit: {…}", "variables": "vars: {…}", "version": "layerctl: 1", "preprocessing": "data: {features: {…}}",
    "learning_rate": "compile: {optimizer: {Adam: {learning_rate: …}}}", "backbone": "model: [...]", "head": "model: [...]", "blocks": "define: {…}",
    "extends": "include: base.yaml", "imports": "include: base.yaml", "defaults": "include: base.yaml",
}  # fmt: skip
"""Sections of others, and where that goes here."""
