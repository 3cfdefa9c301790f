"""Small files in sim_telarray's form (eventio objects), written by hand: one telescope, one sum of counts per pixel."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TELESCOPE = 1
RUN = 7
SYNC = bytes.fromhex("378a1fd4")
PEDESTAL = 100.0
COUNTS_PER_PHOTO_ELECTRON = 4.0
HEXAGON_TYPE = 1


@dataclass(frozen=True, kw_only=True)
class Event:
    """One triggered shower; *image* is in photo-electrons."""

    image: Array
    primary: int = 0
    energy_tev: float = 5.0


def write_simtel(path: Path, x_m: Array, y_m: Array, area_m2: float, events: Sequence[Event]) -> Path:
    """A whole file with *events* of a camera with pixels at *x_m*, *y_m*."""
    parts = [_history(), _run_header(), _mc_run_header(), *_telescope(x_m, y_m, area_m2), *_calibration(len(x_m))]
    for number, event in enumerate(events, start=1):
        parts += [_shower(number, event), _mc_event(number), _array_event(number, event)]
    path.write_bytes(b"".join(SYNC + part for part in parts))
    return path


def _object(kind: int, version: int, ident: int, content: bytes, *, parts_only: bool = False) -> bytes:
    return struct.pack("<IiI", kind | version << 20, ident, len(content) | (parts_only << 30)) + content


def _floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _shorts(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}h", *values)


def _array(values: Array) -> bytes:
    return np.asarray(values, dtype="<f4").tobytes()


def _varint(value: int) -> bytes:
    """A signed number of up to 21 bits, in as few bytes as it needs."""
    plain = value << 1 if value >= 0 else (-value - 1) << 1 | 1
    if plain < 1 << 7:
        return bytes([plain])
    if plain < 1 << 14:
        return struct.pack(">H", 0x8000 | plain)
    return struct.pack(">I", 0xC00000 | plain)[1:]


def _history() -> bytes:
    lines = (b"sim_telarray", b"store_photoelectrons 1")
    parts = [_object(71 + index, 1, 0, _ints(0) + _shorts(len(line)) + line) for index, line in enumerate(lines)]
    return _object(70, 1, 0, b"".join(parts), parts_only=True)


def _run_header() -> bytes:
    begin = _ints(RUN, 0, 0, 0, 0) + _floats(0, 1.2, 0, 0, 0, 0, 0) + _ints(1)
    return _object(2000, 2, RUN, begin + _shorts(TELESCOPE) + _floats(0, 0, 0) + _ints(1, 0) + _shorts(0, 0))


def _mc_run_header() -> bytes:
    content = _ints(1, 7700, 0, 1, 2020, 0) + _floats(675) + _ints(10, 1, 0) + _floats(0, 500, 1.2, 1.2, 0, 0)
    content += (
        _ints(0) + _floats(0, 0, 1, 100, -2, 60, 1, 0, 0) + _ints(1, 0, 0, 0) + _floats(5, 300, 700) + _ints(0, 0)
    )
    return _object(2001, 4, RUN, content)


def _telescope(x_m: Array, y_m: Array, area_m2: float) -> list[bytes]:
    pixels = len(x_m)
    camera = _ints(pixels) + _floats(4.75, 4.75) + _array(x_m) + _array(y_m)
    camera += _varint(0) + _varint(1) + _varint(1) + _varint(HEXAGON_TYPE) + _floats(area_m2, 0.03)
    camera += _ints(29) + _floats(9, 0)
    organisation = _ints(pixels, 1, 1, 0) + bytes(pixels * 4) + bytes(pixels)
    settings = _ints(1, 1, 2, pixels) + bytes(pixels * 4) + _ints(1, 0, 1) + _shorts(0, 1) + _floats(1) + _ints(1)
    settings += _varint(1) + _varint(3) + _floats(1) + np.array([0, 1, 0], dtype="<f2").tobytes()
    kinds = {
        2002: (5, camera),
        2003: (2, organisation),
        2004: (2, settings),
        2005: (0, _ints(0, 0)),
        2006: (0, _ints(*[0] * 15)),
        2008: (0, _shorts(0, 0) + _floats(*[0] * 12)),
        2007: (0, _ints(0, 0)),
    }
    return [_object(kind, version, TELESCOPE, content) for kind, (version, content) in kinds.items()]


def _calibration(pixels: int) -> list[bytes]:
    monitored = _shorts(0x04, 0) + _ints(1, 0, 0) + _varint(0) + _varint(pixels) + _varint(1) + _varint(1)
    monitored += _ints(0, 0) + _shorts(1) + _array(np.full(pixels, PEDESTAL)) + _array(np.zeros(pixels))
    laser = struct.pack("<Hhi", pixels, 1, 1) + _array(np.full(pixels, 1 / COUNTS_PER_PHOTO_ELECTRON))
    laser += _floats(1, 1) + _array(np.zeros(pixels))
    return [_object(2022, 1, TELESCOPE | 0x04 << 8, monitored), _object(2023, 2, TELESCOPE, laser)]


def _shower(number: int, event: Event) -> bytes:
    content = _ints(event.primary) + _floats(event.energy_tev, 0, 1.2, 0, 20_000 + number, 300, 9_000, 300, 300)
    return _object(2020, 1, number, content + _shorts(0))


def _mc_event(number: int) -> bytes:
    return _object(2021, 2, number * 100, _ints(number) + _floats(10, 20, 1))


def _array_event(number: int, event: Event) -> bytes:
    ident, counts = number * 100, np.rint(event.image * COUNTS_PER_PHOTO_ELECTRON + PEDESTAL).astype(int)
    trigger = _ints(0, 0, 0, 0, 1, 1) + _shorts(1, TELESCOPE) + _floats(0) + _shorts(1, TELESCOPE) + bytes([1])
    head = _ints(number, number, 0, 0, 0, 0) + _shorts(0)
    steps = np.diff(counts, prepend=0).tolist()
    sums = _ints(len(counts)) + _shorts(1) + b"".join(_varint(step) for step in steps)
    telescope = _object(2011, 2, TELESCOPE, head) + _object(2012, 3, TELESCOPE << 12, sums)
    content = _object(2009, 2, ident, trigger)
    content += _object(2200 + TELESCOPE, 1, ident, telescope, parts_only=True)
    content += _object(2100 + TELESCOPE, 0, TELESCOPE | 0x100, _floats(0, 1.2))
    return _object(2010, 1, ident, content, parts_only=True)
