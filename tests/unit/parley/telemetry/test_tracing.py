"""Traces: one turn is one trace, whoever works for it; without an address there are none."""

import pytest

from parley.telemetry import tracing
from proto.parley.v1 import chain_pb2 as pb
from tests.trace.picture import picture
from tests.trace.receiver import Receiver

TURN = pb.Trace(session="sess_1", generation=3, turn="resp_1")


def test_the_spans_of_two_processes_are_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv(tracing.ENDPOINT, receiver.url)
        with tracing.exporting("tts"), tracing.stage("tts", TURN, taken_over=False):
            tracing.event("first piece")
        with tracing.exporting("gateway"):
            tracing.turn(TURN, marks_ms={"endpoint": 450.0}, ago_s=2.0, status="heard")
    spans = {span.name: span for span in receiver.spans}
    root, hop, speaking = spans["turn"], spans["until endpoint"], spans["tts"]
    assert root.trace == hop.trace == speaking.trace
    assert root.parent == b""
    assert root.id == hop.parent == speaking.parent
    assert (hop.end_ns - hop.start_ns) // 1_000_000 == 450
    assert (root.end_ns - root.start_ns) // 1_000_000 == 2000
    assert [name for _, name in speaking.events] == ["first piece"]
    assert (root.service, speaking.service) == ("parley-gateway", "parley-tts")
    assert root.attributes["status"] == "heard"
    assert picture(receiver.spans, title="a turn").count("<rect") == 4


def test_without_an_address_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    with tracing.exporting("tts"), tracing.stage("tts", TURN):
        tracing.event("first piece")
        tracing.turn(TURN, marks_ms={}, ago_s=0, status="heard")
