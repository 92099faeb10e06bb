"""A sweep is a list of jobs, each of which composes and is valid before the first one starts."""

import json
from pathlib import Path

import pytest
import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from src.config.compose import CONFIG_DIR, compose_train, sweep_jobs
from src.config.identity import effective_config
from src.config.validate import validate
from src.jobs.record_folders import record_stem
from src.jobs.sweep_plan import plan, record_label
from src.settings.errors import UserError

FILES = sorted((CONFIG_DIR / "experiment").glob("*.yaml"))


def params_of(path: Path) -> dict:
    """What the file itself sweeps."""
    return yaml.safe_load(path.read_text()).get("hydra", {}).get("sweeper", {}).get("params", {})


def arms(jobs: list[list[str]]) -> list[str]:
    """The label of every job."""
    return [compose_train([*job, "hydra.mode=RUN"]).label for job in jobs]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_job_of_every_experiment_is_valid(path: Path) -> None:
    folder = ["data.root=/x"] if path.stem == "cft_photographs" else []
    jobs = sweep_jobs([f"+experiment={path.stem}", *folder])
    for job in jobs:
        validate(compose_train([*job, "hydra.mode=RUN"]))
    assert len(jobs) == len({tuple(job) for job in jobs})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sweep_parameters_are_texts(path: Path) -> None:
    """A YAML list is one job with a list as its value (conventions.md 2.2)."""
    assert all(isinstance(value, str) for value in params_of(path).values())


def arms_of(stage: str) -> list[str]:
    """Every arm of the stage that conf/arm knows."""
    files = sorted((CONFIG_DIR / "arm").glob("*.yaml"))
    return [path.stem for path in files if yaml.safe_load(path.read_text())["stage"] == stage]


def test_cft_sweep_has_a_job_for_every_arm_of_its_stage() -> None:
    jobs = sweep_jobs(["+experiment=cft_sweep"])
    assert len(jobs) == 8
    assert sorted(arms(jobs)) == sorted(arms_of("cft"))


def test_difface_sweep_has_a_job_for_every_backbone_in_and_out_of_its_training_recipe() -> None:
    configs = [compose_train([*job, "hydra.mode=RUN"]) for job in sweep_jobs(["+experiment=difface_sweep"])]
    found = [(config.label, config.benchmark.degradation.name) for config in configs]
    assert sorted(found) == [
        (arm, name) for arm in arms_of("restoration_backbone") for name in ("difface", "second_order")
    ]
    assert {config.restoration_backbone.degradation.name for config in configs} == {"difface"}
    assert all(config.restoration_backbone.architecture == config.label for config in configs)


def test_the_comparison_trains_and_measures_both_methods_on_the_same_recipe() -> None:
    jobs = sweep_jobs(["+experiment=compare_codeformer_difface"])
    codeformer, difface = (compose_train([*job, "hydra.mode=RUN"]) for job in jobs)
    assert (codeformer.stage, difface.stage) == ("cft", "restoration_backbone")
    assert codeformer.benchmark == difface.benchmark
    assert codeformer.code_predictor.degradation == difface.restoration_backbone.degradation
    assert difface.restoration_backbone.degradation == difface.benchmark.degradation


def test_the_command_line_wins_over_the_sweep_of_the_file() -> None:
    assert arms(sweep_jobs(["+experiment=cft_sweep", "arm=none,all_fixed"])) == ["none", "all_fixed"]
    assert arms(sweep_jobs(["+experiment=cft_sweep", "arm=coarse_fixed"])) == ["coarse_fixed"]


def test_a_sweep_without_an_experiment() -> None:
    jobs = sweep_jobs(["arm=none,all_fixed", "seed=0,1", "cft.phases=[{until: 200, image_every: 1, fidelity: 1.0}]"])
    configs = [compose_train(job) for job in jobs]
    assert {(config.label, config.seed) for config in configs} == {
        ("none", 0),
        ("none", 1),
        ("all_fixed", 0),
        ("all_fixed", 1),
    }
    assert all(config.cft.phases[0].until == 200 for config in configs)


@pytest.mark.parametrize("sweep", ["seed=range(0,3)", "seed=choice(0,1,2)"])
def test_functions_of_the_sweep_grammar(sweep: str) -> None:
    assert [compose_train(job).seed for job in sweep_jobs([sweep])] == [0, 1, 2]


def test_what_sweeps_nothing_is_one_job() -> None:
    assert len(sweep_jobs(["seed=3"])) == 1


def test_jobs_are_written_as_hydra_writes_them() -> None:
    """The sweep tells what its jobs share by comparing its own list with the overrides that Hydra hands to a job."""
    overrides = [
        "arm=none,all_fixed",
        "seed=0,1",
        "scale.autoencoder.multipliers=[1, 2, 2]",
        "cft.phases=[{until: 200, image_every: 1, fidelity: 1.0}]",
        "question='what, why?'",
        "trainer.progress=False",
        "cft.training.learning_rate.initial=1e-3",
    ]
    parsed = OverridesParser.create().parse_overrides(overrides)
    [hydras] = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    assert sweep_jobs(overrides) == [list(job) for job in hydras]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ("evaluation.batch_size=16,0", r"sweep job 1 .*evaluation\.batch_size=0.*: evaluation\.batch_size: 0"),
        ("seed=0,abc", r"sweep job 1 .*seed=abc"),
        ("arm=none,nonne", r"sweep job 1 .*arm/nonne"),
    ],
)
def test_a_wrong_job_is_named_before_any_starts(sweep: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan([sweep])


def test_a_swept_benchmark_makes_no_other_arm() -> None:
    jobs = sweep_jobs(["+experiment=difface_sweep"])
    shared = [text for text in jobs[0] if all(text in job for job in jobs)]
    configs = [compose_train([*job, "hydra.mode=RUN"]) for job in jobs]
    labels = [record_label(config, job, shared) for config, job in zip(configs, jobs, strict=True)]
    assert labels == ["swinir", "swinir", "srcnn", "srcnn"]
    assert len({record_stem(config) for config in configs}) == 4
    assert len({json.dumps(effective_config(config), sort_keys=True) for config in configs}) == 2


def test_another_draw_of_the_benchmark_is_told_by_the_label() -> None:
    """Its records would lie in the folder of the first draw otherwise."""
    jobs = sweep_jobs(["arm=swinir", "benchmark.seed=1,2"])
    labels = [record_label(compose_train(job), job, ["arm=swinir"]) for job in jobs]
    assert labels == ["swinir,benchmark.seed=1", "swinir,benchmark.seed=2"]
