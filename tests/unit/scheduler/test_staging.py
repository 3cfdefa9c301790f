"""How inputs and outputs are written, and what is refused."""

import pytest

from idleq.scheduler.core.submission import Inputs
from idleq.scheduler.staging import belongs, check_inputs, check_patterns, check_sources, names_of, parse_pattern

COPY = Inputs(sources=("/home/ada/data.csv", "/home/ada/maps"), id="0" * 32, digest="f" * 64, bytes=7)


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("model.pt", {"model.pt"}),
        ("*.csv", {"a.csv", "b.csv"}),
        ("plots", {"plots", "plots/loss.png", "plots/old/loss.png"}),
        ("plots/*.png", {"plots/loss.png"}),
        ("*/old", {"plots/old/loss.png"}),
        ("[ab].csv", {"a.csv", "b.csv"}),
        ("Model.pt", set()),
        ("loss.png", set()),
    ],
)
def test_a_pattern_means_files_by_their_path_and_folders_with_all_that_is_in_them(
    pattern: str, taken: set[str]
) -> None:
    paths = ("model.pt", "a.csv", "b.csv", "plots", "plots/loss.png", "plots/old/loss.png")
    assert {path for path in paths if belongs(path, pattern)} == taken


@pytest.mark.parametrize(
    "text", ["", "/", "/etc/passwd", "../x", "a/../b", "./a", "a//b", ".", "..", "**", "a/**/b", "a\nb", "x" * 5000]
)
def test_what_leads_out_of_the_output_folder_is_no_pattern(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"it must be patterns|must be a path in the job's output folder|there is no '\*\*'"
    ):
        parse_pattern(text)


def test_a_folder_may_be_written_with_a_slash_at_its_end() -> None:
    assert parse_pattern("plots/") == "plots"
    with pytest.raises(ValueError, match="'plots/' is no pattern"):
        check_patterns(("plots/",))


def test_there_may_not_be_too_many_of_either() -> None:
    many = [f"{number}" for number in range(65)]
    with pytest.raises(ValueError, match="there are 65 patterns, and there may be 64"):
        check_patterns(many)
    with pytest.raises(ValueError, match="there are 65 inputs, and there may be 1 to 64; a folder can be one"):
        check_sources([f"/x/{name}" for name in many])


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (("data.csv",), "'data.csv' is no full path of a file or folder"),
        (("/",), "'/' is no full path of a file or folder"),
        (("/data/../etc",), "'/data/../etc' is no full path of a file or folder"),
        (("/a/x", "/b/x"), "/a/x and /b/x would both be called x in the job; rename one"),
        (("/a/progress.jsonl",), "/a/progress.jsonl: no input can be called progress.jsonl"),
        (("/a/\n",), "it must be paths of 1 to 4000 printable characters"),
        ((), "there are 0 inputs"),
    ],
)
def test_what_cannot_be_told_apart_or_leads_elsewhere_is_no_input(sources: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sources(sources)


def test_inputs_are_called_by_the_last_part_of_their_path() -> None:
    assert names_of(COPY.sources) == ("data.csv", "maps")
    check_inputs(COPY)


@pytest.mark.parametrize(
    "inputs",
    [
        Inputs(sources=COPY.sources),
        Inputs(sources=COPY.sources, id="../../../etc", digest=COPY.digest),
        Inputs(sources=COPY.sources, id="0" * 31 + "/", digest=COPY.digest),
        Inputs(sources=COPY.sources, id=COPY.id, digest="f" * 63),
        Inputs(sources=COPY.sources, id=COPY.id, digest=COPY.digest, bytes=-1),
    ],
)
def test_inputs_that_no_node_could_find_are_refused(inputs: Inputs) -> None:
    with pytest.raises(ValueError, match="inputs have no copy that a node could find"):
        check_inputs(inputs)
