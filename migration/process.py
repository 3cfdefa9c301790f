"""Containers without a container engine: ordinary processes, each in a session of its own, and frozen by criu if they may be.

Facts that shape this module: the process that this runs in adopts every orphan below it (it is their "subreaper"), so
that nothing can leave the tree by losing its parent; a process that has been sent SIGKILL cannot fork any more, so that
looking again until there is nobody new ends a whole tree; and a leader that is not yet reaped keeps its number, so that
nobody else can be taken for its session. The leader of what may be frozen stands for it here: the guest's own leader is
inside (see enclosure).
"""

import contextlib
import errno
import os
import resource
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from idleq.migration import enclosed, enclosure
from idleq.migration.descent import leaders_first, owners
from idleq.migration.errands import Errands
from idleq.migration.errors import FreezeFailed, ProgramMissing, StartFailed
from idleq.migration.ports import MARK, ContainerName, Ended, FrozenState, Order
from idleq.processes import (
    Process,
    adopt_orphans,
    caught_signals,
    read_children,
    read_descendants,
    read_processes,
    read_variable,
    resident_share,
)

OPEN_FILES = 65_536
"""How many files a guest may have open, as far as the node allows it; the usual 1024 is too few for data loaders."""

ROUNDS = 100
"""A tree that still grows after so many looks is left to the next call."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What shells answer for a program that is missing, or is there and cannot be run."""


