import errno
import os
import resource
import subprocess
import sys
import time

import pytest
from faults import CALLS, Faults, in_child

from layerctl import temporary
from layerctl.diagnostics import LayerctlError
from layerctl.modelfile import atomic
from layerctl.modelfile.lock import FolderLock

OLD, NEW = b"old" * 100, [b"new" * 50, memoryview(b"er" * 70)]
NEW_BYTES = b"".join(bytes(c) for c in NEW)


def code_of(action) -> str:
    with pytest.raises(LayerctlError) as caught:
        action()
    assert caught.value.diagnostics[0].hint
    return caught.value.diagnostics[0].code


def leftovers(folder):
    return [n for n in os.listdir(folder) if n.startswith(temporary.PREFIX)]


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "file"
    assert atomic.write(path, [OLD]) is None
    os.chmod(path, 0o600)
    assert atomic.write(path, NEW) is None
    assert path.read_bytes() == NEW_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert leftovers(tmp_path) == []


def test_the_order_of_calls_survives_a_power_cut(tmp_path, monkeypatch):
    path = tmp_path / "file"
    faults = Faults(monkeypatch)
    atomic.write(path, NEW)
    essential = [c for c in faults.log if c in ("write", "fsync", "replace")]
    assert essential == ["write", "write", "fsync", "replace", "fsync"]


@pytest.mark.parametrize("what", ["kill", "torn"])
def test_killed_at_any_call(tmp_path, monkeypatch, what):
    path = tmp_path / "file"
    states = set()
    for at in range(1, 30):
        path.write_bytes(OLD)

        def action(at=at):
            Faults(monkeypatch, at, what)
            atomic.write(path, NEW)

        status = in_child(action)
        assert path.read_bytes() in (OLD, NEW_BYTES)
        states.add(path.read_bytes())
        temporary.clean_stale(tmp_path)
        assert leftovers(tmp_path) == []
        if status == 0:
            break
    else:
        pytest.fail("the sweep never came to its end")
    assert at > 7
    assert states == {OLD, NEW_BYTES}


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EXDEV, 9999])
def test_any_call_fails(tmp_path, number):
    path = tmp_path / "file"
    outcomes = []
    for at in range(1, 30):
        path.write_bytes(OLD)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, at, number)
            try:
                warning = atomic.write(path, NEW)
            except LayerctlError as error:
                diagnostic = error.diagnostics[0]
                assert diagnostic.code == "cannot-write" and "'file'" in diagnostic.message and diagnostic.hint
                assert path.read_bytes() == OLD
                outcomes.append("error")
            else:
                assert path.read_bytes() == NEW_BYTES
                outcomes.append(warning.code if warning else "saved")
        assert leftovers(tmp_path) == []
        if len(faults.log) < at:
            break
    assert outcomes.count("error") >= 5
    assert "durability-unknown" in outcomes
    assert outcomes[-1] == "saved"


def test_short_and_interrupted_writes(tmp_path, monkeypatch):
    real, calls = os.write, []

    def one_byte(descriptor, data):
        calls.append(1)
        if len(calls) % 3 == 0:
            raise InterruptedError
        return real(descriptor, data[:1])

    monkeypatch.setattr(os, "write", one_byte)
    atomic.write(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW_BYTES
    monkeypatch.setattr(os, "write", lambda *_: 0)
    assert code_of(lambda: atomic.write(tmp_path / "file", NEW)) == "cannot-write"


def test_an_interruption_leaves_no_temporary_file(tmp_path):
    def chunks():
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "file", chunks())
    assert os.listdir(tmp_path) == []


def test_file_size_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def action():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(LayerctlError, match="larger than is allowed"):
            atomic.write(path, [b"x" * 5000])

    assert in_child(action) == 0
    assert path.read_bytes() == OLD
    assert leftovers(tmp_path) == []


