import gzip
from pathlib import Path

from training.asr import make_text

GRAMMAR = """# a comment
animal: owl | swift
name: the [animal]
opener: so
ending: please

sentences:
3 what does [name] eat
1 stop
"""


def test_templates_are_filled() -> None:
    drawn = list(make_text.sentences(*make_text.read_grammar(GRAMMAR)))
    assert len(drawn) == 4
    allowed = {f"what does the {animal} eat" for animal in ("owl", "swift")}
    plain = [text.removeprefix("so ").removesuffix(" please") for text in drawn]
    assert set(plain[:3]) <= allowed and plain[3] == "stop"


def test_the_same_sentences_are_drawn_each_time() -> None:
    grammar = make_text.read_grammar(GRAMMAR)
    assert list(make_text.sentences(*grammar)) == list(make_text.sentences(*grammar))
    other = list(make_text.sentences(*grammar, seed=1)) + list(make_text.sentences(*grammar, seed=2))
    assert len(other) == 8


def test_notes_give_questions_and_sentences(tmp_path: Path) -> None:
    (tmp_path / "mira" / "notes").mkdir(parents=True)
    (tmp_path / "mira" / "notes" / "owls.md").write_text(
        "# owls\n\n## hunting\nQ: how do owls hunt\nThey listen. They’re quiet!\nOr: By ear.\n"
    )
    (tmp_path / "grammar").write_text(GRAMMAR)
    lines = make_text.make(tmp_path, tmp_path / "grammar")
    assert lines[4:] == [
        "owls",
        "hunting",
        "how do owls hunt",
        "they listen",
        "they're quiet",
        "by ear",
    ]


def test_held_out_questions_are_left_out(tmp_path: Path) -> None:
    asked = " ".join(sorted(make_text.held_out())[0])
    (tmp_path / "grammar").write_text(f"opener: so\nending: please\n\nsentences:\n50 {asked}\n1 stop\n")
    lines = make_text.make(tmp_path, tmp_path / "grammar")
    assert asked not in lines and "stop" in lines[-1]


def test_the_shipped_text_holds_no_held_out_question() -> None:
    shipped = gzip.decompress(make_text.OUTPUT.read_bytes()).decode().splitlines()
    assert len(shipped) > 20_000
    assert not make_text.held_out() & {tuple(line.split()) for line in shipped}


def test_every_slot_of_the_grammar_has_a_name() -> None:
    names, templates = make_text.read_grammar(make_text.GRAMMAR.read_text())
    texts = [text for _, text in templates] + [text for choices in names.values() for text in choices]
    assert {slot for text in texts for slot in make_text._SLOT.findall(text)} <= names.keys()
