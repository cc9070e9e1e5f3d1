"""The process: what is given to which reader of options, what becomes of errors and signals, the exit code."""

from __future__ import annotations

from layerctl.cli import early  # isort: skip
import contextlib
import errno
import gc
import importlib.util
import io
import os
import signal
import sys
from typing import Any

from layerctl.cli import output, room
from layerctl.cli.ending import STOPPING
from layerctl.cli.plain import plain
from layerctl.diagnostics import Diagnostic, ExitCode, LayerctlError, Source, Span
from layerctl.limits import bounded

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a full or broken disk behind standard output is told as."""
_REFUSED_MEMORY = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory", "cannot create shared object descriptor")
_CURES = {errno.ENAMETOOLONG: "choose a shorter name", errno.EMFILE: "raise the limit (ulimit -n)", errno.ENFILE: "close other programs"}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; ends the process with the documented exit code, which a signal during the ending does not change."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    if arguments is None:
        early.over(early.interrupted)
    try:
        _main(arguments)
    except MemoryError:  # while an error was being told
        sys.exit(_shortest(_no_memory()))
    finally:
        output.finish()
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if arguments is None else handler)


def _read_when_used(name: str) -> None:
    """Makes a module that whoever imports it gets at once, and that is read at its first use."""
    parent, _, own = name.rpartition(".")
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(sys.modules[parent], own, module)


def _main(arguments: list[str] | None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    _open_streams()
    gc.set_threshold(100_000)  # start-up makes many objects and no garbage
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them reads every installed package's metadata
    _read_when_used("importlib.metadata")  # which pydantic imports for those plugins; it takes a twelfth of numpy's, pydantic's and typer's imports
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads have nothing to do here, and end the process where memory is short
    room.watch()
    _utf8()
    output.begin()
    output.use(given)
    try:
        code = _command(given)
        sys.stdout.flush()
        if arguments is None:
            # the interpreter looks for cycles as it ends, a tenth of a short command's time; memory goes back all the same. Not after an
            # error: it holds on to what was being done, and a library that is left with open files (HDF5) calls an interpreter that is gone
            gc.freeze()
        sys.exit(code or ExitCode.DONE)
    except LayerctlError as error:
        _tell(list(error.diagnostics), given)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        output.unheard(sys.stdout)
        sys.exit(ExitCode.DONE)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except MemoryError as error:
        _tell([_no_memory(str(error))], given)
        sys.exit(ExitCode.USER)
    except OSError as error:
        found = _no_memory() if _for_want_of_memory(error) else _refusal(error)
        if found is None:
            sys.exit(_other(error, as_json="--json" in given))
        _tell([found], given)
        sys.exit(ExitCode.USER)
    except Exception as error:
        if _for_want_of_memory(error):
            sys.exit(_shortest(_no_memory()))
        if early.came:
            sys.exit(ExitCode.INTERRUPTED)
        if (damaged := _damaged_bytecode(error)) is not None:
            _tell([damaged], given)
            sys.exit(ExitCode.USER)
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            cure = "use --threads 1, or raise the limits (ulimit -u, ulimit -v)"
            _tell([Diagnostic("out-of-memory", "the system lets no further thread be started", None, (), cure)], given)
            sys.exit(ExitCode.USER)
        sys.exit(_other(error, as_json="--json" in given))


def _no_memory(what: str = "") -> Diagnostic:
    text = f"there is not enough memory{f': {what}' if what else ''}"
    return Diagnostic("out-of-memory", text, None, (), "`layerctl build` shows what a model takes; make it, or its batch_size, smaller")


def _for_want_of_memory(error: BaseException | None) -> bool:
    """Whether an error comes of memory that was refused, which the linker says in its own words when a library is loaded."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # a chain may lead back into itself
        seen.add(id(error))
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(error, (ImportError, OSError)) and any(t in str(error) for t in _REFUSED_MEMORY):
            return True
        if isinstance(error, SystemError) and "exception" in str(error) and bounded():  # there was no memory to make the error with
            return True
        error = error.__cause__ or error.__context__
    return False


def _damaged_bytecode(error: Exception) -> Diagnostic | None:
    """A module's compiled file that Python cannot read, and wrote on a full disk: without it Python compiles the module again."""
    if not isinstance(error, (EOFError, ValueError)) or "marshal" not in str(error):
        return None
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_locals.get("bytecode_path"):
        frame = frame.tb_next
    if frame is None:
        return None
    path = str(frame.tb_frame.f_locals["bytecode_path"])
    try:
        os.unlink(path)
    except OSError:
        return Diagnostic("bytecode-damaged", "what Python keeps of a module is damaged", Span(Source(path)), (), "remove the file: Python makes it again")
    return Diagnostic("bytecode-damaged", "what Python keeps of a module was damaged, and is removed", Span(Source(path)), (), "give the command again")


