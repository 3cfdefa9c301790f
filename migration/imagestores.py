"""Images on a node: what its engines have, and bringing them more; a job's start fetches none."""

import json
import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from idleq.migration.errors import ImageRefused

ENGINES = ("podman", "docker")
LOADED = "Loaded image: "

Run = Callable[[Sequence[str]], str]
"""Runs a program by its argv, and returns what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image that an engine of this node has, under one of its names."""

    engine: str
    name: str
    bytes: int
    number: str


def listing_argv(engine: str) -> list[str]:
    """Return what asks *engine* for all images that have a name."""
    form = "json" if engine == "podman" else "{{json .}}"
    return [engine, "image", "ls", "--filter", "dangling=false", "--no-trunc", "--format", form]


def loading_argv(engine: str, archive: Path, store: Path | None = None) -> list[str]:
    """Return what brings the images of *archive* to *engine*; of podman to a *store* that many nodes share, if there is one."""
    where = ["--root", str(store)] if store is not None else []
    return [engine, *where, "load", "--input", str(archive)]


def building_argv(engine: str, folder: Path, name: str, base: str = "") -> list[str]:
    """Return what builds *folder* as *name*, from the image *base* if the Dockerfile's own is not to be had."""
    from_base = ["--build-arg", f"BASE={base}"] if base else []
    return [engine, "build", *from_base, "--tag", name, str(folder)]


def read_podmans(said: str) -> tuple[Image, ...]:
    """Return the images that podman has told of."""
    return tuple(
        Image(engine="podman", name=name, bytes=int(one["Size"]), number=one["Id"])
        for one in json.loads(said or "[]")
        for name in one.get("Names") or ()
    )


def read_dockers(names: str, inspected: str) -> tuple[Image, ...]:
    """Return the images that docker has told of, by their names and by what it says of each."""
    wanted = {f"{one['Repository']}:{one['Tag']}" for one in map(json.loads, names.splitlines())}
    return tuple(
        Image(engine="docker", name=name, bytes=int(one["Size"]), number=one["Id"].removeprefix("sha256:"))
        for one in json.loads(inspected or "[]")
        for name in one["RepoTags"]
        if name in wanted
    )


def read_loaded(said: str) -> tuple[str, ...]:
    """Return the names of the images that were loaded, as the engine tells them."""
    return tuple(line.removeprefix(LOADED).strip() for line in said.splitlines() if line.startswith(LOADED))


def images_here(engines: Collection[str], run: Run) -> tuple[Image, ...]:
    """Return the images of *engines*, of those that answer.

    Raises:
        ImageRefused: none of them does.
    """
    found: list[Image] = []
    refusals: list[ImageRefused] = []
    for engine in engines:
        try:
            names = run(listing_argv(engine))
        except ImageRefused as refusal:  # a client without its engine, say; why it has told by itself
            refusals.append(refusal)
            continue
        if engine == "podman":
            found += read_podmans(names)
        elif names.strip():
            numbers = {json.loads(line)["ID"] for line in names.splitlines()}
            found += read_dockers(names, run([engine, "image", "inspect", *sorted(numbers)]))
    if refusals and len(refusals) == len(engines):
        raise refusals[0]
    return tuple(sorted(found, key=lambda image: (image.name, image.engine)))


def run_engine(argv: Sequence[str]) -> str:
    """Run an engine's command, and return what it printed; what it says of its progress goes to standard error.

    Raises:
        ImageRefused: it is not there, or ended with an error.
    """
    try:
        done = subprocess.run(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise ImageRefused(f"{argv[0]} cannot be run here: {error.strerror}") from error
    if done.returncode != 0:
        raise ImageRefused(f"{argv[0]} ended with {done.returncode}; what is wrong it has said above")
    return done.stdout