def test_read_only_folder(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    tmp_path.chmod(0o555)

    def action():
        if os.getuid() == 0:  # root passes every permission check
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        with pytest.raises(LayerctlError, match=r"cannot write 'file': .*\[cannot-write\]"):
            atomic.write(path, NEW)

    assert in_child(action) == 0
    assert path.read_bytes() == OLD
    tmp_path.chmod(0o755)


def test_targets_that_are_no_files(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / "link").symlink_to(victim)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "folder", "pipe"):
        assert code_of(lambda name=name: atomic.write(tmp_path / name, NEW)) == "cannot-write"
    assert code_of(lambda: atomic.write("/dev/full", NEW)) == "cannot-write"
    assert code_of(lambda: atomic.write(tmp_path / "missing" / "file", NEW)) == "cannot-write"
    assert code_of(lambda: atomic.write(victim / "file", NEW)) == "cannot-write"
    assert code_of(lambda: atomic.write(tmp_path / ("n" * 300), NEW)) == "cannot-write"
    assert victim.read_bytes() == OLD
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "link").is_symlink()


def test_a_full_device_is_reported():
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError) as caught:
        temporary.write_all(file.fileno(), b"x")
    assert "no space" in atomic.cannot_write("file", caught.value).message


def test_stale_temporary_files(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = os.uname().nodename
    names = {
        f"{host}.{dead.pid}.0": True,  # its process is dead
        f"{host}.{os.getpid()}.77": True,  # this process, which writes nothing now
        f"{host}.{os.getppid()}.0": False,  # alive
        "another.host.1.0": False,  # cannot be known, and young
        f"{host}.x.0": False,
        "": False,
    }
    for name in names:
        (tmp_path / (temporary.PREFIX + name)).write_bytes(b"half")
    old = tmp_path / (temporary.PREFIX + "another.host.2.0")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    (tmp_path / "mine.tmp").write_bytes(b"keep")
    expected = {temporary.PREFIX + n for n, gone in names.items() if gone} | {old.name}
    assert set(temporary.clean_stale(tmp_path)) == expected
    assert (tmp_path / "mine.tmp").exists()
    assert temporary.clean_stale(tmp_path / "missing") == []


def test_a_file_being_written_is_not_stale(tmp_path):
    def chunks():
        yield b"first"
        assert temporary.clean_stale(tmp_path) == []
        yield b"second"

    atomic.write(tmp_path / "file", chunks())
    assert (tmp_path / "file").read_bytes() == b"firstsecond"


def test_a_name_left_by_a_process_of_the_same_number(tmp_path, monkeypatch):
    import itertools
    monkeypatch.setattr(temporary, "_counter", itertools.count())
    (tmp_path / f"{temporary.PREFIX}{os.uname().nodename}.{os.getpid()}.0").write_bytes(b"stale")
    atomic.write(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW_BYTES


def test_one_training_to_a_folder(tmp_path):
    with FolderLock(tmp_path) as lock:
        assert lock.warning is None

        def second():
            with pytest.raises(LayerctlError) as caught:
                FolderLock(tmp_path).acquire()
            assert caught.value.diagnostics[0].code == "run-in-use"
            assert f"process {os.getppid()}" in caught.value.diagnostics[0].message

        assert in_child(second) == 0
        assert code_of(FolderLock(tmp_path).acquire) == "run-in-use"
    with FolderLock(tmp_path):
        pass
    assert in_child(lambda: (FolderLock(tmp_path).acquire(), os._exit(9))) == 9
    with FolderLock(tmp_path):  # the holder's death gave it back
        pass
    assert code_of(FolderLock(tmp_path / "missing").acquire) == "cannot-write"


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with FolderLock(tmp_path) as lock:
        assert lock.warning.code == "no-lock"


def test_the_shim_sees_every_call(tmp_path, monkeypatch):
    faults = Faults(monkeypatch)
    (tmp_path / "file").write_bytes(OLD)
    faults.log.clear()
    atomic.write(tmp_path / "file", NEW)
    assert set(faults.log) == set(CALLS) - {"ftruncate", "unlink"}
