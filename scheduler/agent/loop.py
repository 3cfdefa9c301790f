"""The agent's loop: hear, look, decide, act, tell, sleep."""

from dataclasses import dataclass, field, replace

from idleq.ids import CommandId, Millis
from idleq.machines import told
from idleq.scheduler.agent import reactor
from idleq.scheduler.agent.courier import Courier, Heard
from idleq.scheduler.agent.decide import GuestView, Leave, Situation, next_actions, wake_at
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.wakeup import Wakeup
from idleq.scheduler.core.inputs import AgentLeaving, AgentReady

KILL_SHARE, KILL_MOST_MS = 10, 500
"""A tenth of the grace, at most half a second, is kept for killing what has not left and for saying so."""


@dataclass(slots=True)
class Loop:
    """What changes from turn to turn, besides the guests."""

    node: Node
    courier: Courier
    wakeup: Wakeup
    situation: Situation
    _daemon: str = ""
    _seen: set[CommandId] = field(default_factory=set)
    _watched_at: Millis = Millis(0)
    _is_mute: bool = False
    _trouble: str = ""

    def run(self) -> str:
        """Serve until there is nothing left to do here; return why."""
        self._say_ready()
        while True:
            self._notice_time()
            self._hear()
            self._look()
            self._say_leaving()
            reactor.on_room(self.node, self.situation.leave_reason)
            actions = next_actions(self._views(), self.situation)
            reactor.act(self.node, actions)
            self._tell()
            leave = next((action.reason for action in actions if isinstance(action, Leave)), None)
            if leave is not None:
                return leave
            self.wakeup.sleep(self._timeout())

    def say_goodbye(self) -> None:
        """Give the daemon a moment to take the last reports; one that does not answer finds them in the file."""
        end = self.node.clock.now() + self.node.settings.pace.farewell_ms
        while self.node.reports.untaken() and not self.courier.trouble and self.node.clock.now() < end:
            self._hear()
            self._tell()
            self.wakeup.sleep(Millis(end - self.node.clock.now()))

    def _say_ready(self) -> None:
        settings = self.node.settings
        self.node.reports.add(
            AgentReady(
                allocation=settings.allocation,
                node=settings.node,
                resources=settings.resources,
                until=settings.until,
                guests=(*self.node.guests, *self.node.waiting),
                machine=told(self.node.machine),
                abilities=self.node.abilities,
            )
        )

    def _say_leaving(self) -> None:
        """Before anything else of it is told: what is frozen now shall not be sent back here."""
        reason = self.situation.leave_reason
        if reason and not self.situation.leaving:
            self.situation = replace(self.situation, leaving=reason)
            self.node.reports.add(AgentLeaving(allocation=self.node.settings.allocation, reason=reason))

    def _notice_time(self) -> None:
        now, grace = self.node.clock.now(), self.node.settings.grace_ms
        self.situation = replace(self.situation, now=now)
        if self.wakeup.has_notice and self.situation.notice_until is None:
            end = Millis(now + grace - min(grace // KILL_SHARE, KILL_MOST_MS))
            self.situation = replace(self.situation, notice_until=end)
            self.node.log.info("agent.notice_received", grace_ms=grace, guests=len(self.node.guests))

    def _hear(self) -> None:
        self._note_trouble(self.courier.trouble)
        for heard in self.courier.news():
            self._take(heard)
            for command in heard.answer.commands:
                if command.id not in self._seen:
                    self._seen.add(command.id)
                    reactor.on_command(self.node, command, self.situation.leave_reason)

    def _note_trouble(self, trouble: str) -> None:
        if bool(trouble) != bool(self._trouble):
            if trouble:
                self.node.log.warning("agent.daemon_away", reason=trouble, lease_until=self.situation.lease.until)
            else:
                self.node.log.info("agent.daemon_back")
        self._trouble = trouble

    def _take(self, heard: Heard) -> None:
        answer, situation = heard.answer, self.situation
        self.node.reports.take(answer.taken)
        self.situation = replace(
            situation,
            lease=situation.lease.renewed(Millis(heard.asked_at - answer.age_ms), answer.lease_ms),
            dismissed=situation.dismissed or answer.leave,
        )
        if answer.daemon != self._daemon and self._daemon:
            # It knows from its journal only what was; and what it tells again is owed an answer again.
            self._say_ready()
            self._seen.clear()
        self._daemon = answer.daemon

    def _look(self) -> None:
        now = self.situation.now
        is_due = now - self._watched_at >= self.node.settings.pace.watch_ms
        if self.wakeup.take_child() or is_due:
            reactor.on_ended(self.node)
        self.node.background.drain()
        self.node.arrivals.drain()
        if is_due:
            self._watched_at = now
            reactor.on_watch(self.node, now)

    def _tell(self) -> None:
        try:
            self.node.reports.flush()
        except OSError as error:
            if not self._is_mute:
                self.node.log.error("agent.reports_not_written", reason=str(error))  # noqa: TRY400 - the reason says it all
            self._is_mute = True
        else:
            self._is_mute = False
        self.courier.offer(self.node.reports.untaken())

    def _views(self) -> list[GuestView]:
        return [guest.view(self.situation.now) for guest in self.node.guests.values()]

    def _timeout(self) -> Millis:
        wake = wake_at(self._views(), self.situation)
        if self.node.guests or self._is_mute:
            wake = min(wake, Millis(self._watched_at + self.node.settings.pace.watch_ms))
        return Millis(max(wake - self.node.clock.now(), 0))
