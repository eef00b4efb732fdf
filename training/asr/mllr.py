"""Moves pocketsphinx's Gaussians towards a voice: maximum-likelihood linear regression of their means.

One affine map of all means, the same for every phone (Leggetter and Woodland 1995), estimated by Debian's
sphinxtrain from corrected clips. The decoder applies it when it loads its model; nothing else changes.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.errors import EngineUnavailable
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import write_wav
from services.asr.engines import SPHINX_TRANSFORM
from services.asr.g2p import pronounce
from training.asr.clips import Clip

_RATE_HZ: Final = 16_000
_TOOLS: Final = Path("/usr/lib/sphinxtrain")
_NEEDED: Final = ("sphinx_fe", "pocketsphinx_mdef_convert", "bw", "mllr_solve")
_LIMIT_S: Final = 300
_LOG_BASE: Final = 1.0001
_PAUSE_SAMPLES: Final = SAMPLE_RATE_HZ // 5
_BYTE_ORDER: Final = 0x11223344


def estimate(clips: Sequence[Clip], lexicon: Mapping[str, str], work: Path) -> Path:
    """The transform that makes `clips` likeliest, as `pocketsphinx.Decoder(mllr=…)` reads it.

    Args:
        clips: Corrected, of one voice; a minute of speech is enough.
        lexicon: Pronunciations (ARPAbet) of words that pocketsphinx's dictionary lacks.
        work: A folder for what is made on the way; the transform stays there.

    Raises:
        EngineUnavailable: A tool is not installed, or fails; the message holds its last words.
    """
    from pocketsphinx import get_model_path

    tools = _installed()
    model = Path(get_model_path("en-us/en-us"))
    shutil.rmtree(work, ignore_errors=True)
    (work / "sums").mkdir(parents=True)
    _write_clips(clips, lexicon, work)
    _write_weights(model / "sendump", work / "mixture_weights")
    _run(tools["pocketsphinx_mdef_convert"], "-text", model / "mdef", work / "mdef.txt")
    listed = ("-c", work / "ctl", "-di", work, "-do", work, "-ei", "wav", "-eo", "mfc", "-mswav", "yes")
    _run(tools["sphinx_fe"], "-argfile", model / "feat.params", "-samprate", _RATE_HZ, *listed)
    means = ("-meanfn", model / "means", "-varfn", model / "variances", "-moddeffn", work / "mdef.txt")
    _run(
        tools["bw"], *means, "-mixwfn", work / "mixture_weights", "-tmatfn", model / "transition_matrices",
        "-ts2cbfn", ".ptm.", "-feat", "1s_c_d_dd", "-svspec", "0-12/13-25/26-38", "-cmn", "batch",
        "-agc", "none", "-dictfn", work / "words.dic", "-fdictfn", model / "noisedict",
        "-ctlfn", work / "ctl", "-lsnfn", work / "said", "-cepdir", work, "-accumdir", work / "sums",
        "-mixwreest", "no", "-tmatreest", "no", "-timing", "no",
    )  # fmt: skip
    _run(tools["mllr_solve"], *means, "-accumdir", work / "sums", "-outmllrfn", work / SPHINX_TRANSFORM)
    return work / SPHINX_TRANSFORM


def _installed() -> dict[str, Path]:
    search = f"{_TOOLS}:/usr/bin"
    found = {name: shutil.which(name, path=search) for name in _NEEDED}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise EngineUnavailable(
            f"Adapting pocketsphinx to a voice needs {', '.join(missing)}.",
            fix="sudo apt-get install sphinxtrain sphinxbase-utils pocketsphinx",
        )
    return {name: Path(path) for name, path in found.items() if path is not None}


def _run(tool: Path, *arguments: object) -> None:
    done = subprocess.run(
        [str(tool), *map(str, arguments)], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode:
        raise EngineUnavailable(f"{tool.name} failed: {(done.stderr or done.stdout)[-400:]}")


def _write_clips(clips: Sequence[Clip], lexicon: Mapping[str, str], work: Path) -> None:
    """Sound, transcripts, and a dictionary of just their words."""
    from pocketsphinx import Decoder

    names, said = [], []
    for number, clip in enumerate(clips):
        name = f"clip{number:05}"
        audio = resample(np.pad(clip.audio, _PAUSE_SAMPLES), SAMPLE_RATE_HZ, _RATE_HZ)
        write_wav(work / f"{name}.wav", audio, _RATE_HZ)
        names.append(name)
        said.append(f"<s> {clip.text} </s> ({name})")
    dictionary = Decoder(lm=None, loglevel="FATAL")
    words = sorted({word for clip in clips for word in clip.text.split()})
    lines = [f"{w} {lexicon.get(w) or dictionary.lookup_word(w) or pronounce(w)}" for w in words]
    for file, rows in (("ctl", names), ("said", said), ("words.dic", lines)):
        (work / file).write_text("\n".join(rows) + "\n")


def _write_weights(sendump: Path, out: Path) -> None:
    """Mixture weights as sphinxtrain reads them, float32 [senones, streams, densities], from the decoder's.

    The decoder's file holds a byte for each: the negative logarithm to base 1.0001, shifted down by ten bits.
    """
    data, at = sendump.read_bytes(), 0

    def number() -> int:
        nonlocal at
        at += 4
        return int.from_bytes(data[at - 4 : at], "little")

    while length := number():
        at += length
    densities, senones = number(), number()
    logs: NDArray[np.uint8] = np.frombuffer(data[at:], np.uint8)
    streams = len(logs) // (densities * senones)
    weights = _LOG_BASE ** -(logs[: streams * densities * senones].astype(np.float64) * 1024)
    dense = weights.reshape(streams, densities, senones).transpose(2, 0, 1).astype("<f4")
    header = b"s3\nversion 1.0\nendhdr\n"
    sizes = np.array([_BYTE_ORDER, senones, streams, densities, dense.size], "<u4")
    out.write_bytes(header + sizes.tobytes() + np.ascontiguousarray(dense).tobytes())
