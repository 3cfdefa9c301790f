"""What must hold of the camera's map, the size classes and the cleaning, for any image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from idleq.workloads.iact.camera import NEIGHBOUR_STEPS, PITCH_MM, PIXELS, SIDE, Camera
from idleq.workloads.iact.dataset import CLASSES, size_classes

CAMERA = Camera.load()
IMAGES = hnp.arrays(np.float32, PIXELS, elements=st.floats(-50, 5000, width=32))


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.just(PIXELS)), elements=st.floats(-50, 5000, width=32)))
def test_the_map_is_a_bijection_onto_the_cells_of_the_camera(images: np.ndarray) -> None:
    maps = CAMERA.to_map(images)
    assert maps.shape == (len(images), SIDE, SIDE)
    assert np.array_equal(CAMERA.from_map(maps), images)
    assert not maps[:, ~CAMERA.mask].any()


def test_every_pixel_has_a_cell_of_its_own() -> None:
    assert int(CAMERA.mask.sum()) == PIXELS


@pytest.mark.parametrize("pixel", range(PIXELS))
def test_touching_pixels_are_the_same_six_steps_away_everywhere(pixel: int) -> None:
    distance = np.hypot(CAMERA.x_mm - CAMERA.x_mm[pixel], CAMERA.y_mm - CAMERA.y_mm[pixel])
    touching = np.flatnonzero((distance > 0) & (distance < 1.2 * PITCH_MM))
    steps = {
        (int(CAMERA.row[near] - CAMERA.row[pixel]), int(CAMERA.column[near] - CAMERA.column[pixel]))
        for near in touching
    }
    assert steps <= set(NEIGHBOUR_STEPS)
    assert CAMERA.neighbours[pixel] == touching.tolist()


@given(hnp.arrays(np.float32, st.integers(CLASSES, 300), elements=st.floats(1, 1e5, width=32)))
def test_size_classes_have_equal_counts_within_one_and_rise_with_the_size(sizes: np.ndarray) -> None:
    classes, edges = size_classes(sizes)
    counts = np.bincount(classes, minlength=CLASSES)
    assert counts.max() - counts.min() <= 1
    assert np.all(np.diff(classes[np.argsort(sizes, kind="stable")].astype(int)) >= 0)
    assert list(edges) == sorted(edges)
    assert len(edges) == CLASSES + 1


@settings(max_examples=25, deadline=None)
@given(image=IMAGES)
def test_cleaning_never_adds_light(image: np.ndarray) -> None:
    pytest.importorskip("ctapipe", reason="the train extra is not installed")
    from idleq.workloads.iact.rendering import Renderer

    cleaned = Renderer.for_camera(CAMERA).clean(image)
    assert np.all((cleaned == image) | (cleaned == 0))
    assert np.all(cleaned <= np.maximum(image, 0))
