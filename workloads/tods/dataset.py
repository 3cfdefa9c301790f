"""A set of TODs: files that were made for the same thing, found in a folder or made there."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.messages import say
from idleq.workloads.tods.files import FileManifest, file_name, read_manifest, read_tods, write_tods
from idleq.workloads.tods.hits import HitMix
from idleq.workloads.tods.instrument import RULES
from idleq.workloads.tods.simulation import BLOCK_TODS, Tods, simulate_block

# Raised whenever the same spec would give other TODs.
VERSION = 1
MAX_TODS_PER_FILE = 10_000
# One word of the generator's entropy: a larger seed would be two, and meet those of other splits and files.
MAX_SEED = 2**32 - 1

# train is learned from; held-out is the truth that a judge uses; second is a truth to set beside that; selection
# is what a training keeps its best weights by.
Split = Literal["train", "held-out", "second", "selection"]

_SPLIT_CODE = {split: code for code, split in enumerate(get_args(Split))}
_MIX_CODE = {mix: code for code, mix in enumerate(get_args(HitMix))}

PACKAGES = ("h5py", "numpy", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TodSpec:
    """Everything that decides the TODs of a set, but for how many files it has."""

    seed: int = 1
    split: Split = "train"
    mix: HitMix = "balanced"
    tods_per_file: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise BadOption(f"--seed must be between 0 and {MAX_SEED}, not {self.seed}")
        if not 1 <= self.tods_per_file <= MAX_TODS_PER_FILE:
            raise BadOption(f"--tods must be between 1 and {MAX_TODS_PER_FILE}, not {self.tods_per_file}")

    @property
    def name(self) -> str:
        """The folder of such a set."""
        return f"{self.mix}-{self.split}-{self.tods_per_file}-seed{self.seed}"

    @property
    def blocks(self) -> int:
        """How many blocks make a file."""
        return -(-self.tods_per_file // BLOCK_TODS)

    def made_for(self, index: int) -> dict[str, Any]:
        """What is written into file *index*, so that it can never be taken for another."""
        return {"job": "simulate-tods", "version": VERSION, "index": index, **asdict(self)}


def facts() -> dict[str, Any]:
    """Where simulated TODs are from."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {"made_by": "simulate-tods", "rules": RULES, "versions": versions}


def make_block(spec: TodSpec, index: int, block: int) -> Tods:
    """Block *block* of file *index*: the same whichever blocks were made before it."""
    first = block * BLOCK_TODS
    count = min(BLOCK_TODS, spec.tods_per_file - first)
    seeds = [spec.seed, _SPLIT_CODE[spec.split], _MIX_CODE[spec.mix], index, block]
    return simulate_block(seeds, spec.mix, first, count)


def is_made(folder: Path, spec: TodSpec, index: int, *, where_it_must_be: bool = False) -> bool:
    """Whether file *index* of *spec* lies in *folder*, whole; says so where it is damaged.

    *where_it_must_be*: no option gives another folder, so TODs of another set there can only be removed.
    """
    path = (folder / file_name(index)).with_suffix(".json")
    if not path.exists():
        return False
    try:
        manifest = read_manifest(path)
        read_tods(folder, manifest)
    except DamagedData as damage:
        say(f"{damage} -- making it again")
        return False
    if manifest.made_for != spec.made_for(index):
        other = f"{path} is of another set of TODs ({dict(manifest.made_for)})"
        if where_it_must_be:
            raise DamagedData(f"{other}; remove the folder {folder}, and they are made again")
        raise BadOption(f"{other}; give another --output")
    return True


def ensure_tods(
    spec: TodSpec, files: int, root: Path, should_stop: Callable[[], bool] = lambda: False
) -> "TodSet | None":
    """Files 0 to *files* - 1 of *spec* below *root*, made where they are not there; None = asked to stop meanwhile."""
    folder = root / spec.name
    for index in range(files):
        if is_made(folder, spec, index, where_it_must_be=True):
            continue
        blocks = []
        for block in range(spec.blocks):
            if should_stop():
                return None
            blocks.append(make_block(spec, index, block))
        write_tods(folder, index, Tods.joined(blocks), spec.made_for(index), facts())
    return TodSet.load([folder], files)


@dataclass(frozen=True)
class TodSet:
    """A verified set in memory."""

    tods: Tods
    digest: str  # changes with any byte of the data
    made_for: dict[str, Any]  # of its first file

    @classmethod
    def load(cls, folders: list[Path], files: int | None = None) -> "TodSet":
        """All TODs below *folders* (or the first *files* of them), which must be of one set, each file once."""
        found = _manifests(folders)
        wanted = found if files is None else found[:files]
        _refuse_mixtures(wanted)
        tods = Tods.joined([read_tods(path.parent, manifest) for path, manifest in wanted])
        digest = hashlib.sha256("".join(manifest.sha256 for _, manifest in wanted).encode()).hexdigest()
        return cls(tods=tods, digest=digest, made_for=dict(wanted[0][1].made_for))

    def first(self, count: int) -> "TodSet":
        """The first *count* TODs; a set of its own."""
        tods = Tods(**{name: array[:count] for name, array in self.tods.arrays().items()})
        return TodSet(tods=tods, digest=f"{self.digest}, first {count}", made_for=self.made_for)


def _manifests(folders: list[Path]) -> list[tuple[Path, FileManifest]]:
    paths = [path for folder in folders for path in sorted(folder.rglob("tods-*.json"))]
    if not paths:
        raise MissingInput(f"no TODs below {', '.join(map(str, folders))}; simulate-tods makes some")
    return sorted(((path, read_manifest(path)) for path in paths), key=lambda one: int(one[1].made_for["index"]))


def _refuse_mixtures(found: list[tuple[Path, FileManifest]]) -> None:
    """One set, and its files 0, 1, ... each once."""
    first = found[0]
    for number, (path, manifest) in enumerate(found):
        if {**manifest.made_for, "index": 0} != {**first[1].made_for, "index": 0}:
            raise DamagedData(f"{path} and {first[0]} are of different sets of TODs; give the folders of one")
        if manifest.made_for["index"] != number:
            what = "twice" if manifest.made_for["index"] < number else "lacking"
            index = min(number, int(manifest.made_for["index"]))
            raise DamagedData(f"file {index} of the set of {path} is {what}; give every file once")
