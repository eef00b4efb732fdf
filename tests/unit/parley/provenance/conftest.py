"""Speech that was synthesised once."""

import numpy as np
import pytest
from numpy.typing import NDArray

from parley.bench.questions import spoken

SENTENCE = "Swallows leave in September and come back in April, guided by the sun and the stars."


@pytest.fixture(scope="session")
def speech() -> NDArray[np.float32]:
    """Five seconds, float32 [n] at 24 kHz."""
    return spoken(SENTENCE, "slt")
