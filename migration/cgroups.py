"""Control groups: where containers are put, and by which what an engine has forgotten is found again.

An engine's runtime shuts a container's freezer while criu takes hold of what runs in there. If one of them dies meanwhile it stays
shut: nothing in there runs, of version 1 nothing even dies, and to everybody else it is a container that runs.
"""

import contextlib
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idleq.processes import read_processes

GROUPS = Path("/sys/fs/cgroup")


def cgroup_of(membership: str) -> str:
    """Return the control group to put containers below, by what /proc/self/cgroup says of their caller; empty if it is the root.

    Of version 2 that is the group above the caller's: a group with processes of its own can have none below that is limited.
    """
    groups = groups_in(membership)
    if set(groups) == {""}:
        above = str(PurePosixPath(groups[""]).parent)
        return "" if above == "/" else above
    own = groups.get("freezer", groups.get("memory", "/"))
    return "" if own == "/" else own


_NUMBER = re.compile("[0-9a-f]{64}", re.ASCII)
"""How podman and docker number their containers."""


def parent_here() -> str:
    """Return the control group to put containers of this process below; see `cgroup_of`."""
    return cgroup_of(Path("/proc/self/cgroup").read_text(encoding="utf-8"))


def groups_in(membership: str) -> dict[str, str]:
    """Return the control group for each set of controllers, the empty one for version 2, by what /proc/PID/cgroup says."""
    return {controllers: path for _, controllers, path in (line.split(":", 2) for line in membership.splitlines())}


@dataclass(frozen=True, slots=True)
class GroupFreezer:
    """One group's own, whatever the groups above it are told: a file that says "1" while it is shut, and how it is opened."""

    says: Path
    switch: Path
    opens: str

    def open(self) -> None:
        """Let what is in the group run, if it is this freezer that keeps it from running."""
        # A group that is gone keeps nobody; one that is not ours was shut by its owner.
        with contextlib.suppress(OSError):
            if self.says.read_text(encoding="ascii").strip() == "1":
                self.switch.write_text(self.opens, encoding="ascii")


def end_all_in(container: str) -> None:
    """End what is in the control group of that engine's number: a process that criu was restoring when it was killed waits for ever."""
    memberships: dict[int, str] = {}
    for pid in read_processes():
        with contextlib.suppress(OSError):
            memberships[pid] = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
    for pid in members_of(container, memberships):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def members_of(container: str, memberships: Mapping[int, str]) -> list[int]:
    """Return who is in the control group of that engine's number, by what each one's /proc/PID/cgroup says.

    Nobody is where it is no number: anything shorter may be part of any group's name.
    """
    if not _NUMBER.fullmatch(container):
        return []
    return [pid for pid, membership in memberships.items() if container in membership]


def freezer_of(pid: int) -> GroupFreezer | None:
    """Return the freezer of the control group that a process is in; None if that is the root, or the process has ended."""
    try:
        return freezer_in(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None


def freezer_in(membership: str, groups: Path = GROUPS) -> GroupFreezer | None:
    """Return the freezer of a process by what its /proc/PID/cgroup says; None if it is in no group but the root."""
    found = groups_in(membership)
    is_first = "freezer" in found
    group = (found["freezer"] if is_first else found.get("", "/")).lstrip("/")
    if not group:
        return None
    if is_first:
        folder = groups / "freezer" / group
        return GroupFreezer(folder / "freezer.self_freezing", folder / "freezer.state", "THAWED")
    return GroupFreezer(groups / group / "cgroup.freeze", groups / group / "cgroup.freeze", "0")
