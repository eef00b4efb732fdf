"""The process that makes one avatar: `python -m training.maker.work FOLDER`, in its job's part of the spool.

It writes its steps to standard output, a JSON object a line: {"step", "progress"}; an error is the last one,
{"code", "message", "fix"}, with exit status 3. What it makes lies in FOLDER/NAME, to be put into place.
"""

import json
import os
import sys
from pathlib import Path
from typing import TextIO

from parley import consent
from parley.errors import ParleyError
from parley.intake.limits import REFUSED
from parley.jobs.spool import PHOTO, SPEECH, TEXT, WANTED, Wanted

NICENESS = 10  # who talks meanwhile comes first


def make(folder: Path, told: TextIO) -> None:
    """Makes the avatar that the working folder asks for.

    Raises:
        ParleyError: What was sent cannot be used; the message says why.
    """
    from training.enrol import enrol

    def progress(step: str, done: float) -> None:
        print(json.dumps({"step": step, "progress": done}), file=told, flush=True)

    wanted = Wanted.model_validate_json(Path(WANTED).read_bytes())
    consent.save(folder / wanted.name, wanted.consent)
    enrol(
        wanted.name,
        folder,
        photo=Path(PHOTO),
        text=Path(TEXT),
        speech=Path(SPEECH) if wanted.speech else None,
        title=wanted.title,
        drawn=wanted.drawn,
        progress=progress,
    )


def main() -> int:
    """Makes it; 3: it was refused."""
    os.nice(NICENESS)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as told:
        os.dup2(2, 1)  # libraries chatter
        try:
            make(Path(sys.argv[1]), told)
        except ParleyError as error:
            print(
                json.dumps({"code": error.code, "message": error.message, "fix": error.fix}),
                file=told,
                flush=True,
            )
            return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
