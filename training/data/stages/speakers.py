"""Stage 3b, speakers: who speaks when, over all recordings at once, and which of them is the target.

Windows are clustered within each recording, then the recordings' clusters with each other, by average
linkage of cosines, so the number of speakers comes out. Every window then goes to its nearest speaker, with
a cost for changing; what lies between two speakers (people talking over each other) belongs to nobody.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from parley.errors import ConfigError
from parley.media.files import read_audio
from parley.settings import REPOSITORY
from training.data import encoders, speaker_encoder
from training.data.clustering import agglomerate, smooth
from training.data.stages.speech import filled, window_starts
from training.data.voices import Casting, Found, Piece, Voice
from training.data.workspace import Workspace, guarded
from training.ledger import Row

NAME = "speakers"
VERSION = 2
AFTER = ("speech",)
GATHER = True

Array = NDArray[np.float32]
_BLOCK = 1500
_PIECES, _PIECE_S = 3, 6.0


class Config(BaseModel):
    """Settings.

    Attributes:
        same: mean cosine above which two clusters are one speaker.
        sure: a window nearer than this to nobody is nobody's.
        margin: nor is one that is nearer to its speaker than to the next by less than this.
        change: cost of a change of speaker between windows, in cosine.
        edge_s: taken off a turn where another speaker follows without a pause.
        min_share: speakers with less of the speech than this are no speakers.
        reference: a clip of the target's voice; relative to the repository. What a person picked by ear at
            the review page wins over it.
        target: a speaker by label; wins over both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    same: float = 0.66
    sure: float = 0.68
    margin: float = 0.04
    change: float = 0.25
    edge_s: float = 0.2
    min_share: float = 0.01
    reference: str = ""
    target: str = ""


@dataclass(frozen=True)
class Voices:
    """One recording's windows: embeddings [n, size], starts and ends [n] in seconds."""

    embeddings: Array
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]


