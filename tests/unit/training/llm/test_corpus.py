import json
import random
from pathlib import Path

import pytest

from parley.errors import ConfigError
from parley.settings import REPOSITORY
from services.llm.engines.transformer_prompt import ASK
from services.llm.notes.words import normal
from tests.unit.services.llm.model_server import embedder
from training.llm import questions
from training.llm.examples import Example, by_split, freeze, open_corpus, split_of
from training.llm.prepare import Sources, Talks, build
from training.llm.sources import Fresh, FromNotes, clean_up, forbidden, from_monologue, monologue, strangers

AVATARS = REPOSITORY / "avatars"


def asked(example: Example) -> list[str]:
    return [text.rpartition(ASK)[2] for role, text in example.messages if role == "user"]


@pytest.fixture(scope="module")
def talks() -> list[Example]:
    made = FromNotes(AVATARS, "mira", "Mira", embedder(), seed=3)
    return list(made.examples(per_question=2, per_sentence=1, strangers=strangers(60, 3)))


def test_no_evaluation_question_is_trained_on(talks: list[Example]) -> None:
    never = forbidden()
    assert len(never) > 400
    assert {"how do swifts sleep", "what is the longest river in africa", "how do i knit a sweater"} <= never
    assert not {question for example in talks for question in asked(example)} & never


def test_nor_one_in_nearly_the_same_words() -> None:
    fresh = Fresh({"how many moons go around jupiter"})
    assert not fresh("How many moons go around Jupiter?")
    assert not fresh("so how many moons go around jupiter")
    assert fresh("how big is jupiter") and not fresh("")


def test_notes_become_talks_that_are_answered_from_what_is_in_sight(talks: list[Example]) -> None:
    known = [example for example in talks if "/unknown/" not in example.source]
    assert len(known) > 400 and len(talks) - len(known) > 60
    for example in known:
        at = next(n for n, (role, text) in enumerate(example.messages) if role == "user" and ASK in text)
        first = example.messages[at + 1][1].split(". ")[0].removesuffix(".")
        assert first in example.messages[at][1], example
    admitted = [e.messages[-1][1] for e in talks if "/unknown/" in e.source]
    assert all("don't know" in text or "not in my notes" in text or "pass on" in text for text in admitted)
    assert not any("{" in text for example in talks for _, text in example.messages)


def test_questions_by_rule() -> None:
    made = list(
        questions.from_sentence("Sirius is the brightest star in the night sky.", "Sirius", random.Random(1))
    )
    assert "is sirius the brightest star in the night sky" in made
    assert "what is the brightest star in the night sky" in made
    assert "where is sirius" in made
    assert list(questions.from_sentence("Yes.", "x", random.Random(1))) == []
    assert "how many times" in " ".join(
        questions.from_sentence("They beat their wings fifty times a second.", "birds", random.Random(1))
    )


