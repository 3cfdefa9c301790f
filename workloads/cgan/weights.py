"""The result of a training as a file: safetensors, whose bytes depend on the weights alone and which holds no code."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from idleq.workloads import durable
from idleq.workloads.cgan.data import SIZE_QUANTILES
from idleq.workloads.cgan.model import Generator, ModelSize
from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.iact.camera import Camera

WEIGHTS_FILE = "generator.safetensors"
FORMAT = 1

# One header entry only: the format does not promise an order among several.
_HEADER = "idleq"


def save_generator(generator: Generator, size: ModelSize, path: Path) -> None:
    """Write *generator* and what is needed to build it again."""
    header = json.dumps({"format": FORMAT, "model": "cgan-generator", **size.to_dict()}, sort_keys=True)
    tensors = {name: tensor.contiguous() for name, tensor in generator.state_dict().items()}
    with durable.explained("the weights", path):
        durable.replace_file(path, save(tensors, metadata={_HEADER: header}))


def load_generator(path: Path, camera: Camera) -> Generator:
    """The generator in *path*, ready to make images."""
    if not path.is_file():
        raise MissingInput(f"no weights in {path}; train-cgan writes {WEIGHTS_FILE} into its output folder")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']} is not {FORMAT}")
        generator = Generator(ModelSize.from_dict(header), torch.from_numpy(camera.mask), torch.zeros(SIZE_QUANTILES))
        generator.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise DamagedData(f"{path} does not hold a generator that this program can use: {error}") from error
    return generator.requires_grad_(requires_grad=False).eval()
