"""The classifier as a file, with the cut that its validation data gave."""

from dataclasses import dataclass
from pathlib import Path

from idleq.workloads.classifier.model import Classifier, ModelSize
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.weights import read_weights, save_weights, unusable

WEIGHTS_FILE = "classifier.safetensors"
MODEL = "gamma-hadron-classifier"

# Raised whenever the network becomes another; weights of another are refused. The first looked at the whole camera and had no number.
NETWORK = 2


@dataclass(frozen=True)
class Judge:
    """A classifier and its cut: what scores no less is judged a gamma."""

    model: Classifier
    threshold: float


def save_judge(judge: Judge, size: ModelSize, path: Path) -> None:
    """Write both."""
    save_weights(judge.model, MODEL, {**size.to_dict(), "network": NETWORK, "threshold": judge.threshold}, path)


def load_judge(path: Path, camera: Camera) -> Judge:
    """The judge in *path*."""
    header, tensors = read_weights(path, MODEL, "train-classifier")
    try:
        network = header.get("network", 1)
        if network != NETWORK:
            raise ValueError(
                f"its network is number {network}, this program's is {NETWORK}; train-classifier trains one"
            )
        model = Classifier(ModelSize.from_dict(header), camera)
        model.load_state_dict(tensors)
        threshold = float(header["threshold"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unusable(path, MODEL, error) from error
    return Judge(model=model.requires_grad_(requires_grad=False).eval(), threshold=threshold)
