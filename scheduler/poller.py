"""The thread that speaks with the site's scheduler: carries out what it is asked, and asks what has changed."""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext

from structlog.typing import FilteringBoundLogger

from idleq.errors import IdleqError
from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, CommandFailed, Input, Reconciled
from idleq.scheduler.errors import DaemonAway, JournalUnavailable
from idleq.scheduler.faults import TRIES
from idleq.scheduler.intake import Intake, Reading
from idleq.scheduler.leases import Leases
from idleq.scheduler.mailbox import Decisions
from idleq.scheduler.ports import Cluster
from idleq.scheduler.rounds import SpoolRounds

ClusterCommand = RequestAllocation | ReleaseAllocation

LONGEST_PAUSE_MS = Millis(30_000)
"""Between two tries while the journal or the site's scheduler is away."""

CALMING = 1.5
"""How much longer each pause is than the last while nothing changes."""

PATIENCE = 20
"""So often is an agent's file tried to be read before its allocation is told to be over without it: some minutes."""


class ClusterPoller:
    """Owns every call to the cluster, so that none of them holds up the engine.

    What could not be journalled stays here and is told again: the cluster tells a change only once. Before an allocation is
    told to be over, all that its agent recorded is told, and before Reconciled all that any agent recorded. An allocation
    whose agent's file cannot be read counts as there until it can be, or until `PATIENCE` is over; no other waits for it.

    *check* raises Superseded once there is another daemon, whose allocations are not ours to end; *admit* makes ready for one that
    is about to be asked for.

    The pause between two rounds is *every_ms*; while nothing changes it grows to *calm_ms*.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        intake: Intake,
        leases: Leases,
        ask: "Callable[[Sequence[Input]], Future[Decisions]]",
        check: Callable[[], None],
        admit: Callable[[AllocationId], None],
        log: FilteringBoundLogger,
        every_ms: Millis,
        calm_ms: Millis,
        rounds: SpoolRounds | None = None,
    ) -> None:
        self._cluster, self._intake, self._leases = cluster, intake, leases
        self._ask, self._check, self._admit, self._log = ask, check, admit, log
        self._every_ms, self._pause_ms, self._rounds = every_ms, every_ms, rounds
        self._calm_ms, self._is_calm, self._is_away = calm_ms, False, False
        self._orders: queue.SimpleQueue[ClusterCommand | None] = queue.SimpleQueue()
        self._unsaid: list[Input] = []
        self._unheard: list[Input] = []
        self._tries: Counter[AllocationId] = Counter()
        self._alive: dict[AllocationId, None] = {}
        self._has_polled, self._faults = False, 0
        self._starts_over = threading.Event()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)

    def order(self, command: ClusterCommand) -> None:
        """Have *command* carried out soon."""
        self._orders.put(command)

    def start_over(self) -> None:
        """The engine was made anew from the journal: tell it what exists before anything else."""
        self._starts_over.set()
        self._orders.put(None)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """Poll no more, and wait for the call to the cluster that is under way."""
        self._is_stopping.set()
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        orders: list[ClusterCommand] = []
        while not self._is_stopping.is_set():
            try:
                is_well = self._round(orders)
            except Exception:  # noqa: BLE001 - this thread must not end silently; it is logged
                self._log.exception("cluster.round_failed")
                self._starts_over.set()  # what was ordered in this round is asked for again
                is_well = False
            self._pause_ms = self._usual() if is_well else self._longer()
            orders = self._wait_for_orders()

    def _round(self, orders: Sequence[ClusterCommand]) -> bool:
        """Carry out *orders*, hear and tell; return whether the next round may come at the usual time."""
        self.carry_out(orders)
        self._look()
        with self._rounds.turn if self._rounds is not None else nullcontext():
            inputs, readings = self._gather()
            self._is_calm = not orders and not inputs
            return self._tell(inputs, readings) and not self._tries and not self._is_away

    def carry_out(self, commands: Iterable[ClusterCommand]) -> None:
        """Ask the cluster; what it refuses is told as CommandFailed."""
        for command in commands:
            try:
                self._call(command)
            except (IdleqError, OSError) as error:
                is_transient = getattr(error, "transient", True)
                self._log.warning("cluster.command_failed", command=command.id, reason=str(error))
                self._unsaid.append(CommandFailed(command=command.id, reason=str(error), transient=is_transient))

    def collect(self) -> tuple[list[Input], list[Reading]]:
        """Return what is to be told: what the cluster says, each thing after the reports that come before it."""
        self._look()
        return self._gather()

    def _look(self) -> None:
        """Ask the cluster, which may take its time."""
        if self._starts_over.is_set():
            self._starts_over.clear()
            if self._has_polled:
                self._unsaid.insert(0, Reconciled(allocations=tuple(self._alive)))
        self._poll()

    def _gather(self) -> tuple[list[Input], list[Reading]]:
        inputs: list[Input] = []
        readings: list[Reading] = []
        self._unheard = []
        for said in self._unsaid:
            before, unreadable = self._read_before(said)
            readings += before
            inputs += [report for reading in before for report in reading.inputs]
            inputs += self._without(said, unreadable)
        heard = self._rounds.hear() if self._rounds is not None else []
        return [*inputs, *(said for reading in heard for said in reading.inputs)], [*readings, *heard]

    def settle(self, readings: Iterable[Reading], *, taken: bool) -> None:
        """What `collect` returned is in the journal, or has to be told again."""
        for reading in readings:
            self._intake.settle_reading(reading, taken=taken)
        if taken:
            self._unsaid, self._unheard = self._unheard, []
        if self._rounds is not None:
            self._rounds.answer()

    def _tell(self, inputs: Sequence[Input], readings: Sequence[Reading]) -> bool:
        """Tell the engine; return whether the next round may come at the usual time."""
        if not inputs:
            self.settle(readings, taken=True)
            return True
        try:
            self._ask(inputs).result()
        except (JournalUnavailable, DaemonAway):
            self.settle(readings, taken=False)
            return False
        except Exception:  # noqa: BLE001 - see below; it is logged
            # The engine has a fault with one of these. A report is set aside after some tries, so that the others are taken.
            self._faults += 1
            if readings and self._faults <= TRIES:
                self._log.exception("cluster.inputs_failed", tries=self._faults)
                self.settle(readings, taken=False)
                return False
            # Telling the rest for ever would not mend it; what exists will.
            self._log.exception("cluster.inputs_dropped", inputs=[type(said).__name__ for said in inputs])
            self.settle(readings, taken=True)
            self._starts_over.set()
            return False
        self._faults = 0
        self.settle(readings, taken=True)
        return True

    def _call(self, command: ClusterCommand) -> None:
        self._check()
        match command:
            case RequestAllocation():
                self._admit(command.allocation)
                self._cluster.request(command)
                self._alive[command.allocation] = None
            case ReleaseAllocation():
                self._cluster.release(command)

    def _poll(self) -> None:
        try:
            self._check()  # what it finds that nobody counts with it ends
            news = tuple(self._cluster.poll(self._leases.known()))
        except (IdleqError, OSError) as error:
            self._log.warning("cluster.away", reason=str(error))
            self._is_away = True
            return
        self._is_away = False
        for said in news:
            self._follow(said)
        self._unsaid.extend(news)

    def _follow(self, said: Input) -> None:
        match said:
            case Reconciled():
                self._alive, self._has_polled = dict.fromkeys(said.allocations), True
            case AllocationGranted():
                self._alive[said.allocation] = None
            case AllocationLost():
                self._alive.pop(said.allocation, None)
            case _:
                pass

    def _read_before(self, said: Input) -> tuple[list[Reading], list[AllocationId]]:
        """Return what agents recorded and is to be told before *said*, and whose file cannot be read."""
        readings: list[Reading] = []
        unreadable: list[AllocationId] = []
        for allocation in self._to_be_read_before(said):
            reading = self._intake.try_to_read(allocation, self._log)
            if reading is None:
                unreadable.append(allocation)
            else:
                readings.append(reading)
                del self._tries[allocation]
        return readings, unreadable

    def _without(self, said: Input, unreadable: Sequence[AllocationId]) -> tuple[Input, ...]:
        """Return what may be told of *said* while those files are unread; the rest is kept for the next round."""
        match said:
            case AllocationLost() if unreadable:
                self._tries[said.allocation] += 1
                if self._tries[said.allocation] <= PATIENCE:
                    self._unheard.append(said)
                    return ()
                self._log.error("cluster.reports_given_up", allocation=said.allocation, tries=PATIENCE)
                del self._tries[said.allocation]
            case Reconciled():
                gone = [allocation for allocation in unreadable if allocation not in said.allocations]
                lost = [known.allocation for known in self._unsaid if isinstance(known, AllocationLost)]
                self._unheard += [AllocationLost(allocation=a, reason="it is gone") for a in gone if a not in lost]
                return (Reconciled(allocations=(*said.allocations, *gone)),)
            case _:
                pass
        return (said,)

    def _to_be_read_before(self, said: Input) -> tuple[AllocationId, ...]:
        match said:
            case AllocationLost():
                return (said.allocation,)
            case Reconciled():
                return self._leases.known()
            case _:
                return ()

    def _usual(self) -> Millis:
        return Millis(min(round(CALMING * self._pause_ms), self._calm_ms)) if self._is_calm else self._every_ms

    def _longer(self) -> Millis:
        return Millis(min(2 * self._pause_ms, LONGEST_PAUSE_MS))

    def _wait_for_orders(self) -> list[ClusterCommand]:
        try:
            first = self._orders.get(timeout=self._pause_ms / 1000)
        except queue.Empty:
            return []
        return [*([] if first is None else [first]), *self.waiting_orders()]

    def waiting_orders(self) -> list[ClusterCommand]:
        """Return what was ordered and not yet carried out."""
        orders: list[ClusterCommand] = []
        while not self._orders.empty():
            order = self._orders.get_nowait()
            if order is not None:
                orders.append(order)
        return orders