def test_corrected_transcripts_become_pairs_of_their_own_split(tmp_path: Path) -> None:
    rows = [
        {
            "source": f"talk{n % 9}",
            "start_s": n,
            "text": f"Um, the tower of town {n} was built by hand in May.",
        }
        for n in range(40)
    ]
    (tmp_path / "asr.train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = list(from_monologue(monologue(tmp_path), "Ann", 2, seed=1))
    assert len(made) == 80 and {example.messages[0] for example in made} == {("system", "Ann")}
    assert not any("Um" in example.messages[-1][1] for example in made)
    splits = by_split(made, dev=0.3, test=0.3)
    of = {name: {example.source for example in found} for name, found in splits.items()}
    assert all(of.values()) and not of["train"] & of["dev"] and not of["train"] & of["test"]
    with pytest.raises(ConfigError, match="parley data run"):
        monologue(tmp_path / "nothing")


def test_talks_become_pairs_of_interviewer_and_subject(tmp_path: Path) -> None:
    turns = [
        ("ann", "Let's begin."), ("host", "Where did you grow up?"), ("ann", "In the the north."),
        ("ann", "[laughs] By the sea."), ("host", "Was it cold?"), ("ann", "Always."),
    ]  # fmt: skip
    row = {"source": "radio", "turns": [{"speaker": who, "text": text} for who, text in turns]}
    (tmp_path / "talks.jsonl").write_text(json.dumps(row))
    told = Sources(
        out=tmp_path / "out", dev=0, test=0,
        dialogues=(Talks(path=tmp_path / "talks.jsonl", title="Ann", subject="ann", licence="by consent"),),
    )  # fmt: skip
    (example,) = build(told)["train"]
    assert example.messages == (
        ("system", "Ann"),
        ("user", "<|ask|>where did you grow up"),
        ("assistant", "In the north. By the sea."),
        ("user", "<|ask|>was it cold"),
        ("assistant", "Always."),
    )


def test_thumbs_keep_both_answers(tmp_path: Path) -> None:
    row = {"source": "a", "title": "Mira", "question": "what is tea", "chosen": "A plant.", "rejected": "No."}
    (tmp_path / "thumbs.jsonl").write_text(json.dumps(row) + "\nbroken")
    talks = Talks(path=tmp_path / "thumbs.jsonl", title="Mira", licence="by consent")
    with pytest.raises(ConfigError, match="line 2"):
        build(Sources(out=tmp_path, thumbs=(talks,)))
    (tmp_path / "thumbs.jsonl").write_text(json.dumps(row))
    (example,) = build(Sources(out=tmp_path, thumbs=(talks,), dev=0, test=0))["train"]
    assert (example.messages[-1][1], example.rejected) == ("A plant.", "No.")


def test_thumbs_of_the_gateway_find_their_notes_again_and_no_test_question_is_learnt(tmp_path: Path) -> None:
    avatar = tmp_path / "avatars" / "ann"
    (avatar / "notes").mkdir(parents=True)
    (avatar / "avatar.yaml").write_text(
        "title: Ann\ndescription: One line.\ngreeting: Hello.\nvoice: {engine: fake, voice: slt}\n"
    )
    (avatar / "notes" / "boats.md").write_text(
        "# boats\n\n## my boat\nQ: what is your boat called\nMy boat is called Whimbrel.\n"
    )
    row = {"source": "ann/q", "avatar": "ann", "title": "Ann", "chosen": "Whimbrel.", "rejected": "I sail."}
    rows = [{**row, "question": q} for q in ("What's your boat called?", next(iter(sorted(forbidden()))))]
    (tmp_path / "thumbs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    talks = Talks(path=tmp_path / "thumbs.jsonl", title="Ann", licence="by consent")
    told = Sources(out=tmp_path, avatars_dir=tmp_path / "avatars", thumbs=(talks,), dev=0, test=0)
    (example,) = build(told)["train"]
    question = example.messages[1][1]
    assert "my boat: My boat is called Whimbrel." in question and question.endswith(
        "<|ask|>what is your boat called"
    )


def test_a_corpus_is_frozen(tmp_path: Path) -> None:
    example = Example((("system", "A"), ("user", "<|ask|>b"), ("assistant", "c")), "s")
    freeze(tmp_path, {"train": [example], "dev": []}, {"licences": {}})
    assert open_corpus(tmp_path).read("train") == [example]
    (tmp_path / "train.jsonl").write_text("{}")
    with pytest.raises(ConfigError, match="changed"):
        open_corpus(tmp_path)
    with pytest.raises(ConfigError, match=r"training\.llm\.prepare"):
        open_corpus(tmp_path / "none")
    assert split_of("s", 0.1, 0.1) == split_of("s", 0.1, 0.1)


def test_spoken_words_are_cleaned() -> None:
    assert clean_up("Um, I I think (coughs) it's, uh, fine , really.") == "I think it's, fine, really."
    assert normal(clean_up("<|end|>")) == "end"
