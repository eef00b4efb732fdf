"""An adapter swapped in a service that runs: what changes, how soon it speaks; nothing is restarted.

    python -m training.llm.export adapter data/runs/llm-brief/adapter data/llm/served/adapters/brief.npz
    python -m tests.load.swap --model data/llm/served --adapter brief --questions 24

Starts the llm service by itself with a copy of the avatars, and asks over gRPC the development questions of
one avatar four times: without an adapter, with it, with it once more, and without again. Between the rounds
nothing happens but that `mind.adapter` of the avatar's manifest is edited. Prints JSON; exits with 1 unless
the adapter changed replies, and taking it out gave the first ones back.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio
import yaml

from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import llm_pb2_grpc
from services.llm.evaluate import DEVELOPMENT, load_questions
from tests.load.llm import service


def choose(manifest: Path, adapter: str) -> None:
    """Edits the manifest as an operator would; empty: no adapter."""
    told = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    told["mind"] = {**told.get("mind", {}), "adapter": adapter}
    manifest.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")


async def ask(stub: Any, avatar: str, question: str) -> tuple[str, float]:
    """A reply, and milliseconds to its first clause."""
    history = [pb.Message(role=pb.ROLE_USER, text=question)]
    started, first, said = time.perf_counter(), 0.0, ""
    async for piece in stub.Generate(pb.Turn(avatar=avatar, history=history)):
        if piece.text and not first:
            first = (time.perf_counter() - started) * 1000
        said += piece.text
    return said, first


async def measure(model: Path, adapter: str, avatar: str, questions: int) -> dict[str, Any]:
    """Asks in four rounds; returns the report."""
    known = [q.text for q in load_questions(DEVELOPMENT) if q.avatar == avatar and not q.heard]
    asked = list(islice(cycle(known), questions))
    rounds: list[list[tuple[str, float]]] = []
    with TemporaryDirectory() as folder:
        avatars = Path(folder) / "avatars"
        shutil.copytree(REPOSITORY / "avatars" / avatar, avatars / avatar)
        env = {"PARLEY_LLM_TRANSFORMER": str(model), "PARLEY_AVATARS_DIR": str(avatars)}
        async with service("transformer", "", env) as address, grpc.aio.insecure_channel(address) as channel:
            stub = llm_pb2_grpc.LlmStub(channel)  # type: ignore[no-untyped-call]
            for chosen in ("", adapter, adapter, ""):
                choose(avatars / avatar / "avatar.yaml", chosen)
                rounds.append([await ask(stub, avatar, question) for question in asked])
    names = ("without", "with, at first", "with", "without again")
    return {
        "questions": len(asked),
        "rounds": {name: figures(said, rounds[0]) for name, said in zip(names, rounds, strict=True)},
    }


def figures(said: list[tuple[str, float]], first: list[tuple[str, float]]) -> dict[str, float]:
    """Of one round, beside the first one."""
    times = sorted(ms for _, ms in said)
    return {
        "first_clause_ms_median": round(statistics.median(times), 1),
        "first_clause_ms_p95": round(times[min(len(times) - 1, int(len(times) * 0.95))], 1),
        "first_reply_ms": round(said[0][1], 1),
        "words_a_reply": round(statistics.mean(len(text.split()) for text, _ in said), 1),
        "other_replies": sum(a != b for (a, _), (b, _) in zip(said, first, strict=True)),
    }


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description="Swaps an adapter in a running llm service.")
    parser.add_argument("--model", type=Path, default=Path("data/llm/served"), help="exported transformer")
    parser.add_argument("--adapter", default="brief", help="name of an .npz in its `adapters`")
    parser.add_argument("--avatar", default="mira")
    parser.add_argument("--questions", type=int, default=24)
    options = parser.parse_args()
    report = asyncio.run(measure(options.model.resolve(), options.adapter, options.avatar, options.questions))
    print(json.dumps(report, indent=2))
    rounds = report["rounds"]
    sys.exit(not (rounds["with"]["other_replies"] and not rounds["without again"]["other_replies"]))


if __name__ == "__main__":
    main()
