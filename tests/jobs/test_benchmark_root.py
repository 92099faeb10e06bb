"""A run evaluates on the frozen benchmark that it is given, and refuses one that is not what was written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.data.benchmark import Benchmark, build_benchmark
from src.data.frozen_benchmark import freeze
from src.data.image_file import write_png
from src.degradation.chain import plain_recipe
from src.jobs.evaluate_run import load_benchmark
from src.jobs.upstream import check_given
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from tests.stages.small import RandomFaces, small_config


@pytest.fixture
def frozen(tmp_path: Path) -> tuple[TrainConfig, Benchmark]:
    config = small_config("vqgan")
    settings = replace(config.benchmark, count=4)
    made = build_benchmark(RandomFaces(), settings, "mine")
    freeze(made, tmp_path / "mine", recipe=plain_recipe(settings.degradation))
    return replace(config, benchmark=replace(settings, root=str(tmp_path / "mine"))), made


def test_the_faces_are_those_that_were_frozen(frozen: tuple[TrainConfig, Benchmark]) -> None:
    config, made = frozen
    check_given(config)
    found = load_benchmark(config)
    assert found.hash == made.hash
    assert found.facts() == made.facts()
    np.testing.assert_array_equal(found.lq, made.lq)


def test_a_changed_file_and_another_size_are_refused_before_training(frozen: tuple[TrainConfig, Benchmark]) -> None:
    config, _ = frozen
    larger = replace(config.scale, autoencoder=replace(config.scale.autoencoder, image_size=64))
    with pytest.raises(UserError, match="holds faces of 32 pixels, 64 are needed"):
        check_given(replace(config, scale=larger))
    write_png(Path(str(config.benchmark.root)) / "lq" / "face_2.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(UserError, match=r"1 of 8 files differ.*lq/face_2\.png"):
        check_given(config)
    with pytest.raises(UserError, match=r"lq/face_2\.png"):
        load_benchmark(config)
