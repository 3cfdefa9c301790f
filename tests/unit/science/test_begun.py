"""What is known of the jobs that were begun, and which of them are begun anew."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench.science import begun
from bench.science.begun import Begun, code, outdated, read, told, write
from bench.science.plan import BUDGETS, Step, steps
from bench.science.running import Place, put_aside


def a_step(name: str, options: Sequence[str], *after: str) -> Step:
    def with_results(results: Mapping[str, Path]) -> list[str]:
        return [*options, *(str(results[one] / "weights") for one in after)]

    return Step(name=name, workload="count", part="main", after=after, options=with_results)


PLANNED = [a_step("train", ["--steps", "3"]), a_step("generate", [], "train"), a_step("other", [])]


def begun_so(planned: Sequence[Step]) -> dict[str, Begun]:
    return {step.name: Begun(job=str(number), options=told(step)) for number, step in enumerate(planned, 1)}


def test_a_job_is_read_as_it_was_written_and_one_of_an_earlier_run_too(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    assert read(path) == {}
    kept = {"train": Begun(job="3", options=["--steps", "3"], code="0123456789")}
    write(path, kept)
    assert read(path) == kept

    path.write_text(json.dumps({"train-cgan": "3"}))
    assert read(path) == {"train-cgan": Begun(job="3", options=None, code="")}


def test_options_are_the_same_wherever_the_place_lies() -> None:
    assert told(PLANNED[1]) == ["results/train/weights"]
    assert not [word for step in steps(BUDGETS["hour"]) for word in told(step) if word.startswith("/")]


def test_what_was_told_the_same_or_nothing_known_is_up_to_date() -> None:
    known = begun_so(PLANNED)

    assert outdated(PLANNED, known) == []
    assert outdated(PLANNED, {}) == []
    assert outdated(PLANNED, {"train": Begun(job="1"), "generate": known["generate"]}) == []


def test_other_options_make_a_step_outdated_and_what_comes_after_it() -> None:
    changed = [a_step("train", ["--steps", "4"]), *PLANNED[1:]]

    assert outdated(changed, begun_so(PLANNED)) == ["generate", "train"]


def test_another_budget_makes_every_training_outdated() -> None:
    names = outdated(steps(BUDGETS["half"]), begun_so(steps(BUDGETS["hour"])))

    assert {step.name for step in steps(BUDGETS["half"]) if step.name.startswith("train-")} <= set(names)


def test_what_is_outdated_is_put_aside_and_forgotten(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write(place.jobs, begun_so(PLANNED))
    for step in PLANNED:
        place.result(step.name).mkdir(parents=True)
        (place.result(step.name) / "figure").write_text("1")
    assert put_aside(place, PLANNED) == []

    assert put_aside(place, [a_step("train", ["--steps", "4"]), *PLANNED[1:]]) == ["generate", "train"]

    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["other"]
    assert (place.earlier("train", "1") / "figure").read_text() == "1"
    assert list(read(place.jobs)) == ["other"]


def test_of_an_earlier_runs_record_nothing_is_put_aside_or_changed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.jobs.write_text('{"train": "3"}')
    place.result("train").mkdir(parents=True)

    assert put_aside(place, PLANNED) == []
    assert place.jobs.read_text() == '{"train": "3"}'
    assert place.result("train").is_dir()


def test_the_code_is_a_commit_with_changes_but_for_the_pages_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begun, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code() == ""

    def git(*arguments: str) -> None:
        told_who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *told_who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "docs").mkdir()
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    clean = code()
    assert len(clean) == 10
    (tmp_path / "docs" / "science.md").write_text("a page")
    assert code() == clean
    (tmp_path / "code.py").write_text("2")
    assert code() == f"{clean} + changes"
