# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A Whisper in PyTorch: a small new one or any of transformers', on windows of any length."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from parley.errors import EngineUnavailable
from training.asr.features import LONGEST_FRAMES, Features
from training.asr.tokens import IGNORED, Codec, Lesson

Model = Any  # transformers.WhisperForConditionalGeneration, whose package has no types

FILES: Final = ("config.json", "tokenizer.json", "preprocessor_config.json")
_LONGEST_TEXT: Final = 448


def new(tokenizer: Tokenizer, *, width: int, encoder: int, decoder: int, dropout: float) -> Model:
    """A Whisper with chance weights; heads are 64 wide, windows up to 30 s."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    codec = Codec(tokenizer, multilingual=False)
    end = codec.end
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=width // 64,
        decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_target_positions=_LONGEST_TEXT,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=codec.start,
        suppress_tokens=[],
        begin_suppress_tokens=[],
        dropout=dropout,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.suppress_tokens = []
    model.generation_config.begin_suppress_tokens = []
    model.generation_config.is_multilingual = False
    model.generation_config.no_timestamps_token_id = codec.no_timestamps
    model.generation_config.alignment_heads = [[decoder - 1, head] for head in range(width // 64)]
    return model


def save(model: Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes a folder that transformers, CTranslate2's converter and `load` read."""
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    model.save_pretrained(folder)
    end = "<|endoftext|>"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, pad_token=end
    ).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins).save_pretrained(folder)


def load(source: str, language: str = "en") -> tuple[Model, Tokenizer, Codec]:
    """A Whisper from a folder or the hub, its tokenizer and codec.

    Raises:
        EngineUnavailable: It is not there, or not whole; the message names what is missing and the command.
    """
    from transformers import WhisperForConditionalGeneration

    folder = Path(source)
    fetch = f"huggingface-cli download {source}" if not folder.is_absolute() else ""
    if folder.is_dir():
        missing = [name for name in FILES if not (folder / name).is_file()]
        missing += [] if any(folder.glob("*.safetensors")) else ["model.safetensors"]
        if missing:
            raise EngineUnavailable(
                f"{folder} has no {', '.join(missing)}.",
                fix=f"huggingface-cli download openai/whisper-small.en --local-dir {folder}",
            )
    try:
        model = WhisperForConditionalGeneration.from_pretrained(source)
        tokenizer = (
            Tokenizer.from_file(str(folder / "tokenizer.json"))
            if folder.is_dir()
            else Tokenizer.from_pretrained(source)
        )
    except Exception as error:  # hub, safetensors and tokenizers each have exceptions of their own
        raise EngineUnavailable(
            f"The Whisper {source} cannot be loaded: {str(error).splitlines()[0]}",
            fix=f"{fetch or 'Fetch its files again'}, or name a folder that holds it.",
        ) from error
    multilingual = bool(getattr(model.generation_config, "is_multilingual", False))
    return model, tokenizer, Codec(tokenizer, multilingual=multilingual, language=language)


def encode(model: Model, features: Tensor) -> Tensor:
    """The encoder on [batch, mels, frames], frames even and up to 3 000: transformers' insists on 3 000.

    Returns:
        [batch, frames / 2, width].
    """
    encoder = model.get_encoder()
    hidden = F.gelu(encoder.conv2(F.gelu(encoder.conv1(features)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    hidden = F.dropout(hidden, p=encoder.dropout, training=encoder.training)
    for layer in encoder.layers:
        out = layer(hidden, attention_mask=None)
        hidden = out[0] if isinstance(out, tuple) else out
    return encoder.layer_norm(hidden)


def decode(model: Model, read: Tensor, encoded: Tensor) -> Tensor:
    """Logits [batch, length, vocabulary] after each token of `read` [batch, length]."""
    decoder = model.get_decoder()
    hidden = decoder(input_ids=read, encoder_hidden_states=encoded, use_cache=False).last_hidden_state
    return F.linear(hidden, decoder.embed_tokens.weight)


def window(features: Sequence[Features], *, full: bool, margin: int = 60) -> Tensor:
    """A batch padded as faster-whisper does it, with zeros: to 30 s, or to `margin` after the longest."""
    frames = LONGEST_FRAMES if full else min(max(f.shape[1] for f in features) + margin, LONGEST_FRAMES)
    frames += frames % 2
    batch = np.zeros((len(features), features[0].shape[0], frames), np.float32)
    for row, each in zip(batch, features, strict=True):
        row[:, : each.shape[1]] = each
    return torch.from_numpy(batch)


def teach(lessons: Sequence[Lesson], end: int) -> tuple[Tensor, Tensor]:
    """What the decoder reads and is asked for, each int64 [batch, longest]."""
    longest = max(len(lesson.read) for lesson in lessons)
    read: NDArray[np.int64] = np.full((len(lessons), longest), end)
    asked: NDArray[np.int64] = np.full((len(lessons), longest), IGNORED)
    for n, lesson in enumerate(lessons):
        read[n, : len(lesson.read)] = lesson.read
        asked[n, : len(lesson.asked)] = lesson.asked
    return torch.from_numpy(read), torch.from_numpy(asked)


@torch.no_grad()
def transcribe(
    model: Model, codec: Codec, features: Sequence[Features], *, full: bool, most: int = 120
) -> list[str]:
    """Greedy transcripts: the development measure. What is promoted is judged by the engine that serves."""
    device = next(model.parameters()).device
    encoded = encode(model, window(features, full=full).to(device))
    read = torch.tensor([codec.prompt] * len(features), device=device)
    done = torch.zeros(len(features), dtype=torch.bool, device=device)
    for _ in range(most):
        best = decode(model, read, encoded)[:, -1].argmax(-1)
        best[done] = codec.end
        done |= best == codec.end
        read = torch.cat([read, best[:, None]], 1)
        if bool(done.all()):
            break
    return [codec.text(row[len(codec.prompt) :]) for row in read.tolist()]
