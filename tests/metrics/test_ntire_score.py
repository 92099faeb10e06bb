"""The NTIRE score and its identity gate."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.metrics.kind import BuildContext
from src.metrics.ntire_score import IdentityFailuresKind, NtireScoreKind, ntire_face_score

CONTEXT = BuildContext(None, torch.device("cpu"))
KIND = NtireScoreKind(
    clipiqa="c", maniqa="m", musiq="mu", qalign="q", niqe="n", fid="fid", failures="lost", failures_below=3
)


def test_every_term_counts_as_published() -> None:
    assert ntire_face_score(0.7, 0.6, 75, 4, 4, fid=40) == pytest.approx(0.7 + 0.6 + 0.75 + 0.8 + 0.6 + 0.6)
    perfect = ntire_face_score(1, 1, 100, 5, 0, fid=0)
    assert perfect == 6


def test_a_bad_niqe_or_fid_costs_at_most_its_term() -> None:
    assert ntire_face_score(0.5, 0.5, 50, 2.5, 25, fid=300) == pytest.approx(2)
    assert math.isnan(ntire_face_score(0.5, 0.5, 50, 2.5, math.nan, fid=30))
    assert math.isnan(ntire_face_score(0.5, 0.5, 50, 2.5, 5, fid=math.nan))


def test_faces_below_the_threshold_or_without_a_value_fail() -> None:
    gate = IdentityFailuresKind(similarity="cos", threshold=0.3).build("lost", CONTEXT)
    assert gate.ingredients == ("cos",)
    values = np.array([0.31, 0.3, 0.2999, -0.5, np.nan])
    assert gate.derive({"cos": values}, {}) == {"lost": 3.0}
    (definition,) = gate.definitions
    assert definition.direction == "lower"
    assert "cos < 0.3" in definition.formula


@pytest.mark.parametrize(("lost", "measured"), [(2, True), (3, False), (100, False)])
def test_the_score_of_the_means_is_given_only_below_the_failures(lost: int, measured: bool) -> None:
    score = KIND.build("ntire", CONTEXT)
    assert set(score.ingredients) == {"c", "m", "mu", "q", "n", "fid", "lost"}
    per_image = {name: np.array([1.0, 3.0]) * scale for name, scale in zip("cmqn", (0.2, 0.3, 2, 4), strict=True)}
    per_image["mu"] = np.array([60.0, 80.0])
    value = score.derive(per_image, {"fid": 50.0, "lost": lost})["ntire"]
    assert math.isnan(value) != measured
    if measured:
        assert value == pytest.approx(ntire_face_score(0.4, 0.6, 70, 4, 8, fid=50))


def test_the_definition_names_the_ingredients_of_its_configuration() -> None:
    (definition,) = replace(KIND, fid="fid/other").build("ntire", CONTEXT).definitions
    assert "(100 - fid/other)/100" in definition.formula
    assert "NaN unless lost < 3" in definition.formula


def test_a_threshold_that_is_no_cosine_is_refused() -> None:
    with pytest.raises(ValueError, match=r"threshold 30 is no cosine, expected a number in \[-1, 1\]"):
        IdentityFailuresKind(similarity="cos", threshold=30)
