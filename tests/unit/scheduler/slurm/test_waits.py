from support.waits import NEVER, Accounted, over, read_accounted, waits_for_guests


def at(job: str, eligible: int, start: int, end: int, nodes: str) -> Accounted:
    (one,) = read_accounted(f"{job}|{eligible}|{start}|{end}|{nodes}")
    return one


def test_what_has_not_begun_is_left_out_and_what_runs_has_no_end() -> None:
    said = "7|100|110|Unknown|n[1-2]\n8|100|Unknown|Unknown|None assigned"

    assert [(job.job, job.end, sorted(job.nodes)) for job in read_accounted(said)] == [("7", NEVER, ["n1", "n2"])]


def test_what_was_cancelled_before_it_began_is_over_too() -> None:
    said = "7|100|110|Unknown|n[1-2]\n8|100|None|120|None assigned\n9|100|110|130|n1"

    assert list(over(said)) == ["8", "9"]


def test_a_main_job_waited_where_guests_were_when_it_became_eligible() -> None:
    guests = [at("1", 0, 0, 120, "n1"), at("2", 0, 0, 90, "n2"), at("3", 0, 105, 200, "n3")]
    main_jobs = [at("10", 100, 121, 130, "n1"), at("11", 100, 121, 130, "n2"), at("12", 100, 121, 130, "n3")]

    assert waits_for_guests(main_jobs, guests) == {"10": 21}


def test_while_other_main_jobs_begin_or_end_it_may_have_waited_for_them() -> None:
    guests = [at("1", 0, 0, 120, "n1")]

    assert waits_for_guests([at("10", 100, 121, 130, "n1"), at("11", 90, 104, 115, "n2")], guests) == {"10": 6}
    assert waits_for_guests([at("10", 100, 121, 130, "n1"), at("11", 90, 104, 300, "n2")], guests) == {"10": 17}
    both = [at("10", 100, 121, 130, "n1"), at("11", 90, 121, 130, "n[1-2]")]
    assert waits_for_guests(both, guests) == {"10": 21, "11": 31}
