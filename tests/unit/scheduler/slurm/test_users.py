from dataclasses import replace

import pytest

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.slurm.batch import SiteSettings, allocation_of, comment
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.questions import ask_token
from idleq.scheduler.slurm.users import RENEW_BEFORE_MS, AsUsers, UserTokens
from support.slurm import FakeSite, batch, job, token

SITE = SiteSettings(server="s1", user="idleq", secret=b"only the daemon knows it")
A1, A2 = AllocationId("a1"), AllocationId("a2")


def test_a_job_is_submitted_as_its_user_and_read_and_ended_as_the_daemon() -> None:
    own, users = FakeSite(), {"alice": FakeSite(), "bob": FakeSite()}
    site = AsUsers(own, users.__getitem__)
    site.submit(replace(batch("a1"), user="alice"))
    site.submit(replace(batch("a2"), user="bob"))
    site.cancel([1, 2])
    held = {name: [record.name for record in one.jobs.values()] for name, one in users.items()}
    assert held == {"alice": ["idleq-a1"], "bob": ["idleq-a2"]}
    assert (own.jobs, own.cancelled) == ({}, [1, 2])
    own.ended = {7: job(7, "COMPLETED", nodes="n1")}
    assert site.over_on([NodeName("n1")]) == [own.ended[7]]


def test_what_belongs_to_nobody_is_not_submitted_as_the_daemon() -> None:
    own = FakeSite()
    with pytest.raises(SlurmRefused, match="belongs to no user"):
        AsUsers(own, dict[str, FakeSite]().__getitem__).submit(batch("a1"))
    assert own.jobs == {}


def test_a_comment_holds_for_its_allocation_its_user_and_its_server_alone() -> None:
    sealed = comment(SITE, A1, "alice")
    assert allocation_of(job(1, comment=sealed, user_name="alice"), SITE) == A1
    assert allocation_of(job(1, comment=sealed, user_name="mallory"), SITE) is None, "copied from squeue"
    assert allocation_of(job(1, comment=sealed.replace("a1", "a2"), user_name="alice"), SITE) is None
    assert allocation_of(job(1, comment="idleq:s1:a1", user_name="alice"), SITE) is None
    assert allocation_of(job(1, comment="idleq:s1:a1", user_name="idleq"), SITE) is None
    assert allocation_of(job(1, comment=sealed, user_name="alice"), replace(SITE, server="s2")) is None
    assert allocation_of(job(1, comment=sealed, user_name="alice"), replace(SITE, secret=b"another")) is None
    assert allocation_of(job(1, comment=sealed, user_name="idleq"), replace(SITE, secret=b"")) is None


class Hand:
    """A clock that the test moves."""

    at = Millis(1_000_000)

    def now(self) -> Millis:
        return self.at


def test_each_user_has_a_token_of_their_own_which_is_made_anew_before_it_ends() -> None:
    clock, made = Hand(), list[str]()

    def make(user: str) -> str:
        made.append(user)
        return f"SLURM_JWT={token(clock.at + 600_000, user)}\n"

    tokens = UserTokens(make, clock)
    first = tokens.of("alice")
    assert [tokens.of("alice"), tokens.of("bob")] == [first, token(1_600_000, "bob")]
    clock.at = Millis(1_600_000 - RENEW_BEFORE_MS - 1)
    assert tokens.of("alice") == first
    clock.at = Millis(clock.at + 1)
    assert tokens.of("alice") != first
    assert made == ["alice", "bob", "alice"]


def test_only_a_token_for_somebody_else_names_the_user() -> None:
    assert ask_token(60) == ["scontrol", "token", "lifespan=60"]
    assert ask_token(60, "bob") == ["scontrol", "token", "username=bob", "lifespan=60"]
