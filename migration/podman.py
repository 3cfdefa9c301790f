"""Podman's containers: started, frozen and thawed by its command line, each on this node's own.

Facts that shape this module: podman has no daemon; a small process is the parent of each container (see monitors). An export
holds where the container was (its control group, its folders, its log); before it goes on, that is made what it is here (see
podmanexport).
"""

import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from idleq.migration import copying, criu, monitors, podmanexport
from idleq.migration import podmancli as cli
from idleq.migration.cgroups import GroupFreezer, end_all_in, freezer_of, parent_here
from idleq.migration.confinement import Confinement, confine
from idleq.migration.errands import Done, Errands
from idleq.migration.errors import FreezeFailed, ImageMissing, ProgramMissing, StartFailed, ThawFailed
from idleq.migration.monitors import Monitor
from idleq.migration.ownfolders import own_folder, remove_abandoned
from idleq.migration.ownnames import own_name
from idleq.migration.patience import ANSWER_SECONDS, FREEZE_SECONDS, START_SECONDS, thaw_seconds
from idleq.migration.ports import ContainerName, Ended, FrozenState, Order
from idleq.processes import adopt_orphans, caught_signals, is_gone, keeper

QUIET = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}

FOLDERS = "idleq-podman-"
"""Begins the names of the folders for podman's files of containers."""

SIGNALLED = 128
"""Podman tells a signal as this and its number."""

KILLED_BY_US = SIGNALLED + signal.SIGKILL

MOST_UNWRITTEN = 1 << 20
"""Of what a container prints while the disk is full, so many bytes are kept."""

