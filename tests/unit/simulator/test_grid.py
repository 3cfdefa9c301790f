import tomllib

import pytest

from idleq.simulator.errors import BadSweep
from idleq.simulator.grid import places_of

KEYS = ("trace", "cost", "grace", "seed", "costs")


def points(text: str) -> list[dict[str, object]]:
    return [{"grid": place.grid, **place.point} for place in places_of(tomllib.loads(text), KEYS, ("wait",))]


def test_every_combination_is_run_and_the_first_key_changes_most_slowly() -> None:
    text = """
    seeds = 2
    [common]
    trace = "kth"
    [grid.first]
    cost = [1, 2]
    grace = [0, 30]
    [grid.second]
    seeds = [7]
    grace = 5
    """
    assert [tuple(point.values()) for point in points(text)] == [
        ("first", seed, "kth", cost, grace) for seed in (1, 2) for cost in (1, 2) for grace in (0, 30)
    ] + [("second", 7, "kth", 5)]


def test_a_text_takes_values_in_and_what_it_takes_may_have_any_name() -> None:
    text = '[grid.a]\nnodes = [64, 128]\ntrace = "synthetic:nodes={nodes},seed={seed}"\n'
    assert [point["trace"] for point in points(text)] == ["synthetic:nodes=64,seed=1", "synthetic:nodes=128,seed=1"]
    assert all("nodes" not in point for point in points(text))


def test_a_table_is_a_value() -> None:
    assert points("[grid.a]\ncosts = {freeze = 5}\n") == [{"grid": "a", "seed": 1, "costs": {"freeze": 5}}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no grid"),
        ("grid = 3", "grid is a table"),
        ("[grids.a]\ncost = 1", "[grid.NAME]; did you mean 'grid'?"),
        ("[grid.a]\ntrase = 1", "names that a text has in braces; did you mean 'trace'?"),
        ("[grid]\ncost = 1", "cost is a table"),
        ("[grid.a]\nprice = 1", "grid a: there is no 'price'"),
        ("[common]\nprice = 1\n[grid.a]\ncost = 1", "grid a: there is no 'price'"),
        ("[grid.a]\ncost = []", "cost has no value"),
        ("[grid.a]\ncost = [1, 1]", "cost has a value twice"),
        ("seeds = 0\n[grid.a]\ncost = 1", "seeds is how many there are"),
        ("seeds = []\n[grid.a]\ncost = 1", "seeds is how many there are"),
        ("seeds = [1, 1]\n[grid.a]\ncost = 1", "seeds has a value twice"),
        ("[grid.a]\nseed = 1", "seed is given by seeds"),
        ('[grid.a]\ntrace = "{nodes}"', "there is no nodes"),
        ('[grid.a]\ntrace = "{"', "'{': "),
        ('[grid.a]\nwait = 1\ntrace = "{wait}"', "'wait' is the name of a result"),
        ("[grid.a]\ncost = 2020-01-01", "cost has a date or a time of day"),
        ("[grid.a]\ncost = [07:32:00]", "cost has a date or a time of day"),
        ("[grid.a]\ncosts = {freeze = [1979-05-27T07:32:00Z]}", "costs has a date or a time of day"),
        ('[grid.a]\nl = 0.5\ntrace = "load={l:q}"', "'load={l:q}' cannot be filled in: "),
        ('[grid.a]\nl = 0.5\ntrace = "load={l!z}"', "'load={l!z}' cannot be filled in: "),
        ('[grid.a]\nl = 0.5\nx = 1\ntrace = "load={l:{x}}"', "there are no braces within braces"),
        ('[grid.a]\nl = 0.5\ntrace = "{}{l}"', "a text has {}, and there is no "),
        ("seeds = 1000000\n[grid.a]\ncost = [1, 2]", "it asks for 2000000 runs"),
    ],
)
def test_what_a_sweep_cannot_be_is_told(text: str, said: str) -> None:
    with pytest.raises(BadSweep, match=r"^.*") as caught:
        points(text)
    assert said in str(caught.value)
