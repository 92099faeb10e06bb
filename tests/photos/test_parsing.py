"""Masks of the parts of a face against OpenCV and facexlib's network."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from src.photos.parsing import CLASSES, SIDE, FaceParser, blur_matrix, build_parser
from src.settings.errors import UserError

CPU = torch.device("cpu")
DROPPED = {0, 14, 16, 17, 18}


class Labels(nn.Module):
    """Class scores of a face whose red channel holds its classes."""

    def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        labels = ((faces[:, 0] + 1) * (CLASSES - 1) / 2).round().long()
        return nn.functional.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float(), faces


def faces_of(labels: np.ndarray) -> torch.Tensor:
    scaled = torch.from_numpy(labels * 2 / (CLASSES - 1) - 1).float()
    return scaled[:, None].repeat(1, 3, 1, 1)


def blurred(kept: np.ndarray) -> np.ndarray:
    """The published steps on one image of 0 and 1."""
    for _ in range(2):
        kept = cv2.GaussianBlur(kept.astype(np.float64), (101, 101), 11)
    kept[:10], kept[-10:], kept[:, :10], kept[:, -10:] = 0, 0, 0, 0
    return kept


def test_every_class_is_kept_or_dropped() -> None:
    masks = FaceParser(Labels(), CPU).masks(
        faces_of(np.ones((CLASSES, SIDE, SIDE)) * np.arange(CLASSES)[:, None, None])
    )
    middles = masks[:, SIDE // 2, SIDE // 2]
    assert {part for part in range(CLASSES) if middles[part] < 1e-6} == DROPPED
    assert all(abs(middles[part] - 1) < 1e-5 for part in range(CLASSES) if part not in DROPPED)


def test_masks_are_blurred_as_by_opencv() -> None:
    coarse = np.random.default_rng(0).integers(0, CLASSES, (2, 9, 9))
    labels = np.stack([np.kron(label, np.ones((60, 60), int))[:SIDE, :SIDE] for label in coarse])
    masks = FaceParser(Labels(), CPU).masks(faces_of(labels)).numpy()
    for mask, label in zip(masks, labels, strict=True):
        np.testing.assert_allclose(mask, blurred(~np.isin(label, list(DROPPED))), atol=1e-5)


@pytest.mark.parametrize("side", [256, 1024])
def test_masks_have_the_size_of_the_face(side) -> None:
    labels = np.zeros((1, side, side), int)
    labels[:, side // 4 : side // 2, side // 4 : -side // 4] = 1
    mask = FaceParser(Labels(), CPU).masks(faces_of(labels))[0].numpy()
    whole = np.zeros((SIDE, SIDE))
    whole[SIDE // 4 : SIDE // 2, SIDE // 4 : -SIDE // 4] = 1
    assert mask.shape == (side, side)
    np.testing.assert_allclose(mask, cv2.resize(blurred(whole), (side, side)), atol=0.04)
    assert mask.min() >= 0
    assert mask[: side // 52].max() == 0
    assert mask.max() <= 1


def test_blur_matrix_keeps_the_mean_of_a_constant() -> None:
    matrix = blur_matrix(64, 5.0, 20)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(64, dtype=torch.float64))


def test_parsenet_from_a_file(tmp_path) -> None:
    from facexlib.parsing.parsenet import ParseNet

    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = ParseNet(in_size=512, out_size=512, parsing_ch=19).eval()
        face = torch.rand(1, 3, 8, 8)
    torch.save(network.state_dict(), tmp_path / "parsing_parsenet.pth")
    face = nn.functional.interpolate(face, size=(SIDE, SIDE), mode="bilinear") * 2 - 1
    mask = build_parser(tmp_path / "parsing_parsenet.pth", CPU).masks(face)[0].numpy()
    with torch.inference_mode():
        kept = ~np.isin(network(face)[0][0].argmax(dim=0).numpy(), list(DROPPED))
    assert 0 < kept.mean() < 1
    np.testing.assert_allclose(mask, blurred(kept), atol=1e-4)


def test_a_file_of_another_network_is_refused(tmp_path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "bisenet.pth")
    with pytest.raises(UserError, match=r"bisenet\.pth: not the weights of a ParseNet.*is missing"):
        build_parser(tmp_path / "bisenet.pth", CPU)
