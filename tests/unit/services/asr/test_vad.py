from pathlib import Path

import numpy as np
import pytest

from services.asr.vad import STEP_SAMPLES, VadStep, VoiceDetector, load_vad
from tests.unit.services.asr.speech import EAR_HZ, room, spoken

NEAR = EAR_HZ // 10


def edges(steps: list[VadStep]) -> list[tuple[str, int]]:
    found = []
    for step in steps:
        if step.started is not None:
            found.append(("start", step.started))
        if step.stopped is not None:
            found.append(("stop", step.stopped))
    return found


@pytest.mark.parametrize("voice", ["slt", "rms"])
@pytest.mark.parametrize("text", ["who made you", "tell me about the moon and the stars"])
def test_edges_are_near_the_truth(tmp_path: Path, text: str, voice: str) -> None:
    speech = spoken(text, tmp_path, voice)
    lead = 8_123
    audio = np.concatenate([room(lead / 16), speech, room(900, seed=1)])

    found = edges(list(VoiceDetector(load_vad()).push(audio)))

    assert [kind for kind, _ in found] == ["start", "stop"]
    assert abs(found[0][1] - lead) <= NEAR
    assert abs(found[1][1] - lead - len(speech)) <= NEAR


def test_the_end_is_noticed_soon(tmp_path: Path) -> None:
    speech = spoken("where do you live", tmp_path)
    steps = list(VoiceDetector(load_vad()).push(np.concatenate([room(500), speech, room(900)])))
    noticed = next(step.end for step in steps if step.stopped is not None)
    assert noticed - (EAR_HZ // 2 + len(speech)) <= EAR_HZ * 130 // 1000


def test_pieces_of_any_length_give_the_same(tmp_path: Path) -> None:
    audio = np.concatenate([room(300), spoken("who made you", tmp_path), room(600)])
    whole = list(VoiceDetector(load_vad()).push(audio))
    detector = VoiceDetector(load_vad())
    pieces = [step for part in np.array_split(audio, 97) for step in detector.push(part)]
    assert pieces == whole
    assert [step.end for step in whole] == [STEP_SAMPLES * (n + 1) for n in range(len(whole))]


def test_detectors_do_not_share_state(tmp_path: Path) -> None:
    audio = np.concatenate([room(300), spoken("who made you", tmp_path), room(600)])
    alone = list(VoiceDetector(load_vad()).push(audio))
    first, second = VoiceDetector(load_vad()), VoiceDetector(load_vad())
    noise = np.random.default_rng(3).standard_normal(len(audio)).astype(np.float32) * 0.1
    together = []
    for quiet, loud in zip(np.array_split(audio, 40), np.array_split(noise, 40), strict=True):
        together += list(first.push(quiet))
        list(second.push(loud))
    assert together == alone


def test_silence_is_not_looked_at() -> None:
    class Watched:
        calls = 0

        def __call__(self, window: object, state: object) -> tuple[float, object]:
            self.calls += 1
            return 0.0, state

    model = Watched()
    steps = list(VoiceDetector(model).push(np.zeros(EAR_HZ * 5, np.float32)))  # type: ignore[arg-type]
    assert model.calls == 0
    assert not edges(steps)


@pytest.mark.parametrize("amplitude", [0.001, 0.01, 0.1])
def test_noise_is_no_speech(amplitude: float) -> None:
    noise = np.random.default_rng(7).standard_normal(EAR_HZ * 4).astype(np.float32) * amplitude
    assert not edges(list(VoiceDetector(load_vad()).push(noise)))


def test_one_step_over_the_threshold_is_no_onset() -> None:
    script = iter([0.0, 0.9, 0.0, 0.0, 0.4, 0.9, 0.9, 0.9, 0.2, 0.9, 0.2, 0.2, 0.0])

    def model(window: object, state: object) -> tuple[float, object]:
        return next(script), state

    loud = np.full(13 * STEP_SAMPLES, 0.1, np.float32)
    found = edges(list(VoiceDetector(model).push(loud)))  # type: ignore[arg-type]
    # 0.4 leans towards speech; one low step is a closure; the end lies a step before the low ones.
    assert found == [("start", 4 * STEP_SAMPLES), ("stop", 9 * STEP_SAMPLES)]
