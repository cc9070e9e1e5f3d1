"""Whole models, from Keras's file to layerctl and back."""

import architectures
import pytest
from saved import check_both_ways


@pytest.mark.parametrize("make", architectures.ALL, ids=lambda f: f.__name__)
def test_both_ways(make, tmp_path):
    check_both_ways(make(), tmp_path)
