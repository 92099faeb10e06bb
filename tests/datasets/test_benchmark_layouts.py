from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.benchmark_layouts import Layout, load_layout, open_benchmark, recognise
from src.data.frozen_benchmark import freeze
from src.data.image_file import write_png
from src.settings.errors import UserError


def picture(number: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)


def fill(folder: Path, count: int, first: int = 0, side: int = 16) -> Path:
    for number in range(count):
        write_png(folder / f"{number:04}.png", picture(first + number, side))
    return folder


def test_folders_of_published_sets_are_recognised(tmp_path):
    expected = {
        "lfw_cropped_faces": ("LFW-Test", 1711),
        "LFW-Test": ("LFW-Test", 1711),
        "WebPhoto-Test/cropped_faces": ("WebPhoto-Test", 407),
        "web_photos": ("WebPhoto-Test", 407),
        "WIDER-Test/lq": ("WIDER-Test", 970),
        "Wider_Test": ("WIDER-Test", 970),
        "CelebChild-Test": ("CelebChild-Test", 180),
        "child": ("CelebChild-Test", 180),
        "wider_face_train": ("wider_face_train", None),
        "CelebA-HQ": ("CelebA-HQ", None),
        "celeba_512_validation_lq": ("celeba_512_validation_lq", None),
        "mine": ("mine", None),
    }
    for place, (name, count) in expected.items():
        folder = fill(tmp_path / "single" / place, 2)
        top = tmp_path / "single" / Path(place).parts[0]
        assert recognise(top) == Layout(name, count, 2, None, folder)
        assert recognise(folder) == Layout(name if count else folder.name, count, 2, None, folder)


def test_pairs_are_recognised_by_their_sub_folders(tmp_path):
    expected = {
        ("celeba_512_validation", "celeba_512_validation_lq"): ("CelebA-Test", 3000),
        ("CelebA-Test/hq", "CelebA-Test/lq"): ("CelebA-Test", 3000),
        ("celeba/GT", "celeba/LQ"): ("CelebA-Test", 3000),
        ("mine/HR", "mine/LR"): ("mine", None),
        ("studio/faces_gt", "studio/faces_lq"): ("studio", None),
        ("LFW/gt", "LFW/input"): ("LFW", None),
    }
    for number, ((hq, lq), (name, count)) in enumerate(expected.items()):
        root = tmp_path / str(number)
        folders = fill(root / hq, 1), fill(root / lq, 1)
        layout = recognise(root if count else root / Path(hq).parts[0])
        assert layout == Layout(name, count, 1, *folders)


def test_what_is_missing_or_ambiguous_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    assert recognise(tmp_path / "empty") is None
    with pytest.raises(UserError, match="holds no image"):
        load_layout(tmp_path / "empty", 16)
    with pytest.raises(UserError, match="is no folder"):
        recognise(tmp_path / "absent")
    fill(tmp_path / "clean" / "gt", 1)
    with pytest.raises(UserError, match="clean faces without degraded ones"):
        recognise(tmp_path / "clean")
    for name in ("LFW-Test", "WIDER-Test", "notes"):
        fill(tmp_path / "all" / name, 1)
    with pytest.raises(UserError, match=r"several sets \(lfw-test, wider-test\)"):
        recognise(tmp_path / "all")
    for name in ("hq", "gt", "lq"):
        fill(tmp_path / "both" / name, 1)
    with pytest.raises(UserError, match=r"several sets \(hq, lq, gt\)"):
        recognise(tmp_path / "both")


def test_photographs_become_a_benchmark_without_originals(tmp_path):
    folder = fill(tmp_path / "WIDER-Test", 3)
    benchmark = load_layout(folder, 16)
    assert benchmark.name == "WIDER-Test (3 of 970)"
    assert benchmark.notes == ("WIDER-Test has 970 faces, this folder 3: numbers are not comparable",)
    assert (benchmark.hq, benchmark.landmarks, benchmark.seed) == (None, None, None)
    assert benchmark.names == ("0000", "0001", "0002")
    np.testing.assert_array_equal(benchmark.lq, [picture(number) for number in range(3)])
    write_png(folder / "0001.png", picture(9))
    assert load_layout(folder, 16).source != benchmark.source
    assert load_layout(folder, 16).hash != benchmark.hash


def test_a_complete_set_has_its_plain_name(tmp_path):
    folder = fill(tmp_path / "celeb_child_cropped", 180, side=1)
    layout = recognise(folder)
    assert layout is not None
    assert (layout.title, layout.notice) == ("CelebChild-Test", None)
    assert load_layout(folder, 1).notes == ()


def test_pairs_are_matched_by_name_and_resized_with_a_note(tmp_path):
    write_png(tmp_path / "mine" / "hq" / "deep" / "b.png", picture(1))
    write_png(tmp_path / "mine" / "hq" / "a.png", picture(2))
    (tmp_path / "mine" / "lq" / "deep").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "mine" / "lq" / "a.bmp"), picture(3, 8)[..., ::-1])
    cv2.imwrite(str(tmp_path / "mine" / "lq" / "deep" / "b.webp"), picture(4, 32), [cv2.IMWRITE_WEBP_QUALITY, 101])
    benchmark = load_layout(tmp_path / "mine", 16)
    assert (benchmark.name, benchmark.names) == ("mine", ("a", "deep/b"))
    assert benchmark.notes == ("2 of 2 lq faces resized from 8 to 32 to 16 pixels",)
    assert benchmark.hq is not None
    np.testing.assert_array_equal(benchmark.hq, [picture(2), picture(1)])
    enlarged = cv2.resize(picture(3, 8), (16, 16), interpolation=cv2.INTER_CUBIC)
    reduced = cv2.resize(picture(4, 32)[..., ::-1], (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(benchmark.lq, [enlarged, reduced])


def test_faces_without_partner_doubled_names_and_oblong_faces_are_told(tmp_path):
    fill(tmp_path / "mine" / "hq", 3)
    fill(tmp_path / "mine" / "lq", 2)
    write_png(tmp_path / "mine" / "lq" / "extra.png", picture(5))
    with pytest.raises(UserError, match=r"lq/extra.png: has no partner .*1 others \(3 clean and 3 low-quality"):
        load_layout(tmp_path / "mine", 16)
    write_png(tmp_path / "wide" / "a.png", picture(6)[:8])
    with pytest.raises(UserError, match=r"a.png: is 16 x 8 pixels"):
        load_layout(tmp_path / "wide", 16)
    fill(tmp_path / "doubled", 1)
    cv2.imwrite(str(tmp_path / "doubled" / "0000.bmp"), picture(1))
    with pytest.raises(UserError, match=r"0000.bmp and 0000.png share the name 0000"):
        load_layout(tmp_path / "doubled", 16)


def test_a_frozen_folder_is_opened_with_its_checks(tmp_path):
    layout = load_layout(fill(tmp_path / "LFW-Test", 2), 16)
    freeze(layout, tmp_path / "frozen")
    again = open_benchmark(tmp_path / "frozen", 16)
    assert (again.hash, again.name) == (layout.hash, "LFW-Test (2 of 1,711)")
    assert open_benchmark(tmp_path / "LFW-Test", 16).hash == layout.hash
    with pytest.raises(UserError, match="holds faces of 16 pixels, 32 are needed"):
        open_benchmark(tmp_path / "frozen", 32)
    write_png(tmp_path / "frozen" / "lq" / "0001.png", picture(7))
    with pytest.raises(UserError, match="1 of 2 files differ"):
        open_benchmark(tmp_path / "frozen", 16)
