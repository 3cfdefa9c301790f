"""What somebody meant who has misspelt a name."""

from enum import StrEnum

from idleq.scheduler.nearest import did_you_mean, nearest


class Colour(StrEnum):
    #: One.
    RED = "red"
    #: Another.
    GREEN = "green"


def test_the_name_that_is_most_like_it_is_meant() -> None:
    assert nearest("gren", ["grey", "green", "red"]) == "green"
    assert did_you_mean("gren", Colour) == "; did you mean 'green'?"


def test_of_what_is_like_nothing_nothing_is_said() -> None:
    assert nearest("purple", Colour) is None
    assert did_you_mean(7, Colour) == did_you_mean("red", []) == ""
