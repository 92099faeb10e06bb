"""Published networks as runs, on networks of a small size."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from src.checkpoints import import_published as importing
from src.checkpoints.entries import S_LAB
from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network
from src.config.compose import compose_train
from src.jobs.upstream import Upstreams
from src.networks import CodeFormer, PatchDiscriminator, VqAutoencoder
from src.settings.scale import DiscriminatorSize
from tests.small_networks import AUTOENCODER, PREDICTOR

DISCRIMINATOR = DiscriminatorSize(width=8, layers=2)
SIZES = {"autoencoder": asdict(AUTOENCODER)}
SETTINGS = {
    "vqgan": SIZES,
    "vqgan_discriminator": {"discriminator": asdict(DISCRIMINATOR)},
    "codeformer": SIZES | {"code_predictor": asdict(PREDICTOR), "fused_sizes": [8, 16]},
}


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "vqgan": VqAutoencoder(AUTOENCODER),
        "vqgan_discriminator": PatchDiscriminator(DISCRIMINATOR),
        "codeformer": CodeFormer(AUTOENCODER, PREDICTOR, [8, 16]),
    }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Files that stand for the published ones; the last has the name of one without a published hash."""
    made = networks()
    names = {
        "vqgan": "own.pth",
        "vqgan_discriminator": "vqgan_discriminator.pth",
        "codeformer": "codeformer_stage2.pth",
    }
    for kind, name in names.items():
        torch.save({"params_ema": made[kind].state_dict()}, tmp_path / name)

    def load(kind: str, path: Path) -> nn.Module:
        network = networks()[kind]
        network.load_state_dict(torch.load(path, weights_only=True)["params_ema"])
        return network

    monkeypatch.setattr(importing, "load_published", load)
    monkeypatch.setattr(importing, "SETTINGS", SETTINGS)
    return {kind: tmp_path / name for kind, name in names.items()}


def test_the_runs_hold_the_networks_and_belong_together(files, tmp_path):
    store = tmp_path / "runs"
    vqgan, predictor = importing.import_published(*files.values(), store)
    assert vqgan.is_finished
    assert vqgan.folder == store / "vqgan" / f"published-{sha256_of(files['vqgan'])[:10]}"
    assert predictor.status.facts["ingredients"] == {"vqgan": vqgan.status.weights["vqgan"]}
    for run, kind in ((vqgan, "vqgan"), (vqgan, "vqgan_discriminator"), (predictor, "codeformer")):
        loaded = load_network(run.weights_file(kind))
        assert loaded.sha256 == run.status.weights[kind]
        assert loaded.facts["source_sha256"] == sha256_of(files[kind])
        for key, tensor in networks()[kind].state_dict().items():
            assert torch.equal(loaded.network.state_dict()[key], tensor)
    again = importing.import_published(*files.values(), store)
    assert [run.status.weights for run in again] == [vqgan.status.weights, predictor.status.weights]


def test_licences_go_on_to_what_is_trained_on_them(files, tmp_path):
    vqgan, predictor = importing.import_published(*files.values(), tmp_path / "runs")
    config = compose_train(["stage=cft"])
    chosen = replace(config.upstream, vqgan=str(vqgan.folder), code_predictor=str(predictor.folder))
    upstreams = Upstreams(replace(config, upstream=chosen), lambda stage: pytest.fail(stage))
    assert upstreams.licences("cft") == {
        "vqgan/vqgan": importing.UNKNOWN,
        "vqgan/vqgan_discriminator": S_LAB,
        "code_predictor/codeformer": S_LAB,
    }
    assert upstreams.licences("vqgan") == {}
