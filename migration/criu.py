"""What is said to criu, what it says, and what it leaves."""

import re
from pathlib import Path

from idleq.migration.enclosure import LEADER

DUMP_LOG, RESTORE_LOG = "dump.log", "restore.log"

INVENTORY = "inventory.img"
"""Criu's list of its images, which it writes last: what it is to freeze goes on, or ends by itself, until that is there."""

GHOST_LIMIT = 1 << 30
"""Files that are open and deleted (temporary ones) are kept up to this size; criu's own limit is one megabyte."""

OLDEST = (3, 15)
"""The first that restores time namespaces and process numbers by clone3, on the kernels of its time."""

VDSO_CHANGED = (6, 16)
"""Since this kernel the vDSO has an area that criu before 4.1 does not know: `vdso: Unexpected rt vDSO area bounds`."""

OLDEST_FOR_VDSO = (4, 1)

ENGINE_OPTIONS = ("--file-locks", "--manage-cgroups=ignore")
"""Locks on files are kept; the processes stay in the control groups of whoever thaws them, which are the allocation's."""

OLDEST_FOR_USERS = (3, 19)
"""The first that leaves a process's groups alone where they are right already; in a namespace of an ordinary user's none can be set."""

HARMLESS = (
    "tun: Unable to create tun",
    "rlimit: Can't setup RLIMIT_NOFILE for self",
    "net: Unexpected error: -1(Operation",
)
"""Begin what criu calls errors and goes on from."""

NOT_HELD = "Timeout reached. Try to interrupt"
"""Said by criu when some process did not stand still within 10 s. One that has begun another by vfork, as shells do, cannot before that
runs its own program, which a freeze may have stopped on the way."""

_VERSION = re.compile(r"^Version:\s*(\d+)\.(\d+)", re.MULTILINE)
_RELEASE = re.compile(r"^(\d+)\.(\d+)")
_STOPPED = re.compile(r"Frozen time:\s*(\d+) us")
_ERROR = re.compile(r"^(?:\(\d+\.\d+\)\s*)?(?:\s*\d+:\s*)?Error \([^)]*\): (?P<text>.+)$", re.MULTILINE)


def dump_argv(program: str, images: Path, *, is_root: bool) -> list[str]:
    """Return what freezes a guest if it is run among its namespaces, so that they are not part of it."""
    return [
        *(program, "dump", "--tree", str(LEADER), "--images-dir", str(images), "--log-file", DUMP_LOG, "-v4"),
        *("--display-stats", "--ghost-limit", str(GHOST_LIMIT), *_options(is_root=is_root)),
    ]


def restore_argv(program: str, images: Path, stdout: str, stderr: str, *, is_root: bool) -> list[str]:
    """Return what lets it go on; {stdout} and {stderr} are the open files that take the place of those it had at these paths."""
    outputs = (("{stdout}", stdout), ("{stderr}", stderr))
    inherited = [word for number, path in outputs for word in ("--inherit-fd", f"fd[{number}]:{path.lstrip('/')}")]
    return [
        *(program, "restore", "--images-dir", str(images), "--log-file", RESTORE_LOG, "-v4"),
        *("--restore-detached", *inherited, *_options(is_root=is_root)),
    ]


def _options(*, is_root: bool) -> tuple[str, ...]:
    return ENGINE_OPTIONS if is_root else (*ENGINE_OPTIONS, "--unprivileged")


def version_of(said: str) -> tuple[int, int] | None:
    """Return the version that `criu --version` printed, None if that is not what it printed."""
    found = _VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else None


def why_too_old(version: tuple[int, int], release: str, *, is_root: bool) -> str:
    """Return why that criu does not do on the kernel *release*, and what would; empty if it does."""
    found = _RELEASE.match(release)
    needs: list[tuple[tuple[int, int], str]] = [(OLDEST, "is too old")]
    if found is not None and (int(found[1]), int(found[2])) >= VDSO_CHANGED:
        needs.append((OLDEST_FOR_VDSO, f"does not know the vDSO of the kernel {release}"))
    if not is_root:
        needs.append((OLDEST_FOR_USERS, "cannot freeze for an ordinary user"))
    oldest, why = max(needs)
    return "" if version >= oldest else f"{why}: install {oldest[0]}.{oldest[1]} or newer"


def stopped_ms(said: str) -> int:
    """Return for how long processes stood still, by what a dump printed; 0 if it did not say."""
    found = _STOPPED.search(said)
    return round(int(found[1]) / 1000) if found else 0


def is_whole(images: Path) -> bool:
    """Whether a freeze into *images* has come to its end; if not, nothing was frozen."""
    return (images / INVENTORY).exists()


def may_pass(why: str) -> bool:
    """Whether the next freeze may well succeed, by what this one failed of."""
    return NOT_HELD in why


def reason(log: str, otherwise: str) -> str:
    """Return why criu failed: the first error in its *log*, which the later ones follow from."""
    errors = [text for found in _ERROR.finditer(log) if not (text := found["text"]).startswith(HARMLESS)]
    return errors[0] if errors else otherwise
