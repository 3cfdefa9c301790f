"""From a shower's parameters to what the camera records: light, night sky, trigger, cleaning."""

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from ctapipe.image.cleaning import tailcuts_clean
from ctapipe.image.toymodel import SkewedGaussian
from ctapipe.instrument import CameraGeometry
from ctapipe.instrument.camera import PixelShape
from scipy.sparse import csr_matrix

from idleq.workloads.iact.camera import PIXEL_AREA_MM2, PIXELS, Camera
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, NIGHT_SKY_SIGMA, PICTURE_LEVEL, TRIGGER_LEVEL
from idleq.workloads.iact.showers import Shower

Array = npt.NDArray[Any]


def camera_geometry(camera: Camera) -> CameraGeometry:
    """The camera as ctapipe sees it, with the neighbours that the axial columns give."""
    rows = np.repeat(np.arange(PIXELS), [len(near) for near in camera.neighbours])
    columns = np.concatenate([np.array(near) for near in camera.neighbours])
    touching = csr_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(PIXELS, PIXELS))
    return CameraGeometry(
        name="TAIGA-IACT03",
        pix_id=np.arange(PIXELS),
        pix_x=camera.x_mm * u.mm,
        pix_y=camera.y_mm * u.mm,
        pix_area=np.full(PIXELS, PIXEL_AREA_MM2) * u.mm**2,
        pix_type=PixelShape.HEXAGON,
        neighbors=touching,
    )


@dataclass(frozen=True)
class Renderer:
    """Renders showers on one camera."""

    camera: Camera
    geometry: CameraGeometry

    @classmethod
    def for_camera(cls, camera: Camera) -> "Renderer":
        """A renderer on *camera*."""
        return cls(camera=camera, geometry=camera_geometry(camera))

    def expected(self, shower: Shower) -> Array | None:
        """The expected light in each pixel, summing to the shower's size; None where nothing falls on the camera."""
        model = SkewedGaussian(
            x=shower.x_mm * u.mm,
            y=shower.y_mm * u.mm,
            length=shower.length_mm * u.mm,
            width=shower.width_mm * u.mm,
            psi=shower.psi * u.rad,
            skewness=shower.skewness,
        )
        light: Array = model.expected_signal(self.geometry, shower.size)
        total = float(light.sum())
        # toymodel takes the density at the pixel centres, which misses or doubles light of a narrow image.
        return light * (shower.size / total) if np.isfinite(total) and total > 0 else None

    def record(self, shower: Shower, random: np.random.Generator) -> Array | None:
        """The cleaned image of one event, (609,), or None where it does not trigger or nothing is left of it."""
        light = self.expected(shower)
        if light is None:
            return None
        image = random.poisson(light) + night_sky(random)
        if not self.triggers(image):
            return None
        cleaned = self.clean(image)
        return cleaned if cleaned.any() else None

    def triggers(self, image: Array) -> bool:
        """Whether two neighbouring pixels are over the trigger level."""
        over = image > TRIGGER_LEVEL
        return bool((over[self.camera.pairs[:, 0]] & over[self.camera.pairs[:, 1]]).any())

    def clean(self, image: Array) -> Array:
        """*image* with everything set to zero but the picture and its boundary."""
        kept: Array = tailcuts_clean(self.geometry, image, picture_thresh=PICTURE_LEVEL, boundary_thresh=BOUNDARY_LEVEL)
        return np.where(kept, image, 0.0)


def night_sky(random: np.random.Generator) -> Array:
    """Light of the night sky with its mean taken off, (609,)."""
    mean = NIGHT_SKY_SIGMA**2
    return random.poisson(mean, PIXELS) - mean
