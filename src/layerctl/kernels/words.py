"""The run loop's names and the places of its `state`: what those who call it share with `program.py`, which emits it and tells their meaning."""

from __future__ import annotations

NAME, TIMED_NAME = "layerctl_run", "layerctl_run_timed"
ARRIVALS, GENERATION, STOP, DONE, SYSCALL, YIELD, LEFT, SLEEPERS, SEEN = 0, 8, 16, 17, 18, 19, 20, 24, 32
TIMES, BEGAN, CURRENT = 40, 41, 42
WORDS = 64
