"""The judge lets truth pass and nothing that is less."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the train extra is not installed")
pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")
pytest.importorskip("torch", reason="the train extra is not installed")

from idleq.workloads import cli
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.todjudge.baselines import coloured_noise, white_noise
from idleq.workloads.todjudge.diversity import nearest_distance, spread
from idleq.workloads.todjudge.figures import (
    CLASSES,
    FULL_CLASS,
    TARGETS,
    Classes,
    curves,
    measure,
    measure_class,
    reached,
)
from idleq.workloads.todjudge.generated import Generated
from idleq.workloads.todjudge.page import as_page
from idleq.workloads.todjudge.peaks import REACH, found_hits, largest, noise_width
from idleq.workloads.todjudge.spectra import BANDS, band_edges, in_bands, mean_spectrum
from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ
from idleq.workloads.tods.simulation import Tods, simulate_block

PER_CLASS = 400


@pytest.fixture(scope="module")
def truth() -> Tods:
    return Tods.joined([simulate_block([1, block], "balanced", 0, 300) for block in range(4)])


@pytest.fixture(scope="module")
def again() -> Tods:
    return Tods.joined([simulate_block([2, block], "balanced", 0, 300) for block in range(4)])


def asked(tods: Tods) -> Classes:
    return Classes.asked(tods.tods, tods.hits)


# With a fifth of the TODs that a verdict asks for, truth itself scatters by so much more (the root of five).
LOOSER = 2.4


def test_another_truth_is_within_every_target_but_for_what_so_few_tods_scatter(truth: Tods, again: Tods) -> None:
    for values in measure(asked(again), asked(truth)).values():
        assert values["tods"] == PER_CLASS
        assert {name for name in TARGETS if values[name] > LOOSER * TARGETS[name][1]} == set()


def test_white_noise_fails_in_every_class(truth: Tods) -> None:
    made = np.empty_like(truth.tods)
    for hits in np.unique(truth.hits):
        chosen = truth.hits == hits
        made[chosen] = white_noise(truth.tods[chosen], np.random.default_rng(0))
    figures = measure(Classes.asked(made, truth.hits), asked(truth))
    for values in figures.values():
        assert values["spectrum"] > 2 * TARGETS["spectrum"][1]
    for name in ("1", "2+"):
        assert figures[name]["amplitude_ks"] > 0.5


def test_noise_of_the_right_spectrum_without_hits_fails_by_its_heights_only(truth: Tods) -> None:
    one = truth.tods[truth.hits == 1]
    values = measure_class(coloured_noise(one, np.random.default_rng(0)), one, "1")
    assert values["spectrum"] < LOOSER * TARGETS["spectrum"][1]
    assert values["amplitude_ks"] > 0.5


def test_tods_that_are_all_alike_fail_by_their_diversity(truth: Tods) -> None:
    none = truth.tods[truth.hits == 0]
    values = measure_class(np.repeat(none[:8], PER_CLASS // 8, axis=0), none, "0")
    assert values["nearest"] == 1
    few = measure_class(
        np.repeat(none[:8], PER_CLASS // 8, axis=0) * np.linspace(0.95, 1.05, PER_CLASS)[:, None], none, "0"
    )
    assert few["nearest"] > 5 * TARGETS["nearest"][1]


def test_hits_that_come_at_one_time_only_fail_by_their_times(truth: Tods) -> None:
    one = truth.tods[truth.hits == 1]
    aligned = np.stack([np.roll(tod, 500 - int(tod.argmax())) for tod in one])
    assert measure_class(aligned, one, "1")["time_ks"] > 0.4


def test_too_few_tods_give_no_figure_and_not_quite_enough_no_verdict(truth: Tods) -> None:
    empty = measure_class(truth.tods[:0], truth.tods, "1")
    assert {empty[name] for name in TARGETS} == {None}
    assert reached(empty, "spectrum") is None
    some = {"tods": FULL_CLASS - 1, "truth_tods": FULL_CLASS, "spectrum": 0.01}
    assert reached(some, "spectrum") is None
    assert reached({**some, "tods": FULL_CLASS}, "spectrum") is True
    assert reached({**some, "tods": FULL_CLASS, "spectrum": 0.11}, "spectrum") is False


def test_the_largest_excursions_are_found_once_each() -> None:
    tods = np.zeros((2, SAMPLES))
    tods[0, [100, 101, 600]] = (9, 8, 5)
    tods[1, [0, 1059]] = (2, 3)
    heights, seconds = largest(tods, 2)
    assert heights.tolist() == [[9, 5], [3, 2]]
    assert (seconds * SAMPLING_HZ).round().tolist() == [[100, 600], [1059, 0]]
    assert REACH >= 1
    assert found_hits(tods, 1.0, 5).tolist() == [1, 0]


def test_the_noises_width_is_hardly_moved_by_hits(truth: Tods) -> None:
    without, with_hits = (noise_width(truth.tods[chosen]) for chosen in (truth.hits == 0, truth.hits >= 2))
    assert with_hits == pytest.approx(without, rel=0.02)
    assert without == pytest.approx(2.6e-17, rel=0.1)


def test_bands_hold_every_frequency_once_and_white_noise_is_the_same_in_all() -> None:
    frequencies, powers = mean_spectrum(np.random.default_rng(0).standard_normal((600, SAMPLES)))
    edges = band_edges()
    assert len(edges) == BANDS + 1
    assert edges[0] < frequencies[1] < edges[1]
    assert edges[-1] > frequencies[-1] == pytest.approx(SAMPLING_HZ / 2)
    assert in_bands(frequencies, powers) == pytest.approx(np.full(BANDS, 2 / SAMPLING_HZ), rel=0.15)


def test_distances_are_in_watts() -> None:
    noise = 1e-17 * np.random.default_rng(0).standard_normal((50, SAMPLES)).astype(np.float32)
    assert nearest_distance(noise) == pytest.approx(2**0.5 * 1e-17, rel=0.1)
    assert spread(noise) == pytest.approx(1e-17, rel=0.05)


def test_a_generator_that_knows_no_hits_is_judged_by_what_is_found(truth: Tods) -> None:
    width = noise_width(truth.tods[truth.hits == 0])
    classes = Classes.found(truth.tods, width)
    assert classes.by == "found"
    assert sum(map(len, classes.by_class.values())) == len(truth)
    assert len(classes.by_class["0"]) > PER_CLASS  # the smallest hits are lost in the noise
    assert len(classes.by_class["2+"]) > PER_CLASS / 8


def test_what_is_not_reached_is_printed_as_not_reached() -> None:
    good = {"tods": FULL_CLASS, "truth_tods": FULL_CLASS, **dict.fromkeys(TARGETS, 0.01)}
    bad = {**good, "amplitude_ks": 0.2}
    none = {**good, **dict.fromkeys(TARGETS), "tods": 3}
    page = as_page(
        {"mine": {"by": "found", "classes": {"0": good, "1": bad, "2+": none}}}, {"mine": 0.001, "slow": 0.1}
    )
    rows = [line for line in page.splitlines() if line.startswith("| mine | ")]
    assert rows[0].endswith("| 0.010 | 0.010 | 0.010 | 0.010 | 0.010 | yes |")
    assert rows[1].endswith("| 0.010 | **0.200** | 0.010 | 0.010 | 0.010 | not reached |")
    assert rows[2].endswith("| none | none | none | none | none | too few |")
    assert "| mine | 1.000 | 1.8e-05 | 1e-04: reached |" in page
    assert "1e-04: **not reached**" in page
    assert "not told a number of hits" in page


def test_curves_are_numbers_of_every_class(truth: Tods) -> None:
    shown = curves(asked(truth))
    assert tuple(shown) == CLASSES
    assert json.loads(json.dumps(shown)) == shown
    assert curves(Classes.asked(truth.tods[:4], truth.hits[:4])) == {}


@pytest.mark.parametrize("given", ["nothing", "=dir", "name=", "truth=dir", "white noise=dir"])
def test_a_set_needs_a_name_of_its_own(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["evaluate-tods", "--generated", given, "--output", str(tmp_path / "out")]
    assert cli.main(argv) == BadOption.exit_code
    assert "--generated must be NAME=PATH" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_generation_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"writes manifest\.json last"):
        Generated.load(tmp_path)
    (tmp_path / "manifest.json").write_text('{"shards": []}')
    with pytest.raises(DamagedData, match="has no shards"):
        Generated.load(tmp_path)
    (tmp_path / "manifest.json").write_text('{"shards": [{"name": "shard-00000.h5", "sha256": "0"}]}')
    with pytest.raises(DamagedData, match="generate it again"):
        Generated.load(tmp_path)
    (tmp_path / "shard-00000.h5").write_bytes(b"not HDF5")
    with pytest.raises(DamagedData, match="does not match its checksum"):
        Generated.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DamagedData, match="is not the manifest"):
        Generated.load(tmp_path)
