import gzip
from pathlib import Path

import numpy as np
import pytest

from parley.errors import ConfigError
from services.asr.config import AsrSettings
from services.asr.engines.sphinx import SphinxEngine
from services.asr.lm import conversation
from services.asr.lm.adapt import Strength, adapt
from services.asr.lm.trie import TrigramModel, read, write
from services.asr.transcribe import transcribe
from tests.unit.services.asr.speech import EAR_HZ, recorded, room, spoken

WORDS = ["</s>", "<s>", "does", "hell", "how", "it", "work"]
SIZE = len(WORDS)


def index(*words: str) -> int:
    """The key of an n-gram."""
    key = 0
    for word in reversed(words):
        key = key * SIZE + WORDS.index(word)
    return key


def small_model() -> TrigramModel:
    """Knows "hell does" and "hell does it", and otherwise only single words."""
    prob1 = np.full(SIZE, 1 / (SIZE - 1))
    prob1[WORDS.index("<s>")] = 1e-99
    return TrigramModel(
        words=WORDS,
        prob1=np.log(prob1),
        bow1=np.where(np.array(WORDS) == "hell", np.log(0.5 / (1 - 1 / (SIZE - 1))), 0.0),
        keys2=np.array(sorted([index("hell", "does"), index("does", "it")])),
        prob2=np.log(np.full(2, 0.5)),
        bow2=np.zeros(2),
        keys3=np.array([index("hell", "does", "it")]),
        prob3=np.log(np.array([0.7])),
    )


def probability(model: TrigramModel, word: str, *before: str) -> float:
    """P(word | before) as a back-off model gives it, with up to two words before."""
    if not before:
        return float(np.exp(model.prob1[WORDS.index(word)]))
    keys, prob = (model.keys2, model.prob2) if len(before) == 1 else (model.keys3, model.prob3)
    at = np.flatnonzero(keys == index(*before, word))
    if len(at):
        return float(np.exp(prob[at[0]]))
    bow = 0.0
    if len(before) == 1:
        bow = model.bow1[WORDS.index(before[0])]
    elif len(at := np.flatnonzero(model.keys2 == index(*before))):
        bow = model.bow2[at[0]]
    return float(np.exp(bow)) * probability(model, word, *before[1:])


def total(model: TrigramModel, *before: str) -> float:
    return sum(probability(model, word, *before) for word in WORDS)


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = small_model()
    write(model, tmp_path / "small.lm.bin")
    same = read(tmp_path / "small.lm.bin")
    assert same.words == model.words
    assert same.keys2.tolist() == model.keys2.tolist()
    assert same.keys3.tolist() == model.keys3.tolist()
    for name in ("prob1", "bow1", "prob2", "bow2", "prob3"):
        assert getattr(same, name) == pytest.approx(getattr(model, name), abs=1e-5)


def test_something_else_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\\data\\ ngram 1=2")
    with pytest.raises(ConfigError, match="not a trigram model"):
        read(tmp_path / "x")


def test_what_the_text_says_becomes_likelier() -> None:
    model = small_model()
    adapted = adapt(model, ["how does it work"] * 20)
    assert probability(adapted, "how", "<s>") > 1.3 * probability(model, "how", "<s>")
    assert probability(adapted, "it", "how", "does") > probability(adapted, "it", "does")
    assert probability(adapted, "how") > probability(model, "how")


def test_the_text_counts_by_how_much_it_says() -> None:
    adapted = adapt(small_model(), ["hell does"] * 3, Strength(share=0.6, base=5.0, per_type=1.0))
    # Three times of three, one kind of word after it: λ = 0.6·3 / (3 + 5 + 1) = 0.2.
    assert probability(adapted, "does", "hell") == pytest.approx(0.8 * 0.5 + 0.2)


def test_the_text_never_counts_for_more_than_its_share() -> None:
    model = small_model()
    adapted = adapt(model, ["hell how"] * 1_000, Strength(share=0.3))
    for word, before in (("does", ("hell",)), ("it", ("hell", "does")), ("work", ())):
        assert probability(adapted, word, *before) > 0.69 * probability(model, word, *before)


def test_probabilities_still_add_up_to_one() -> None:
    adapted = adapt(small_model(), ["how does it work", "hell does work", "it does"])
    assert total(adapted) == pytest.approx(1)
    for before in (("how",), ("hell",), ("does",), ("<s>", "how"), ("how", "does"), ("hell", "does")):
        assert total(adapted, *before) == pytest.approx(1), before


def test_a_history_that_the_text_does_not_have_keeps_its_words() -> None:
    model = small_model()
    adapted = adapt(model, ["how does it work"])
    assert probability(adapted, "does", "hell") == pytest.approx(probability(model, "does", "hell"))


def test_an_unknown_word_ends_the_n_gram() -> None:
    model = small_model()
    adapted = adapt(model, ["how zyzzyva does"])
    assert adapted.words == model.words
    assert index("how", "does") not in adapted.keys2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lm")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return conversation.conversational(folder)


def test_the_adapted_model_is_made_once(model: Path, folder: Path) -> None:
    made = model.stat().st_mtime_ns
    assert conversation.conversational(folder) == model
    assert model.stat().st_mtime_ns == made
    assert [path.name for path in folder.iterdir()] == [model.name]


def test_another_text_makes_another_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress(b"how does it work\n"))
    monkeypatch.setattr(conversation, "TEXT", text)
    monkeypatch.setattr(conversation, "read", lambda path: small_model())
    assert conversation.conversational(tmp_path).name != model.name


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(conversation, "read", lambda path: small_model())
    with pytest.raises(ConfigError, match="file/lm") as refused:
        conversation.conversational(tmp_path / "file" / "lm")
    assert "PARLEY_ASR_CACHE_DIR" in refused.value.fix


def test_the_settings_choose_a_folder(folder: Path) -> None:
    assert AsrSettings(cache_dir=folder).cache_dir == folder


def test_a_question_is_heard_better(model: Path, tmp_path: Path) -> None:
    said = "how does this program work"
    audio = np.concatenate([room(300), spoken(said, tmp_path), room(300)])
    assert transcribe(SphinxEngine(), audio, EAR_HZ).text != said
    assert transcribe(SphinxEngine(language_model=model), audio, EAR_HZ).text == said


def test_people_are_heard_as_before(model: Path) -> None:
    engine = SphinxEngine(language_model=model)
    for name, said in (
        ("goforward", "go forward ten meters"),
        ("something", "go somewhere and do something"),
    ):
        assert transcribe(engine, recorded(name), EAR_HZ).text == said


def test_words_of_the_persona_are_still_added(model: Path, tmp_path: Path) -> None:
    audio = np.concatenate([room(300), spoken("tell me about viseme please", tmp_path), room(300)])
    heard = transcribe(SphinxEngine(language_model=model), audio, EAR_HZ, lexicon={"Viseme": "V IH1 Z IY0 M"})
    assert "viseme" in heard.text.split()
