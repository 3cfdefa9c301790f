"""Hears and answers the agents that speak by files, round after round."""

import threading

from structlog.typing import FilteringBoundLogger

from idleq.ids import AllocationId, Millis
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.intake import Intake, Reading
from idleq.scheduler.leases import Leases
from idleq.scheduler.spool import Answer, DaemonSpool
from idleq.scheduler.units import span


def pace_warning(pause_ms: Millis, lease_ms: Millis) -> str:
    """Return what is to be said of daemons that come once in so long; "" where no agent gives up in between."""
    if 4 * pause_ms <= 3 * lease_ms:
        return ""
    return (
        f"the last cycle was {span(pause_ms)} ago, and agents save and leave when they hear nobody for {span(lease_ms)}:"
        ' let cron come more often, or set a longer policy.lease in config.toml (like "20m")'
    )


class SpoolRounds:
    """One round is `hear`, then `answer`; between them what was heard is journalled, or not.

    An answer names how far the reports are taken by then, so a journal that is away loses none of them; and it renews the
    agent's lease, since the guests have not to suffer from our journal.

    Attributes:
        turn: held from hearing to answering by whichever thread takes a round, and until what is told after the reports is told.
    """

    def __init__(
        self,
        spool: DaemonSpool,
        intake: Intake,
        leases: Leases,
        daemon_id: str,
        log: FilteringBoundLogger,
        epoch: int,
    ) -> None:
        self._epoch, self.turn = epoch, threading.Lock()
        self._spool, self._intake, self._leases, self._daemon_id, self._log = spool, intake, leases, daemon_id, log
        self._beats: dict[AllocationId, int] = {}
        self._asking: dict[AllocationId, int] = {}

    def hear(self) -> list[Reading]:
        """Return what the agents have recorded, and note who asks."""
        self._asking.clear()
        heard = [allocation for allocation in self._leases.known() if self._is_heard(allocation)]
        readings = [self._intake.try_to_read(allocation, self._log) for allocation in heard]
        return [reading for reading in readings if reading is not None]

    def answer(self) -> None:
        """Answer every agent that has asked something new."""
        for allocation, beat in self._asking.items():
            answer = Answer(
                beat=beat,
                taken=self._intake.taken(allocation),
                lease_ms=self._leases.left_ms(allocation),
                leave=allocation not in self._leases,
                daemon=self._daemon_id,
                epoch=self._epoch,
            )
            try:
                self._spool.answer(allocation, answer)
            except OSError as error:
                self._log.warning("spool.answer_failed", allocation=allocation, reason=str(error))
            else:
                self._beats[allocation] = beat

    def _is_heard(self, allocation: AllocationId) -> bool:
        """Look for a new question; whether the agent has ever said anything."""
        try:
            question = self._spool.question(allocation)
        except (OSError, BadMessage) as error:
            self._log.warning("spool.question_unreadable", allocation=allocation, reason=str(error))
            return False
        if question is not None and question.beat != self._beats.get(allocation):
            self._leases.renew(allocation)
            self._asking[allocation] = question.beat
        return question is not None
