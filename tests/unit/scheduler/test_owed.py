"""After a crash an agent is told again what it was told last, word for word."""

import pytest

from idleq.ids import JobId
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import Input, JobCancelled, JobHeld
from idleq.scheduler.core.wishes import Changes, ChangeWished, FreezeWished, MoveWished
from idleq.scheduler.owed import owed_commands
from support.engines import Told, report

JOB = JobId("1")


@pytest.mark.parametrize(
    "said",
    [
        FreezeWished(target=JOB, reason="look"),
        MoveWished(target=JOB),
        JobHeld(target=JOB, reason="look"),
        JobCancelled(target=JOB),
        ChangeWished(target=JOB, changes=Changes(cores=2)),
    ],
    ids=lambda said: type(said).__name__,
)
def test_what_an_agent_was_told_last_is_owed_after_a_restart_as_it_was(said: Input) -> None:
    told = Told()
    told.see(report("n1"), report("n2"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(said)
    assert list(owed_commands(Engine.restore(told.facts).state)) == [told.commands[-1]]
