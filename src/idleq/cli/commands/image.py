"""`idleq image`: the images that jobs run in, on this node."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from idleq.cli.options import IdleqCommand, IdleqGroup
from idleq.cli.result import Result, Table

image_app = typer.Typer(
    cls=IdleqGroup, no_args_is_help=True, help="Bring the images that jobs run in to this node.", rich_markup_mode=None
)

Engine = Annotated[str | None, typer.Option(metavar="podman|docker", help="Which engine; else the one that is here.")]


@image_app.command("ls", cls=IdleqCommand)
def ls() -> Result:
    """List the images that the engines of this node have."""
    from idleq.cli.wording import size
    from idleq.migration.imagestores import ENGINES, images_here, run_engine

    images = images_here([engine for engine in ENGINES if shutil.which(engine)], run_engine)
    rows = [(one.name, one.engine, size(one.bytes), one.number[:12]) for one in images]
    table = Table(columns=("IMAGE", "ENGINE", "SIZE", "ID"), rows=rows, right=frozenset({"SIZE"}))
    text = table if rows else "No engine of this node has an image."
    return Result(value={"images": list(images)}, text=(text,), ids=tuple(one.name for one in images))


@image_app.command("load", cls=IdleqCommand)
def load(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="What `docker save` or `podman save` has made.")],
    engine: Engine = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A store of podman's that many nodes share (additionalimagestores)."),
    ] = None,
) -> Result:
    """Bring the images of an archive to this node, or to all nodes that share a store."""
    from idleq.migration.errors import ImageRefused
    from idleq.migration.imagestores import loading_argv, read_loaded, run_engine

    chosen = "podman" if store is not None and engine is None else engine_here(engine, shutil.which)
    if store is not None and chosen != "podman":
        raise ImageRefused("docker's engine has its images to itself: load the archive on each node, without --store")
    if not archive.is_file():
        raise ImageRefused(f"there is no archive {archive}; make one: docker save --output {archive.name} IMAGE")
    names = read_loaded(run_engine(loading_argv(chosen, archive.absolute(), store and store.absolute())))
    return Result(
        value={"engine": chosen, "images": list(names)},
        text=(f"{chosen} has {' and '.join(names) or 'the images'} now",),
        ids=names,
    )


@image_app.command("build", cls=IdleqCommand)
def build(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the Dockerfile is.")] = Path(),
    name: Annotated[str, typer.Option(help="What the image is called.")] = "idleq-workloads",
    base: Annotated[str, typer.Option(metavar="IMAGE", help="What to start from, if not what the file says.")] = "",
    engine: Engine = None,
) -> Result:
    """Build an image, by docker or podman."""
    from idleq.migration.errors import ImageRefused
    from idleq.migration.imagestores import building_argv, run_engine

    chosen = engine_here(engine, shutil.which)
    for text in filter(None, (name, base)):
        refuse_what_is_no_name(text)
    if not (folder / "Dockerfile").is_file():
        raise ImageRefused(f"there is no Dockerfile in {folder.absolute()}")
    run_engine(building_argv(chosen, folder.absolute(), name, base))
    return Result(value={"engine": chosen, "image": name}, text=(f"{chosen} has {name} now",), ids=(name,))


def engine_here(wanted: str | None, find: Callable[[str], str | None], engines: Sequence[str] = ()) -> str:
    """Return the engine that is *wanted*, else one that is here."""
    from idleq.migration.errors import ImageRefused
    from idleq.migration.imagestores import ENGINES

    known = engines or ENGINES
    if wanted is not None and wanted not in known:
        raise typer.BadParameter(f"{wanted!r} is not one of {', '.join(known)}", param_hint="--engine")
    found = next((engine for engine in ((wanted,) if wanted else known) if find(engine)), None)
    if found is None:
        raise ImageRefused(f"{wanted or ' nor '.join(known)} is not here; install podman or docker")
    return found


def refuse_what_is_no_name(text: str) -> None:
    """Raise a usage error if *text* could be anything but an image's name."""
    from idleq.scheduler.images import parse_image

    try:
        parse_image(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
