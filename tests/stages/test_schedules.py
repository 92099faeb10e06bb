"""Learning rates and stage III's schedule against the fact sheet's numbers."""

import math
from dataclasses import replace

import pytest

from src.config.compose import compose_train
from src.settings.schedule import is_image_iteration, phase_of
from src.stages.learning_rate import learning_rate_at


@pytest.fixture(scope="module")
def paper():
    return compose_train(["scale=paper512"])


def test_cosine_starts_at_the_initial_rate_and_is_halfway_at_half_time(paper) -> None:
    rate = paper.vqgan.training.learning_rate
    assert learning_rate_at(rate, 1, 1_600_000) == pytest.approx(7e-5)
    assert learning_rate_at(rate, 800_001, 1_600_000) == pytest.approx(6.5e-5)
    late = 6e-5 + 1e-5 * (1 + math.cos(math.pi * 1_599_999 / 1_600_000)) / 2
    assert learning_rate_at(rate, 1_600_000, 1_600_000) == pytest.approx(late)


def test_multistep_halves_one_iteration_after_each_milestone(paper) -> None:
    rate = paper.code_predictor.training.learning_rate
    values = [learning_rate_at(rate, t, 500_000) for t in (1, 400_000, 400_001, 450_000, 450_001)]
    assert values == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5])


def test_published_stage_three_schedule(paper) -> None:
    phases = paper.cft.phases
    assert all(is_image_iteration(phases, t) for t in (1, 40_000, 40_001, 80_000))
    assert [phase_of(phases, t).fidelity for t in (1, 40_000, 40_001, 80_000)] == [1.0, 1.0, 1.3, 1.3]
    assert not any(is_image_iteration(phases, t) for t in (80_001, 119_999, 120_000, 120_001, 120_014))
    assert is_image_iteration(phases, 120_015)
    assert phase_of(phases, 120_015).fidelity == 1.3
    assert sum(is_image_iteration(phases, t) for t in range(120_001, 150_001)) == 2_000


def test_published_schedules_of_difface(paper) -> None:
    """difface.md 3.1: linear warm-up to 1e-4, then constant; 3.2: cosine from 5e-5 to 5e-6."""
    prior, backbone = paper.diffusion_prior.training, paper.restoration_backbone.training
    found = [learning_rate_at(prior.learning_rate, t, prior.iterations) for t in (1, 2_500, 10_000, 10_001, 800_000)]
    assert found == pytest.approx([1e-8, 2.5e-5, 1e-4, 1e-4, 1e-4])
    found = [learning_rate_at(backbone.learning_rate, t, backbone.iterations) for t in (1, 150_001, 300_001)]
    assert found == pytest.approx([5e-5, 2.75e-5, 5e-6])


def test_warmup_multiplies_the_schedule() -> None:
    rate = compose_train(["vqgan.training.learning_rate.warmup=4"]).vqgan.training.learning_rate
    without = replace(rate, warmup=0)
    shares = [learning_rate_at(rate, t, 100) / learning_rate_at(without, t, 100) for t in range(1, 8)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1])
