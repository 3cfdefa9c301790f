"""The model as a file; the encoder is left out, which only the training needs."""

from pathlib import Path

import torch
from torch import nn

from idleq.workloads.cvae.model import Model, ModelSize
from idleq.workloads.cvae.variants import build
from idleq.workloads.iact.sizing import SIZE_QUANTILES
from idleq.workloads.training.weights import read_weights, save_weights, unusable

WEIGHTS_FILE = "decoder.safetensors"
MODEL = "cvae-decoder"


def save_model(model: Model, size: ModelSize, path: Path) -> None:
    """Write what generates."""
    save_weights(_without_encoder(model), MODEL, size.to_dict(), path)


def load_model(path: Path) -> Model:
    """The model in *path*, ready to make images."""
    header, tensors = read_weights(path, MODEL, "train-cvae")
    try:
        model = build(ModelSize.from_dict(header), torch.zeros(SIZE_QUANTILES))
        model = _without_encoder(model)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unusable(path, MODEL, error) from error
    return model.requires_grad_(requires_grad=False).eval()


def _without_encoder(model: Model) -> Model:
    model.encoder = nn.Identity()  # a model that only generates has none
    return model