MONITOR_LOST = "podman's monitor of it was killed, and it with that"

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit codes of podman for a program that the image does not have, or that cannot be run."""


@dataclass(slots=True)
class _Running:
    """A container of ours; its *freezer* may have been left shut by a freeze that was broken off.

    It is either being frozen or over: what stands still for a freeze has no monitor either, and podman says that it ended with 0.
    """

    order: Order
    own_name: str
    files: cli.Files
    log: Path
    monitor: Monitor
    lines: cli.LogLines = field(default_factory=cli.LogLines)
    read_bytes: int = 0
    printed: list[bytes] = field(default_factory=lambda: [b"", b""])
    is_freezing: bool = False
    is_over: bool = False
    freezer: GroupFreezer | None = None
    is_killed: bool = False
    lost: str = ""


@dataclass(slots=True)
class PodmanRuntime:
    """The containers of this process by podman; *owner* is the same for one that takes its place after a crash.

    An ordinary user's podman can make no control groups, and leaves containers in ours.
    """

    owner: str
    errands: Errands
    start_seconds: float = START_SECONDS
    user: str = field(default_factory=lambda: cli.user_in(os.getuid(), os.getgid()))
    cgroup_parent: str = field(default_factory=lambda: parent_here() if os.geteuid() == 0 else "")
    _keeper: str = field(default_factory=keeper)
    _mine: str = field(default_factory=lambda: secrets.token_hex(8))
    _folder: Path = field(default_factory=lambda: own_folder(FOLDERS))
    _running: dict[ContainerName, _Running] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _printing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        try:
            adopt_orphans()
        except OSError as error:
            raise StartFailed(str(error.strerror)) from error
        self._podman(cli.remove_all_argv(self.owner), FREEZE_SECONDS)  # as many as a node has
        self._forget_abandoned()
        remove_abandoned(FOLDERS)

    def start(self, order: Order) -> None:
        """See Runtime."""
        # By its number: before it runs, its name could come to mean another image than the one that was looked at.
        number = self._see_image(order)
        container = replace(self._confined(order), image=number or order.image)
        name, files = own_name(), self._files()
        files.variables.touch(mode=0o600)
        files.variables.write_text(cli.variables_text(container.environment), encoding="utf-8")
        self._begin(
            order,
            name,
            files,
            cli.run_argv(name, container, files),
            _start_failure,
            carried=cli.carried(container.environment),
        )
        files.variables.unlink()

    def signal(self, name: ContainerName, number: int) -> None:
        """See Runtime."""
        if running := self._running.get(name):
            running.monitor.signal(number)

    def hears(self, name: ContainerName, number: int) -> bool:
        """See Runtime."""
        running = self._running.get(name)
        return running is not None and bool(caught_signals(running.monitor.first) >> (number - 1) & 1)

    def kill(self, names: Collection[ContainerName]) -> None:
        """See Runtime; when its first process dies, the kernel ends all others in the container."""
        for name in names:
            if running := self._running.get(name):
                running.is_killed = True
                self.signal(name, signal.SIGKILL)

    def ended(self) -> list[Ended]:
        """See Runtime; what has ended is removed from podman's store."""
        running = list(self._running.values())  # a freeze in another thread takes its own out
        for one in running:
            if one.freezer and not one.is_freezing:
                one.freezer.open()
            self._write_down(one)
        over = [one for one in running if self._is_over(one)]
        return [told for one in over if (told := self._told(one)) is not None]

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:  # noqa: ARG002 - the kernel holds them
        """See Meter: the kernel ends a container that would use more than its order says."""
        return {}

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        """See Freezer."""
        running = self._taken_for_a_freeze(name)
        try:
            podmanexport.lead_pages(running.order, running.log.parent, into)
            ran = self._podman(cli.checkpoint_argv(running.own_name, into), FREEZE_SECONDS)
            if ran.code != 0:
                self._resume(running, into, _why_criu(ran))
            self._write_down(running)
            self._forget(running)
        finally:
            running.is_freezing = False
        return FrozenState(bytes=podmanexport.size_of(into), stopped_ms=cli.stopped_ms(ran.stdout))

    def thaw(self, order: Order, images: Path) -> None:
        """See Freezer."""
        number = self._see_image(order)  # podman would try to fetch it
        files = self._files()
        with podmanexport.of_here(images, order, self._confined(order), files, number) as printed:
            name, seconds = own_name(), thaw_seconds(podmanexport.size_of(images))
            running = self._begin(order, name, files, cli.restore_argv(name, images), _thaw_failure, seconds)
        running.read_bytes = printed

    def close(self) -> None:
        """End everything that was started here."""
        self._podman(cli.remove_all_argv(self.owner), FREEZE_SECONDS)  # as many as a node has
        for running in list(self._running.values()):
            self._forget(running)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget_abandoned(self) -> None:
        """End and remove what nobody will ever ask for, since who had started it was killed; of a killed monitor podman says that it runs."""
        kept = cli.kept_in(self._podman(cli.kept_argv()).stdout)
        abandoned = [name for name, whose in kept if is_gone(whose)]
        if abandoned:
            self._remove(*abandoned)

    def _taken_for_a_freeze(self, name: ContainerName) -> _Running:
        with self._turn:
            running = self._running.get(name)
            if running is None or running.is_over:
                raise FreezeFailed(f"{name} does not run here")
            running.is_freezing = True
        return running

    def _is_over(self, running: _Running) -> bool:
        with self._turn:
            running.is_over = running.is_over or (not running.is_freezing and running.monitor.is_over())
        return running.is_over

    def _begin(
        self,
        order: Order,
        name: str,
        files: cli.Files,
        argv: list[str],
        failure: Callable[[Order, Done], StartFailed | ThawFailed],
        seconds: float | None = None,
        carried: Mapping[str, str] | None = None,
    ) -> _Running:
        with self.errands.engine():
            ran = self._podman(argv, self.start_seconds if seconds is None else seconds, carried)
            found = self._podman(cli.log_argv(name)) if ran.code == 0 else ran
            if found.code != 0:
                self._give_up(name, files)
                self._see_image(order)
                raise failure(order, found)
            log = Path(found.stdout.strip())
            running = _Running(order, name, files, log, Monitor.adopted(files, self.errands))
            self._running[order.name] = running
        return running

    def _see_image(self, order: Order) -> str:
        """Return the number of the image of *order*, empty if podman does not say; raise ImageMissing if it is not on this node."""
        ran = self._podman(cli.image_number_argv(order.image))
        if ran.code != 0:
            asked = self._podman(cli.has_image_argv(order.image))
            if cli.says_no_such_image(asked.code, asked.stderr):
                raise ImageMissing.of(order.image)
        return ran.stdout.strip()

    def _give_up(self, name: str, files: cli.Files) -> None:
        """End what there is of a container that did not start: podman forgets its monitor, and what criu was restoring."""
        number = self._podman(cli.number_argv(name)).stdout.strip()
        monitors.end_half_begun(files)
        self._podman(cli.remove_argv(name))
        if number:
            end_all_in(number)
        files.remove()

    def _resume(self, running: _Running, into: Path, why: str) -> None:
        """After a freeze that failed: see that the container goes on, and raise FreezeFailed."""
        running.freezer = freezer_of(running.monitor.first)
        if running.freezer:
            running.freezer.open()  # otherwise podman says that it does not run
        state = self._state(running.own_name)
        if state is not None and _has_ended_itself(running, state):
            raise FreezeFailed(f"{running.order.name} ended before it could be frozen")
        if state is not None and not state.is_running:
            podmanexport.give_back_pages(running.log.parent, into)
            with self.errands.engine():
                running.monitor.reap()
                why += self._podman(cli.resume_argv(running.own_name), FREEZE_SECONDS).stderr
                state = self._state(running.own_name)
                if state is not None and state.is_running:
                    running.monitor = Monitor.adopted(running.files, self.errands)
        if state is None or not state.is_running:
            running.lost = f"podman: {why}; and it does not go on"
            running.monitor.signal(signal.SIGKILL)  # if podman only could not say that it does
            raise FreezeFailed(running.lost, is_broken=True)
        raise FreezeFailed(f"podman: {why}", may_pass=criu.may_pass(why))

    def _told(self, running: _Running) -> Ended | None:
        """Return how it ended; None if podman was killed over that question, which is asked again then."""
        ran = self._podman(cli.inspect_argv(running.own_name))
        if ran.code < 0:
            return None
        state = cli.state_of(ran.stdout)
        self._write_down(running)
        if state is not None and state.is_running:
            running.monitor.end_orphan()
        self._forget(running)
        return _end_of(running, state)

    def _forget(self, running: _Running) -> None:
        if is_over := running.monitor.is_over():
            running.monitor.reap()  # podman would wait for an exit code from one that was killed and is not reaped
        self._remove(running.own_name)
        if not is_over:
            running.monitor.reap()
        self._running.pop(running.order.name, None)
        running.files.remove()

    def _remove(self, *names: str) -> None:
        if self._podman(cli.remove_argv(*names), FREEZE_SECONDS).code != 0:
            # Where the monitor was killed, podman ends the container the first time, and forgets it the second.
            self._podman(cli.remove_argv(*names), FREEZE_SECONDS)

    def _write_down(self, running: _Running) -> None:
        """Append what it has printed to its order's files; what there is no room for is tried again at the next look, and then lost."""
        with self._printing:  # a freeze in another thread, and the loop
            try:
                with running.log.open("rb") as log:
                    log.seek(running.read_bytes)
                    content = log.read()
            except OSError:
                return
            running.read_bytes += len(content)
            running.printed = [
                before + text for before, text in zip(running.printed, running.lines.feed(content), strict=True)
            ]
            for number, path in enumerate((running.order.stdout, running.order.stderr)):
                running.printed[number] = copying.append(path, running.printed[number])[-MOST_UNWRITTEN:]

    def _state(self, name: str) -> cli.State | None:
        return cli.state_of(self._podman(cli.inspect_argv(name)).stdout)

    def _podman(
        self, argv: list[str], seconds: float = ANSWER_SECONDS, carried: Mapping[str, str] | None = None
    ) -> Done:
        try:
            return self.errands.run(argv, seconds=seconds, environment={**os.environ, **(carried or {}), **QUIET})
        except OSError as error:
            raise StartFailed(f"podman cannot be run on this node: {error.strerror}") from error

    def _confined(self, order: Order) -> Confinement:
        return confine(
            order,
            whose=self._mine,
            owner=self.owner,
            keeper=self._keeper,
            user=self.user,
            cgroup_parent=self.cgroup_parent,
        )

    def _files(self) -> cli.Files:
        return cli.Files(self._folder / secrets.token_hex(8))


