"""`python -m tests.fuzz framing|events|schema --seconds 60`: fuzzing of all that reads bytes.

Ends with the first input that raises anything but the error that is promised, and prints it; without one it
ends after the time and prints how many inputs were tried (atheris).
"""

import argparse
import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["gateway.realtime", "parley.media.framing"]):
    from gateway.realtime.messages import EventError
    from gateway.realtime.parsing import decode_audio, parse
    from parley.errors import BadRequest
    from parley.media.framing import MediaMessage
    from tests.unit.gateway import test_gateway_events_properties as properties


def framing(data: bytes) -> None:
    """A binary message is understood exactly, or refused."""
    try:
        message = MediaMessage.unpack(data)
    except BadRequest:
        return
    assert message.pack() == data


def events(data: bytes) -> None:
    """A text message is an event, or refused with a code; sound in it is whole samples, or refused."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (lambda: parse(data), lambda: parse(text), lambda: decode_audio(text, param="audio")):
        try:
            read()
        except EventError as error:
            assert error.code and error.message


# The property tests' events, made of the schema's own fields, but steered by coverage.
SCHEMA = properties.test_events_of_known_fields.hypothesis.fuzz_one_input
TARGETS: dict[str, Callable[[bytes], object]] = {"framing": framing, "events": events, "schema": SCHEMA}


def main() -> None:
    """Fuzzes one target; the exit status is libFuzzer's."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="when to stop")
    options = parser.parse_args()
    limits = [f"-max_total_time={options.seconds}", "-timeout=5", "-max_len=4096", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *limits, "-artifact_prefix=artifacts/fuzz-"], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
