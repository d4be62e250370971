"""What save leaves in a folder: one file, with the mode of the one before, no other."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open
from saving.models import MODELS, Scale, built, same, save, train, values

import scratchae as sa
from scratchae.saving import reading, writing

ROOT = Path(__file__).resolve().parents[2]
HEX = "0123456789abcdef"


def in_a_child(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout.strip().splitlines(), done.stderr


@pytest.fixture
def nobody():
    """The rights of a user who has none, as far as those of the tests' user go."""
    if os.geteuid():
        yield
    else:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_the_same_model_gives_the_same_bytes(tmp_path, name, dtype):
    model = built(name, dtype)
    train(model, sa.Adam(0.01))
    for i in range(5):
        save(model, tmp_path / f"{i}")
    save(sa.load(tmp_path / "0", classes=[Scale]), tmp_path / "again")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize(
    "name, dtype",
    [
        ("vae", "float32"),
        ("vae conv", "float64"),
        pytest.param("vae conv", "float32", marks=pytest.mark.slow),
    ],
)
def test_safetensors_reads_the_file(tmp_path, name, dtype):
    model = built(name, dtype)
    train(model, sa.Adam(0.01))
    save(model, tmp_path / "model")
    raw = (tmp_path / "model").read_bytes()
    found = safetensors.numpy.load(raw)
    for name, view in model.parameters.views().items():
        np.testing.assert_array_equal(found[name], view)
        assert found[name].dtype == dtype
    with safe_open(tmp_path / "model", framework="numpy") as file:
        assert file.metadata()["format"] == "scratchae 4"
    assert int.from_bytes(raw[:8], "little") % 8 == 0  # the tensors start on a multiple of 8


def test_the_wide_stand_first_and_are_aligned(tmp_path):
    tensors = {"a": np.ones(3, "f4"), "b": np.ones((2, 1)), "c": np.ones((), "i2")}
    raw = b"".join(writing.content(tensors, {"x": "y"}))
    again = safetensors.numpy.load(raw)
    assert all(again[n].shape == a.shape and again[n].dtype == a.dtype for n, a in tensors.items())
    assert raw.index(b'"b"') < raw.index(b'"a"') < raw.index(b'"c"')


def test_a_file_of_the_librarys_own_writer_is_read(tmp_path):
    """As earlier versions wrote it: the same content in another order."""
    model, path = built(), tmp_path / "model"
    train(model, sa.Adam(0.01))
    save(model, path)
    with safe_open(path, framework="numpy") as file:
        tensors, metadata = {n: file.get_tensor(n) for n in file.keys()}, file.metadata()  # noqa: SIM118
    safetensors.numpy.save_file(tensors, path, metadata)
    same(model, sa.load(path))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_the_mode_of_the_file_before_is_kept(tmp_path, mode):
    path, seen = tmp_path / "model", []
    save(built(), path)
    path.chmod(mode)
    with pytest.MonkeyPatch.context() as patched:
        fsync = os.fsync
        patched.setattr(os, "fsync", lambda fd: (seen.append(os.fstat(fd).st_mode), fsync(fd)))
        save(built("squared"), path)
    assert path.stat().st_mode & 0o777 == seen[0] & 0o777 == mode
    same(built("squared"), sa.load(path))


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_that_is_new_follows_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        save(built(), tmp_path / "model")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_kept_where_that_may_be(tmp_path):
    path = tmp_path / "model"
    save(built(), path)
    os.chown(path, 65534, 65533)
    path.chmod(0o600)
    save(built(), path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65533, 0o600)


NAMES = (
    *("a b", "-x", "~", "*", "[a]", "a" * 255, "a" * 243 + ".safetensors", "é" * 127),
    *("模" * 80, "模" * 85, "😀" * 63, "a" + "é" * 127, "new\nline", "\udcff"),
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:12])
def test_every_name_that_a_file_may_have(tmp_path, name):
    model, path = built(), tmp_path / name
    for _ in range(2):
        save(model, path)
    same(model, sa.load(path))
    assert os.listdir(os.fsencode(tmp_path)) == [os.fsencode(name)]


