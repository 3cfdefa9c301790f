"""Trained weights as a file: safetensors, whose bytes depend on the weights alone and which holds no code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from idleq.workloads import durable
from idleq.workloads.errors import DamagedData, MissingInput

FORMAT = 1

# One header entry only: the format does not promise an order among several.
_HEADER = "idleq"


def save_weights(model: nn.Module, name: str, settings: Mapping[str, Any], path: Path) -> None:
    """Write the weights of *model*, and the *settings* that are needed to build it again."""
    header = json.dumps({"format": FORMAT, "model": name, **settings}, sort_keys=True)
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    with durable.explained("the weights", path):
        durable.replace_file(path, save(tensors, metadata={_HEADER: header}))


def read_weights(path: Path, name: str, written_by: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings and the weights of the *name* in *path*; any other model is refused."""
    if not path.is_file():
        raise MissingInput(f"no weights in {path}; {written_by} writes them into its output folder")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']} is not {FORMAT}")
        if header["model"] != name:
            raise ValueError(f"it is a {header['model']}, not a {name}")
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise unusable(path, name, error) from error
    return header, tensors


def unusable(path: Path, name: str, error: Exception) -> DamagedData:
    """The error for a file that holds no such model, or not all of it."""
    return DamagedData(f"{path} does not hold a {name} that this program can use: {error}")
