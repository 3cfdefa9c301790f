"""What the end of a process means."""

from typing import Any

import pytest

from idleq.scheduler.agent.outcome import Broken, Done, End, Saved, Verdict, judge


def end(code: int, **more: Any) -> End:
    given: dict[str, Any] = {"can_freeze": True, "has_checkpoint": True, **more}
    return End(code=code, **given)


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        (end(0), Done()),
        (end(0, stop_reason="the gap ended"), Done()),
        (end(85), Saved()),
        (end(99), Saved()),
        (end(85, asked_by=10), Saved()),
        (end(85, can_freeze=False), Broken(85, "workload", "exit code 85")),
        (
            end(85, has_checkpoint=False),
            Broken(85, "workload", "said that it has saved (exit 85), but its checkpoint folder is empty"),
        ),
        (end(3), Broken(3, "workload", "exit code 3")),
        (end(-11), Broken(-11, "workload", "ended by signal 11")),
        (end(-9), Broken(-9, "workload", "ended by signal 9")),
        (end(-9, stop_reason="the gap ended"), Broken(-9, "agent", "the gap ended")),
        (end(-9, stop_reason="too much memory", stop_cause="workload"), Broken(-9, "workload", "too much memory")),
        (end(-9, lost="its monitor was killed"), Broken(-9, "agent", "its monitor was killed")),
        (end(-9, lost="its monitor was killed", stop_reason="the gap ended"), Broken(-9, "agent", "the gap ended")),
        (end(1, stop_reason="the gap ended"), Broken(1, "workload", "exit code 1")),
        (
            end(74, is_uprooted=True),
            Broken(74, "agent", "its folders on the node were removed while it ran (exit code 74)"),
        ),
        (
            end(0, is_uprooted=True),
            Broken(74, "agent", "its folders on the node were removed while it ran (exit code 0)"),
        ),
        (
            end(85, is_uprooted=True, has_checkpoint=False),
            Broken(85, "agent", "its folders on the node were removed while it ran (exit code 85)"),
        ),
        (
            end(-9, is_uprooted=True, stop_reason="too much memory", stop_cause="workload"),
            Broken(-9, "workload", "too much memory"),
        ),
        (
            end(-10, asked_by=10),
            Broken(-10, "agent", "the signal to save ended it: it does not listen to that signal, or not yet"),
        ),
        (end(-10), Broken(-10, "workload", "ended by signal 10")),
        (end(137, ran_out=True), Broken(137, "workload", "used more memory than asked for (exit code 137)")),
        (end(0, ran_out=True), Broken(-9, "workload", "used more memory than asked for (exit code 0)")),
        (end(-9, ran_out=True, stop_reason="the gap ended"), Broken(-9, "agent", "the gap ended")),
    ],
)
def test_an_end_is_judged_by_its_code_and_by_what_was_asked(how: End, verdict: Verdict) -> None:
    assert judge(how) == verdict
