"""Lines of a corpus: talks to learn from, their files, and the hash that freezes them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.errors import ConfigError

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """A talk; every message of the assistant is learnt.

    Attributes:
        messages: Role and content, oldest first.
        source: What it was made from; one source is in one split.
        rejected: A worse last answer, for `lesson: prefer`; empty: none.
    """

    messages: tuple[tuple[str, str], ...]
    source: str
    rejected: str = ""

    def line(self) -> dict[str, Any]:
        """As it stands in the file."""
        told = {"source": self.source, "messages": [{"role": r, "content": c} for r, c in self.messages]}
        return told | ({"rejected": self.rejected} if self.rejected else {})


@dataclass(frozen=True, slots=True)
class Corpus:
    """A frozen corpus.

    Attributes:
        folder: Where it lies.
        manifest: Licences, counts and sums.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def read(self, split: str) -> list[Example]:
        """All examples of a split."""
        path = self.folder / f"{split}.jsonl"
        with path.open(encoding="utf-8") as lines:
            return [_example(json.loads(line)) for line in lines]


def freeze(folder: Path, splits: Mapping[str, Iterable[Example]], about: Mapping[str, Any]) -> Corpus:
    """Writes the splits and their manifest.

    Args:
        folder: Is created.
        splits: Examples by split.
        about: For the manifest: licences, settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, lines in splits.items():
        made = [json.dumps(each.line(), ensure_ascii=False) + "\n" for each in lines]
        data = "".join(made).encode()
        (folder / f"{name}.jsonl").write_bytes(data)
        files[f"{name}.jsonl"] = {"sha256": hashlib.sha256(data).hexdigest(), "examples": len(made)}
    manifest = {**about, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return Corpus(folder, manifest)


def open_corpus(folder: Path) -> Corpus:
    """Opens a corpus and checks that it is the one that was frozen.

    Raises:
        ConfigError: It is missing or was changed.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"There is no corpus in {folder}: {error}.",
            fix="Make it: `python -m training.llm.base` or `python -m training.llm.prepare`.",
        ) from error
    changed = [name for name, told in manifest["files"].items() if told["sha256"] != sums[name]]
    if changed:
        raise ConfigError(f"{folder}: {', '.join(changed)} changed since the corpus was frozen.")
    return Corpus(folder, manifest)


def split_of(source: str, dev: float, test: float) -> str:
    """The split that a source falls to: the same for ever."""
    chance = int.from_bytes(hashlib.sha256(f"split {source}".encode()).digest()[:8], "big") / 2**64
    return "test" if chance < test else "dev" if chance < test + dev else "train"


def by_split(examples: Iterable[Example], *, dev: float, test: float) -> dict[str, list[Example]]:
    """Sorts examples by their source's split."""
    found: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for example in examples:
        found[split_of(example.source, dev, test)].append(example)
    return found


def texts(examples: Iterable[Example]) -> Iterator[str]:
    """What is said in them."""
    for example in examples:
        for _, content in example.messages:
            yield content


def _example(line: Mapping[str, Any]) -> Example:
    messages = tuple((m["role"], m["content"]) for m in line["messages"])
    return Example(messages, line["source"], line.get("rejected", ""))
