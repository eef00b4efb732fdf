"""Writes golden.json: messages packed by parley/media/framing.py, which the page must read and write alike.

.venv/bin/python web/tests/golden.py
"""

import json
from pathlib import Path

from parley.media.framing import Flags, Kind, MediaMessage

MESSAGES = (
    MediaMessage(Kind.PCM16, 0, 1, 0, b"\x00\x01\xff\x7f"),
    MediaMessage(Kind.PCM16, 7, 3, 1920, b"", Flags.END_OF_REPLY),
    MediaMessage(Kind.OPUS, 1, 2, 960, b"opus"),
    MediaMessage(
        Kind.VIDEO, 4_000_000_000, 250, 2**40, bytes(range(16)), Flags.KEYFRAME | Flags.END_OF_REPLY
    ),
    MediaMessage(Kind.IDLE_LOOP, 0, 150, 149 * 960, b"\xff\xd8", Flags.CODEC_CONFIG),
)


def main() -> None:
    """Writes the file beside this script."""
    golden = [
        {
            "kind": int(m.kind),
            "flags": int(m.flags),
            "generation": m.generation,
            "seq": m.seq,
            "ptsSamples": m.pts_samples,
            "payload": m.payload.hex(),
            "packed": m.pack().hex(),
        }
        for m in MESSAGES
    ]
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
