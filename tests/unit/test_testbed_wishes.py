"""Which tests of the real cluster are skipped where it cannot be had, and where none may be."""

import pytest

from testbed.session import why_skipped

ROOT = "needs the test cluster: run as root with IDLEQ_TESTBED=1"


@pytest.mark.parametrize(("wish", "is_root", "why"), [(None, True, ROOT), ("1", True, None), ("1", False, ROOT)])
def test_the_cluster_is_for_root_who_wishes_for_it(wish: str | None, *, is_root: bool, why: str | None) -> None:
    environment = {} if wish is None else {"IDLEQ_TESTBED": wish}
    assert why_skipped(environment, is_root=is_root) == why


def test_where_the_cluster_is_required_nobody_is_spared() -> None:
    assert why_skipped({"IDLEQ_TESTBED": "1", "IDLEQ_REQUIRE_TESTBED": "1"}, is_root=False) is None
