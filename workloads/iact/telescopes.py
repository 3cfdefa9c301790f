"""Telescopes' images in other people's files, through ctapipe: sim_telarray's (eventio) and DL1 HDF5 with images.

ctapipe takes pedestals off and turns counts into photo-electrons. Images are cleaned with this project's rules. Those
of our camera, whose pixels are found by where they are, come out in our table's order.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ctapipe.calib import CameraCalibrator
from ctapipe.image import hillas_parameters, tailcuts_clean
from ctapipe.instrument import CameraGeometry
from ctapipe.io import EventSource

from idleq.workloads.errors import DamagedData
from idleq.workloads.iact.camera import PITCH_MM, PIXELS, Camera
from idleq.workloads.iact.rendering import camera_geometry
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, PICTURE_LEVEL

Array = npt.NDArray[Any]

# A pixel of ours is no further than this from where the table has it.
TOLERANCE_MM = PITCH_MM / 20

# What files say of a shower's maker where they do not know it.
UNKNOWN = -1
GAMMA = 0
LIGHTEST_NUCLEUS = 100

NO_NUMBERS = "pixels that are no numbers"
NOTHING_LEFT = "nothing left by cleaning"
NO_SHAPE = "too few pixels for a shape"
OTHER_CAMERA = "another camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeEvent:
    """One telescope's image of one shower; *image* is in photo-electrons and not cleaned."""

    telescope: int
    geometry: CameraGeometry
    image: Array
    shower: int  # counted in the file: a shower that is used again keeps its number
    true_size: float  # photo-electrons of the shower's own light, not a number where the file does not say
    energy: float  # TeV, not a number where the file does not say
    primary: int  # 0 for a gamma, 100 A + Z for a nucleus


@dataclass
class Measured:
    """What is kept of a file, and what is not, and why."""

    columns: dict[str, Array] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    cameras: Counter[str] = field(default_factory=Counter)


def measure(source: Path, *, images: bool) -> Measured:
    """The Hillas parameters of every telescope's image; *images*: those of our camera only, and the images too."""
    ours = Camera.load()
    geometry = camera_geometry(ours)
    orders: dict[int, Array | None] = {}
    found = Measured()
    rows: list[dict[str, Any]] = []
    for event in events_in(source):
        found.cameras[f"{event.geometry.name} ({len(event.image)} pixels)"] += 1
        if event.telescope not in orders:
            orders[event.telescope] = order_in_table(event.geometry, ours)
        order = orders[event.telescope]
        if order is None and images:
            found.left_out[OTHER_CAMERA] += 1
        elif not np.isfinite(event.image).all():
            found.left_out[NO_NUMBERS] += 1
        elif order is None:
            _take(event, event.geometry, event.image, found, rows)
        else:
            _take(event, geometry, event.image[order], found, rows)
    if rows:
        names = [name for name in rows[0] if images or name != "image"]
        found.columns = {name: np.array([row[name] for row in rows]) for name in names}
    return found


def _take(
    event: TelescopeEvent, geometry: CameraGeometry, image: Array, found: Measured, rows: list[dict[str, Any]]
) -> None:
    kept = tailcuts_clean(geometry, image, picture_thresh=PICTURE_LEVEL, boundary_thresh=BOUNDARY_LEVEL)
    cleaned = np.where(kept, image, 0).astype(np.float32)
    if not kept.any():
        found.left_out[NOTHING_LEFT] += 1
        return
    measured: Any = hillas_parameters(geometry, cleaned)
    row = {
        "size": float(cleaned.sum(dtype=np.float64)),
        "length": measured.length.to_value("mm"),
        "width": measured.width.to_value("mm"),
        "x": measured.x.to_value("mm"),
        "y": measured.y.to_value("mm"),
        "skewness": measured.skewness,
        "kurtosis": measured.kurtosis,
        "psi": measured.psi.to_value("rad"),
    }
    if not np.isfinite(list(row.values())).all():
        found.left_out[NO_SHAPE] += 1
        return
    truth = {"true_size": event.true_size, "energy": event.energy, "primary": event.primary, "row": event.shower}
    rows.append({**row, **truth, "image": cleaned})


def order_in_table(geometry: CameraGeometry, camera: Camera) -> Array | None:
    """Which of the file's pixels is each of the table's; None where this is another camera."""
    if geometry.n_pixels != PIXELS:
        return None
    x, y = geometry.pix_x.to_value("mm"), geometry.pix_y.to_value("mm")
    distance = np.hypot(x[None, :] - camera.x_mm[:, None], y[None, :] - camera.y_mm[:, None])
    nearest: Array = distance.argmin(axis=1)
    # Pixels are twenty times the tolerance apart: no two of the table's are near one of the file's.
    return nearest if distance.min(axis=1).max() <= TOLERANCE_MM else None


def events_in(source: Path) -> Iterator[TelescopeEvent]:
    """Every telescope's image in *source*."""
    # ctapipe's containers have no types that a checker could follow.
    open_source: Any = EventSource
    showers: dict[object, int] = {}
    with _explained(source), open_source(str(source), focal_length_choice="EQUIVALENT") as file:
        calibrate = CameraCalibrator(subarray=file.subarray)
        for event in file:
            calibrate(event)
            key, energy, primary = _truth(event)
            simulated = {} if event.simulation is None else event.simulation.tel
            for telescope, seen in event.dl1.tel.items():
                if seen.image is None:
                    continue
                yield TelescopeEvent(
                    telescope=telescope,
                    geometry=file.subarray.tel[telescope].camera.geometry,
                    image=np.asarray(seen.image, dtype=float),
                    shower=showers.setdefault(key, len(showers)),
                    true_size=_true_size(simulated.get(telescope)),
                    energy=energy,
                    primary=primary,
                )


def _truth(event: Any) -> tuple[object, float, int]:  # noqa: ANN401 - ctapipe has no types
    """What tells the event's shower from others, its energy in TeV, and what made it."""
    shower = None if event.simulation is None else event.simulation.shower
    if shower is None or not math.isfinite(shower.energy.value):
        return event.count, math.nan, UNKNOWN
    key = tuple(float(value.value) for value in (shower.energy, shower.h_first_int, shower.az, shower.alt))
    return key, float(shower.energy.to_value("TeV")), int(shower.shower_primary_id)


def _true_size(simulated: Any) -> float:  # noqa: ANN401 - ctapipe has no types
    if simulated is None:
        return math.nan
    total = simulated.true_image_sum
    return math.nan if total is None or total < 0 else float(total)


@contextmanager
def _explained(source: Path) -> Iterator[None]:
    """Whatever the readers stumble over becomes DamagedData; a file that ends in the middle counts as damaged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated")
        try:
            yield
        except StopIteration as error:
            raise DamagedData(f"{source} ends before it describes a telescope; it may hold no images at all") from error
        except Exception as error:  # the readers' parsers raise whatever they stumble over
            raise DamagedData(
                f"{source} cannot be read: {str(error) or type(error).__name__}; is it damaged, cut short in a copy, or"
                " without images (as CORSIKA's photons are)?"
            ) from error
