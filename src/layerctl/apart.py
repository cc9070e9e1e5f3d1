"""Work done first by a copy of this process: a library that takes a file's bytes on trust may end the process, or never end, over a hostile one."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import warnings
from collections.abc import Callable


def ends_badly(work: Callable[[], object], seconds: int) -> str | None:
    """How a copy of this process that does `work` ends, in words, where that is by a signal or after more than so many seconds of CPU time.

    None where the work comes to its end, or to an exception, or no process can be started.
    """
    try:
        with warnings.catch_warnings():  # of locks that other threads hold, of which the work needs none
            warnings.simplefilter("ignore", DeprecationWarning)
            copy = os.fork()
    except OSError:
        return None
    if not copy:
        try:
            _apart(seconds)
            work()
        finally:
            os._exit(0)
    try:
        status = os.waitpid(copy, 0)[1]
    except BaseException:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)
        raise
    if not os.WIFSIGNALED(status):
        return None
    number = os.WTERMSIG(status)
    return f"does not come to an end within {seconds} s" if number == signal.SIGXCPU else f"ends by {signal.Signals(number).name}"


def _apart(seconds: int) -> None:
    """A copy has bounds of its own, says nothing and leaves no picture of its memory."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()
    for what, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(what)[1]
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
