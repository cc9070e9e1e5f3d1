"""layerctl: neural networks from YAML, on a small compiler of native kernels."""

__version__ = "0.1.0"
