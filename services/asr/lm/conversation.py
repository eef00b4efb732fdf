"""pocketsphinx's model of English, adapted to conversation once and kept.

The adapted model is as large as the bundled one (27 MB), so the text is shipped instead:
`conversation.txt.gz`, written by `python -m training.asr.make_text`. Adapting takes five seconds, at the
first start or, in a container, when it is built: `python -m services.asr.lm.conversation`.
"""

import gzip
import hashlib
import logging
import os
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from parley.errors import ConfigError, EngineUnavailable, ParleyError
from services.asr.config import AsrSettings
from services.asr.lm.adapt import Strength, adapt
from services.asr.lm.trie import read, write

log = logging.getLogger(__name__)

TEXT: Final = Path(__file__).parent / "conversation.txt.gz"
STRENGTH: Final = Strength()
_FORMAT: Final = 1


def bundled() -> Path:
    """The model that comes with pocketsphinx.

    Raises:
        EngineUnavailable: pocketsphinx is not installed.
    """
    spec = find_spec("pocketsphinx")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "model" / "en-us" / "en-us.lm.bin"
        if path.is_file():
            return path
    raise EngineUnavailable(
        "The ears' engine `sphinx` needs pocketsphinx.", fix="pip install 'pocketsphinx>=5.1'"
    )


def conversational(folder: Path) -> Path:
    """The adapted model's file in `folder`; made there if it is not yet.

    Raises:
        EngineUnavailable: pocketsphinx is not installed.
        ConfigError: `folder` cannot be written.
    """
    source = bundled()
    text = TEXT.read_bytes()
    sign = hashlib.sha256(f"{_FORMAT} {version('pocketsphinx')} {STRENGTH}".encode() + text).hexdigest()[:16]
    path = folder / f"conversation-{sign}.lm.bin"
    if path.is_file():
        return path
    began = time.monotonic()
    adapted = adapt(read(source), gzip.decompress(text).decode().splitlines(), STRENGTH)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Another process may be making the same file.
        with tempfile.TemporaryDirectory(dir=folder) as work:
            write(adapted, Path(work) / path.name)
            os.replace(Path(work) / path.name, path)
    except OSError as error:
        raise ConfigError(
            f"The ears' language model cannot be kept in {folder}: {error.strerror}.",
            fix="Set PARLEY_ASR_CACHE_DIR to a folder that can be written.",
        ) from error
    log.info("language model adapted", extra={"path": str(path), "seconds": time.monotonic() - began})
    return path


def main() -> int:
    """Makes the model where the settings want it, and prints its path. Returns the exit status."""
    try:
        print(conversational(AsrSettings().cache_dir))
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
