"""Blinks, glances, head and idle motion."""

import numpy as np

from services.sda.face.life import IDLE_FRAMES, Life, idle
from services.sda.face.motion import Pose, Upper


def run(seed, levels):
    life = Life(seed)
    return [life.step(a, max(levels[i : i + 3])) for i, a in enumerate(levels)]


def talking(seconds, seed=0):
    random = np.random.default_rng(seed)
    return [float(x) for x in np.clip(random.uniform(-0.2, 1, seconds * 25), 0, 1)]


def test_the_same_seed_lives_the_same_life():
    assert run(3, talking(8)) == run(3, talking(8))
    assert run(3, talking(8)) != run(4, talking(8))


def test_a_face_blinks_now_and_then_and_shuts_its_eyes_fully():
    lids = np.array([u.lid for u, _ in run(1, talking(30))])
    starts = np.flatnonzero((lids[1:] > 0.3) & (lids[:-1] <= 0.3))
    assert 7 <= len(starts) <= 16
    assert lids.max() == 1.0
    assert (lids == 0).mean() > 0.7


def test_motion_is_small_and_smooth():
    poses = run(2, talking(20))
    yaw = np.array([p.yaw for _, p in poses])
    pitch = np.array([p.pitch for _, p in poses])
    assert 0.01 < np.abs(yaw).max() < 0.12
    assert np.abs(np.diff(yaw)).max() < 0.015
    assert np.abs(np.diff(pitch)).max() < 0.02


def test_the_head_comes_to_rest_in_silence():
    levels = talking(6) + [0.0] * 40
    last = run(5, levels)[-1][1]
    assert abs(last.yaw) < 0.006 and abs(last.pitch) < 0.006


def test_eyes_stay_on_the_person_while_the_head_turns():
    for upper, pose in run(6, talking(3))[:20]:
        assert abs(upper.gaze_x + pose.yaw) < 1e-9


def test_the_idle_loop_starts_at_rest_and_joins():
    frames = [idle(t, 7) for t in range(IDLE_FRAMES + 1)]
    assert frames[0] == (Upper(), Pose())
    for part in (0, 1):
        values = np.array([[getattr(f[part], n) for n in f[part].__slots__] for f in frames])
        assert np.allclose(values[0], values[-1])
        steps = np.abs(np.diff(values[:, 1:], axis=0)).max(1)  # the first of both is followed by fast ones
        assert steps[-1] <= steps.max()