def _has_ended_itself(running: _Running, state: cli.State) -> bool:
    """Whether a freeze that failed came too late: nothing was frozen, and no signal has ended what a criu that was killed had hold of."""
    is_own = state.code <= SIGNALLED or state.ran_out or running.is_killed
    return state.has_ended and is_own and not criu.is_whole(running.log.parent / podmanexport.CHECKPOINT)


def _end_of(running: _Running, state: cli.State | None) -> Ended:
    """Return how it ended: by its own exit code only if its monitor has lived to keep one."""
    name, lost = running.order.name, running.lost
    if lost or state is None or state.is_running or state.is_frozen or state.code < 0:
        return Ended(name, -signal.SIGKILL, lost or ("" if running.is_killed else MONITOR_LOST))
    is_by_us = running.is_killed and state.code == KILLED_BY_US
    return Ended(name, -signal.SIGKILL if is_by_us else state.code, ran_out=state.ran_out)


def _start_failure(order: Order, ran: Done) -> StartFailed:
    if cli.says_no_such_folder(ran.stderr):
        return ProgramMissing(
            f"it is to start in {str(order.folder)!r}, which the image {order.image} does not have", NOT_FOUND
        )
    if ran.code == NOT_FOUND or (ran.code == NOT_EXECUTABLE and cli.says_not_executable(ran.stderr)):
        what = "there is no program" if ran.code == NOT_FOUND else "the image cannot run"
        return ProgramMissing(f"{what} {order.argv[0]!r} in the image {order.image}", ran.code)
    return StartFailed(f"podman: {_why(ran)}")


def _thaw_failure(order: Order, ran: Done) -> ThawFailed:
    return ThawFailed(f"podman cannot let {order.name} go on here: {_why_criu(ran)}")


def _why_criu(ran: Done) -> str:
    """Return why a freeze or a thaw failed: in criu's own words, if podman tells where they are and they are still there."""
    log, said = cli.criu_log_of(ran.stderr), _why(ran)
    if log is None:
        return said
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return said
    return f"criu: {criu.reason(text, said)}"


def _why(ran: Done) -> str:
    lines = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")] or ran.stderr.splitlines()
    return lines[-1].removeprefix("Error: ") if lines else f"it ended with {ran.code}"