def _shortest(found: Diagnostic) -> int:
    """Shows a diagnostic by what needs nearly no memory."""
    with contextlib.suppress(OSError):
        os.write(2, f"{found.render()}\n".encode())
    return ExitCode.USER


def _refusal(error: OSError) -> Diagnostic | None:
    """What the system refused, told of the file that it was about; None where that is the user's doing in no way."""
    if error.errno == errno.ENOENT and _folder_is_gone():
        text, cure = "the folder that layerctl was called in is not there any more", "change to one that is there"
        return Diagnostic("file-not-found", text, Span(Source(".")), (), cure)
    what = (error.strerror or str(error)).lower()
    if error.errno in _DISK:
        return Diagnostic("cannot-write", f"cannot write: {what}", Span(Source(error.filename or "<stdout>")), (), "free some space, or write to another place")
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    if not error.errno or not name or os.path.abspath(name).startswith(os.path.dirname(os.path.dirname(__file__)) + os.sep):
        return None
    cure = _CURES.get(error.errno, "check the path, its owner and its permissions")
    return Diagnostic("file-unreadable", f"cannot use {os.path.basename(name)!r}: {what}", Span(Source(name)), (), cure)


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


class _Terminal(io.FileIO):
    """A terminal to write to. One that is gone hears nothing more: what runs on, or is being saved, does not end for that."""

    def write(self, data: Any) -> int | None:
        """Writes, as long as there is somebody to read."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return memoryview(data).nbytes


def _open_streams() -> None:
    """A standard stream that was closed is nothing: else the next file that is opened would take its number, and be written to."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and stream is getattr(sys, f"__{name}__") and stream.isatty():
            raw = _Terminal(stream.fileno(), "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True))


def _tell(found: list[Diagnostic], given: list[str]) -> None:
    """Shows diagnostics where they can be shown: a full disk may be what they are about."""
    try:
        output.show(found, as_json="--json" in given)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        with contextlib.suppress(OSError):
            output.show(found, as_json=False)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the interpreter would try again as it ends, and say so with another exit code
            output.unheard(stream)


def _command(given: list[str]) -> int | None:
    """Runs a command: by typer, unless it is one of the few whose plain arguments need none. Returns the exit code, or None."""
    if given in (["--version"], ["-V"]):
        from layerctl import __version__

        print(f"layerctl {__version__}")
        return None
    completing = "_LAYERCTL_COMPLETE" in os.environ
    run = plain(given) if not completing else None
    if run is not None:
        run()
        return None
    from layerctl.cli.app import app

    if completing:
        from layerctl.cli.completing import taught

        return taught(app)(args=given, prog_name="layerctl", standalone_mode=False)
    stdout = sys.stdout
    try:
        return app(args=given, prog_name="layerctl", standalone_mode=False)
    except (SystemExit, Exception) as error:
        # typer makes an exit of what it takes for a ctrl-d or a closed pipe, which is told here as it is everywhere
        sys.stdout, found = stdout, error.__cause__ or error.__context__
        if isinstance(found, (EOFError, BrokenPipeError)) and (isinstance(error, SystemExit) or type(error).__name__ == "Abort"):
            raise found from None
        raise


def _other(error: Exception, as_json: bool) -> int:
    """Typer's usage errors, and bugs."""
    shown = getattr(error, "format_message", None)
    if shown is not None:
        context = getattr(error, "ctx", None)
        name = context.command_path if context is not None else "layerctl"
        output.show([Diagnostic("usage", shown(), Span(Source(name)), (), f"{name} --help shows the options")], as_json=as_json)
        return ExitCode.USER
    if type(error).__name__ in ("Abort", "Exit"):
        return getattr(error, "exit_code", ExitCode.INTERRUPTED)
    import traceback

    traceback.print_exc()
    print("layerctl: this is a bug in layerctl; please report it with the lines above", file=sys.stderr)
    return ExitCode.BUG


def _utf8() -> None:
    """Output is UTF-8 whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (stream.encoding or "").lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding="utf-8", errors="replace")


early.over()

if __name__ == "__main__":
    main()
