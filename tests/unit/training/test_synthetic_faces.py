"""The bank builder's arithmetic, and a real render (EGL: a GPU's, or software)."""

import numpy as np

from services.sda.face.controls import VISEMES
from services.sda.face.motion import FIELDS
from training.data.synthetic_faces import bank
from training.data.synthetic_faces.parameters import IDENTITIES, Mouth, Upper, uniforms
from training.data.synthetic_faces.renderer import Renderer


def test_controls_pull_the_right_articulators():
    press, spread = bank.articulation(-1, 0.5, 0), bank.articulation(0.5, -0.5, 1)
    assert (press.press, press.jaw, press.wide, press.pucker) == (1, 0, 0.5, 0)
    assert (spread.press, spread.jaw, spread.wide, spread.pucker) == (0, 0.5, 0, 0.5)
    assert spread.upperRaise > 0 < spread.lowerDrop


def test_the_grids_reach_every_viseme():
    for viseme in VISEMES.values():
        opened, width, lift = viseme.mouth[:3]
        for axis, value in ((bank.OPEN, opened), (bank.WIDTH, width), (bank.LIFT, lift)):
            assert axis[0] <= value <= axis[-1]
            assert list(axis) == sorted(axis)


def test_patches_fade_into_the_base():
    weight = bank.feather((0, 0, 60, 50), "mouth")
    assert weight.shape == (50, 60, 1)
    assert weight[0].max() < 0.05 and weight[:, 0].max() < 0.05 and weight[25, 30] == 1


def test_the_nose_moves_more_than_the_ears_and_the_background_hardly():
    size = 128
    y, x = np.mgrid[0:size, 0:size]
    depth = np.where((x - 64) ** 2 + (y - 60) ** 2 < 30**2, 2.0, -99.0).astype(np.float32)
    depth[55:65, 60:68] = 10.0
    fields = bank.displacement(depth)
    yaw = fields[FIELDS.index("yaw"), 0]
    assert yaw[60, 64] > 1.5 * yaw[60, 44] > 0
    assert abs(yaw[5, 5]) < 0.2 * yaw[60, 44]
    assert np.abs(np.diff(yaw, axis=1)).max() < 12


def test_two_people_share_no_shape():
    mira, theo = (uniforms(IDENTITIES[n]) for n in ("mira", "theo"))
    assert sum(mira.get(k) != theo.get(k) for k in {*mira, *theo}) > 20


def test_a_render_opens_its_mouth():
    renderer = Renderer(IDENTITIES["theo"], size=64, supersample=1)
    closed, depth = renderer.render()
    opened, _ = renderer.render(Mouth(jaw=0.9), Upper())
    assert closed.shape == (64, 64, 3) and 0 <= closed.min() <= closed.max() <= 1.5
    assert depth.max() > 8 and depth.min() == -99
    change = np.abs(opened - closed).mean(-1)
    assert change[34:52].mean() > 5 * change[:22].mean()
