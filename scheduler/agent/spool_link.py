"""The agent's line by files, for nodes that cannot reach the login node; the reports are in their own file already."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from idleq.ids import CommandId, Millis
from idleq.scheduler import spool
from idleq.scheduler.agent.link import Answer, LinkDown
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.ports import Clock
from idleq.scheduler.spool import AgentSpool, Question

LOOK_MS = Millis(100)
"""Between two looks into the inbox: nobody rings when a file appears."""


@dataclass(slots=True)
class SpoolLink:
    """Implements Link; an answer may be to an earlier question, and then says how much earlier that one was asked."""

    files: AgentSpool
    boot: str
    clock: Clock
    _beat: int = 0
    _asked: dict[int, Millis] = field(default_factory=dict)

    def exchange(self, reports: Sequence[Report], have: Sequence[CommandId], wait_ms: Millis) -> Answer:  # noqa: ARG002 - the daemon reads the reports' file
        """See Link."""
        try:
            return self._exchange(have, wait_ms)
        except (OSError, BadMessage) as error:
            raise LinkDown(f"{type(error).__name__}: {error}") from error

    def _exchange(self, have: Sequence[CommandId], wait_ms: Millis) -> Answer:
        self.files.take(have)
        asked_at = self._ask()
        end = self.clock.now() + wait_ms
        while True:
            found = self.files.answer()
            answer = self._read(found, asked_at) if found is not None else None
            if answer is not None and (answer.commands or answer.leave or self.clock.now() >= end):
                return answer
            if self.clock.now() >= end:
                raise LinkDown("the daemon has not answered yet")
            time.sleep(LOOK_MS / 1000)

    def _ask(self) -> Millis:
        # An agent that follows another one asks on from a number that the other cannot have come to.
        self._beat = max(self._beat + 1, int(self.clock.now()))
        self._asked[self._beat] = self.clock.now()
        self.files.ask(Question(beat=self._beat, boot=self.boot))
        return self._asked[self._beat]

    def _read(self, found: spool.Answer, asked_at: Millis) -> Answer | None:
        """Return what the daemon says; None if it was not said to us (but to an agent that was here before)."""
        answered_at = self._asked.get(found.beat)
        if answered_at is None and not found.leave:
            return None
        self._asked = {beat: when for beat, when in self._asked.items() if beat >= found.beat}
        return Answer(
            taken=found.taken,
            commands=self.files.commands(found.epoch),
            lease_ms=found.lease_ms,
            leave=found.leave,
            daemon=found.daemon,
            epoch=found.epoch,
            age_ms=Millis(asked_at - answered_at) if answered_at is not None else Millis(0),
        )
