"""What is said of a registration: its landmarks, lengths and time, and nothing of the fusion behind it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from src.data.benchmark import Benchmark, assemble
from src.jobs import registration_report
from src.jobs.registration_report import Judges, RegistrationAtWork, report_of, timed
from src.networks.codeformer_branches import Branches
from src.registration.registered import Registered
from src.registration.warp import warped

SIDE, SHIFT = 64, 3
CPU = torch.device("cpu")
FACES = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
FACTS = {"name": "made_up", "split": "test", "seed": 0, "recipe": "none", "recipe_hash": "", "source": ""}


def benchmark() -> Benchmark:
    names = [f"face{index}" for index in range(len(FACES))]
    return assemble(**FACTS, hq=FACES, lq=FACES, names=names, identities=[0] * 5, landmarks=[None] * 5)


def branches(lq: Tensor, keys: list[int]) -> Branches:
    """The generative face lies three pixels to the right."""
    return Branches(identity=lq, generative=lq.roll(SHIFT, -1))


def shifted(made: Branches) -> Registered:
    """The right field: it looks three pixels to the right."""
    field = torch.zeros(len(made.identity), 2, SIDE, SIDE)
    field[:, 0] = SHIFT
    return Registered(warped(made.generative, field), field, (), {})


def brightest(faces: Tensor) -> Tensor:
    """One landmark a face, of its columns 8 to 55: where they are brightest on average."""
    x = faces.mean((1, 2))[:, 8:56].argmax(1) + 8.0
    return torch.stack([x, torch.full_like(x, SIDE / 2)], 1)[:, None]


def ramp(lq: Tensor, keys: list[int]) -> Branches:
    """Branches with one bright column, at 30 and at 33."""
    identity = torch.full_like(lq, -0.5)
    identity[..., 30] = 1.0
    return branches(identity, keys)


def test_lengths_are_in_pixels_of_512_and_the_right_field_leaves_no_error() -> None:
    work = RegistrationAtWork(ramp, shifted, parameters=7)
    report = report_of(work, benchmark(), Judges(brightest, None), CPU, batch_size=2, shown=3)
    found = report.diagnostics
    assert found["landmark_error_before"] == pytest.approx(SHIFT * 512 / SIDE)
    assert found["landmark_error_after"] == found["landmark_error_detected"] == 0
    assert found["displacement_mean"] == found["displacement_p99"] == pytest.approx(SHIFT * 512 / SIDE)
    assert (found["folded_share"], found["parameters"]) == (0, 7)
    assert "identity_before" not in found
    assert len(report.shown) == 3
    assert np.array_equal(report.shown[0].warped[:, :-SHIFT], report.shown[0].fixed[:, :-SHIFT])


def test_a_face_like_the_original_has_its_identity() -> None:
    def embed(faces: Tensor) -> Tensor:
        return torch.nn.functional.normalize(faces[..., :-SHIFT].flatten(1))

    report = report_of(
        RegistrationAtWork(branches, shifted, 0), benchmark(), Judges(None, embed), CPU, batch_size=8, shown=0
    )
    assert report.diagnostics["identity_after"] == pytest.approx(1)
    assert report.diagnostics["identity_before"] < 0.9
    assert "landmark_error_before" not in report.diagnostics
    assert report.shown == []


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(registration_report, "now", lambda: self.seconds)


def test_what_follows_the_registration_is_not_timed_but_the_alignment_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def registered(made: Branches) -> Registered:
        clock.seconds += 0.1
        return shifted(made)

    def whole(made: Branches, first: Registered) -> tuple[Registered, float]:
        clock.seconds += 7.0
        return first, 0.05

    work = RegistrationAtWork(branches, registered, 0, whole)
    report = report_of(work, benchmark(), Judges(None, None), CPU, batch_size=5, shown=0)
    assert report.diagnostics["milliseconds"] == pytest.approx(1000 * 0.15 / 5)


def test_calls_of_modules_are_timed_and_the_hooks_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    class Slow(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            clock.seconds += 0.25
            return image

    module, image = Slow(), torch.zeros(1)
    with timed([module]) as spent:
        module(image)
        module(image)
    module(image)
    assert spent == [0.25, 0.25]