def context(root: Path, config: Config) -> Row:
    """The content of the reference clip, or of what a person picked, decides the result."""
    picked = Casting(root).picked_sha256()
    if picked:
        return {"picked_sha256": picked}
    if not config.reference:
        return {}
    path = REPOSITORY / config.reference
    if not path.is_file():
        raise ConfigError(f"The reference clip {path} does not exist.", fix="Correct speakers.reference.")
    return {"reference_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`. Rows of all recordings, also of those in which the target does not speak."""
    recordings = {row["id"]: row for row in item["speech"]}
    casting, picked = Casting(work.root), str(item.get("picked_sha256", ""))
    if not recordings:
        return []
    voices = {name: _load(work.path(row["voices"])) for name, row in recordings.items()}
    centroids = find_speakers(list(voices.values()), config)
    clip = casting.picked if picked else REPOSITORY / config.reference if config.reference else None
    target = choose(centroids, config.target, clip, next(iter(recordings.values()))["encoder"])
    rows = []
    for name, row in recordings.items():
        turns = assign(voices[name], centroids, config)
        rows.append(
            {
                **{key: row[key] for key in ("id", "title", "audio", "video", "scenes", "media_s", "speech")},
                "turns": [[round(a, 3), round(b, 3), "" if who < 0 else label(who)] for a, b, who in turns],
                "target": label(target),
                "speakers": len(centroids),
            }
        )
    found = Found(voices=heard(rows, len(centroids)), target=label(target), picked=picked)
    with guarded(work.root):
        casting.publish(found)
    return rows


def heard(rows: list[Row], speakers: int) -> list[Voice]:
    """Every voice with its longest turns, of different recordings if it has that many, for a person's ear."""
    voices = []
    for name in map(label, range(speakers)):
        own = sorted(
            ((a, b, row) for row in rows for a, b, who in row["turns"] if who == name),
            key=lambda turn: (turn[0] - turn[1], turn[2]["id"], turn[0]),
        )
        # The first of each recording, then the second of each, …
        seen: Counter[str] = Counter()
        ranked = []
        for a, b, row in own:
            ranked.append((seen[row["id"]], a, min(b, a + _PIECE_S), row))
            seen[row["id"]] += 1
        best = sorted(ranked, key=lambda each: each[0])[:_PIECES]
        pieces = [
            Piece(audio=row["audio"], title=row["title"], start_s=a, end_s=round(b, 3))
            for _, a, b, row in best
        ]
        seconds = round(sum(b - a for a, b, _ in own), 1)
        voices.append(Voice(label=name, seconds=seconds, recordings=len(seen), pieces=pieces))
    return voices


def label(speaker: int) -> str:
    """`A`, `B`, …, `Z`, `S26`, …: the speaker with most speech first."""
    return chr(ord("A") + speaker) if speaker < 26 else f"S{speaker}"


def find_speakers(recordings: list[Voices], config: Config) -> Array:
    """Speakers as unit vectors [speakers, size], the one with most speech first."""
    sums, counts = [], []
    for voices in recordings:
        for start in range(0, len(voices.embeddings), _BLOCK):
            part = voices.embeddings[start : start + _BLOCK]
            labels = agglomerate(part, np.ones(len(part)), config.same)
            for each in range(int(labels.max()) + 1):
                sums.append(part[labels == each].sum(0))
                counts.append(float((labels == each).sum()))
    every, weights = np.array(sums), np.array(counts)
    labels = agglomerate(every, weights, config.same)
    total = weights.sum()
    found = [
        every[labels == each].sum(0)
        for each in range(int(labels.max()) + 1)
        if weights[labels == each].sum() >= config.min_share * total
    ]
    speakers: Array = np.array([each / np.linalg.norm(each) for each in found], np.float32)
    return speakers


def assign(voices: Voices, speakers: Array, config: Config) -> list[tuple[float, float, int]]:
    """Turns (start, end, speaker) in seconds; speaker -1 where nobody is sure."""
    turns: list[tuple[float, float, int]] = []
    for segment in _segments(voices):
        similarity = voices.embeddings[segment] @ speakers.T
        chosen = smooth(similarity, config.change)
        own = similarity[np.arange(len(chosen)), chosen]
        others = similarity.copy()
        others[np.arange(len(chosen)), chosen] = -1
        doubtful = (own < config.sure) | (own - others.max(1) < config.margin)
        who = np.where(doubtful, -1, chosen)
        turns += _turns(voices.starts[segment], voices.ends[segment], who, config.edge_s)
    return turns


def _segments(voices: Voices) -> list[slice]:
    """Windows of one stretch of speech each: the next begins no earlier than the last ended."""
    begins = np.flatnonzero(voices.starts[1:] >= voices.ends[:-1] - 1e-3) + 1
    edges = [0, *begins.tolist(), len(voices.starts)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _turns(
    starts: NDArray[np.float64], ends: NDArray[np.float64], who: NDArray[np.intp], edge_s: float
) -> list[tuple[float, float, int]]:
    """Runs of one speaker; the border between two lies midway between their windows' centres."""
    centres = (starts + ends) / 2
    turns = []
    begin = float(starts[0])
    for index in range(len(who)):
        last = index + 1 == len(who)
        if not last and who[index + 1] == who[index]:
            continue
        border = float(ends[-1]) if last else float(centres[index] + centres[index + 1]) / 2
        first = begin == float(starts[0])
        a = begin if first else begin + edge_s
        b = border if last else border - edge_s
        if b > a:
            turns.append((a, b, int(who[index])))
        begin = border
    return turns


def choose(speakers: Array, target: str, clip: Path | None, encoder: str) -> int:
    """Which speaker is wanted: by label, else the one nearest to a clip, else the one that speaks most.

    Raises:
        ConfigError: nobody has that label.
    """
    labels = [label(each) for each in range(len(speakers))]
    if target:
        if target not in labels:
            raise ConfigError(f"There is no speaker {target!r}.", fix=f"Choose of {', '.join(labels)}.")
        return labels.index(target)
    if clip is None:
        return 0
    audio = read_audio(clip, speaker_encoder.RATE_HZ)
    offsets = window_starts(len(audio) / speaker_encoder.RATE_HZ, 0.4)
    mean = encoders.load(encoder).windows(filled(audio), offsets).mean(0)
    return int((speakers @ mean).argmax())


def _load(path: Path) -> Voices:
    with np.load(path) as stored:
        return Voices(
            stored["embeddings"].astype(np.float32),
            stored["starts"].astype(np.float64),
            stored["ends"].astype(np.float64),
        )
