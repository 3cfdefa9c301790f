"""The pictures of a training's course, and that of the Hillas parameters' axes."""

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from matplotlib.colors import to_rgb
from matplotlib.image import imread

from idleq.workloads.iact.hillas import PARAMETERS
from idleq.workloads.judging.plots import AXES
from idleq.workloads.todgan.pictures import COLOURS as TOD_COLOURS
from idleq.workloads.todgan.pictures import draw_losses
from idleq.workloads.training.curves import COLOURS, draw_curves

LONG = [{"step": step, "loss": 1 / step} for step in range(10, 60, 10)]


def drawn(reports: list[dict[str, float]]) -> bytes:
    return draw_curves(reports, {"loss": "trained on"}, title="Training", ylabel="loss", level=None)


def pixels_of(png: bytes, colour: str) -> int:
    picture = imread(io.BytesIO(png))[:, :, :3]
    return int((np.abs(picture - to_rgb(colour)).max(axis=2) < 0.02).sum())


def test_a_training_with_one_report_has_a_dot_in_its_picture() -> None:
    # The legend has the colour in any case.
    assert pixels_of(drawn(LONG[:1]), COLOURS[0]) > pixels_of(drawn([]), COLOURS[0])


def test_a_generator_of_tods_with_one_report_has_a_dot_for_each_loss() -> None:
    few = draw_losses([{"step": 5, "a": 1.0, "b": 2.0}], [])
    none = draw_losses([{"step": 5, "a": np.nan, "b": np.nan}], [])
    assert all(pixels_of(few, colour) > pixels_of(none, colour) for colour in TOD_COLOURS[:2])


def test_each_hillas_parameter_has_an_axis_with_the_unit_that_it_is_measured_in() -> None:
    assert list(AXES) == list(PARAMETERS)
    for unit in ("mm", "degrees", "photo-electrons"):
        assert [unit in axis for axis in AXES.values()] == [unit in told for told in PARAMETERS.values()]
