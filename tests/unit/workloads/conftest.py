"""Fixtures of the training's tests: made-up images, so that no library but torch is needed."""

from collections.abc import Iterator

import numpy as np
import pytest

from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import Dataset, size_classes

EVENTS = 200


@pytest.fixture(autouse=True)
def no_guest_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test never sees the variables of a job that it may itself run in."""
    for name in (
        "IDLEQ_CHECKPOINT_DIR",
        "IDLEQ_OUTPUT_DIR",
        "IDLEQ_CONTROL",
        "IDLEQ_DATA_DIR",
        "IDLEQ_JOB_ID",
        "IDLEQ_ARRAY_INDEX",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def made_up() -> Dataset:
    """Random light in a few pixels, with sizes and classes as a real data set has them."""
    random = np.random.default_rng(3)
    images = np.where(random.random((EVENTS, PIXELS)) < 0.02, random.uniform(7, 300, (EVENTS, PIXELS)), 0).astype(
        np.float32
    )
    sizes = images.sum(axis=1)
    classes, edges = size_classes(sizes)
    return Dataset(
        images=images,
        sizes=sizes,
        classes=classes.astype(np.int64),
        rows=np.arange(EVENTS),
        edges=edges,
        digest="made up",
    )


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As in a job: results repeat bit for bit, and a busy machine is not made busier by threads that wait for others."""
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from idleq.workloads.training.device import use_one_thread_pool

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    use_one_thread_pool(1)
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def training_data(made_up: Dataset, one_thread: None) -> object:  # noqa: ARG001 - a fixture that is wanted for what it does
    """The made-up images as the GAN's networks see them, either variant's."""
    from idleq.workloads.cgan.config import Variant
    from idleq.workloads.cgan.data import TrainingData

    return TrainingData.prepare(made_up, Camera.load(), Variant.CONVOLUTIONAL)
