"""Text becomes words that can be spoken."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.tts.text import normalize

SPEAKABLE = re.compile(r"(?:[A-Za-z][A-Za-z']*(?:[,.?!]? |[,.?!]?$))*")

TABLE = [
    ("Hello there, I'm Mira.", "Hello there, I'm Mira."),
    # numbers
    ("I have 3 cats and 1,204 dogs.", "I have three cats and one thousand two hundred and four dogs."),
    ("It is 3.14159 and -7", "It is three point one four one five nine and minus seven"),
    ("agent 007", "agent zero zero seven"),
    ("0.5", "zero point five"),
    ("the 1st, 2nd, 23rd and 101st", "the first, second, twenty third and one hundred and first"),
    ("1/2 cup, 3/4 and 2 1/2", "one half cup, three quarters and two and one half"),
    ("2/3 of it", "two thirds of it"),
    ("10-20 people", "ten to twenty people"),
    ("call 555-1234", "call five five five, one two three four"),
    ("version 1.2.3", "version one point two point three"),
    # years, dates, times
    ("in 1984", "in nineteen eighty four"),
    ("in 2005 or 2024", "in two thousand five or twenty twenty four"),
    ("3000 people", "three thousand people"),
    ("1939–1945", "nineteen thirty nine to nineteen forty five"),
    ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
    ("On 2024-05-17", "On May seventeenth, twenty twenty four"),
    ("5/17/2024", "May seventeenth, twenty twenty four"),
    ("May 17, 1984", "May seventeenth, nineteen eighty four"),
    ("3 June 2021", "third of June, twenty twenty one"),
    ("at 3:45 pm", "at three forty five P M"),
    ("at 12:00", "at twelve o'clock"),
    ("at 9:05", "at nine oh five"),
    ("10am", "ten Ay M"),
    # money, percent, units
    ("$5.50", "five dollars and fifty cents"),
    ("$1", "one dollar"),
    ("$0.99", "ninety nine cents"),
    ("€20 or 20€", "twenty euros or twenty euros"),
    ("$3 million and $1.2bn", "three million dollars and one point two billion dollars"),
    ("25%", "twenty five percent"),
    ("5 km/h", "five kilometers per hour"),
    ("1 kg, 2kg", "one kilogram, two kilograms"),
    ("25°C", "twenty five degrees Celsius"),
    ("16 kHz for 80 ms.", "sixteen kilohertz for eighty milliseconds."),
    # abbreviations
    ("Dr. Smith met Mrs. Jones.", "Doctor Smith met Missus Jones."),
    ("St. Paul lives on Main St.", "Saint Paul lives on Main Street"),
    ("e.g. this, i.e. that, etc.", "for example this, that is that, et cetera."),
    ("No. 5", "number five"),
    ("He is from the U.S.", "He is from the U S."),
    ("Mr Smith vs Dr Who", "Mister Smith versus Doctor Who"),
    # Roman numerals only where they count
    ("Henry VIII and World War II", "Henry the eighth and World War two"),
    ("Chapter IV", "Chapter four"),
    ("I am", "I am"),
    # acronyms and names
    ("NASA and the USA", "nasa and the U S Ay"),
    ("two GPUs", "two G P U's"),
    ("OpenAI's GPT-4", "Open Ay I's G P T four"),
    ("H264 and MP3", "H two sixty four and M P three"),
    ("STOP SHOUTING AT ME NOW", "stop shouting at me now"),
    # addresses
    ("see https://www.example.com/foo-bar.", "see example dot com slash foo dash bar."),
    ("mail me.you@site.org!", "mail me dot you at site dot org!"),
    ("open main.py", "open main dot py"),
    # symbols, mark-up, typography
    ("100 & 50 + 3", "one hundred and fifty plus three"),
    ("**bold** and `code`", "bold and code"),
    ("[a link](http://x.org/y)", "a link"),
    ("Café — “naïve” … yes?!", "Cafe, naive, yes?"),
    ("well-known", "well known"),
    ("his/her", "his or her"),
    ("你好", "Ni Hao"),
    ("good 🙂👍", "good"),
    # nothing to say
    ("", ""),
    ("🙂", ""),
    ("...", ""),
    (" \n\t", ""),
]


@pytest.mark.parametrize(("text", "spoken"), TABLE, ids=[text[:24] for text, _ in TABLE])
def test_written_out(text: str, spoken: str) -> None:
    assert normalize(text) == spoken


def test_known_words_are_left_alone() -> None:
    assert normalize("GPUs and OpenAI", known={"openai"}) == "G P U's and OpenAI"


def test_a_very_long_word_is_cut() -> None:
    assert max(map(len, normalize("ab" * 500).split())) <= 40


_TRICKY = (
    "e.g. i.e. 5 10 1/2 12:30 $5 m Dr. St. U.S. A a b. GPUs AI's I'm '90s 25% 3.14 1.2.3 x.y www.a.b/c "
    "a@b.co ( ) [ ] - -- … : ; No. VI Henry min. ft. 1984 05-06 +49 etc. ' \" s kg °C / # * \n"
).split(" ")
_TEXTS = (
    st.text(max_size=60)
    | st.lists(st.sampled_from(_TRICKY), max_size=12).map(" ".join)
    | st.text(alphabet="aAbB1250.,:/-$%'() °ms", max_size=30)
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_TEXTS)
@example('"); (system "rm -rf /") (quit) ')
@example("\x00\x1b[31m\u202egnp.exe")
def test_any_text_becomes_speakable_and_stays_as_it_is(text: str) -> None:
    spoken = normalize(text)
    assert SPEAKABLE.fullmatch(spoken)
    assert normalize(spoken) == spoken
    if any(character.isascii() and character.isalnum() for character in text):
        assert spoken
