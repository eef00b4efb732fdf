# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A fine-tune before and after: `python -m training.llm.evaluate training/configs/llm-avatars.yaml`.

Perplexity of the avatar's words in the corpus' test talks (of an avatar's notes: the held-out questions,
which nothing was tuned on), and how far greedy replies to them are from the subject's style, beside the
subject's own words that the classifier did not see. For thumbs (`lesson: prefer`) also the share of held-out
pairs whose better answer the model finds likelier than the worse one. Prints a table.

    python -m training.llm.evaluate training/configs/llm-brief.yaml --talks-of data/llm/avatars

asks for talks of another corpus: whether thumbs spoil what was learnt before.
"""

import random
import re
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from parley.errors import ConfigError
from training.llm import wordnet
from training.llm.batches import coded
from training.llm.config import load
from training.llm.examples import Example, open_corpus
from training.llm.models import ADAPTER, MODEL, load_model
from training.llm.style import Style
from training.llm.train import perplexity, preferred

REPLY_TOKENS = 48
OTHERS = 400


def answers(examples: list[Example]) -> list[str]:
    """What the subject says in talks, each once."""
    return list(dict.fromkeys(text for e in examples for role, text in e.messages if role == "assistant"))


def others(number: int) -> list[str]:
    """Sentences that nobody in particular says."""
    entries = wordnet.entries()
    chosen = random.Random(1).sample(list(entries), number)
    return [" ".join(s for s, _ in list(wordnet.facts(entries[key], entries))[:2]) for key in chosen]


@torch.no_grad()
def replies(model: Any, tokenizer: Any, examples: list[Example]) -> list[str]:
    """Greedy replies to the last question of each talk."""
    found = []
    for example in examples:
        messages = [{"role": role, "content": content} for role, content in example.messages[:-1]]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        made = model.generate(
            ids.to(model.device), attention_mask=torch.ones_like(ids), max_new_tokens=REPLY_TOKENS,
            do_sample=False, pad_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        found.append(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
    return found


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    talks: Annotated[int, typer.Option(help="Test talks that are replied to.")] = 30,
    talks_of: Annotated[Path | None, typer.Option(help="Another corpus, whose talks are used.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another run's folder than the file says.")] = None,
) -> None:
    """Print a fine-tune's figures before and after."""
    told, device = load(config), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if told.base is None:
        raise ConfigError(f"{config} is no fine-tune: it has no `base`.")
    torch.set_num_threads(told.threads)
    corpus = open_corpus(talks_of or told.data)
    test = corpus.read("test")
    if not test:
        raise ConfigError(f"{corpus.folder} has no test talks.", fix="Name a corpus that has: --talks-of.")
    thumbs = open_corpus(told.data).read("dev") if told.lesson == "prefer" else []
    own = [text for text in answers(corpus.read("train")) if len(re.findall(r"\w+", text)) > 3]
    random.Random(1).shuffle(own)
    kept = own[: max(1, len(own) // 10)]
    style = Style(own[len(kept) :][:OTHERS], others(OTHERS))
    asked = random.Random(1).sample(test, min(talks, len(test)))
    print("| | held-out perplexity | distance in style | words a reply | better of two |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| the subject's own words, unseen | | {style.distance(kept):.3f} | {_words(kept):.1f} | |")
    after = (out or told.out) / (ADAPTER if told.lora else MODEL)
    for name, source in (("before", told.base), ("after", str(after))):
        model, tokenizer = load_model(source, device)
        found = perplexity(model, [coded(e, tokenizer, told.length) for e in test], device)
        said = replies(model, tokenizer, asked)
        right = f"{preferred(model, tokenizer, thumbs, told.length, device):.3f}" if thumbs else ""
        print(
            f"| {name} | {found:.2f} | {style.distance(said):.3f} | {_words(said):.1f} | {right} |",
            flush=True,
        )


def _words(texts: list[str]) -> float:
    """Of a text, on average."""
    return sum(len(text.split()) for text in texts) / len(texts)


if __name__ == "__main__":
    typer.run(main)
