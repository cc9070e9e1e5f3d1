"""The run loop's names and the places of its `state`: what those who call it share with `program.py`, which emits it and tells their meaning."""

from __future__ import annotations

NAME, TIMED_NAME = "layerctl_run", "layerctl_run_timed"
ARRIVALS, GENERATION, STOP, DONE, SYSCALL, YIELD, LEFT, SLEEPERS, SEEN = 0, 8, 16, 17, 18, 19, 20, 24, 32
TIMES, BEGAN, CURRENT = 40, 41, 42
CLAIMS = 25
WORDS = 64
MEET, STEAL = 1, 2
"""An instruction's flags."""
PARTS = 4
"""Shares of each thread where shares may be taken over: a core that is busy with other processes then costs less than its half."""
