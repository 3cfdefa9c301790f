"""What is typed to start the test cluster and to look around in it."""

from pathlib import Path

import pytest

from testbed.__main__ import parser_of_arguments


@pytest.mark.parametrize(
    "line",
    [
        "up --compute 5 --folder /f",
        "--compute 5 --folder /f up",
        "--compute 5 up --folder /f",
        "down --compute 5 --folder /f",
        "shell n1 --user=bob --compute 5 --folder /f",
        "run --compute 5 --folder /f n1 true --compute 7",
    ],
)
def test_which_cluster_is_meant_may_be_said_before_the_verb_and_after_it(line: str) -> None:
    wanted = parser_of_arguments().parse_args(line.split())
    assert (wanted.compute, wanted.folder) == (5, Path("/f"))


def test_a_cluster_has_three_compute_nodes_unless_more_are_asked_for() -> None:
    assert parser_of_arguments().parse_args(["up"]).compute == 3
