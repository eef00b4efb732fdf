# mypy: disable-error-code="import-not-found, no-any-return"
"""A trained Whisper as faster-whisper serves it: CTranslate2, int8."""

import shutil
from pathlib import Path
from typing import Final

import orjson

from parley.errors import EngineUnavailable
from services.asr.engines.whisper_model import ABOUT
from training.ledger import Row

_COPIED: Final = ("tokenizer.json", "preprocessor_config.json")


def export(source: Path | str, target: Path, about: Row, *, quantization: str = "int8") -> None:
    """Converts a Whisper of transformers'.

    Args:
        source: Its folder, or a hub name.
        target: The new folder; one that is there is replaced once the new one is whole.
        about: What `parley.json` beside the weights says; `windows` tells the engine how it listens.
        quantization: As CTranslate2 names it.

    Raises:
        EngineUnavailable: The converter cannot read the model.
    """
    from ctranslate2.converters import TransformersConverter

    aside = target.with_name(f".{target.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        converter = TransformersConverter(str(source), copy_files=list(_COPIED))
        converter.convert(str(aside), quantization=quantization)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EngineUnavailable(
            f"CTranslate2 cannot convert {source}: {error}", fix="Is it a Whisper with tokenizer.json?"
        ) from error
    describe(aside, about)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)


def describe(folder: Path, about: Row) -> None:
    """Writes what is to be known of a model beside its weights."""
    (folder / ABOUT).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