@dataclass(slots=True)
class ProcessRuntime:
    """The containers of this process, which must start no other child processes than these and its *errands*."""

    errands: Errands = field(default_factory=Errands)
    niceness: int = 0
    _leaders: dict[ContainerName, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    # Names are unique to our caller only: another one on this machine may use the same.
    _mine: str = field(default_factory=lambda: secrets.token_hex(8))
    _enclosed: dict[ContainerName, Order] = field(default_factory=dict)
    # What another thread freezes or thaws: its end is told by that, and by nobody else.
    _in_hand: set[ContainerName] = field(default_factory=set)
    # What was killed while it was in hand: one that has no process yet is ended when it has.
    _doomed: set[ContainerName] = field(default_factory=set)
    # A look for who has ended and the end of a freeze, in another thread, take turns: a process that is reaped in between is nobody's.
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _lost: dict[ContainerName, str] = field(default_factory=dict)
    _cores: AbstractSet[int] = field(default_factory=lambda: os.sched_getaffinity(0))
    # Whatever a guest starts before its limits hold would keep ours: so a thread that has them starts it. It lives as long as we
    # do, since what is to die with its parent dies with the thread that started it.
    _starter: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
    )

    def __post_init__(self) -> None:
        _limit_files()
        try:
            adopt_orphans()
        except OSError as error:
            raise StartFailed(str(error.strerror)) from error

    def start(self, order: Order) -> None:
        """See Runtime; the process is a session and a group of its own."""
        argv, folder = list(order.argv), order.folder
        if order.may_freeze:
            _check_program(order)
            argv, folder = enclosed.enclosed_argv(order), Path("/")
        try:
            # Until it has its name here it is an errand: whoever ends the guests of now would take it for an orphan of theirs.
            leader = self.errands.begin(lambda: self._popen(order, argv, folder))
        except (OSError, ValueError) as error:
            raise _refusal(order, error) from error
        if order.may_freeze:
            self._enclosed[order.name] = order
        self._leaders[order.name] = leader
        self.errands.end([leader.pid])

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        """See Freezer."""
        order, outer = self._enclosed.get(name), self._leaders.get(name)
        if order is None or outer is None:
            raise FreezeFailed("it was not started as one that may be frozen")
        self._in_hand.add(name)
        try:
            state = enclosed.freeze(self.errands, order, outer.pid, into)
            # Its processes are dead, and it ends with the last of them.
            os.waitid(os.P_PID, outer.pid, os.WEXITED | os.WNOWAIT)
            with self._turn:
                self._forget(name).wait()
        except FreezeFailed as error:
            if error.is_broken:
                self._lost[name] = str(error)
                self.kill([name])
            raise
        finally:
            self._in_hand.discard(name)
            self._doomed.discard(name)
        return state

    def thaw(self, order: Order, images: Path) -> None:
        """See Freezer."""

        def start(argv: list[str], answer: int) -> "subprocess.Popen[bytes]":
            outer = self.errands.begin(lambda: self._popen(order, argv, Path("/"), (answer,)))
            self._leaders[order.name] = outer  # from now on whoever kills it finds it
            self.errands.end([outer.pid])
            if order.name in self._doomed:
                os.kill(outer.pid, signal.SIGKILL)
            return outer

        self._in_hand.add(order.name)
        self._enclosed[order.name] = order
        try:
            _go_on(order, images, start)
        except BaseException:
            outer = self._leaders.get(order.name)
            if outer is not None:
                os.kill(outer.pid, signal.SIGKILL)
                os.waitid(os.P_PID, outer.pid, os.WEXITED | os.WNOWAIT)
            with self._turn:
                del self._enclosed[order.name]
                if outer is not None:
                    self._leaders.pop(order.name).wait()
            raise
        finally:
            self._in_hand.discard(order.name)
            self._doomed.discard(order.name)

    def _popen(
        self, order: Order, argv: Sequence[str], folder: Path, files: Sequence[int] = ()
    ) -> "subprocess.Popen[bytes]":
        return self._starter.submit(self._begun, order, argv, folder, files).result()

    def _begun(
        self, order: Order, argv: Sequence[str], folder: Path, files: Sequence[int]
    ) -> "subprocess.Popen[bytes]":
        _restrain(
            order.cores or self._cores, self.niceness
        )  # a core may be gone since the agent began: nothing is started then
        with _appended(order.stdout) as stdout, _appended(order.stderr) as stderr:
            # Without close_fds and preexec_fn Python uses vfork: no copy of this process's page tables.
            leader = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env={**order.environment, MARK: f"{order.name}/{self._mine}"},
                close_fds=bool(files),
                pass_fds=files,
                start_new_session=True,
            )
        if self.niceness:
            enclosure.be_nice_as_session(leader.pid)
        return leader

    def _forget(self, name: ContainerName) -> "subprocess.Popen[bytes]":
        self._enclosed.pop(name, None)
        return self._leaders.pop(name)

    def signal(self, name: ContainerName, number: int) -> None:
        """See Runtime; helpers that the program started get no signal, which they would not expect."""
        if (leader := self._inner_leader(name)) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(leader, number)

    def hears(self, name: ContainerName, number: int) -> bool:
        """See Runtime."""
        leader = self._inner_leader(name)
        return leader is not None and bool(caught_signals(leader) >> (number - 1) & 1)

    def kill(self, names: Collection[ContainerName]) -> None:
        """See Runtime; found by session, group, descent and mark."""
        self._doomed.update(name for name in names if name in self._in_hand)
        sent: set[int] = set()
        leaders = {self._leaders[name].pid for name in names if name in self._leaders}
        for _ in range(ROUNDS):
            new = set(self._members(names)) - sent
            if not new:
                return
            for pid in leaders_first(new, leaders):
                # What became another user's (a program with the set-user-ID bit) is not ours to kill; what began it is.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            sent |= new

    def ended(self) -> list[Ended]:
        """See Runtime; what a container leaves running behind it is killed first."""
        with self._turn:
            leaders = list(self._leaders.items())
            over = [name for name, leader in leaders if name not in self._in_hand and _has_ended(leader.pid)]
        if over and self._reap_strays():
            self.kill(over)
            living = set(self._members(over).values())
            over = [name for name in over if name not in living]
            self._reap_strays()
        # Reaping gives the leader's number back: only now, when nobody is left in its session.
        return [Ended(name, self._forget(name).wait(), self._lost.pop(name, "")) for name in over]

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:
        """See Meter; pages that processes of a tree share are counted once."""
        trees = self._trees()
        found: dict[ContainerName, int] = {}
        for name, limit in limits.items():
            tree = trees.get(name, {})
            if sum(process.resident for process in tree.values()) > limit:
                used = resident_share(tree)
                found |= {name: used} if used > limit else {}
        return found

    def close(self) -> None:
        """Kill everything below this process, whoever it belongs to."""
        self.kill(list(self._leaders))
        for pid in read_children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._starter.shutdown(wait=False)

    def _inner_leader(self, name: ContainerName) -> int | None:
        leader = self._leaders.get(name)
        if leader is None:
            return None
        return enclosed.leader_of(leader.pid) if name in self._enclosed else leader.pid

    def _members(self, names: Collection[ContainerName]) -> dict[int, ContainerName]:
        processes = read_processes()
        roots = self._roots(processes)
        if set(self._leaders) <= set(names):
            # Orphans that hide whose they are can only be of these.
            anybody = next(iter(names), None)
            roots |= {pid: anybody for pid in self._strays() - set(roots) if anybody}
        owned = owners(processes, roots)
        return {
            pid: ContainerName(owner) for pid, owner in owned.items() if owner in names and not processes[pid].is_zombie
        }

    def _trees(self) -> dict[str, dict[int, Process]]:
        """Return the processes of each guest, without a look at every process of the node: there may be thousands."""
        leaders: dict[int, str] = {leader.pid: name for name, leader in list(self._leaders.items())}
        trees = {name: _family(pid) for pid, name in leaders.items()}
        for pid in self._strays():
            family = _family(pid)
            first = family.get(pid)
            owner = first and (leaders.get(first.session) or leaders.get(first.group) or self._marked(pid))
            if owner in trees:
                trees[owner] |= family  # an orphan may have been seen below its parent just before
        return trees

    def _roots(self, processes: Mapping[int, Process]) -> dict[int, str]:
        """Return the leaders, and by their marks those that have left their leader's session and descent."""
        leaders: dict[int, str] = {leader.pid: name for name, leader in list(self._leaders.items())}
        owned = owners(processes, leaders)
        me = os.getpid()
        return leaders | {
            pid: name for pid in processes if pid not in owned and pid != me and (name := self._marked(pid))
        }

    def _marked(self, pid: int) -> str:
        """Return the guest of ours that *pid* says to be part of; empty if it says nothing of the kind."""
        name, _, whose = (read_variable(pid, MARK) or "").rpartition("/")
        return name if whose == self._mine and name in self._leaders else ""

    def _strays(self) -> set[int]:
        return self.errands.others() - {leader.pid for leader in list(self._leaders.values())}

    def _reap_strays(self) -> set[int]:
        """Return the adopted orphans that live; those that have ended are gone for good."""
        return {pid for pid in self._strays() if not _reaped(pid)}


