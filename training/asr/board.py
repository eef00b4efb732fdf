# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What a fine-tune shows in TensorBoard: loss, rate, development errors, and what was heard."""

from collections.abc import Sequence

from parley.media.clock import SAMPLE_RATE_HZ
from training.asr.clips import Clip
from training.asr.judge import Score
from training.board import RunBoard

_SHOWN = 8


class Board(RunBoard):
    """The run's events; a context manager."""

    def loss(self, step: int, loss: float, rate: float) -> None:
        """One step."""
        self._writer.add_scalar("train/loss", loss, step)
        self._writer.add_scalar("train/rate", rate, step)

    def development(self, step: int, found: Score, clips: Sequence[Clip], heard: Sequence[str]) -> None:
        """Errors on the development set, and its first clips with what was said and heard."""
        self._writer.add_scalar("dev/wer", found.wer, step)
        self._writer.add_scalar("dev/cer", found.cer, step)
        if found.lexicon is not None:
            self._writer.add_scalar("dev/lexicon", found.lexicon, step)
        lines = [f"{c.text} | {h}" for c, h in zip(clips[:_SHOWN], heard, strict=False)]
        self._writer.add_text("dev/said | heard", "\n\n".join(lines), step)
        if step == 0:
            for number, clip in enumerate(clips[:_SHOWN]):
                self._writer.add_audio(f"dev/{number}", clip.audio[None], 0, SAMPLE_RATE_HZ)
