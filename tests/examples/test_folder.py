"""The folder that a run writes to: that it can be, whose it is, and that no earlier result is
lost."""

import errno
import json
import os

import folder
import pytest
from examples.helpers import contents

RESULTS = ["config.json", "metrics.jsonl", "weights.safetensors", "loss.png", "samples.gif"]
RESULTS += ["health.txt", "images.scratchae"]
OURS = json.dumps({"versions": {"scratchae": "1"}})
DEEP = 100_000


def earlier_run(out, mark="old"):
    """What a run of that mark leaves in the folder."""
    for name in RESULTS:
        (out / name).write_text(mark)
    (out / "config.json").write_text(OURS)


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize(
    "config",
    [
        *(None, "", "mine", "[]", "null", "7", '{"versions": 1}', '{"versions": {"numpy": "2"}}'),
        *("[" * DEEP, '{"a":' * DEEP, '{"versions":' * DEEP, '{"versions": ' + "7" * 5000 + "}"),
        OURS[:-1] + " " * (2 * folder.LONGEST) + "}",
    ],
    ids=lambda config: config and config[:20],
)
def test_what_no_run_wrote_is_not_lost(name, config, tmp_path):
    (tmp_path / name).write_text("mine")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = contents(tmp_path)
    with pytest.raises(
        ValueError, match=r"--out is '.*', whose .*\.\w+ no earlier run left: give another folder$"
    ):
        folder.claim(tmp_path, 1)
    assert contents(tmp_path) == before


def link(path, other):
    other.write_text("another's")
    path.symlink_to(other)


def dangling(path, other):
    path.symlink_to(other / "nowhere")


def pipe(path, other):
    os.mkfifo(path)


def directory(path, other):
    path.mkdir()


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("make", [link, dangling, pipe, directory])
def test_what_is_no_plain_file_is_neither_read_nor_followed(make, name, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    earlier_run(out)
    (out / name).unlink()
    make(out / name, other)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"'{out}', whose {name} is no plain file: give another"):
        folder.claim(out, 1)
    assert contents(tmp_path) == before


def test_earlier_results_are_counted_and_all_else_stays(tmp_path):
    assert not folder.claim(tmp_path, 1) and list(tmp_path.iterdir()) == []
    folder.set_aside(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "log.txt").write_text("mine")
    for mark in "abc":
        earlier_run(tmp_path, mark)
        before = contents(tmp_path)
        assert folder.claim(tmp_path, 1) and contents(tmp_path) == before
        folder.set_aside(tmp_path)
    found = contents(tmp_path)
    assert found.pop("log.txt") == b"mine" and len(found) == 3 * len(RESULTS)
    for n, mark in enumerate("abc", start=1):
        kept = {found[f"earlier/{n}/{name}"].decode() for name in RESULTS}
        assert kept == {mark, OURS}


@pytest.mark.parametrize(
    "others, place", [(["1", "7"], "8"), (["notes"], "1"), (["2"], "3"), (["007"], "8")]
)
def test_no_folder_of_earlier_results_is_used_twice(others, place, tmp_path):
    for name in others:
        (tmp_path / "earlier" / name).mkdir(parents=True)
    earlier_run(tmp_path)
    folder.set_aside(tmp_path)
    assert {path.name for path in (tmp_path / "earlier" / place).iterdir()} == set(RESULTS)


def test_what_is_set_aside_in_part_is_known_as_a_runs_and_lost_by_none(tmp_path, monkeypatch):
    earlier_run(tmp_path)
    replace, moved = type(tmp_path).replace, []

    def ends(path, target):
        if len(moved) == 2:
            raise OSError(errno.EIO, "Input/output error")
        moved.append(path.name)
        return replace(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", ends)
    with pytest.raises(OSError, match="Input/output"):
        folder.set_aside(tmp_path)
    monkeypatch.undo()
    assert folder.claim(tmp_path, 1)
    folder.set_aside(tmp_path)
    assert sorted(name.split("/")[-1] for name in contents(tmp_path)) == sorted(RESULTS)


# --- whether it can be written to ---


def a_file(out, patch):
    out.write_text("mine")


def under_a_file(out, patch):
    out.write_text("mine")
    return out / "run"


def a_link_that_leads_nowhere(out, patch):
    out.symlink_to(out.with_name("nowhere"))


def with_a_file_called_earlier(out, patch):
    out.mkdir()
    earlier_run(out)
    (out / "earlier").write_text("mine")


def on_a_full_disk(out, patch):
    class Full:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(folder, "TemporaryFile", Full)


def not_writable(out, patch):
    def refused(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    patch.setattr(folder, "TemporaryFile", refused)


BAD = {
    a_file: "File exists",
    under_a_file: "Not a directory",
    a_link_that_leads_nowhere: "File exists",
    with_a_file_called_earlier: "File exists",
    on_a_full_disk: "No space left on device",
    not_writable: "Permission denied",
}


@pytest.mark.parametrize("bad", BAD)
def test_a_folder_that_cannot_be_written_to_is_told_at_once(bad, tmp_path, monkeypatch):
    out = bad(tmp_path / "out", monkeypatch) or tmp_path / "out"
    with pytest.raises(
        OSError,
        match=rf"^--out is '{out}', which cannot be written to \({BAD[bad]}\): give another fol",
    ):
        folder.claim(out, 1)


def test_there_is_room_for_the_weights(tmp_path, monkeypatch):
    """Under a limit of a file's size, which is a disk that has so much left."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        assert not folder.claim(tmp_path, 9_000)
        with pytest.raises(OSError, match=r"cannot be written to \(File too large\)"):
            folder.claim(tmp_path, 11_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


# --- a file in it ---


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path, other = tmp_path / "a", tmp_path / "other"
    other.write_text("another's")
    for stale in (path, tmp_path / ".a.part"):
        stale.symlink_to(other)
    folder.write(path, "new")
    assert path.read_text() == "new" and not path.is_symlink()
    assert other.read_text() == "another's"
    with pytest.raises(UnicodeEncodeError):
        folder.write(path, "\udcff")
    assert path.read_text() == "new"
