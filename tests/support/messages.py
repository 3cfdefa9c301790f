"""Any fact, command or input at all, for property tests."""

from types import UnionType
from typing import Any, get_args

from hypothesis import strategies as st


def of_family(family: UnionType) -> st.SearchStrategy[Any]:
    """Draw a member of *family*: Fact, Command or Input."""
    return st.one_of([st.from_type(cls) for cls in get_args(family)])