def _go_on(order: Order, images: Path, start: Callable[[list[str], int], "subprocess.Popen[bytes]"]) -> None:
    try:
        enclosed.thaw(order, images, start)
    except OSError as error:
        raise StartFailed(f"it cannot go on here: {error}") from error


def _family(pid: int) -> dict[int, Process]:
    return {process.pid: process for process in read_descendants(pid)}


def _check_program(order: Order) -> None:
    """Raise ProgramMissing if there is none: of one inside namespaces of its own only an exit code would tell."""
    program = order.argv[0] if order.argv else ""
    if not program or "\0" in program:
        raise ProgramMissing(f"there is no program {program!r} on this node", NOT_FOUND)
    found = shutil.which(program, path=order.environment.get("PATH", os.defpath))
    if "/" not in program and found is None:
        raise ProgramMissing(f"there is no program {program!r} on this node", NOT_FOUND)
    if program.startswith("/") and found is None:
        is_there = Path(program).exists()
        word = "cannot be run here" if is_there else "is not on this node"
        raise ProgramMissing(f"{program!r} {word}", NOT_EXECUTABLE if is_there else NOT_FOUND)


def _refusal(order: Order, error: OSError | ValueError) -> StartFailed:
    program = order.argv[0] if order.argv else ""
    if isinstance(error, ValueError):
        return ProgramMissing(f"no program can be started like this: {error}", NOT_FOUND)
    if error.errno in {errno.ENOENT, errno.ENOTDIR} and error.filename != str(order.folder):
        return ProgramMissing(f"there is no program {program!r} on this node", NOT_FOUND)
    if error.errno in {errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.EISDIR, errno.E2BIG}:
        return ProgramMissing(f"{program!r} cannot be run here: {error.strerror}", NOT_EXECUTABLE)
    return StartFailed(f"cannot start {program!r} now: {error.strerror}")


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartFailed(f"cannot write {path}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _restrain(cores: AbstractSet[int], niceness: int) -> None:
    """Let the calling thread run on those *cores* only and be so nice: what it starts is as it is, from its first instruction on."""
    os.sched_setaffinity(0, cores)
    if niceness:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def _limit_files() -> None:
    """No core files of ours nor of what we start, and many open files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
