"""No job that can be a guest is without a test that freezes it as a real process, moves it, and compares every byte."""

import ast
from pathlib import Path

from idleq.workloads import cli

# Job -> the file here and the test in it.
MOVED = {
    "count": ("test_moves", "test_a_count_moved_any_number_of_times_gives_the_same_bytes"),
    "simulate-showers": ("test_moves", "test_a_simulation_of_showers_moved_gives_the_same_bytes"),
    "train-cgan": ("test_moves", "test_a_training_moved_any_number_of_times_gives_the_same_bytes"),
    "train-cvae": ("test_moves", "test_a_training_moved_any_number_of_times_gives_the_same_bytes"),
    "train-classifier": ("test_moves", "test_a_training_moved_any_number_of_times_gives_the_same_bytes"),
    "generate-cgan": ("test_moves", "test_a_generation_of_images_moved_twice_gives_the_same_bytes"),
    "generate-cvae": ("test_moves", "test_a_generation_of_images_moved_twice_gives_the_same_bytes"),
    "evaluate-images": ("test_moves", "test_a_judgement_of_images_moved_gives_the_same_bytes"),
    "simulate-tods": ("test_tod_moves", "test_a_simulation_moved_gives_the_same_bytes"),
    "train-todgan": ("test_tod_moves", "test_a_training_moved_any_number_of_times_gives_the_same_bytes"),
    "generate-todgan": ("test_tod_moves", "test_generating_and_judging_moved_gives_the_same_bytes"),
    "evaluate-tods": ("test_tod_moves", "test_generating_and_judging_moved_gives_the_same_bytes"),
}

# They make files for others, are nobody's guests, and are simply started again.
NO_GUESTS = {"make-data", "ingest"}


def moves(test: ast.FunctionDef) -> bool:
    """Whether *test* freezes anything: it moves a job itself, or has one run with instants to freeze it at."""
    return any(
        node.func.attr == "move" or (node.func.attr == "run" and ast.unparse(node.args[0]) != "[]")
        for node in ast.walk(test)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
    )


def test_every_job_has_a_test_that_moves_it() -> None:
    assert set(MOVED) == set(cli.JOBS) - NO_GUESTS
    for job, (file, name) in MOVED.items():
        module = ast.parse((Path(__file__).parent / f"{file}.py").read_text())
        tests = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        assert moves(tests[name]), f"{name} moves nothing"
        assert any(isinstance(node, ast.Constant) and node.value == job for node in ast.walk(module)), job
