"""The options by which a job is put into a container."""

import os
from typing import Annotated

import typer

Image = Annotated[str | None, typer.Option(metavar="IMAGE", help="Run it in a container of this image.")]
Runtime = Annotated[str | None, typer.Option(metavar="auto|podman|docker|process", help="What is to run it.")]
Mounts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SOURCE[:TARGET[:rw]]", help="What it sees of the node in its container, to be read (again for more)."
    ),
]
Workdir = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Where its program starts: on the nodes, or in its container [default: an empty folder]."
    ),
]


def from_here(workdir: str | None, image: str | None) -> str | None:
    """Return the full path of *workdir*; that in an image is given as it is there."""
    if workdir is None or image is not None:
        return workdir
    return os.path.abspath(workdir)  # noqa: PTH100 - links stay as they are: what one leads to may have another name on the nodes
