"""The command line that the benchmarks share: the file of --json, and what ends in a sentence."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from command_line import Parser


def ended(work, *errors, file=None):
    """The status with which a command ends whose work that is."""
    with pytest.raises(SystemExit) as ended:
        Parser("bench", "").carry_out(work, *errors, file=file)
    return ended.value.code


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "\nbench: interrupted\n"),
        (ValueError("no"), 2, "bench: no\n"),
        (
            KeyError("no kernel's name begins with 'x'"),
            2,
            "bench: no kernel's name begins with 'x'\n",
        ),
    ],
)
def test_old_results_stay_until_new_ones_replace_them(error, status, words, tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("[1]")
    for file in (old, new):
        assert ended(raising(error), ValueError, LookupError, file=file) == status
        assert capsys.readouterr().err == words
    assert old.read_text() == "[1]" and list(tmp_path.iterdir()) == [old]
    Parser("bench", "").carry_out(lambda: old.write_text("[2]"), file=old)
    assert old.read_text() == "[2]"


def test_a_link_to_what_is_not_there_yet_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new.json")
    Parser("bench", "").carry_out(lambda: None, file=tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and not (tmp_path / "new.json").exists()


@pytest.mark.parametrize(
    ("file", "reason"), [("", "Is a directory"), ("no/file", "No such file or directory")]
)
def test_a_file_that_cannot_be_written_to_is_told_before_anything_is_measured(
    file, reason, tmp_path, capsys
):
    done = []
    assert ended(lambda: done.append(1), file=tmp_path / file) == 2 and not done
    sentence = f"bench: --json is {str(tmp_path / file)!r}, which cannot be written to ({reason}): give another file\n"
    assert capsys.readouterr().err == sentence


def test_a_bug_keeps_its_traceback():
    with pytest.raises(TypeError, match="ours"):
        Parser("bench", "").carry_out(raising(TypeError("ours")), ValueError)
