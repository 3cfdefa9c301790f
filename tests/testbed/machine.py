"""The machines of a testbed: a warden that owns them all, and nodes in namespaces of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idleq.processes import started
from testbed import lagging
from testbed.cgroups import Groups
from testbed.errors import CommandRefused, Impatient
from testbed.roots import RECIPE
from testbed.waiting import wait_for

PATIENCE_SECONDS = 30
OWN_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--time", "--fork")


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder of this machine as nodes see it."""

    source: Path
    target: Path
    is_writable: bool = False

    def argv(self) -> list[str]:
        """As recipe/node.sh takes it."""
        return [str(self.source), str(self.target), "rw" if self.is_writable else "ro"]


class First:
    """The first process of a namespace, by the file in which it left its number and its namespace: both together are nobody else's."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pid(self) -> int | None:
        """Return its number on this machine, None if it does not live."""
        try:
            number, namespace = self._file.read_text().split()
            lives = started(int(number)) is not None and str(Path(f"/proc/{number}/ns/pid").readlink()) == namespace
        except (OSError, ValueError):
            return None
        return int(number) if lives else None

    def wait(self) -> int:
        """Return its number once it lives."""
        return wait_for(f"{self._file.parent.name} to come up", self.pid, seconds=PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it, and with it every process, mount and device below; nothing if it does not live."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
            wait_for(f"process {pid} to end", lambda: self.pid() is None, seconds=PATIENCE_SECONDS)
        self._file.unlink(missing_ok=True)


class Warden:
    """PID 1 of the testbed: has the switch between nodes, and takes all of them with it."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._first, self._root, self._log = First(folder / "warden.pid"), root, folder / "warden.log"

    def start(self) -> None:
        """Start it."""
        script = ["sh", str(RECIPE / "warden.sh"), str(self._root), str(self._log.with_suffix(".pid"))]
        _spawn(["unshare", "--mount", "--net", "--pid", "--fork", *script], self._log)
        self._first.wait()

    @property
    def pid(self) -> int:
        """Its number; it must live."""
        return self._first.wait()


class Node:
    """One machine: its own processes, mounts, name, address and clocks of uptime; its disk outlives a kill."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        folder: Path,
        root: Path,
        warden: Warden,
        groups: Groups,
        binds: Sequence[Bind],
    ) -> None:
        self.name, self.address = name, address
        self._folder, self._root, self._warden, self._groups, self._binds = folder, root, warden, groups, binds
        self._first = First(folder / "pid")

    @property
    def disk(self) -> Path:
        """What the node's root has beyond the common one; to be written to only while it does not run."""
        return self._folder / "upper"

    def start(self, *, uptime_seconds: int = 0) -> None:
        """Boot it; its clocks of uptime are *uptime_seconds* ahead of this machine's (the time of day is one for all)."""
        for part in ("upper", "work", "root"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        clocks = [f"--boottime={uptime_seconds}", f"--monotonic={uptime_seconds}"]
        script = ["sh", str(RECIPE / "node.sh"), self.name, str(self._root), str(self._folder)]
        binds = [word for bind in self._binds for word in bind.argv()]
        argv = ["unshare", *OWN_NAMESPACES, *clocks, *script, *binds]
        _spawn(self._entry(self._warden.pid, argv), self._folder / "log")
        try:
            pid = self._first.wait()
        except Impatient as error:
            raise Impatient(f"{error}: {(self._folder / 'log').read_text(errors='replace')[-2000:]}") from None
        link = ["sh", str(RECIPE / "link.sh"), str(self._warden.pid), str(pid), self.name, self.address]
        subprocess.run(link, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    @property
    def is_up(self) -> bool:
        """Whether it runs (frozen or cut off, it does)."""
        return self._first.pid() is not None

    def kill(self) -> None:
        """Pull the plug."""
        self.let_die()
        self._first.kill()

    def freeze(self) -> None:
        """Stop every process of it, as an overloaded node does."""
        self._groups.freeze(self.name, is_frozen=True)

    def thaw(self) -> None:
        """Let them go on."""
        self._groups.freeze(self.name, is_frozen=False)

    def let_die(self) -> None:
        """Let all of it go on, if it was ever started."""
        self._groups.let_die(self.name)

    def cut_off(self, *, is_off: bool = True) -> None:
        """Pull its network cable, or plug it in again."""
        state = "down" if is_off else "up"
        argv = ["nsenter", "--target", str(self._warden.pid), "--net", "ip", "link", "set", self.name, state]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def lag(self, *, delay: float, stale: float) -> None:
        """Let what starts there from now on see homes in the shared folder late: each act takes *delay* seconds, lists are *stale* for so long."""
        self.run("sh", "-c", f"cat > {lagging.RULE}", said=json.dumps({"delay": delay, "stale": stale}))

    def stop_lagging(self) -> None:
        """Let what starts there from now on see the shared folder as it is."""
        self.run("rm", "--force", str(lagging.RULE))

    def argv(self, command: Sequence[str], *, user: str = "root") -> list[str]:
        """Return what runs *command* on it as *user*, from this machine."""
        as_user = [] if user == "root" else ["runuser", "-u", user, "--"]
        clean = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            f"HOME={_home(user)}",
            f"USER={user}",
        ]
        return self._entry(self._first.wait(), [*clean, *as_user, *command])

    def run(
        self, *command: str, user: str = "root", said: str = "", seconds: float = 60, codes: Sequence[int] = (0,)
    ) -> str:
        """Return what *command* printed; *said* is its standard input.

        Raises:
            CommandRefused: it ended with a code that is not among *codes*.
        """
        argv = self.argv(command, user=user)
        ran = subprocess.run(argv, input=said, capture_output=True, text=True, timeout=seconds, check=False)
        if ran.returncode not in codes:
            raise CommandRefused(command, self.name, ran.returncode, ran.stdout + ran.stderr)
        return ran.stdout

    def run_script(self, name: str) -> None:
        """Run a script of the recipe on it."""
        self.run("bash", "-eu", "-s", said=(RECIPE / name).read_text())

    def _entry(self, pid: int, argv: Sequence[str]) -> list[str]:
        groups = map(str, self._groups.make(self.name))
        return ["sh", str(RECIPE / "enter.sh"), str(pid), *groups, "--", *argv]


def _home(user: str) -> str:
    return "/root" if user == "root" else f"/shared/home/{user}"


def _spawn(argv: Sequence[str], log: Path) -> None:
    """Start what shall outlive this process."""
    with log.open("ab") as said:
        subprocess.run(
            ["setsid", "--fork", *argv], stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=True
        )
