"""A judge comes back from its file as it was, and weights of another network are refused."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from idleq.workloads.classifier.model import Classifier, ModelSize
from idleq.workloads.classifier.step import scores_of
from idleq.workloads.classifier.weights import Judge, load_judge, save_judge
from idleq.workloads.errors import DamagedData
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()


def saved(path: Path) -> Judge:
    torch.manual_seed(1)
    judge = Judge(model=Classifier(ModelSize(width=4), CAMERA).eval(), threshold=0.625)
    save_judge(judge, ModelSize(width=4), path)
    return judge


def test_a_judge_comes_back_as_it_was(tmp_path: Path, made_up: Dataset) -> None:
    judge = saved(tmp_path / "judge.safetensors")
    again = load_judge(tmp_path / "judge.safetensors", CAMERA)
    assert again.threshold == judge.threshold
    assert (scores_of(again.model, made_up.images) == scores_of(judge.model, made_up.images)).all()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    saved(path)
    with safe_open(str(path), framework="pt") as file:
        header = json.loads(file.metadata()["idleq"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    del header["network"]  # as the first had none
    save_file(tensors, str(path), metadata={"idleq": json.dumps(header)})
    with pytest.raises(DamagedData, match="its network is number 1, this program's is 2; train-classifier trains one"):
        load_judge(path, CAMERA)
