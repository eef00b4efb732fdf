"""From the true last sample of speech to the first audio and the first lip-synced frame at the client."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from parley.bench.lips import Curve, lag_curve, loudness, peak, phone_opening
from parley.bench.questions import questions
from parley.bench.stats import summary
from parley.client import TalkClient, ask
from parley.media.clock import FRAME_SAMPLES, samples_to_ms


async def measure_latency(
    url: str,
    avatar: str,
    *,
    turns: int,
    key: str = "",
    human: bool = True,
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Holds a conversation of `turns` spoken questions in real time.

    Args:
        url: Gateway.
        avatar: Who answers.
        turns: How many questions.
        key: API key.
        human: Human recordings among the questions.
        progress: Told after each turn.

    Returns:
        `latency_ms`: summary by stage, from the true end of speech. `lips`: lag in frames between mouth and
        sound, and their correlation, per answer. `drift_ms`: |video length − audio length| per answer.
    """
    rows: list[dict[str, Any]] = []
    curves: dict[str, list[Curve]] = {"loudness": [], "phones": []}
    async with TalkClient.open(url, avatar, key=key) as client:
        for number, (question, audio) in enumerate(islice(questions(human=human), turns), 1):
            reply, row = await ask(client, audio)
            pictures = reply.pictures(client.session["avatar"]["video"])
            row["question"] = question
            for name, reference in (
                ("loudness", loudness(reply.pcm)),
                ("phones", phone_opening(reply.pcm, reply.text)),
            ):
                if reference is not None and (curve := lag_curve(pictures, reference)) is not None:
                    curves[name].append(curve)
            row["length_difference_ms"] = abs(
                samples_to_ms(len(reply.pcm) // 2 - (pictures[-1][0] + FRAME_SAMPLES if pictures else 0))
            )
            rows.append(row)
            ms = row["latency_ms"]
            progress(f"{number}/{turns} {ms['first_audio']:.0f} ms  {question!r} → {row['transcript']!r}")
        underruns = client.player.underruns
    stages = sorted({s for r in rows for s in r["latency_ms"]})
    return {
        "turns": len(rows),
        "latency_ms": {
            s: summary([r["latency_ms"][s] for r in rows if s in r["latency_ms"]]) for s in stages
        },
        "lips": {name: lips(found) for name, found in curves.items()},
        "drift_ms": summary([r["length_difference_ms"] for r in rows]),
        "frames_missing": sum(round(r["audio_ms"] / 40) - r["frames"] for r in rows),
        "underruns": underruns,
        "rows": rows,
    }


def lips(curves: list[Curve]) -> dict[str, Any]:
    """Lag and correlation per answer, and over all answers taken together (one answer is a noisy measure)."""
    if not curves:
        return {}
    lag, correlation = peak(np.mean(curves, axis=0))
    peaks = [peak(curve) for curve in curves]
    return {
        "all_lag_frames": round(lag, 2),
        "all_correlation": round(correlation, 3),
        "lag_frames": summary([lag for lag, _ in peaks], digits=2),
        "correlation": summary([correlation for _, correlation in peaks], digits=3),
    }
