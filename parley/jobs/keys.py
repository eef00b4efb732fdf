"""Names of the keys of jobs in Redis; see `parley.jobs.scripts`."""

from typing import Final

STREAM: Final = "making"
GROUP: Final = "maker"
MAKER: Final = "making:maker"
KEEP_S: Final = 3600  # a job of which there is no news for so long is forgotten
STATES_MAXLEN: Final = 200


def job_key(job_id: str) -> str:
    """The job's hash."""
    return f"job:{job_id}"


def states_key(job_id: str) -> str:
    """The job's states."""
    return f"job:{job_id}:states"


def control_key(job_id: str) -> str:
    """Where a session of the chain has its hints; a job has none."""
    return f"job:{job_id}:ctl"


def name_key(avatar: str) -> str:
    """Which job has the name."""
    return f"making:name:{avatar}"
