"""The options by which a job is put into a container."""

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
Workdir = Annotated[str | None, typer.Option(metavar="PATH", help="Where its program starts in the container.")]
