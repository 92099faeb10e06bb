"""Folders of photos through the whole chain, with faces at known places."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.photos.background import LanczosBackground
from src.photos.compose import Composer
from src.photos.face_batches import FaceBatches
from src.photos.open_photo import AlignedFaceOpener, WholePhotoOpener
from src.photos.plan import plan_photos
from src.photos.restoration import Outcome, Restoration
from src.photos.stream import RestorationStream
from src.restorers.identity import IdentityRestorer
from src.settings.errors import UserError
from tests.photos.group_photo import GroupPhoto, knowing

CPU = torch.device("cpu")


class Inverter:
    """A restorer whose work is easily seen: it inverts, and counts its batches."""

    name = "inverter"
    parameters = 0
    network_evaluations = 0
    knobs: dict = {}
    image_size = 96

    def __init__(self) -> None:
        self.batches: list[int] = []

    def restore(self, lq: torch.Tensor, keys: Sequence[int] = ()) -> torch.Tensor:
        self.batches.append(len(lq))
        return -lq


def build(photos=(), restorer=None, *, batch_size=4, upscale=1.0, least_side=0, only_center=False, aligned=False):
    restorer = restorer or IdentityRestorer()
    opener = (
        AlignedFaceOpener(restorer.image_size)
        if aligned
        else WholePhotoOpener(
            knowing(photos),
            face_size=restorer.image_size or 512,
            sampling="cubic",
            least_side=least_side,
            only_center=only_center,
        )
    )
    stream = RestorationStream(opener, FaceBatches(restorer, None, CPU), batch_size)
    return Restoration(stream, Composer(LanczosBackground(), upscale, 0.05, "keep"), 2, 100.0)


def save(folder: Path, **photos: GroupPhoto) -> list[GroupPhoto]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, photo in photos.items():
        Image.fromarray(photo.picture).save(folder / f"{name}.png")
    return list(photos.values())


def run(restoration: Restoration, tmp_path: Path, out: str = "out") -> dict[str, Outcome]:
    files = plan_photos(str(tmp_path / "in"), str(tmp_path / out), overwrite=False)
    return {outcome.file.source.stem: outcome for outcome in restoration.photos(files)}


def result(outcome: Outcome) -> np.ndarray:
    return np.asarray(Image.open(outcome.file.result))


def report(outcome: Outcome) -> dict:
    return json.loads(outcome.file.report.read_text())


def test_an_unrestored_photo_comes_back(tmp_path):
    photos = save(tmp_path / "in", two=GroupPhoto.of([(20, 60), (260, 130)]), none=GroupPhoto.of([], wall=1))
    outcomes = run(build(photos), tmp_path)
    assert [outcome.faces for outcome in outcomes.values()] == [0, 2]
    assert (result(outcomes["none"]) == photos[1].picture).all()
    change = np.abs(result(outcomes["two"]).astype(int) - photos[0].picture)
    inverted = result(run(build(photos, Inverter()), tmp_path, "inverted")["two"])
    inside = (inverted != photos[0].picture).any(axis=2)
    assert change[inside].mean() < 2
    assert (change[~inside] == 0).all()


def test_each_face_is_restored_once_in_its_place_whatever_the_batches(tmp_path):
    photos = save(
        tmp_path / "in",
        a=GroupPhoto.of([(30, 90)]),
        b=GroupPhoto.of([(10, 20), (180, 150), (350, 30)], wall=2),
        c=GroupPhoto.of([], wall=3),
        d=GroupPhoto.of([(200, 100)], wall=4),
    )
    made = {}
    for batch_size, batches in ((1, [1] * 5), (2, [2, 2, 1]), (8, [5])):
        restorer = Inverter()
        outcomes = run(build(photos, restorer, batch_size=batch_size), tmp_path, str(batch_size))
        assert list(outcomes) == ["a", "b", "c", "d"]
        assert restorer.batches == batches
        made[batch_size] = [result(outcome) for outcome in outcomes.values()]
    for one, two, three in zip(*made.values(), strict=True):
        assert (one == two).all()
        assert (one == three).all()
    for photo, image in zip(photos, made[8], strict=True):
        for face in photo.faces:
            x, y = face.landmarks[2].round().astype(int)
            around = np.s_[y - 4 : y + 5, x - 4 : x + 5]
            assert np.abs(image[around].astype(int) - (255 - photo.picture[around])).mean() < 12


def test_what_is_written_beside_the_result(tmp_path):
    photos = save(tmp_path / "in", p=GroupPhoto.of([(20, 60), (260, 130)]))
    outcome = run(build(photos, Inverter(), upscale=2.0), tmp_path)["p"]
    assert result(outcome).shape == (600, 1000, 3)
    found = report(outcome)
    assert (found["width"], found["height"], found["bits"], found["transparency"]) == (500, 300, 8, False)
    for told, face in zip(found["faces"], photos[0].faces, strict=True):
        assert np.allclose(told["landmarks"], face.landmarks, atol=1e-3)
        assert np.allclose(told["box"], face.box, atol=1e-3)
        assert told["score"] == pytest.approx(face.score)
    assert set(found["seconds"]) == {"decode", "detect", "align", "restore", "paste", "encode"}
    for number in ("00", "01"):
        crop = np.asarray(Image.open(outcome.file.crop(number)))
        face = np.asarray(Image.open(outcome.file.face(number)))
        assert crop.shape == (96, 96, 3)
        assert (crop == 255 - face).all()
    comparison = np.asarray(Image.open(outcome.file.comparison))
    assert comparison.shape == (600, 2004, 3)
    assert (comparison[:, 1004:] == result(outcome)).all()


def test_the_face_in_the_middle_alone(tmp_path):
    photos = save(tmp_path / "in", p=GroupPhoto.of([(20, 60), (190, 90), (360, 60)]))
    outcome = run(build(photos, Inverter(), only_center=True), tmp_path)["p"]
    assert outcome.faces == 1
    assert np.allclose(report(outcome)["faces"][0]["landmarks"], photos[0].faces[1].landmarks, atol=1e-3)
    assert report(outcome)["faces_left_out"] == 2
    assert (result(outcome)[:, :140] == photos[0].picture[:, :140]).all()


def test_a_hundred_faces(tmp_path):
    places = [(x * 130, y * 130) for x in range(12) for y in range(9)]
    (crowd,) = save(tmp_path / "in", crowd=GroupPhoto.of(places, width=1560, height=1170))
    outcome = run(build([crowd], Inverter(), batch_size=16), tmp_path)["crowd"]
    assert outcome.faces == 108
    image = result(outcome)
    for face in crowd.faces:
        x, y = face.landmarks[2].round().astype(int)
        assert np.abs(image[y, x].astype(int) - (255 - crowd.picture[y, x])).mean() < 30


def test_faces_across_the_borders(tmp_path):
    (photo,) = save(tmp_path / "in", edge=GroupPhoto.of([(-50, -40), (430, 220), (-60, 200), (440, -50)]))
    outcome = run(build([photo], Inverter()), tmp_path)["edge"]
    assert outcome.faces == 4
    image = result(outcome).astype(int)
    inside = [(x, y) for x, y in (face.landmarks[2].round().astype(int) for face in photo.faces) if 0 < y < 299]
    assert len(inside) >= 2
    for x, y in inside:
        x = min(max(x, 0), 499)
        assert np.abs(image[y, x] - (255 - photo.picture[y, x].astype(int))).mean() < 30
    assert (image[:, 180:320] == photo.picture[:, 180:320]).all()


def test_bad_files_stop_nobody(tmp_path):
    photos = save(tmp_path / "in", **{f"p{i:03d}": GroupPhoto.of([(30, 90)], wall=i) for i in range(12)})
    (tmp_path / "in" / "p003a.png").write_text("no image")
    (tmp_path / "in" / "p007a.jpg").write_bytes((tmp_path / "in" / "p007.png").read_bytes()[:2000])
    outcomes = run(build(photos, Inverter()), tmp_path)
    problems = {name: outcome.problem for name, outcome in outcomes.items() if outcome.problem}
    assert set(problems) == {"p003a", "p007a"}
    assert all(f"{name}." in problem for name, problem in problems.items())
    assert sum(outcome.faces for outcome in outcomes.values()) == 12
    assert not outcomes["p003a"].file.result.exists()


def test_twenty_pixels_are_enlarged_as_published_and_come_back(tmp_path):
    save(tmp_path / "in", tiny=GroupPhoto.of([], width=20, height=20))
    outcome = run(build(least_side=512, upscale=2.0), tmp_path)["tiny"]
    assert (outcome.problem, outcome.faces) == (None, 0)
    assert result(outcome).shape == (1024, 1024, 3)
    assert (report(outcome)["width"], report(outcome)["height"]) == (20, 20)
    kept = run(build(least_side=0, upscale=1.0), tmp_path, "kept")["tiny"]
    assert result(kept).shape == (20, 20, 3)


def test_a_hundred_megapixels_pass(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (11_000, 9_090), 90).save(tmp_path / "in" / "large.png")
    outcome = run(build([GroupPhoto.of([], width=400, height=320)], upscale=0.05), tmp_path)["large"]
    assert outcome.problem is None
    assert (result(outcome) == 90).all()
    assert result(outcome).shape == (454, 550, 3)
    assert report(outcome)["grey"]


def test_transparency_depth_and_orientation_reach_the_result(tmp_path):
    photo = GroupPhoto.of([(30, 90)])
    (tmp_path / "in").mkdir()
    alpha = np.tile(np.linspace(0, 255, 500).astype(np.uint8), (300, 1))
    exif = Image.Exif()
    exif[274] = 6
    turned = np.rot90(np.dstack([photo.picture, alpha]))
    Image.fromarray(turned).save(tmp_path / "in" / "a.png", exif=exif)
    outcome = run(build([photo], Inverter()), tmp_path)["a"]
    assert outcome.faces == 1
    assert (result(outcome)[:, :, 3] == alpha).all()
    assert report(outcome)["transparency"]


def test_aligned_faces_are_not_looked_for(tmp_path):
    save(
        tmp_path / "in", a=GroupPhoto.of([(0, 0)], width=120, height=120), wide=GroupPhoto.of([], width=120, height=80)
    )
    save(tmp_path / "in", tiny=GroupPhoto.of([], width=20, height=20))
    Image.new("RGB", (7, 7)).save(tmp_path / "in" / "dot.png")
    outcomes = run(build(restorer=Inverter(), aligned=True), tmp_path)
    assert "is 120 x 80 pixels" in outcomes["wide"].problem
    assert "needs at least 8 x 8" in outcomes["dot"].problem
    assert result(outcomes["a"]).shape == result(outcomes["tiny"]).shape == (96, 96, 3)
    assert not outcomes["a"].file.crop("00").exists()


def test_an_earlier_restoration_leaves_no_faces_behind(tmp_path):
    (three,) = save(tmp_path / "in", p=GroupPhoto.of([(10, 20), (180, 150), (350, 30)]))
    save(tmp_path / "in", p_04=GroupPhoto.of([], wall=3))
    outcome = run(build([three]), tmp_path)["p"]
    faces = outcome.file.face("00").parent
    assert len(list(faces.iterdir())) == 3
    (faces / "p_04_00.png").touch()
    (one,) = save(tmp_path / "in", p=GroupPhoto.of([(10, 20)]))
    files = plan_photos(str(tmp_path / "in" / "p.png"), str(tmp_path / "out"), overwrite=True)
    assert [outcome.faces for outcome in build([one]).photos(files)] == [1]
    assert sorted(path.name for path in faces.iterdir()) == ["p_00.png", "p_04_00.png"]


def test_a_full_disk_ends_the_restoration(tmp_path):
    photos = save(tmp_path / "in", p=GroupPhoto.of([(30, 90)]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results").touch()
    with pytest.raises(UserError, match=r"results/p\.png: cannot be written"):
        run(build(photos), tmp_path)


def test_memory_that_fits_no_batch_is_halved(tmp_path):
    class Small(Inverter):
        def restore(self, lq: torch.Tensor, keys: Sequence[int] = ()) -> torch.Tensor:
            if len(lq) > self.fits:
                raise torch.OutOfMemoryError("too much")
            return super().restore(lq, keys)

    photos = save(tmp_path / "in", p=GroupPhoto.of([(10, 20), (180, 150), (350, 30)]))
    restorer = Small()
    restorer.fits = 1
    assert run(build(photos, restorer), tmp_path)["p"].faces == 3
    assert restorer.batches == [1, 1, 1]
    restorer.fits = 0
    with pytest.raises(UserError, match="one face does not fit the memory of cpu"):
        run(build(photos, restorer), tmp_path, "again")
