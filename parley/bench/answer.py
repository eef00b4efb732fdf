"""Is what comes back what it should be? Transcript, speech and lips of the answer to a recorded question."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from parley.bench.lips import lag_curve, loudness, peak, phone_opening
from parley.bench.stats import summary
from parley.client import TalkClient, ask
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.provenance.recording import write_answer
from parley.wer import plain_words, word_errors


async def measure_answer(
    url: str, avatar: str, recordings: dict[Path, str], *, out_dir: Path, key: str = ""
) -> dict[str, Any]:
    """Asks each recording in a conversation of its own and looks into the answer.

    Args:
        url: Gateway.
        avatar: Who answers.
        recordings: Audio files with what is said in them.
        out_dir: Where the answers go as videos.
        key: API key.

    Returns:
        A row per recording: `question_wer` and the missed words of the question; `answer_wer` between the
        reply's text and what the gateway's own ears make of the video's sound; `lips`: correlation and lag in
        frames against loudness and against phones.
    """
    rows = []
    for path, said in recordings.items():
        out = out_dir / f"answer-{path.stem}.mp4"
        async with TalkClient.open(url, avatar, key=key) as client:
            reply, row = await ask(client, read_audio(path, SAMPLE_RATE_HZ))
            pictures = reply.pictures(client.session["avatar"]["video"])
        write_answer(out, pictures, reply.pcm, avatar=avatar)
        heard = await transcribe(url, out.name, await asyncio.to_thread(out.read_bytes), key=key)
        references = {"loudness": loudness(reply.pcm), "phones": phone_opening(reply.pcm, reply.text)}
        row["lips"] = {
            name: dict(zip(("lag_frames", "correlation"), map(_rounded, peak(curve)), strict=True))
            for name, reference in references.items()
            if reference is not None and (curve := lag_curve(pictures, reference)) is not None
        }
        errors, words = word_errors(said, row["transcript"])
        row |= {
            "question": said,
            "question_wer": _rounded(errors / words),
            "question_missed": sorted(set(plain_words(said)) - set(plain_words(row["transcript"]))),
        }
        errors, words = word_errors(row["reply"], heard)
        row |= {"answer_heard": heard, "answer_wer": _rounded(errors / words), "video": str(out)}
        rows.append(row)
    return {
        "question_wer": summary([r["question_wer"] for r in rows], digits=3),
        "answer_wer": summary([r["answer_wer"] for r in rows], digits=3),
        "answers": rows,
    }


async def transcribe(url: str, name: str, file: bytes, *, key: str) -> str:
    """What the gateway's ears hear in a file."""
    async with httpx.AsyncClient(timeout=120) as http:
        response = await http.post(
            f"{url}/v1/audio/transcriptions",
            files={"file": (name, file)},
            data={"model": "whisper-1"},
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )
    response.raise_for_status()
    text: str = response.json()["text"]
    return text


def _rounded(value: float) -> float:
    return round(value, 3)
