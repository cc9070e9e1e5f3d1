"""Windows and Fourier kernels beside scipy's and Keras's."""

import keras
import numpy as np
import pytest
import scipy.signal

from layerctl.initializers.fourier import COSINES, STFT, window_of


@pytest.mark.parametrize("name", list(COSINES))
def test_windows(name):
    for length in (1, 2, 15, 256):
        for periodic in (False, True):
            np.testing.assert_allclose(window_of(name, length, periodic), scipy.signal.get_window(name, length, periodic), atol=1e-12)


@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
@pytest.mark.parametrize("window", ["hann", "blackman", None, [float(i % 7) for i in range(256)]], ids=lambda w: str(w)[:8])
@pytest.mark.parametrize("side", ["real", "imag"])
def test_kernels(side, window, scaling):
    shape = (256, 1, 257)
    ours = STFT(side=side, window=window, scaling=scaling, periodic=True)(shape, 0)
    theirs = np.asarray(keras.initializers.STFT(side, None if window is None else window, scaling, True)(shape))
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
