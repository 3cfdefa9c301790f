import json
from types import UnionType
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import CommandId, EntryId, Fence, JobId, NodeName
from idleq.scheduler import codec
from idleq.scheduler.core.commands import Command, Launch
from idleq.scheduler.core.facts import EntryReady, Fact, FreezeAsked, SegmentStarted
from idleq.scheduler.core.inputs import Input, JobHeld, NodeReport, Tick
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.sitefacts import NodesSeen
from idleq.scheduler.errors import BadMessage

FAMILIES = {"fact": Fact, "command": Command, "input": Input}
MEMBERS = [
    pytest.param(cls, family, id=f"{name}-{cls.__name__}")
    for name, family in FAMILIES.items()
    for cls in get_args(family)
]


@pytest.mark.parametrize(("cls", "family"), MEMBERS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_message_comes_back_as_it_was(cls: type, family: UnionType, data: st.DataObject) -> None:
    value = data.draw(st.from_type(cls))
    kind, payload = codec.encode(value)
    assert kind == cls.__name__
    assert codec.decode(kind, payload, family) == value
    assert type(codec.decode(kind, payload, family)) is cls
    assert codec.decode_plain(kind, json.loads(payload), family) == value
    assert codec.from_plain(codec.to_plain(value), cls) == value


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_no_two_members_of_a_family_share_a_kind(family: UnionType) -> None:
    assert len(codec.kinds(family)) == len(get_args(family))


@pytest.mark.parametrize(("cls", "family"), MEMBERS)
def test_a_field_without_default_that_is_missing_is_named(cls: type, family: UnionType) -> None:
    if required := [field.name for field in msgspec.structs.fields(cls) if field.required]:
        with pytest.raises(BadMessage, match=f"no {cls.__name__}: .*missing required field `{required[0]}`"):
            codec.decode(cls.__name__, b"{}", family)
    else:
        assert codec.decode(cls.__name__, b"{}", family) == cls()


def test_a_missing_field_deep_inside_is_named_with_its_place() -> None:
    payload = (
        b'{"job": "1", "fence": 1, "allocation": "a1", "node": "n", "thaw_from": null, "command": 1,'
        b' "plan": {"freeze_at": 1, "ends_at": 2}}'
    )
    with pytest.raises(BadMessage, match=r"no SegmentStarted: .*`save_every_ms` - at `\$.plan`"):
        codec.decode_fact("SegmentStarted", payload)


def test_what_a_newer_writer_adds_is_passed_over() -> None:
    assert codec.decode_fact("EntryReady", b'{"entry": 3, "colour": {"deep": [1]}}') == EntryReady(entry=EntryId(3))


def test_a_field_that_an_older_writer_did_not_know_takes_its_default() -> None:
    report = b'{"deltas": [{"name": "n1", "capacity": {"cores": 4, "memory": 8}, "free": {"cores": 1, "memory": 2}}], "gone": []}'
    expected = NodeReport(name=NodeName("n1"), capacity=Resources(4, 8, 0), free=Resources(1, 2, 0))
    assert codec.decode_fact("NodesSeen", report) == NodesSeen(deltas=(expected,), gone=())


def test_a_launch_that_an_older_writer_kept_prefers_no_way_of_freezing() -> None:
    launch = (
        b'{"id": 1, "allocation": "a1", "job": "1", "fence": 1, "thaw_from": null,'
        b' "plan": {"freeze_at": null, "ends_at": null, "save_every_ms": null},'
        b' "spec": {"name": "w", "argv": ["x"], "resources": {"cores": 1, "memory": 8}, "freeze": "auto"}}'
    )
    read = codec.decode("Launch", launch, Command)
    assert isinstance(read, Launch)
    assert (read.spec.freeze, read.prefers) == ("auto", None)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"entry": "3"}',
        b'{"entry": 3.5}',
        b'{"entry": true}',
        b'{"entry": 3} {}',
        b"\xff{}",
    ],
)
def test_what_is_not_the_message_is_refused_by_its_kind(payload: bytes) -> None:
    with pytest.raises(BadMessage, match="no EntryReady"):
        codec.decode_fact("EntryReady", payload)


def test_a_freeze_of_a_journal_from_before_there_were_moves_is_none() -> None:
    written = b'{"job":"1","fence":2,"reason":"look","hold":true,"command":3}'
    known = FreezeAsked(job=JobId("1"), fence=Fence(2), reason="look", hold=True, command=CommandId(3))
    assert codec.decode_fact("FreezeAsked", written) == known


def test_an_unknown_kind_is_refused_by_its_name() -> None:
    with pytest.raises(BadMessage, match="'Teleported' is not a kind of message"):
        codec.decode_input("Teleported", b"{}")


def test_a_command_is_no_fact() -> None:
    assert codec.decode_input("Tick", b"{}") == Tick()
    with pytest.raises(BadMessage, match="'Tick' is not a kind"):
        codec.decode_fact("Tick", b"{}")
    with pytest.raises(BadMessage, match="'SegmentStarted' is not a kind"):
        codec.decode_command(SegmentStarted.__name__, b"{}")


def test_plain_dataclasses_travel_as_json() -> None:
    assert codec.to_json(Resources(1, 2)) == b'{"cores":1,"memory":2,"gpus":0}'
    assert codec.from_json(b'{"cores":1,"memory":2}', Resources) == Resources(1, 2)
    with pytest.raises(BadMessage, match=r"no Resources: .*`memory`"):
        codec.from_json(b'{"cores":1}', Resources)
    with pytest.raises(BadMessage, match="no Resources: Expected `int`"):
        codec.from_plain({"cores": "1", "memory": 1}, Resources)


def test_what_is_no_text_is_refused_before_it_is_written() -> None:
    with pytest.raises(BadMessage, match="this JobHeld holds what is no text"):
        codec.encode(JobHeld(target=JobId("1"), reason="\ud800"))
