"""A daemon with all that is around it, from its start to its clean stop."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from idleq.ids import Millis
from idleq.scheduler.api.access import Access, remove_access, write_access, write_door
from idleq.scheduler.api.app import make_app
from idleq.scheduler.api.auth import AgentTokens, new_token
from idleq.scheduler.api.bell import Bell
from idleq.scheduler.api.munge import user_of
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.server import ApiServer, listen, url_of
from idleq.scheduler.api.tls import ensure_certificate
from idleq.scheduler.config import Config
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.daemon import Daemon
from idleq.scheduler.errors import BadConfig, DaemonAway
from idleq.scheduler.hands import Hands
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.listening import Listener
from idleq.scheduler.mailbox import Mailbox
from idleq.scheduler.outbox import Outbox
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.poller import ClusterPoller
from idleq.scheduler.ports import Clock, Cluster, Journal, Results
from idleq.scheduler.rounds import SpoolRounds
from idleq.scheduler.sitefolder import SiteFolder
from idleq.scheduler.spool import DaemonSpool
from idleq.scheduler.tidier import Tidier

FIRST_VIEW_MS = 5_000
"""A cluster that is starting up tells its nodes well within this; one that is away keeps the first jobs waiting so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a daemon stands on; the caller holds the lock of the server directory.

    Attributes:
        paths, config: where it is and what is set.
        journal, cluster, results: the adapters.
        clock: engine time; it starts no earlier than the journal's last turn.
        steady: a clock that measures durations.
        log: where it says what it did.
        poll_ms: how often the cluster is asked.
        calm_ms: how often it is asked while nothing changes.
        epoch: higher than that of every daemon before it.
        check: raises Superseded once there is another daemon.
    """

    paths: ServerPaths
    config: Config
    journal: Journal
    cluster: Cluster
    results: Results
    clock: Clock
    steady: Clock
    log: FilteringBoundLogger
    poll_ms: Millis
    calm_ms: Millis
    epoch: int
    check: Callable[[], None]


class Service:
    """One daemon; use it once, either by `run` or by `once`."""

    def __init__(self, parts: Parts) -> None:
        policy, self._parts = parts.config.policy, parts
        self._mailbox, self._outbox, self._bell = Mailbox(), Outbox(), Bell()
        self._intake = Intake(parts.paths)
        self._leases = Leases(parts.steady, policy.lease_ms, policy.margin_ms)
        self._tokens = AgentTokens(parts.paths)
        self._daemon_id = secrets.token_hex(8)
        spool = DaemonSpool(parts.paths, parts.epoch) if parts.config.transport == "spool" else None
        rounds = (
            SpoolRounds(spool, self._intake, self._leases, self._daemon_id, parts.log, parts.epoch) if spool else None
        )
        self._poller = ClusterPoller(
            cluster=parts.cluster,
            intake=self._intake,
            leases=self._leases,
            ask=self._mailbox.ask,
            check=parts.check,
            admit=self._tokens.make,
            log=parts.log,
            every_ms=parts.poll_ms,
            calm_ms=parts.calm_ms,
            rounds=rounds,
        )
        self._listener = None if rounds is None else self._listener_of(rounds)
        hands = Hands(
            order=self._poller.order,
            agents=spool or self._outbox,
            results=parts.results,
            leases=self._leases,
            intake=self._intake,
            ring=self._bell.ring,
            forget=self._tokens.forget,
            log=parts.log,
        )
        self._tidier = Tidier(
            paths=parts.paths,
            engines=self._mailbox,
            clock=parts.clock,
            quota=parts.config.snapshots.quota_bytes,
            every_ms=parts.config.snapshots.tidy_ms,
            log=parts.log,
        )
        self.daemon = Daemon(
            policy=policy,
            on_restored=self._poller.start_over,
            journal=parts.journal,
            clock=parts.clock,
            steady=parts.steady,
            mailbox=self._mailbox,
            leases=self._leases,
            hands=hands,
            log=parts.log,
        )

    def _listener_of(self, rounds: SpoolRounds) -> Listener:
        parts = self._parts
        return Listener(
            rounds=rounds,
            intake=self._intake,
            ask=self._mailbox.ask,
            log=parts.log,
            lease_ms=parts.config.policy.lease_ms,
        )

    def run(self, on_up: Callable[[], object] = lambda: None) -> None:
        """Serve until `stop`; agents go on by themselves afterwards, as long as their leases last.

        *on_up* is called once clients can find the daemon.

        Raises:
            PortInUse: somebody else listens on the port; nothing was begun.
            JournalDamaged, JournalTooNew: nothing can be decided from this journal.
        """
        parts, server = self._parts, self._parts.config.server
        bound = listen(server.address, server.port)
        with bound:
            parts.paths.access.unlink(missing_ok=True)  # of one that was killed: nobody is to wait at its door
            # The poller reads the reports of all allocations that the journal knows before it tells what exists.
            self.daemon.turn(())
            certificate = ensure_certificate(parts.paths, (server.address, socket.gethostname()), parts.clock.now())
            token = new_token()
            api = ApiServer(
                make_app(self._office(), token, parts.log, user_of if server.shared else None),
                self._bell,
                bound,
                parts.paths.key,
                parts.paths.certificate,
            )
            api.start()
            self._poller.start()
            if self._listener is not None:
                self._listener.start()
            if not server.shared:  # where jobs' folders are their users', the daemon touches nothing in them
                self._tidier.start()
            try:
                url, pid, now = url_of(bound), os.getpid(), parts.clock.now()
                access = Access(url=url, token=token, certificate=certificate, pid=pid, started=now)
                write_access(parts.paths, access)
                if server.shared:
                    write_door(SiteFolder(Path(server.shared)).door, access)
                parts.log.info("daemon.started", url=url, pid=pid)
                on_up()
                self.daemon.run()
            finally:
                self._leave(api, token)

    def stop(self) -> None:
        """Let `run` return when its turn is over; may be called in a signal handler."""
        self.daemon.stop()

    def once(self, until: Millis) -> None:
        """Do what a daemon would do now, for hosts where none may stay: at least one round, and rounds until *until*.

        Agents are reached by the spool only. Their silence means nothing here, since nobody listened meanwhile.

        Raises:
            BadConfig: agents are not told to use the spool.
            JournalUnavailable: nothing was done; the next time may bring it.
        """
        if self._parts.config.transport != "spool":
            message = 'agents cannot reach a daemon that does not stay: set server.transport = "spool" in config.toml'
            raise BadConfig(message)
        pause = threading.Event()
        self.daemon.turn(())
        while True:
            inputs, readings = self._poller.collect()
            is_taken = False
            try:
                self._decide(inputs)
                is_taken = True
            finally:
                self._poller.settle(readings, taken=is_taken)
            self._poller.carry_out(self._poller.waiting_orders())
            if self._parts.steady.now() >= until:
                return
            pause.wait(self._parts.poll_ms / 1000)

    def _decide(self, inputs: Sequence[Input]) -> None:
        reply = self._mailbox.ask(inputs)
        self.daemon.turn(self._mailbox.take(Millis(0)))
        reply.result()

    def _office(self) -> Office:
        return Office(
            mailbox=self._mailbox,
            outbox=self._outbox,
            intake=self._intake,
            leases=self._leases,
            bell=self._bell,
            tokens=self._tokens,
            daemon_id=self._daemon_id,
            shut_down=self.stop,
            first_view_ms=FIRST_VIEW_MS,
            epoch=self._parts.epoch,
            mount_roots=self._parts.config.containers.roots,
        )

    def _leave(self, api: ApiServer, token: str) -> None:
        """Tell no client of us any more, answer those that wait, and let go."""
        remove_access(self._parts.paths, token)
        for letter in self._mailbox.close():
            letter.reply.set_exception(DaemonAway("the daemon is stopping"))
        api.stop()
        self._tidier.stop()
        if self._listener is not None:
            self._listener.stop()
        self._poller.stop()
        self._parts.log.info("daemon.stopped")
