"""Ratings to pairs of a better and a worse answer, which `parley train llm` learns from (`lesson: prefer`):

    python -m gateway.memory.thumbs /var/lib/parley/memory.db data/llm/thumbs.jsonl

How pairs are formed, of all ratings of one question (its words, without case and punctuation) to one avatar:

1. An answer's standing is its thumbs up less its thumbs down, whoever gave them. Above nothing it was liked,
   below it was not; a draw says nothing.
2. Each answer that was not liked is the worse one of a pair. The better one is what a person said they would
   rather have heard, the newest such words if there are several; else the answer to the same question that
   was liked best.
3. An answer that was not liked and has no better one makes no pair; it is counted.

No line says who gave a thumb.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.memory.ratings import Rating, RatingStore
from parley.avatars import list_avatars
from parley.errors import ConfigError


def normal(text: str) -> str:
    """The words alone, in lower case."""
    return " ".join(re.findall(r"[^\W_]+", text.lower().replace("'", "").replace("’", "")))


def pairs(ratings: Iterable[Rating], titles: dict[str, str]) -> tuple[list[dict[str, Any]], int]:
    """Pairs, and how many answers were not liked and have no better one.

    Args:
        ratings: Oldest first.
        titles: What an avatar is called; ratings of others are left out.
    """
    asked: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        if rating.avatar in titles:
            asked[rating.avatar, normal(rating.question)].append(rating)
    found, without = [], 0
    for (avatar, question), rated in asked.items():
        worse = [answer for answer, standing in standings(rated).items() if standing < 0]
        for answer in worse:
            better = _better(answer, rated)
            if not better:
                without += 1
                continue
            row = {"source": f"{avatar}/{question}", "avatar": avatar, "title": titles[avatar]}
            found.append(row | {"question": rated[-1].question, "chosen": better, "rejected": answer})
    return found, without


def standings(rated: Sequence[Rating]) -> dict[str, int]:
    """Thumbs up less thumbs down, by answer."""
    found: dict[str, int] = defaultdict(int)
    for rating in rated:
        found[rating.answer] += 1 if rating.thumb == "up" else -1
    return found


def _better(answer: str, rated: Sequence[Rating]) -> str:
    """Rule 2; empty: there is none."""
    told = [rating.better for rating in rated if rating.answer == answer and rating.better]
    liked = [text for text, standing in sorted(standings(rated).items(), key=lambda s: s[1]) if standing > 0]
    candidates = [text for text in (*liked, *told) if normal(text) != normal(answer)]
    return candidates[-1] if candidates else ""


def main(
    memory: Annotated[Path, typer.Argument(help="The gateway's file (PARLEY_GATEWAY_MEMORY).")],
    out: Annotated[Path, typer.Argument(help="File to write, a pair a line.")],
    avatars_dir: Annotated[Path, typer.Option(help="Where the avatars are.")] = Path("avatars"),
) -> None:
    """Write the pairs of better and worse answers that people's thumbs make."""
    if not memory.is_file():
        raise typer.BadParameter(f"There is no file {memory}.", param_hint="memory")
    try:
        ratings = asyncio.run(RatingStore(memory).everybodys())
        titles = {avatar.name: avatar.title for avatar in list_avatars(avatars_dir)}
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    found, without = pairs(ratings, titles)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8")
    print(f"{len(ratings)} ratings: {len(found)} pairs in {out}; {without} answers lack a better one")


if __name__ == "__main__":
    typer.run(main)
