"""Nobody is drawn as who had the name before, and who was deleted is forgotten."""

import shutil
from pathlib import Path

import pytest

from parley.errors import UnknownAvatar
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.sda.config import SdaSettings
from services.sda.drawing import Studio
from services.sda.engines import Faces
from services.sda.engines.kept import Kept


def test_a_changed_avatar_is_made_anew_and_a_deleted_one_forgotten() -> None:
    versions = {"ada": 1, "bob": 1}
    made: list[str] = []

    def make(avatar: str) -> str:
        made.append(avatar)
        return f"{avatar} {len(made)}"

    kept = Kept(make, 2, lambda avatar: versions.get(avatar, 0))
    assert [kept("ada"), kept("bob"), kept("ada")] == ["ada 1", "bob 2", "ada 1"]
    versions["ada"] = 2
    assert [kept("ada"), kept("bob")] == ["ada 3", "bob 2"]
    del versions["bob"]
    versions["cid"] = 1
    assert kept("cid") == "cid 4"
    versions["bob"] = 1  # again, and by another number, were it not for the deletion
    assert kept("bob") == "bob 5"


async def test_the_idle_loop_is_of_the_avatar_as_it_is_now(tmp_path: Path) -> None:
    def become(other: str) -> None:
        folder = tmp_path / "ada"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "face").mkdir(parents=True)
        for part in ("avatar.yaml", "face/still.npz"):
            shutil.copyfile(REPOSITORY / "avatars" / other / part, folder / part)

    studio = Studio(Faces(SdaSettings(avatars_dir=tmp_path, engine="gan")), threads=1)
    jpeg = pb.VideoFormat(codec="jpeg", fps=25)
    become("theo")
    theo = await studio.idle("ada", jpeg)
    assert (await studio.idle("ada", jpeg))[0] is theo[0]
    become("mira")
    mira = await studio.idle("ada", jpeg)
    assert mira[0].data != theo[0].data
    shutil.rmtree(tmp_path / "ada")
    with pytest.raises(UnknownAvatar):
        await studio.idle("ada", jpeg)
    studio.close()
