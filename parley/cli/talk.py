"""`parley talk`: a recording goes through the public websocket in real time, a playable video comes back."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from parley.client import TalkClient, ask
from parley.errors import MediaError
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.provenance.recording import write_answer

DEFAULT_QUESTION = Path(
    "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0930.wav"
)

STAGES = {
    "endpoint": "pause heard as the end of the turn",
    "asr_final": "final transcript",
    "llm_first_clause": "first clause of the answer",
    "tts_first_audio": "first speech",
    "sda_first_frame": "first frame of the face",
    "first_audio": "first audio at the client",
    "first_video": "first lip-synced frame at the client",
}


async def talk_once(question: Path, out: Path, *, avatar: str, url: str, key: str = "") -> dict[str, Any]:
    """Asks one recording and writes the answer as a video (H.264 + AAC).

    Raises:
        MediaError: The recording cannot be read, or the folder of `out` cannot be made.
        ServiceUnavailable: No gateway answers at `url`, or it refuses.
    """
    audio = read_audio(question, SAMPLE_RATE_HZ)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{out} cannot be written: {error}") from error
    async with TalkClient.open(url, avatar, key=key, video="h264") as client:
        reply, result = await ask(client, audio)
        face = client.session["avatar"]
    engines = face.get("engines", {})
    write_answer(out, reply.pictures("h264"), reply.pcm, avatar=avatar, engines=engines)
    return {
        "avatar": avatar,
        "engines": engines,
        "question": str(question),
        "answer": str(out),
        **result,
        "underruns": client.player.underruns,
    }


def print_talk(result: dict[str, Any], console: Console) -> None:
    """The transcript, the reply and a latency table, for people."""
    console.print(f"You:    {result['transcript']}", markup=False, highlight=False)
    console.print(f"{result['avatar'].title()}:   {result['reply']}", markup=False, highlight=False)
    table = Table("milliseconds from the end of your speech to", "ms", title=None)
    for stage, words in STAGES.items():
        if stage in result["latency_ms"]:
            table.add_row(words, f"{result['latency_ms'][stage]:.0f}")
    console.print(table)
    console.print(f"Wrote {result['answer']} ({result['audio_ms'] / 1000:.1f} s, {result['frames']} frames).")
