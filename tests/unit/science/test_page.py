"""The pages of `make science`, from small evaluations made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.science.figures import Figure, number, of_images, of_tods, verdict
from bench.science.groups import HILLAS, Groups, aimed
from bench.science.models import MODELS, Size
from bench.science.page import CLASSES_HEAD, for_people, science_page, tods_page, write_pages
from bench.science.plan import BUDGETS, steps
from bench.science.results import Found, Judged
from bench.science.running import Ran
from bench.science.tables import classes, comparison, markdown, work
from idleq.cli.result import Table

FOLDER = Path("images/science")


def an_evaluation(score: float, *, reached: bool) -> dict[str, Any]:
    none = {"target": None, "better": "less", "reached": None, "paper": ""}
    return {
        "figures": [
            {"name": "score, KS", "value": score, "target": 0.05, "better": "less", "reached": reached, "paper": "0.1",
             "baselines": {"resample and render": 0.01, "truth again": 0.004}},
            {**none, "name": "mean score", "value": 0.5, "baselines": {"truth again": 0.7}},
            {**none, "name": "class 1: size, KS to its training sizes", "value": 0.25, "baselines": {}},
            {**none, "name": "class 1: share inside its edges", "value": 0.75, "baselines": {}},
            {**none, "name": "share of its class at the first draw", "value": 0.625, "baselines": {}},
            {**none, "name": "log_size, KS to held-out gammas", "value": 0.125, "baselines": {"truth again": 0.2}},
            {**none, "name": "late, KS to held-out gammas", "value": 0.01, "target": 0.02, "reached": True, "baselines": {}},
        ]
    }  # fmt: skip


def judged_tods(label: str, value: float | None, *, reached: bool | None) -> dict[str, Any]:
    names = ("spectrum", "amplitude_ks", "time_ks", "nearest", "spread")
    classes = ("0", "1", "2+")
    sets = {label: value, "white noise": 0.3, "truth again": 0.02}
    return {
        "targets": dict.fromkeys(names, 0.1),
        "sets": {
            name: {"classes": {kind: dict.fromkeys(names, one) for kind in classes}} for name, one in sets.items()
        },
        "reached": {label: {kind: dict.fromkeys(names, reached) for kind in classes}},
    }


def a_judged(key: str, figures: list[Figure], **rest: Any) -> Judged:
    (model,) = [model for model in MODELS if model.key == key]
    return Judged(model=model, figures=figures, pictures={"one": Path(f"/nowhere/{key}.png")}, **rest)


@pytest.fixture
def found() -> Found:
    judged = [
        a_judged("cgan", of_images(an_evaluation(0.16, reached=False)), weights="ab" * 32),
        a_judged("cgan-convolutional", of_images(an_evaluation(0.3, reached=False))),
        a_judged(
            "todgan", of_tods("TOD GAN", judged_tods("TOD GAN", 0.05, reached=True), {"TOD GAN": 3e-5}), kept_from=2900
        ),
        a_judged("slides", of_tods("slides' GAN", judged_tods("slides' GAN", None, reached=None), {}), kept_from=500),
    ]
    quality = {"q": 2.3, "low": 2.1, "high": 2.5, "gamma_efficiency": 0.5, "hadron_efficiency": 0.05}
    summary = {"quality": dict.fromkeys(("cnn", "boosted_hillas", "hillas_cut"), quality)}
    return Found(
        budget=BUDGETS["hour"],
        models=MODELS,
        judged={one.model.key: one for one in judged},
        classifier=(summary, Path("/nowhere/scores.png")),
        steps=steps(BUDGETS["hour"], MODELS),
        ran={
            "train-cgan": Ran(job="1", segments=3, moves=2, seconds=100.4, code="0123456789 + changes"),
            "generate-cgan": Ran(job="4", segments=1, moves=0, seconds=20.0),
            "train-slides": Ran(job="9", segments=2, moves=1, seconds=50.0),
        },
        trained={"train-cgan": Size(1_500, 60_000), "train-todgan": Size(3_000, 20_000)},
        judge="cd" * 32,
    )


def test_the_page_says_first_what_each_model_reaches_and_what_not(found: Found) -> None:
    page = "\n".join(science_page(found, FOLDER))

    assert page.partition("## In short")[2].strip().splitlines()[:7] == [
        "- cGAN: 1 of 2 targets. Not reached: score, KS (0.160).",
        "    - beside it convolutional cGAN (baseline, the paper's architecture): 1 of 2 targets. Not reached: score, KS (0.300).",
        "- cVAE: **not reached: not run in the time that there was**; the same command goes on with it.",
        "    - beside it plain cVAE (baseline, a plain one): **not reached: not run in the time that there was**; the same command goes on with it.",
        "- TOD GAN: 16 of 16 targets. All are reached.",
        "    - beside it slides' GAN (baseline, the slides' own architecture): 0 of 15 targets. 15 without a verdict: too few of them were measured.",
        "    - beside it TOD VAE (variant): **not reached: not run in the time that there was**; the same command goes on with it.",
    ]


def test_the_page_says_who_has_looked_at_the_held_out_events_and_what_is_a_plan(found: Found) -> None:
    page = "\n".join(science_page(found, FOLDER))

    assert "was made by people who looked at figures against these same held-out events" in page
    assert "The plan of the budget `hour`: about an hour of two cores" in page
    assert "What it took is measured" in page


def test_a_baseline_has_a_column_beside_its_model_and_the_papers_one(found: Found) -> None:
    page = science_page(found, FOLDER)

    assert not [line for line in page if "{" in line]
    assert any("*Truth again* is another recording" in line for line in page)
    assert "| figure | cGAN | convolutional cGAN | target | truth again | resample and render | paper |" in page
    assert "| score, KS | **0.160, not reached** | **0.300, not reached** | <= 0.05 | 0.004 | 0.010 | 0.1 |" in page


def test_targets_stand_first_then_hillas_parameters_then_each_class_in_one_line(found: Found) -> None:
    page = science_page(found, FOLDER)
    shown = page[page.index("## Generated images beside held-out truth") : page.index("### cGAN")]

    assert [line.partition(" |")[0] for line in shown if line.startswith(("|", "###"))] == [
        *("| figure", "| ---", "| score, KS", "| late, KS to held-out gammas"),
        *("### Hillas parameters", "| figure", "| ---", "| size"),
        *("### Size classes", "| size class", "| ---", "| 1", "| first draw, all classes"),
        *("### Other figures", "| figure", "| ---", "| mean score"),
    ]
    assert "| size | 0.125 | 0.125 | 0.200 |" in shown
    assert "| 1 | 0.250 / 0.750 | 0.250 / 0.750 |" in shown
    assert "| first draw, all classes | 0.625 | 0.625 |" in shown
    assert "near 1 by construction, of every generator" in "\n".join(shown)
    assert "| mean score | 0.500 | 0.500 | 0.700 |" in shown


def test_every_figure_of_an_evaluation_is_in_one_group() -> None:
    figures = of_images(an_evaluation(0.16, reached=False))
    groups = Groups.of(figures)

    assert len(figures) == sum(map(len, (groups.aimed, groups.hillas, groups.others, *groups.classes.values())))


def test_each_hillas_parameter_that_is_measured_has_a_name_for_people() -> None:
    measured = pytest.importorskip("idleq.workloads.iact.hillas", reason="the train extra is not installed")

    assert list(HILLAS) == list(measured.PARAMETERS)


def test_an_image_is_drawn_as_often_as_the_page_says() -> None:
    sizing = pytest.importorskip("idleq.workloads.iact.sizing", reason="the train extra is not installed")

    assert f"up to {sizing.MOST_DRAWS} times" in CLASSES_HEAD


def test_a_class_that_one_model_has_not_leaves_its_cell_empty() -> None:
    table = classes({"a": {"2": [Figure(name="class 2: share inside", value=0.5)]}, "b": {}})

    assert (table.columns, list(table.rows)) == (("size class", "a", "b"), [("2", "0.500", "")])


def test_tods_stand_on_a_page_of_their_own_with_brackets_where_there_is_no_verdict(found: Found) -> None:
    page = tods_page(found, FOLDER)

    assert "| figure | TOD GAN | slides' GAN | target | truth again | white noise | paper |" in page
    row = "| one hit: power spectrum, worst band off by | 0.050 | (none) | <= 0.1 | 0.020 | 0.300 |  |"
    assert row in page
    assert any(line.startswith("| time of one core for a TOD") and "| 5.4e-07 |" in line for line in page)
    assert "| TOD GAN | 3000 of at most 5000 | 2900 | 20000 |" in page
    assert "| slides' GAN | 600 | 500 | 2000 |" in page, "of which nothing is known but the plan"
    assert any(line.startswith("TOD VAE: **not reached") for line in page)


def test_what_belonged_to_which_part_and_the_seconds_of_each_are_told(found: Found) -> None:
    lines = markdown(work(found.steps, found.ran, found.trained))

    assert lines[0] == "| part | job | steps | learned from | segments | moves | seconds | code |"
    assert lines[2:] == [
        "| main | train-cgan | 1500 of at most 6000 | 60000 | 3 | 2 | 100 | 0123456789 + changes |",
        "| main | generate-cgan |  |  | 1 | 0 | 20 | not recorded |",
        "| main | all of these |  |  | 4 | 2 | 120 |  |",
        "| second | train-slides | 600 | 2000 | 2 | 1 | 50 | not recorded |",
        "| second | all of these |  |  | 2 | 1 | 50 |  |",
    ]


def test_the_page_says_which_weights_its_figures_are_of(found: Found) -> None:
    page = "\n".join(science_page(found, FOLDER))
    assert page.rstrip().endswith(f"SHA-256): cGAN `{'ab' * 6}`, the judge `{'cd' * 6}`.")

    unknown = replace(found, judge="", judged={"todgan": found.judged["todgan"]})
    assert "SHA-256" not in "\n".join(science_page(unknown, FOLDER))


def test_a_terminal_is_shown_what_has_a_target_or_a_paper_only(found: Found) -> None:
    tables = [block for block in for_people(found) if isinstance(block, Table)]

    assert [table.columns[0] for table in tables] == ["judge", "figure", "figure", "part"]
    assert [row[0] for row in tables[1].rows] == ["score, KS", "late, KS to held-out gammas"]
    assert "white noise" in tables[2].expendable


def test_without_a_judge_of_images_the_page_is_of_tods(found: Found, tmp_path: Path) -> None:
    picture = tmp_path / "spectra.png"
    picture.write_bytes(b"a picture")
    one = found.judged["todgan"]
    judged = {"todgan": Judged(model=one.model, figures=one.figures, kept_from=1, pictures={"spectra": picture})}
    early = Found(budget=found.budget, models=MODELS, judged=judged, classifier=None, steps=found.steps, ran={})

    write_pages(early, tmp_path / "science.md")

    page = (tmp_path / "science.md").read_text()
    assert "Its training: **not reached: not run" in page
    assert "Generated images" not in page
    assert "![TOD GAN: spectra](images/science/todgan-spectra.png)" in (tmp_path / "science-tods.md").read_text()
    assert (tmp_path / "images" / "science" / "todgan-spectra.png").read_bytes() == b"a picture"


def test_a_figure_that_only_one_model_has_leaves_the_others_cells_empty() -> None:
    table = comparison(
        {"a": [Figure(name="both", value=1.0)], "b": [Figure(name="both", value=2.0), Figure(name="own", value=3.0)]}
    )

    assert list(table.rows) == [("both", "1.000", "2.000", "", ""), ("own", "", "3.000", "", "")]


def test_numbers_with_nothing_in_three_places_are_shown_by_their_power() -> None:
    assert [number(value) for value in (None, 0.0, 0.0004, 5.8e-7, 0.0005, 1)] == [
        "none",
        "0.000",
        "4.0e-04",
        "5.8e-07",
        "0.001",
        "1.000",
    ]


def test_a_target_that_is_narrowly_missed_does_not_look_reached() -> None:
    shown = [
        Figure(name="share", value=value, target=0.01, reached=value <= 0.01).shown for value in (0.0098, 0.0102, 0.02)
    ]
    assert shown == ["0.010", "0.0102", "0.020"]


def test_a_verdict_counts_what_is_reached_missed_and_unknown() -> None:
    figures = [
        Figure(name="a", value=0.1, target=0.2, reached=True),
        Figure(name="b", value=0.3, target=0.2, reached=False),
        Figure(name="c", value=0.3, target=0.2),
        Figure(name="d", value=0.3, paper="0.2"),
        Figure(name="e", value=0.3),
    ]

    assert (
        verdict(figures)
        == "1 of 3 targets. Not reached: b (0.300). 1 without a verdict: too few of them were measured."
    )
    assert [figure.name for figure in aimed(figures)] == ["a", "b", "c", "d"]


def test_other_seeds_stand_in_a_table_of_their_own_once_there_are_some(found: Found) -> None:
    assert "## Other seeds" not in science_page(found, FOLDER)
    again = a_judged("cgan-seed-2", of_images(an_evaluation(0.04, reached=True)))
    page = science_page(replace(found, judged={**found.judged, "cgan-seed-2": again}), FOLDER)
    shown = page[page.index("## Other seeds") :]

    assert "- cGAN, seed 2: 2 of 2 targets. All are reached." in shown
    assert "| figure | cGAN | cGAN, seed 2 | target |" in shown
    assert "| score, KS | **0.160, not reached** | 0.040 | <= 0.05 |" in shown
    assert not [line for line in page[: page.index("## Other seeds")] if "seed 2" in line]


def test_pictures_are_kept_of_the_first_seed_only(found: Found, tmp_path: Path) -> None:
    picture = tmp_path / "one.png"
    picture.write_bytes(b"png")
    shown = {key: replace(one, pictures={"one": picture}) for key, one in found.judged.items()}
    again = replace(a_judged("cgan-seed-2", []), pictures={"one": picture})
    write_pages(replace(found, judged={**shown, "cgan-seed-2": again}, classifier=None), tmp_path / "science.md")

    assert sorted(path.name for path in (tmp_path / "images" / "science").iterdir()) == sorted(
        f"{key}-one.png" for key in shown
    )


@pytest.mark.parametrize(
    ("cnn", "said"),
    [
        (
            {},
            "The CNN is at least as good as boosted Hillas parameters: its Q is larger by 0.00, which is within {}0.500 {}",
        ),
        (
            {"q": 3.0, "low": 2.8, "gamma_efficiency": 0.49},
            "**Not reached**: the CNN beside boosted Hillas parameters: its Q is larger by 0.70, which is more than {}0.490 {}",
        ),
        (
            {"q": 2.2},
            "**Not reached**: the CNN beside boosted Hillas parameters: its Q is smaller by 0.10, which is within {}0.500 {}",
        ),
    ],
    ids=["as good", "too few gammas", "worse"],
)
def test_the_judge_is_as_good_as_the_classical_one_only_if_it_keeps_enough_gammas(
    found: Found, cnn: dict[str, float], said: str
) -> None:
    assert found.classifier is not None
    summary, scores = found.classifier
    changed = {"quality": {**summary["quality"], "cnn": {**summary["quality"]["cnn"], **cnn}}}
    line = said.format("their intervals, and it keeps ", "of the gammas (at least 0.5 is asked for).")
    assert line in science_page(replace(found, classifier=(changed, scores)), FOLDER)
