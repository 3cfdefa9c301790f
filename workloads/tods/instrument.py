"""The detector in numbers, each with where it is from.

Noise: channel M1-140 of the instrument data base that comes with litebird-sim 0.18 (`default_imo`). It has temperatures
only; watts follow from the band and the optical efficiency, which no public table gives.
Cosmic rays: the slides of CRAB's TOD GAN and TOAST's `InjectCosmicRays`, whose tables are not public.
"""

import math

SAMPLING_HZ = 19.0
SAMPLES = 1060
DURATION_SECONDS = SAMPLES / SAMPLING_HZ

# TOAST evaluates hits at "about 150 Hz"; eight times the detector's rate is the nearest whole multiple.
OVERSAMPLING = 8
FAST_HZ = SAMPLING_HZ * OVERSAMPLING

CHANNEL = "M1-140"
NET_UK_ROOT_S = 54.0
BAND_CENTRE_HZ = 140e9
BANDWIDTH_HZ = 42e9
KNEE_HZ = 0.020
LOWEST_HZ = 0.010
SLOPE = 1.0

# A stand-in: what a lenslet-coupled detector behind a cold telescope may have.
OPTICAL_EFFICIENCY = 0.3

# Some 400 impacts a second into the wafer, not told apart; per sample of the detector's rate.
WAFER_MEAN_W = -3e-17
WAFER_SIGMA_W = 1e-17
COMMON_MODE = 0.5

# Direct hits, C1 + C2 exp(-t / tau), over the window that TOAST gives them.
HIT_RATE_HZ = 0.0015
HIT_SECONDS = 0.15
C2_MEAN_W, C2_SIGMA_W = 2e-15, 1e-15
TAU_MEAN_S, TAU_SIGMA_S = 4e-3, 2e-3
# A stand-in, since C1 is in no public table: as large as the wafer's noise.
C1_SIGMA_W = 1e-17

# TOAST draws the parameters from the central 95 % of their distribution.
CENTRAL_SIGMAS = 1.96

_PLANCK = 6.62607015e-34
_BOLTZMANN = 1.380649e-23
_CMB_K = 2.72548


def watts_per_kelvin() -> float:
    """How the power on the detector changes with the temperature of the sky.

    One mode and one polarisation: dP/dT = efficiency k bandwidth x^2 e^x / (e^x - 1)^2, with x = h f / k T.
    """
    x = _PLANCK * BAND_CENTRE_HZ / (_BOLTZMANN * _CMB_K)
    return OPTICAL_EFFICIENCY * _BOLTZMANN * BANDWIDTH_HZ * x**2 * math.exp(x) / math.expm1(x) ** 2


def white_density() -> float:
    """The one-sided power spectral density of the white noise, W^2/Hz.

    NET in K s^0.5 is the error of one second's mean, so the density is 2 NET^2 (dP/dT)^2.
    """
    return 2 * (NET_UK_ROOT_S * 1e-6 * watts_per_kelvin()) ** 2


RULES = {
    "channel": CHANNEL,
    "instrument": "litebird-sim 0.18 default_imo",
    "net_uk_root_s": NET_UK_ROOT_S,
    "optical_efficiency": OPTICAL_EFFICIENCY,
    "knee_hz": KNEE_HZ,
    "lowest_hz": LOWEST_HZ,
    "slope": SLOPE,
    "wafer_w": [WAFER_MEAN_W, WAFER_SIGMA_W],
    "common_mode": COMMON_MODE,
    "hit_rate_hz": HIT_RATE_HZ,
    "hit_seconds": HIT_SECONDS,
    "c1_w": [0.0, C1_SIGMA_W],
    "c2_w": [C2_MEAN_W, C2_SIGMA_W],
    "tau_s": [TAU_MEAN_S, TAU_SIGMA_S],
    "central_sigmas": CENTRAL_SIGMAS,
    "sampling_hz": SAMPLING_HZ,
    "fast_hz": FAST_HZ,
}
