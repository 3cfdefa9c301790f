"""What somebody meant who has misspelt a name."""

import difflib
from collections.abc import Iterable


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return which of the *known* names is most like *name*; None if none is."""
    return next(iter(difflib.get_close_matches(str(name), [str(one) for one in known], n=1)), None)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return the end of a message that says that *name* is none of *known*: the question, or nothing if none is like it."""
    found = nearest(name, known)
    return "" if found is None else f"; did you mean {found!r}?"
