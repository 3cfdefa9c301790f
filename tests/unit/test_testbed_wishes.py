"""Which tests of the real cluster are skipped where it cannot be had, and where none may be."""

import pytest

from testbed.session import why_skipped

ROOT, LONG = (
    "needs the test cluster: run as root with IDLEQ_TESTBED=1",
    "waits for minutes on the test cluster: run as root with IDLEQ_TESTBED=long",
)


@pytest.mark.parametrize(
    ("wish", "is_root", "is_long", "why"),
    [
        (None, True, False, ROOT),
        ("1", True, False, None),
        ("1", False, False, ROOT),
        ("1", True, True, LONG),
        ("long", True, False, None),
        ("long", True, True, None),
        ("long", False, True, ROOT),
    ],
)
def test_the_cluster_is_for_root_who_wishes_for_it_and_long_waits_for_whoever_wishes_for_those(
    wish: str | None, *, is_root: bool, is_long: bool, why: str | None
) -> None:
    environment = {} if wish is None else {"IDLEQ_TESTBED": wish}
    assert why_skipped(environment, is_root=is_root, is_long=is_long) == why


def test_where_the_cluster_is_required_nobody_is_spared() -> None:
    assert why_skipped({"IDLEQ_TESTBED": "1", "IDLEQ_REQUIRE_TESTBED": "1"}, is_root=False, is_long=False) is None
