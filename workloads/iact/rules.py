"""What the camera and its cleaning do to light, in photo-electrons; from the field's own papers on this telescope."""

NIGHT_SKY_SIGMA = 3.9
TRIGGER_LEVEL = 10.0
TRIGGER_NEIGHBOURS = 2  # told, not read: both triggers (rendering.py, response.py) ask for a pair that touches
PICTURE_LEVEL = 14
BOUNDARY_LEVEL = 7

RULES = {
    "night_sky_sigma": NIGHT_SKY_SIGMA,
    "trigger_level": TRIGGER_LEVEL,
    "trigger_neighbours": TRIGGER_NEIGHBOURS,
    "picture_level": PICTURE_LEVEL,
    "boundary_level": BOUNDARY_LEVEL,
}
