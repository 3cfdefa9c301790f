"""The two processes around a guest that is to be frozen from outside; run as a program of its own, by any Python, alone.

The outer one is the agent's child. It makes namespaces of its own for processes and mounts, so that the guest's process
numbers are free wherever it goes on, and its folders lie at the same place; and it ends as the guest ends. The first one is
process 1 in there: the parent of the guest's leader and of all orphans, and not part of what is frozen. If either dies, the
kernel ends all that is inside; the outer one dies with the agent.

An ordinary user may make them in a namespace of users of its own, whose only user is this one: in there criu has the rights
that it needs, over these processes alone, and every file is opened with this user's own.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

LEADER = 300
"""The leader's number inside: below it the kernel hands out none when numbers begin anew, so criu's own processes have room there."""

CANNOT_BE_MADE = 71
"""The exit code where the namespaces cannot be made (sysexits' EX_OSERR)."""

NOT_STARTED = 127

RESTORED = "restored"
"""What is answered when a guest goes on; it may have ended before anybody looks."""

CLOCKS = {"monotonic": time.CLOCK_MONOTONIC, "boottime": time.CLOCK_BOOTTIME}
"""Those that begin at a node's start, by the names that the kernel gives them."""

VISIT_SECONDS = 0.005
"""How often it is looked whether criu has left: the few milliseconds that it needs to come to its end."""

ENTER = "enter"
"""The first argument where a program is to run among the namespaces of a process, which is the second; the others are the program's."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWTIME, _CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00000080, 0x00020000, 0x10000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND, _MS_MOVE, _MS_REC, _MS_SLAVE = (
    1, 2, 4, 8, 32, 4096, 8192, 16384, 1 << 19,
)  # fmt: skip
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_EVERYBODY = ["0", "0", str(2**32 - 1)]
"""The map of users where there is no namespace of them."""

_CAP_SETUID = 7
_CAPABILITY_VERSION = 0x20080522

OFFSETS = Path("/proc/self/timens_offsets")
"""Where a kernel that can give clocks of their own to what is inside says how far they are ahead."""

_STAGE, _OLD = "/tmp", ".node"  # noqa: S108 - nothing of it is used: what takes another folder's place is made there
"""Where that is made, and the name in it by which the old folder is found."""

_KEPT_WITH_A_BIND = (
    (os.ST_NOSUID, _MS_NOSUID), (os.ST_NODEV, _MS_NODEV), (os.ST_NOEXEC, _MS_NOEXEC),
    (os.ST_NOATIME, 1 << 10), (os.ST_NODIRATIME, 1 << 11),
)  # fmt: skip
"""What an ordinary user may not take from a mount when it is made read-only."""


class _Capabilities(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


def main(arguments: Sequence[str]) -> NoReturn:
    """Be the outer process for what *arguments* describe (`spec_text`), or run a program inside (`ENTER`)."""
    if arguments[0] == ENTER:
        _enter(int(arguments[1]), list(arguments[2:]))
    spec = json.loads(arguments[0])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of process 1 in there that is: nobody inside ends it
    _die_with_parent()
    if os.getppid() != spec["parent"]:
        os._exit(CANNOT_BE_MADE)
    try:
        _unshare(spec["clocks"])
        _mount("none", "/", None, _MS_REC | _MS_SLAVE)
        _see(spec["mounts"])
        ends, told = os.pipe()
        first = os.fork()
    except OSError as error:
        _refuse(spec, f"no namespaces can be made for it: {_words(error)}")
    if first == 0:
        os.close(ends)
        _be_first(spec, told)
    os.close(told)
    if spec["answer"] is not None:
        os.close(spec["answer"])
    text = os.read(ends, 64)
    _, status = os.waitpid(first, 0)
    _end_like(int(text) if text else status)


def spec_text(
    *,
    parent: int,
    argv: Sequence[str],
    folder: str,
    mounts: Sequence[tuple[str, str, bool]],
    restore: Sequence[str] = (),
    patience: float = 0,
    clocks: Mapping[str, float] | None = None,
    answer: int | None = None,
) -> str:
    """Return what `main` takes.

    Attributes:
        parent: who starts it; with that process's death it dies.
        argv: the guest's program and its arguments.
        folder: where it starts.
        mounts: sources, targets, and whether they can be written.
        restore: what lets a frozen guest go on, instead of starting one.
        patience: for how many seconds that may take: of images that are not whole, criu may wait for ever for what is not there.
        clocks: what the clocks inside are to say first, in seconds since some time, by their names (`CLOCKS`); root's criu sees to them itself.
        answer: an open file to which a restore's end is written: `RESTORED`, or why it is not.
    """
    spec = {"parent": parent, "argv": argv, "folder": folder, "mounts": mounts, "restore": restore, "answer": answer}
    return json.dumps({**spec, "patience": patience, "clocks": clocks or {}})


def offsets_in(text: str) -> dict[str, float]:
    """Return how many seconds the clocks of a process are ahead, by their names, by its file `timens_offsets`."""
    return {
        name: int(seconds) + int(nanoseconds) / 1e9 for name, seconds, nanoseconds in map(str.split, text.splitlines())
    }


def is_root() -> bool:
    """Whether this process may do what it likes here: its user is root, and no namespace of users has made it so."""
    users = Path("/proc/self/uid_map")  # a kernel without such namespaces has none
    return os.geteuid() == 0 and (not users.exists() or users.read_text(encoding="ascii").split() == _EVERYBODY)


def be_nice_as_session(pid: int) -> None:
    """Where the kernel shares its time out among sessions (autogroup), what is nice in a new one is so to nobody outside before that is said."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, pid)), encoding="ascii")


def _unshare(clocks: Mapping[str, float]) -> None:
    user, group = os.geteuid(), os.getegid()
    wanted = _CLONE_NEWNS | _CLONE_NEWPID
    if is_root():
        _call("unshare", wanted)
        return
    _call("unshare", wanted | _CLONE_NEWUSER | (_CLONE_NEWTIME if OFFSETS.exists() else 0))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    if clocks and OFFSETS.exists():
        here = offsets_in(OFFSETS.read_text(encoding="ascii"))
        for name, wanted_time in clocks.items():
            ahead = round((wanted_time - time.clock_gettime(CLOCKS[name]) + here[name]) * 1e9)
            OFFSETS.write_text(f"{name} {ahead // 10**9} {ahead % 10**9}", encoding="ascii")


def _enter(first: int, argv: list[str]) -> NoReturn:
    """Be the parent, outside, of a program that runs inside."""
    try:
        own = () if is_root() else ("user", *(("time",) if OFFSETS.exists() else ()))
        places = [os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in (*own, "mnt", "pid")]
        for place in places:
            _call("setns", place, 0)
        if own:
            _keep_capabilities()
        if (child := os.fork()) == 0:
            os.execv(argv[0], argv)  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        sys.stderr.write(f"idleq: cannot run {argv[0]} among the namespaces of a guest: {_words(error)}\n")
        sys.stderr.flush()
        os._exit(CANNOT_BE_MADE)
    _, status = os.waitpid(child, 0)
    _end_like(status)


def _keep_capabilities() -> None:
    """Let what is started from now on have the rights that this process has in here, though its user is not root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    halves = (_Capabilities * 2)()  # the lower 32 of them, and the others
    _call("capget", header, halves)
    for half in halves:
        half.inheritable = half.permitted
    _call("capset", header, halves)
    # With this right criu would begin as root, whom there is none of in here.
    permitted = (halves[0].permitted | halves[1].permitted << 32) & ~(1 << _CAP_SETUID)
    for number in range(permitted.bit_length()):
        if permitted >> number & 1:
            _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)


def _be_first(spec: Mapping[str, Any], told: int) -> NoReturn:
    try:
        _die_with_parent()
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        # Whoever signals this process means the guest; to the first of its namespace only SIGKILL from outside gets through.
        if spec["restore"]:
            _restore(spec)
        else:
            _start(spec)
        status = _status_of(LEADER)
        while _visitors():
            time.sleep(VISIT_SECONDS)  # what has just frozen the guest would be ended with this process
        os.write(told, str(status).encode())
    except OSError as error:
        _refuse(spec, _words(error))
    os._exit(0)


def _words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def _refuse(spec: Mapping[str, Any], why: str) -> NoReturn:
    _answer(spec, why)
    sys.stderr.write(f"idleq: {why}\n")
    sys.stderr.flush()
    os._exit(CANNOT_BE_MADE)


def _start(spec: Mapping[str, Any]) -> None:
    _next_number(LEADER)
    if os.fork() == 0:
        try:
            os.setsid()
            be_nice_as_session(os.getpid())
            # Orphans inside become the leader's children, so that they are part of what is frozen.
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
            _prctl(_PR_SET_PDEATHSIG, 0)
            os.chdir(spec["folder"])
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored stays so
            os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            os.execvpe(spec["argv"][0], spec["argv"], os.environ)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            sys.stderr.write(f"idleq: {spec['argv'][0]}: {error.strerror}\n")
            sys.stderr.flush()
        os._exit(NOT_STARTED)


def _restore(spec: Mapping[str, Any]) -> None:
    """Run criu, which leaves the guest as an orphan: this process's child."""
    if spec["answer"] is not None:
        os.set_inheritable(spec["answer"], False)
    if not is_root():
        _keep_capabilities()
    stdout, stderr = os.dup(1), os.dup(2)
    # A file, not a pipe: where criu is killed half-way, what it has begun to restore keeps a pipe open for ever.
    with os.fdopen(os.memfd_create("criu"), "w+b") as said:
        try:
            ran = subprocess.run(
                [word.replace("{stdout}", str(stdout)).replace("{stderr}", str(stderr)) for word in spec["restore"]],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=(stdout, stderr),
                check=False,
                timeout=spec["patience"],
            )
        except subprocess.TimeoutExpired:
            _answer(spec, f"criu has not come to an end within {spec['patience']:.0f} s")
            os._exit(CANNOT_BE_MADE)
        if ran.returncode != 0:
            said.seek(0)
            _answer(spec, said.read().decode(errors="replace").strip() or f"criu ended with {ran.returncode}")
            os._exit(CANNOT_BE_MADE)
    be_nice_as_session(LEADER)
    _next_number(max(_numbers()) + 1)
    _answer(spec, RESTORED)


def _answer(spec: Mapping[str, Any], text: str) -> None:
    if spec["answer"] is not None:
        with contextlib.suppress(OSError):
            os.write(spec["answer"], text.encode()[-4096:])
            os.close(spec["answer"])


def _status_of(pid: int) -> int:
    """Reap whoever ends until *pid* does; return how it ended."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status


def _visitors() -> bool:
    """Whether there is a process in here whose parent is outside, besides this one: criu while it freezes."""
    others = (name for name in _numbers() if name != os.getpid())
    return any(_parent_of(number) == 0 for number in others)


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names only, and quick


def _parent_of(number: int) -> int | None:
    try:
        return int(Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return None


def _end_like(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else CANNOT_BE_MADE)


def _see(mounts: Sequence[tuple[str, str, bool]]) -> None:
    """Bind each source on its target; the targets lie in folders of this namespace only."""
    for parent in sorted({str(Path(target).parent) for _, target, _ in mounts}):
        _make(Path(parent))
        _mount("idleq", parent, "tmpfs", _MS_NOSUID | _MS_NODEV)
    for source, target, is_writable in mounts:
        Path(target).mkdir()
        _mount(source, target, None, _MS_BIND)
        if not is_writable:
            had = os.statvfs(target).f_flag
            kept = sum(flag for seen, flag in _KEPT_WITH_A_BIND if had & seen)
            _mount(source, target, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)


def _make(folder: Path) -> None:
    """Make *folder*; what an ordinary user may not add to a folder of the node is added to one like it that takes its place in here."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError:
        _replace(next(above for above in folder.parents if above.is_dir()))
        folder.mkdir(parents=True)


def _replace(folder: Path) -> None:
    """Mount a new folder over *folder*, in which all is found by its name as in the old one, also what is made there anew meanwhile."""
    names = os.listdir(folder)  # noqa: PTH208 - names only
    _mount("idleq", _STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV)
    Path(_STAGE, _OLD).mkdir()
    _mount(str(folder), f"{_STAGE}/{_OLD}", None, _MS_BIND | _MS_REC)
    for name in names:
        Path(_STAGE, name).symlink_to(f"{_OLD}/{name}")
    _mount(_STAGE, str(folder), None, _MS_MOVE)


def _next_number(pid: int) -> None:
    """Let the next process in here have the number *pid*, or the first free one after it."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(max(pid, LEADER) - 1), encoding="ascii")


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    _call("prctl", option, value, 0, 0, 0)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    kind_bytes = None if kind is None else kind.encode()
    try:
        _call("mount", os.fsencode(source), os.fsencode(target), kind_bytes, ctypes.c_ulong(flags), None)
    except OSError as error:
        raise OSError(error.errno, f"mount {source} on {target}: {os.strerror(error.errno or 0)}") from error


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
