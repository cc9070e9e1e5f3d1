"""Whole models, from Keras's file to layerctl and back."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import architectures
from saved import check_both_ways


@pytest.mark.parametrize("make", architectures.ALL, ids=lambda f: f.__name__)
def test_both_ways(make, tmp_path):
    check_both_ways(make(), tmp_path)
