"""The image of the workloads, for all nodes: made once by recipe/image.sh and kept in the cache, for docker and for podman.

An engine of docker's has its images to itself, so each node gets a copy of one's data, whose files are links: nobody writes to a
layer. Podman's nodes share one store.
"""

import hashlib
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from testbed.roots import APART, RECIPE, Root, cache, find_or_make, one_at_a_time, run_recipe

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "idleq-workloads"
KEPT = 4
"""Images of other states of the workloads, which another checkout may just be using."""

PARTS = ("Dockerfile", ".dockerignore", "constraints.txt", "scripts/image", "scripts/base-image", "workloads")
SCRIPTS = ("image.sh", "place.sh")
LAYERS = "overlay2"
"""Where docker keeps what no container changes."""


def find_or_make_image(root: Root) -> Path:
    """Return the folder with docker/ and podman/, made first if the cache has none: beside, then renamed, by one maker at a time.

    Raises:
        TestbedError: it could not be made; the message has the end of what the recipe said.
    """
    lower = find_or_make(root)
    folder = cache() / "images" / _key(root)
    if folder.is_dir():
        return folder
    with one_at_a_time(folder.parent):
        if not folder.is_dir():
            beside, said = folder.with_suffix(".new"), folder.with_suffix(".log")
            shutil.rmtree(beside, ignore_errors=True)
            said.unlink(missing_ok=True)
            script = ["sh", str(RECIPE / "image.sh"), str(lower), str(CHECKOUT), str(cache() / "builder"), str(beside)]
            run_recipe([*APART, *script], said)
            beside.rename(folder)
            _forget_others(folder)
    return folder


def copy_for_docker(image: Path, data: Path) -> None:
    """Give an engine that has not run yet the image, in its empty folder *data*: its layers are links, all else is copied."""
    for part in (image / "docker").iterdir():
        how = "-al" if part.name == LAYERS else "-a"
        subprocess.run(["cp", how, str(part), str(data)], stdin=subprocess.DEVNULL, check=True)


def copy_for_podman(image: Path, store: Path) -> None:
    """Make *store* one that many nodes can share, on the disk of *image*."""
    subprocess.run(["cp", "-al", str(image / "podman"), str(store)], stdin=subprocess.DEVNULL, check=True)


def _key(root: Root) -> str:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    digest = hashlib.sha256("\0".join((root.key, *project["optional-dependencies"]["train"])).encode())
    for path in _ingredients():
        digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _ingredients() -> Iterator[Path]:
    yield from (RECIPE / script for script in SCRIPTS)
    for part in PARTS:
        path = CHECKOUT / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def _forget_others(folder: Path) -> None:
    """Remove the oldest of what other states of the workloads have left."""
    others = sorted((path for path in folder.parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for other in others[:-KEPT]:
        shutil.rmtree(other, ignore_errors=True)
