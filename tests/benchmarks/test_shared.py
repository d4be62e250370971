"""What the benchmarks share: children that answer, numbers summed up, models compared."""

import signal

import pytest

from benchmarks.shared import command, measure, processes


def test_a_child_that_fails_is_told():
    with processes.Child("one", "benchmarks.shared.command:nothing", {}) as child:
        for words in ("one failed: AttributeError", "ended with status 1", "ended with status 1"):
            with pytest.raises(processes.Failed, match=words):
                child.ask()


def test_rounds_go_forwards_and_backwards():
    called = []
    calls = {name: lambda name=name: called.append(name) or len(called) for name in "ab"}
    assert measure.alternate(calls, 2) == {"a": [4, 5], "b": [3, 6]}
    assert called == ["a", "b", "b", "a", "a", "b"]


def test_medians_and_ratios():
    theirs = {"eager": [[6.0, 6.0, 7.0], [8.0] * 3], "graph": [[2.0, 3.0, 9.0], [4.0, 4.0, 5.0]]}
    row = measure.summary([[1.0, 1.0, 5.0], [2.0, 2.0, 1.0]], theirs)
    assert row["ours_ms"] == 1.5 and row["torch_ms"] == {"eager": 7.5, "graph": 4.0}
    assert row["torch_best"] == "graph" and row["ratio"] == pytest.approx(4 / 1.5)
    assert row["spread"] == [4 / 2, 3 / 1]
    shown = [measure.cells(r, 1)["faster"] for r in (row, measure.summary([[3.0]], {}))]
    assert shown == ["2.67x", "-"]


def test_another_model_is_told():
    ours, allowed = {"loss": 100.0, "gradients": [1.0, 2.0]}, {"loss": 1e-4, "gradients": 1e-3}
    assert measure.difference(ours, ours | {"loss": 100.005}, allowed) is None
    for wrong in ({"loss": 100.02}, {"gradients": [1.0, 2.1]}, {"loss": float("nan")}):
        assert measure.difference(ours, ours | wrong, allowed)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_ended_is_interrupted(end, capsys):
    """Also where a job in the background was handed a signal that is ignored."""
    before = signal.signal(end, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit, match="130"):
            command.Parser("x", None).carry_out(lambda _: signal.raise_signal(end), [])
        assert signal.getsignal(end) is signal.SIG_IGN
    finally:
        signal.signal(end, before)
    assert capsys.readouterr().err == "\nx: interrupted\n"
