"""The images that are compared: those that were generated, and true ones from four places."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset
from idleq.workloads.iact.response import Response
from idleq.workloads.shards import MANIFEST
from idleq.workloads.training.lineage import LEARNT_FROM

Array = npt.NDArray[Any]

# Fewer of a class say nothing about it.
FEWEST_PER_CLASS = 10

# What the manifest says of each shard and is read here.
IN_AN_ENTRY = ("name", "sha256")

# Images cleaned at a time.
AT_ONCE = 2_000


@dataclass(frozen=True)
class Generated:
    """What a generation wrote, cleaned as the truth is."""

    images: Array  # (n, 609), dark where cleaning left nothing
    classes: Array  # (n,)
    first: float | None  # the share that was of its class at the first draw, where the generator tells it
    manifest: dict[str, Any]

    @property
    def learnt_from(self) -> list[str]:
        """The digests of the data sets that their model has learnt from; none where nobody knows."""
        return [str(digest) for digest in self.manifest.get(LEARNT_FROM) or ()]

    @classmethod
    def load(cls, folder: Path, camera: Camera) -> Self:
        """The shards in *folder*, each verified against the manifest; images that no camera of ours gives are refused.

        Not every generator cleans what it makes by the rules of the data set; everything that is measured is of images
        which are cleaned, so it is done here.
        """
        manifest = _read_manifest(folder)
        shards = [_read_shard(folder, entry) for entry in manifest["shards"]]
        if not shards:
            raise DamagedData(f"the manifest in {folder} lists no shard; generate images first")
        for entry, shard in zip(manifest["shards"], shards, strict=True):
            _check_shapes(shard["images"], shard["classes"], folder / entry["name"])
        images = np.concatenate([shard["images"] for shard in shards])
        classes = np.concatenate([shard["classes"] for shard in shards])
        check_images(images, classes, folder)
        images = cleaned(images, camera)
        if not images.any():
            raise DamagedData(f"cleaning leaves no light in any image in {folder}; train the model for longer")
        firsts = [float(shard["first"]) * len(shard["images"]) for shard in shards if "first" in shard]
        return cls(
            images=images, classes=classes, first=sum(firsts) / len(images) if firsts else None, manifest=manifest
        )


@dataclass(frozen=True)
class Truth:
    """True gammas; every comparison with *held_out* is also made for the others."""

    held_out: Dataset
    again: Dataset  # the held-out showers, recorded once more
    resampled: Dataset  # the training's showers, recorded once more
    trained_on: Dataset

    def check_unseen(self, by_model: Sequence[str], by_judge: Sequence[str], events: int) -> None:
        """Raise BadOption where the model is known to have learnt from another set than *trained_on* of so many *events*.

        So it is where it, or the judge, has learnt from the true images beside which it is judged.
        """
        for digest in (self.held_out.digest, self.again.digest):
            for name, seen in (("--images", by_model), ("--judge", by_judge)):
                if digest in seen:
                    raise BadOption(
                        f"{name} is of a model that has learnt from the very truth it would be judged by (data {digest});"
                        " train it on other data"
                    )
        if by_model and self.trained_on.digest not in by_model:
            raise BadOption(
                f"--trained-on {events} is data {self.trained_on.digest}, but the model that made the images has learnt from"
                f" data {' '.join(by_model)}; give the number of events it was trained on (its card says it), and --data with"
                " the folder of that very set"
            )


def cleaned(images: Array, camera: Camera) -> Array:
    """*images* (n, 609) after the data set's own cleaning; those that are cleaned already as they are."""
    response = Response.of(camera)
    parts = torch.split(torch.from_numpy(images.astype(np.float32)), AT_ONCE)
    found: Array = torch.cat([response.clean(some) for some in parts]).numpy()
    return found


def check_images(images: Array, classes: Array, source: Path) -> None:
    """Raise DamagedData unless these are images of this camera, of every class."""
    _check_shapes(images, classes, source)
    if not np.isfinite(images).all():
        wrong = int((~np.isfinite(images)).any(axis=1).sum())
        raise DamagedData(f"{wrong} of the images in {source} have pixels that are no numbers; generate them again")
    if (images < 0).any():
        raise DamagedData(f"images in {source} have negative light; they are not cleaned images")
    if len(classes) and not 0 <= classes.min() <= classes.max() < CLASSES:
        raise DamagedData(
            f"the classes in {source} go from {classes.min()} to {classes.max()}, not from 0 to {CLASSES - 1}; generate them"
            " again"
        )
    counts = np.bincount(classes, minlength=CLASSES)
    if counts.min() < FEWEST_PER_CLASS:
        raise DamagedData(
            f"the images in {source} are {counts.tolist()} of the classes; each of the {CLASSES} needs at least"
            f" {FEWEST_PER_CLASS}: generate more with --count"
        )


def _check_shapes(images: Array, classes: Array, source: Path) -> None:
    """Raise DamagedData unless these are images of this camera's pixels and a whole number for each."""
    if images.ndim != 2 or images.shape[1] != PIXELS:  # noqa: PLR2004 - events and pixels
        raise DamagedData(
            f"the images in {source} have {images.shape[-1] if images.ndim else 'no'} pixels, this camera has {PIXELS}: they"
            " are of another camera"
        )
    if images.dtype.kind not in "fiu":
        raise DamagedData(f"the images in {source} are {images.dtype} and no light; generate them again")
    if classes.shape != (len(images),):
        raise DamagedData(
            f"the classes in {source} have the shape {classes.shape} where there are {len(images)} images, each of which needs"
            " one; generate them again"
        )
    if classes.dtype.kind not in "iu":
        raise DamagedData(f"the classes in {source} are {classes.dtype} and no integers; generate them again")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["format"] != 1:
            raise ValueError(f"format {manifest['format']} is not 1")
        return {
            **manifest,
            "shards": [{name: str(entry[name]) for name in IN_AN_ENTRY} for entry in manifest["shards"]],
        }
    except FileNotFoundError as error:
        raise MissingInput(f"no {MANIFEST} in {folder}: the generation is not finished, or lies elsewhere") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedData(f"{path} is not readable ({_told(error)}); generate the images again") from error


def _read_shard(folder: Path, entry: dict[str, str]) -> dict[str, Array]:
    path = folder / entry["name"]
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            raise ValueError("it does not match its checksum")
        with np.load(path, allow_pickle=False) as file:
            shard = {name: file[name] for name in file.files}
        return {**shard, "images": shard["images"], "classes": shard["classes"]}
    except FileNotFoundError as error:
        raise MissingInput(f"the shard {path} is not there; generate the images again") from error
    except (OSError, ValueError, KeyError) as error:
        raise DamagedData(f"the shard {path} cannot be used ({_told(error)}); generate the images again") from error


def _told(error: Exception) -> str:
    """What is wrong; a KeyError says but the name of what it has not found."""
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
