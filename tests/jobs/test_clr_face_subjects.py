"""What the evaluation of CLR-Face's stages measures, by which networks, and where its records go."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.files import sha256_of
from src.checkpoints.store import RunStatus, StoredRun, write_status
from src.config.compose import compose_train
from src.data.benchmark import assemble
from src.jobs.clr_face_subjects import settings_of
from src.jobs.recording import Provenance
from src.jobs.subject import Subject, Trained
from src.jobs.subjects import subjects
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from tests.restorers.small_clr_face import SIDE, save_run

FACES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
FACTS = {"name": "made_up", "split": "test", "seed": 0, "recipe": "none", "recipe_hash": "", "source": ""}
GUIDE = "f" * 64


def refuse(stage: str, seed: int) -> None:
    raise AssertionError(f"{stage} should not be trained")


def configured(stage: str, *words: str) -> TrainConfig:
    return compose_train([f"stage={stage}", "label=mine", "benchmark.root=/sets/made_up", *words])


def finished(folder: Path, stage: str, *names: str) -> StoredRun:
    save_run(folder, names)
    hashes = {path.stem: sha256_of(path) for path in (folder / "weights").glob("*.safetensors")}
    return write_status(folder, RunStatus(stage, "0" * 10, "mine", "finished", weights=hashes))


def listed(config: TrainConfig, run: StoredRun, tmp_path: Path, truth: bool = True) -> list[Subject]:
    names = [f"face{index}" for index in range(len(FACES))]
    benchmark = assemble(
        **FACTS,
        hq=FACES if truth else None,
        lq=FACES[::-1].copy(),
        names=names,
        identities=[0] * 3,
        landmarks=[None] * 3,
        factors=None,
    )
    provenance = Provenance("mine", "0" * 10, [], run.status.weights | {"guide": GUIDE}, {}, {})
    config = replace(config, run_store=str(tmp_path / "store"))
    trained = Trained(config, run, Upstreams(config, refuse), provenance, benchmark, torch.device("cpu"))
    return list(subjects(trained))


def test_a_mask_is_measured_with_every_setting_its_parts_alone_and_what_it_selects(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", "latent_mask")
    grid = [
        "evaluation.clr_face.guided.steps=[2]",
        "evaluation.clr_face.guided.mask=[learned,ones]",
        "evaluation.clr_face.guided.target=[recovered,oracle]",
        "evaluation.clr_face.unguided.steps=[2]",
        "evaluation.guidance.window=[0,1]",
    ]
    found = listed(configured("latent_mask", *grid), run, tmp_path)
    assert [(subject.arm, subject.is_baseline) for subject in found[:3]] == [
        ("input", True),
        ("clr_face_encoder", True),
        ("identity_recovery", True),
    ]
    settings = found[3:]
    assert [subject.restorer.knobs["scale"] for subject in settings] == [0.0, 0.3, 0.3, 0.3, 0.3]
    assert {subject.arm for subject in settings} == {"mine"}
    assert len({subject.folder for subject in found}) == len(found)
    # Whoever guided can never judge: the recovery was trained by the guide too, the encoder alone was not.
    assert [subject.weights.get("guide") for subject in found[1:4]] == [None, GUIDE, GUIDE]
    assert [bool(subject.diagnostics) for subject in settings] == [False, True, True, False, False]
    assert 0 < settings[1].diagnostics["mask_area"] < 1
    images = tmp_path / "store" / "studies" / "default" / "images"
    assert [path.name for path in images.iterdir()] == ["mine-tiny64-made_up-s0-mask.png"]
    faces = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    led = [subject.restorer.restore(faces, keys=[0, 1]) for subject in settings]
    assert not torch.equal(led[1], led[2])


def test_without_clean_faces_none_is_led_by_them_and_without_a_mask_none_is_guided(tmp_path: Path) -> None:
    words = ["evaluation.clr_face.guided.target=[recovered,oracle]", "evaluation.clr_face.guided.scale=[0.0,0.3]"]
    system, score = configured("latent_mask", *words), configured("latent_score", *words)
    told = [setting.guidance for setting in settings_of(system, has_truth=False)]
    assert [(guidance.scale, guidance.target) for guidance in told] == [(0.0, "recovered"), (0.3, "recovered")]
    assert len(settings_of(system, has_truth=True)) == 3
    assert [setting.guidance.scale for setting in settings_of(score, has_truth=True)] == [0.0]


@pytest.mark.parametrize(
    ("stage", "names", "kind"),
    [
        ("latent_vqgan", ("latent_autoencoder",), "latent_autoencoder"),
        ("latent_encoder", ("latent_encoder", "latent_autoencoder"), "clr_face_encoder"),
        ("identity_recovery", ("identity_recovery",), "identity_recovery"),
    ],
)
def test_a_part_is_measured_by_itself(stage: str, names: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", stage, *names)
    part = listed(configured(stage), run, tmp_path)[1]
    assert (part.restorer.name, part.is_baseline) == (kind, False)
    # An autoencoder is shown the clean faces, everything else the degraded ones.
    assert np.array_equal(part.inputs, FACES if stage == "latent_vqgan" else FACES[::-1])
    assert part.arm == ("mine" if stage == "latent_vqgan" else stage)
