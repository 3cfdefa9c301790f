"""Folders of the nodes that a job in a container may see: how they are written, and what is refused whatever the node looks like.

That a path leads where it seems to is looked at on the node when the container starts: links change.
"""

import posixpath
from collections.abc import Collection, Sequence
from itertools import combinations
from pathlib import PurePosixPath

from idleq.scheduler.core.submission import Mount

LONGEST = 4000
MOST = 64

WRITABLE, READ_ONLY = "rw", "ro"

RESERVED = ("/dev", "/proc", "/run", "/sys")
"""Of the container: the kernel's, and where its own folders are."""


def parse_mount(text: str) -> Mount:
    """Return the mount that *text* is: "SOURCE", "SOURCE:TARGET" or "SOURCE:TARGET:rw"; without "rw" it can only be read.

    Raises:
        ValueError: it is none, or would cover what a container must have.
    """
    parts = text.split(":")
    access = parts.pop() if len(parts) > 1 and parts[-1] in {WRITABLE, READ_ONLY} else READ_ONLY
    if len(parts) > 2:  # noqa: PLR2004 - a source and a target
        raise ValueError(f'{text!r} is no mount; it is written "SOURCE", "SOURCE:TARGET" or "SOURCE:TARGET:rw"')
    source, target = parse_path(parts[0]), parse_path(parts[-1])
    if source == "/":
        raise ValueError(f"{text!r} would show the container all of the node")
    if target == "/" or any(_is_in(target, place) for place in RESERVED):
        raise ValueError(f"{text!r}: {target} in the container is not for mounts")
    return Mount(source=source, target=target, is_writable=access == WRITABLE)


def parse_path(text: str) -> str:
    """Return *text*, which is the full path of something, written in the one shortest way; raise ValueError if it is not."""
    if len(text) > LONGEST or not text.isprintable() or any(sign in text for sign in ",\\"):
        raise ValueError(
            f"{text[:40]!r} cannot be used as a path: it holds a comma, a backslash or what cannot be printed, or is too long"
        )
    if not text.startswith("/") or text.startswith("//"):
        raise ValueError(f"{text!r} is no full path; it must begin with one /")
    if ".." in PurePosixPath(text).parts:
        raise ValueError(f"{text!r} holds '..'; give the path without it")
    if posixpath.normpath(text) != text:
        raise ValueError(f"{text!r} is written in a roundabout way; give {posixpath.normpath(text)!r}")
    return text


def check_together(mounts: Sequence[Mount]) -> None:
    """Raise ValueError if one of *mounts* would cover another, or if they are too many."""
    if len(mounts) > MOST:
        raise ValueError(f"there are {len(mounts)} mounts, and there may be {MOST}")
    for one, other in combinations(mounts, 2):
        if _is_in(one.target, other.target) or _is_in(other.target, one.target):
            raise ValueError(f"{one.target} and {other.target} would cover each other in the container")


def check_allowed(mounts: Sequence[Mount], roots: Collection[str]) -> None:
    """Raise ValueError if one of *mounts* shows what is not below any of *roots*."""
    for mount in mounts:
        if not any(_is_in(mount.source, root) for root in roots):
            where = (
                f"only what lies in {' or '.join(roots)} may be"
                if roots
                else "nothing may be: containers.roots is empty"
            )
            raise ValueError(f"{mount.source} may not be seen in containers here; {where}")


def _is_in(path: str, root: str) -> bool:
    return PurePosixPath(path).is_relative_to(root)
