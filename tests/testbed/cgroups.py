"""The control groups of nodes: a group of their own in every hierarchy, which they see as its root."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from testbed.waiting import wait_for

MOUNT = Path("/sys/fs/cgroup")
INHERITED = ("cpuset.cpus", "cpuset.mems")
"""A new cpuset is empty, and an empty one takes no process (cgroup v1)."""


class Groups:
    """The groups of one testbed: *name*, with one below for every node."""

    def __init__(self, name: str, mount: Path = MOUNT) -> None:
        self._name, self._mount = name, mount

    def make(self, node: str) -> list[Path]:
        """Make the node's groups if they are not there; return the files by which a process moves there."""
        groups = [self._make(hierarchy, node) for hierarchy in self._hierarchies()]
        return [group / "cgroup.procs" for group in groups]

    def freeze(self, node: str, *, is_frozen: bool) -> None:
        """Stop every process of *node* between two instructions, or let them all go on."""
        if self._is_unified():
            (self._mount / self._name / node / "cgroup.freeze").write_text(str(int(is_frozen)))
            return
        state = self._mount / "freezer" / self._name / node / "freezer.state"
        wanted = "FROZEN" if is_frozen else "THAWED"
        state.write_text(wanted)
        wait_for(f"{node} to be {wanted}", lambda: state.read_text().strip() == wanted, seconds=10)

    def let_die(self, node: str) -> None:
        """Let every process of *node* go on, also one in a group below that somebody has left frozen: of version 1 none dies there."""
        if not self._is_unified():
            # Groups come and go meanwhile: other than Path.rglob this leaves out those that have gone.
            for group, _, _ in os.walk(self._mount / "freezer" / self._name / node):
                with contextlib.suppress(OSError):
                    Path(group, "freezer.state").write_text("THAWED")

    def remove(self) -> None:
        """Remove all that is left, which has no processes any more."""
        wait_for(f"the control groups {self._name} to be empty", self._try_to_remove, seconds=10)

    def _try_to_remove(self) -> bool:
        tops = [hierarchy / self._name for hierarchy in self._hierarchies()]
        for top in tops:
            # The kernel's own listing: deepest first, groups only.
            for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                _rmdir(group)
            _rmdir(top)
        return not any(top.exists() for top in tops)

    def _make(self, hierarchy: Path, node: str) -> Path:
        group = hierarchy
        for part in (self._name, node):
            above, group = group, group / part
            if self._is_unified():
                usable = (above / "cgroup.controllers").read_text().split()
                (above / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in usable))
            group.mkdir(exist_ok=True)
            for name in INHERITED:
                if (group / name).exists() and not (group / name).read_text().strip():
                    (group / name).write_text((above / name).read_text())
        return group

    def _is_unified(self) -> bool:
        return (self._mount / "cgroup.controllers").exists()

    def _hierarchies(self) -> Iterator[Path]:
        if self._is_unified():
            yield self._mount
        else:
            yield from (path for path in sorted(self._mount.iterdir()) if (path / "cgroup.procs").exists())


def _rmdir(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return  # a process that is dying is still in it, or it has gone by itself: the next look tells