KILLED = """
    import os, signal, sys
    from saving.models import built, save
    os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
    save(built(), sys.argv[1])
"""
WAITING = """
    import os, sys
    from saving.models import built, save
    fsync = os.fsync
    def wait(fd):
        print("writing", flush=True)
        sys.stdin.readline()
        fsync(fd)
    os.fsync = wait
    save(built(), sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model", "模" * 85])
def test_parts_of_dead_processes_are_cleared(tmp_path, name):
    path = tmp_path / name
    save(built("squared"), path)
    raw = path.read_bytes()
    assert in_a_child(KILLED, path)[0] == -9
    assert path.read_bytes() == raw and len(names(tmp_path)) == 2
    others = [
        "other",
        ".model.0123.part",
        f".other.{HEX}.part",
        f"model.{HEX}.part",
        f".model.{HEX}",
    ]
    for other in others:
        (tmp_path / other).write_text("of somebody else")
    save(built(), path)
    assert names(tmp_path) == sorted([name, *others])


@pytest.mark.slow  # a process of its own
def test_the_part_of_a_live_process_is_left(tmp_path):
    path, model = tmp_path / "model", built("squared")
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WAITING), str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "writing\n"
        save(model, path)
        assert len(names(tmp_path)) == 2
        same(model, sa.load(path))
        child.communicate("\n", timeout=60)
    assert child.returncode == 0 and names(tmp_path) == ["model"]
    same(built(), sa.load(path))


def test_a_part_that_is_taken_before_it_is_locked(tmp_path, monkeypatch):
    """Another process that clears may lock it first, or remove it just before."""
    answers = iter(["locked", "removed", "free"])

    def locked(file):
        answer = next(answers, "free")
        if answer == "removed":
            os.unlink(file.name) if isinstance(file.name, str) else parts()[-1].unlink()
        return answer != "locked"

    def parts():
        return sorted(tmp_path.glob(".model.*.part"), key=lambda part: part.stat().st_mtime_ns)

    monkeypatch.setattr(writing, "_locked", locked)
    monkeypatch.setattr(writing, "_clear", lambda target: None)
    save(built(), tmp_path / "model")
    same(built(), sa.load(tmp_path / "model"))


@pytest.mark.parametrize("error", [OSError, BlockingIOError])
def test_a_file_system_without_locks(tmp_path, monkeypatch, error):
    """Nothing is cleared there, and everything is saved."""
    stale = tmp_path / f".model.{HEX}.part"
    stale.write_text("whose?")
    answers = iter([error(38, "no locks")] * 2)

    def flock(*_):
        raise next(answers, OSError(38, "no locks"))

    monkeypatch.setattr(writing.fcntl, "flock", flock)
    save(built(), tmp_path / "model")
    assert stale.exists()
    same(built(), sa.load(tmp_path / "model"))


def test_four_threads_save_to_one_path(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    models = [built(), built("squared")] * 2

    def again(model):
        for _ in range(10):
            save(model, tmp_path / "model")
            sa.load(tmp_path / "model")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(again, models))
    assert names(tmp_path) == ["model"]


def test_a_folder_that_may_not_be_written(tmp_path, nobody):
    for path, words in (
        ("/proc/model", r"^/proc/model could not be written \("),
        (tmp_path / "model", "could not be (written|reached) .Permission denied"),
        ("/dev/null", "is no plain file"),
    ):
        with pytest.raises(OSError, match=words) as caught:
            save(built(), path)
        assert ".part" not in str(caught.value)


def test_a_file_that_may_not_be_read(tmp_path, request):
    path = tmp_path / "model"
    save(built(), path)
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest-" in str(folder):  # not those above pytest's own
            folder.chmod(0o755)
    path.chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir(0)
    request.getfixturevalue("nobody")
    with pytest.raises(
        PermissionError, match=r"model could not be read \(Permission denied\): give"
    ):
        sa.load(path)
    with pytest.raises(PermissionError, match="could not be reached"):
        sa.load(closed / "model")


def test_names_that_lead_nowhere(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "target")
    (tmp_path / "file").write_text("")
    for name, words in (
        ("loop", "could not be reached .Too many levels"),
        ("x" * 300, "could not be reached .File name too long"),
        ("file/model", "there is no (folder|file)"),
        ("nowhere/model", "there is no (folder|file)"),
    ):
        for call in (lambda path: save(built(), path), sa.load):
            with pytest.raises(OSError, match=words):
                call(tmp_path / name)
    save(built(), tmp_path / "dangling")
    same(built(), sa.load(tmp_path / "target"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sa.load(tmp_path / "pipe")


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(OSError, match="m leads nowhere, since the working directory is gone"):
        save(built(), "m")
    with pytest.raises(OSError, match="there is no file m"):
        sa.load("m")


def test_a_folder_that_vanishes_meanwhile(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    fsync = os.fsync

    def vanish(fd):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        fsync(fd)

    monkeypatch.setattr(os, "fsync", vanish)
    with pytest.raises(OSError, match="could not be written"):
        save(built(), folder / "model")


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path):
    code = """
        import resource, sys
        from saving.models import built, save
        model = built()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        try: save(model, sys.argv[1])
        except OSError as error: print(error)
    """
    save(built("squared"), tmp_path / "model")
    raw = (tmp_path / "model").read_bytes()
    status, said, error = in_a_child(code, tmp_path / "model")
    assert status == 0 and "could not be written (File too large): give a path" in said[0], error
    assert (tmp_path / "model").read_bytes() == raw and names(tmp_path) == ["model"]


COPYING = """
    import sys, time
    raw, end = open(sys.argv[1], "rb").read(), time.monotonic() + 4
    while time.monotonic() < end:
        open(sys.argv[1], "wb").write(raw)
"""


@pytest.mark.slow
def test_a_file_that_is_overwritten_in_place(tmp_path):
    """The file is cut while it is loaded, as cp does: a refusal, and no SIGBUS."""
    code = """
        import subprocess, sys
        import scratchae as sa
        path, copying = sys.argv[1:]
        sa.save(sa.Autoencoder(sa.Dense(800, 600), sa.Dense(600, 800)).build(800), path)
        child = subprocess.Popen([sys.executable, "-c", copying, path])
        while child.poll() is None:
            try: sa.load(path)
            except ValueError: pass
        print("alive")
    """
    status, said, error = in_a_child(code, tmp_path / "model", textwrap.dedent(COPYING))
    assert (status, said) == (0, ["alive"]), error


def test_a_file_that_is_cut_after_its_header_was_read(tmp_path):
    path = tmp_path / "model"
    sa.save(sa.Autoencoder(sa.Dense(200, 100), sa.Dense(100, 200)).build(200), path)
    with reading.opened(path) as file:
        _, tensors = reading.contents(file)
        os.truncate(path, path.stat().st_size - 100)
        with pytest.raises(ValueError, match="it was cut meanwhile"):
            tensors.read()


def test_no_weights_are_drawn_to_be_overwritten(tmp_path, monkeypatch):
    model = built()
    save(model, tmp_path / "model")

    def draw(*_):
        raise AssertionError("weights are drawn")

    monkeypatch.setattr(sa.parameters.Parameters, "initialise", draw)
    again = sa.load(tmp_path / "model")
    np.testing.assert_array_equal(values(again), values(model))
