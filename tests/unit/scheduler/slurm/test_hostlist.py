import pytest

from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.hostlist import expand


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", ()),
        ("login", ("login",)),
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n[1-2,7],login", ("n1", "n2", "n7", "login")),
        ("n[08-11]", ("n08", "n09", "n10", "n11")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("rack[1-2]-gpu", ("rack1-gpu", "rack2-gpu")),
    ],
)
def test_a_list_names_its_nodes_in_order(text: str, nodes: tuple[str, ...]) -> None:
    assert expand(text) == nodes


@pytest.mark.parametrize("text", ["n[1-3", "n1]", "n[]", "n[a-b]", "n1,,n2", "n[1-]", ",n1", "n[1-99999999999999999]"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(SlurmUnreadable):
        expand(text)


def test_a_list_that_would_eat_all_memory_is_refused_before_it_does() -> None:
    with pytest.raises(SlurmUnreadable, match="more than 1000000 nodes"):
        expand("n[1-99999][1-99999]")
