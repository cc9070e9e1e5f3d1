"""The run loop's names and the places of its `state`: what those who call it share with `program.py`, which emits it and tells their meaning."""

from __future__ import annotations

NAME, TIMED_NAME, LEAD_NAME, SERVE_NAME = "layerctl_run", "layerctl_run_timed", "layerctl_lead", "layerctl_serve"
ARRIVALS, GENERATION, STOP, DONE, SYSCALL, YIELD, SLEEPERS, SEEN = 0, 8, 16, 17, 18, 19, 24, 32
TIMES, BEGAN, CURRENT = 40, 41, 42
CLAIMS, HURRIED = 25, 26
APART, LEADER = 57, 58
ORDER, FUNCTION, LIST, COUNT, STEPS, WAITING = 48, 49, 50, 51, 52, 56
WORDS = 64
MEET, STEAL, CHAIN = 1, 2, 4
"""An instruction's flags; the length of a chain, if it is the first of one, times the last."""
PARTS = 4
"""Shares of each thread where shares may be taken over: a core that is busy with other processes then costs less than its half."""
IN_VAIN, MANY_IN_VAIN = 64, 128
"""Where waiting at meetings was in vain more often than once in so many, cores are wanted by others: while the sum of these (each meeting takes
one off) is not below the second number, nobody waits awake for long, and threads are not kept on cores of their own."""
