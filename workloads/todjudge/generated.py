"""The folder that generate-todgan wrote, every shard verified."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.shards import MANIFEST
from idleq.workloads.tods.files import from_bytes
from idleq.workloads.tods.simulation import Tods


@dataclass(frozen=True)
class Generated:
    """Generated TODs and what they were made with."""

    tods: Tods
    manifest: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> "Generated":
        """All shards in *folder*."""
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            shards = [(folder / shard["name"], str(shard["sha256"])) for shard in manifest["shards"]]
        except FileNotFoundError as error:
            raise MissingInput(f"no finished generation in {folder}; generate-todgan writes {MANIFEST} last") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedData(f"{path} is not the manifest of a generation: {error}") from error
        if not shards:
            raise DamagedData(f"the generation in {folder} has no shards")
        return cls(tods=Tods.joined([_read(shard, sha256) for shard, sha256 in shards]), manifest=manifest)


def checksum_of(folder: Path) -> str:
    """SHA-256 of the folder's manifest, which has those of all shards; empty where there is none."""
    path = folder / MANIFEST
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _read(path: Path, sha256: str) -> Tods:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedData(f"the generation lacks {path}: {error.strerror}; generate it again") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedData(f"{path} does not match its checksum; generate it again")
    return from_bytes(content, path)
