"""What podman leaves of a frozen container: an export, and beside it the memory of its processes.

Podman would copy the memory, which criu has just written, into the export, and out of it again for a thaw, and each copy takes as long
as freezing. So where criu is to write it, links lead into our folder, and the export holds links. A thaw needs them to lead elsewhere: when
criu reads memory, it sees the container's files only. So it lies in one of the container's folders while it is read.
"""

import contextlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from idleq.migration import podmancli as cli
from idleq.migration.confinement import Confinement
from idleq.migration.errors import FreezeFailed, ImageMissing, ThawFailed
from idleq.migration.ports import Mount, Order

CHECKPOINT = "checkpoint"
"""The folder in which criu leaves its images: beside the container's log, and in an export."""

PAGES = tuple(f"pages-{number}.img" for number in range(1, 65))
"""What criu calls the memory of processes, as far as it is kept out of exports: that of more than so many is in."""

MEANWHILE = ".idleq-"
"""Begins the name of memory in a container's folder."""


def lead_pages(order: Order, bundle: Path, into: Path) -> None:
    """Let criu write the memory of *order*'s processes *into* our folder; podman's of the container is *bundle*.

    Raises:
        FreezeFailed: it cannot be led there.
    """
    if _carrier(order) is None:
        return  # nothing could bring it back to criu
    try:
        (bundle / CHECKPOINT).mkdir(mode=0o700, exist_ok=True)
        for name in PAGES:
            link = bundle / CHECKPOINT / name
            link.unlink(missing_ok=True)  # of a freeze that has failed
            link.symlink_to(into / name)
    except OSError as error:
        raise FreezeFailed(f"podman's folder of it cannot be written: {error}") from error


def give_back_pages(bundle: Path, into: Path) -> None:
    """Let podman's own folder of the container hold its memory: it is to go on from there, as its export has failed."""
    for page in into.glob("pages-*.img"):
        link = bundle / CHECKPOINT / page.name
        if link.is_symlink():
            link.unlink()
            _link_or_copy(page, link)


@contextlib.contextmanager
def of_here(images: Path, order: Order, container: Confinement, files: cli.Files, image: str) -> Iterator[int]:
    """While this lasts, podman can let *images* go on as *container* here; gives the bytes of what it had printed, which are told already.

    *image* is the number of its image here, empty if that is not known.

    Raises:
        ThawFailed: *images* are not whole.
        ImageMissing: they were another image's.
    """
    brought: list[Path] = []
    try:
        try:
            links = {page.name: _brought(page, order, brought) for page in sorted(images.glob("pages-*.img"))}
            printed = _changed(images / cli.EXPORT, container, files, links, image)
        except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
            raise ThawFailed(f"what was frozen is not whole: {error}") from error
        yield printed
    finally:
        for path in brought:
            path.unlink(missing_ok=True)


def size_of(images: Path) -> int:
    """Return the bytes of all that a freeze has left."""
    return sum(path.stat().st_size for path in images.iterdir())


def _carrier(order: Order) -> Mount | None:
    """Return a folder that the container sees and we can write: of those the caller's own come first."""
    return next((mount for mount in order.mounts if mount.is_writable), None)


def _brought(page: Path, order: Order, brought: list[Path]) -> str:
    """Put *page* where the container sees it, and return where that is for it."""
    carrier = _carrier(order)
    if carrier is None:
        raise ValueError(
            f"{page.name} was left by a container with a folder that it could write, and this one has none"
        )
    path = carrier.source / f"{MEANWHILE}{page.name}"
    brought.append(path)
    path.unlink(missing_ok=True)
    _link_or_copy(page, path)
    return str(carrier.target / path.name)


def _link_or_copy(page: Path, path: Path) -> None:
    try:
        path.hardlink_to(page)
    except OSError:  # on another file system
        shutil.copyfile(page, path)


def _changed(export: Path, container: Confinement, files: cli.Files, links: dict[str, str], image: str) -> int:
    """Append what podman shall know of the container here, and where its memory is: of two members of one name it takes the later.

    Return the bytes of what it had printed before.
    """
    with tarfile.open(export, "r:") as tar:
        printed = tar.getmember(cli.LOG).size if cli.LOG in tar.getnames() else 0
        config, spec = (_member(tar, name) for name in (cli.CONFIG, cli.SPEC))
    if image and (missing := ImageMissing.unlike(container.image, str(config.get("rootfsImageID", "")), image)):
        raise missing
    if image:
        config["rootfsImageName"] = image  # podman looks for it by that; a name may mean another one by then
    changed = {cli.CONFIG: cli.moved_config(config, container, files), cli.SPEC: cli.moved_spec(spec, container)}
    with tarfile.open(export, "a:") as tar:
        for name, body in changed.items():
            text = json.dumps(body).encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o600
            tar.addfile(member, io.BytesIO(text))
        for name, place in links.items():
            link = tarfile.TarInfo(f"{CHECKPOINT}/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, place
            tar.addfile(link)
    return printed


def _member(tar: tarfile.TarFile, name: str) -> dict[str, Any]:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return dict(json.load(file))
