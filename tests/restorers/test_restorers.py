from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from src.checkpoints.network_file import save_network
from src.networks import CodeFormer, VqAutoencoder
from src.restorers import build
from src.restorers.base import Restorer
from src.restorers.bicubic import BicubicRestorer
from src.restorers.build import build_restorer
from src.restorers.codeformer import CodeFormerRestorer, InpaintingRestorer
from src.restorers.identity import IdentityRestorer
from src.restorers.precision import EXACT, Precision, choose_precision
from src.restorers.vqgan import VqganRestorer
from src.settings.errors import UserError
from tests.small_networks import AUTOENCODER, PREDICTOR

CPU = torch.device("cpu")


def codeformer() -> CodeFormer:
    torch.manual_seed(0)
    return CodeFormer(AUTOENCODER, PREDICTOR, [8, 16])


def save_codeformer(path: Path, facts: dict[str, str]) -> CodeFormer:
    network = codeformer()
    settings = {"autoencoder": asdict(AUTOENCODER), "code_predictor": asdict(PREDICTOR), "fused_sizes": [8, 16]}
    save_network(path, "codeformer", network, settings, facts)
    return network


def faces(count: int = 2, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_every_restorer_is_one_and_stays_in_range_and_shape():
    everyone = [
        IdentityRestorer(),
        BicubicRestorer(),
        VqganRestorer(VqAutoencoder(AUTOENCODER)),
        CodeFormerRestorer(codeformer(), fidelity=0.5, adain=True),
    ]
    for restorer in everyone:
        assert isinstance(restorer, Restorer)
        restored = restorer.restore(10 * faces())
        assert restored.shape == (2, 3, 32, 32)
        assert not restored.requires_grad
        assert restored.abs().max() <= 1
    assert [restorer.network_evaluations for restorer in everyone] == [0, 0, 1, 1]
    assert [restorer.image_size for restorer in everyone] == [None, None, 32, 32]
    assert everyone[3].parameters == sum(parameter.numel() for parameter in codeformer().parameters())


def test_learned_restorers_are_the_network_in_eval_mode():
    network = codeformer().train()
    restored = CodeFormerRestorer(network, fidelity=0.7, adain=True).restore(faces())
    assert not network.training
    torch.testing.assert_close(restored, network(faces(), fidelity=0.7, adain=True).image.clamp(-1, 1).detach())
    autoencoder = VqAutoencoder(AUTOENCODER)
    torch.testing.assert_close(
        VqganRestorer(autoencoder).restore(faces()), autoencoder(faces()).image.clamp(-1, 1).detach()
    )


def test_knobs_change_the_result_and_are_shown():
    network, lq = codeformer(), faces()
    results = {}
    for fidelity in (0.0, 1.0):
        for adain in (False, True):
            restorer = CodeFormerRestorer(network, fidelity=fidelity, adain=adain)
            assert restorer.knobs == {"fidelity": fidelity, "adain": adain}
            results[fidelity, adain] = restorer.restore(lq)
    values = list(results.values())
    assert all(not torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])


@pytest.mark.parametrize("fidelity", [-0.01, 1.01, float("nan")])
def test_fidelity_outside_its_range_is_refused(fidelity):
    with pytest.raises(UserError, match=r"fidelity: .* must lie in \[0, 1\]"):
        CodeFormerRestorer(codeformer(), fidelity=fidelity, adain=False)


def test_bicubic_keeps_what_is_smooth_and_removes_the_finest_detail():
    row = torch.linspace(-0.5, 0.5, 64).expand(1, 3, 64, 64).contiguous()
    checker = ((torch.arange(64)[:, None] + torch.arange(64)) % 2 - 0.5).expand(1, 3, 64, 64)
    assert (BicubicRestorer(2).restore(row) - row)[..., 8:-8].abs().max() < 2e-3
    assert BicubicRestorer(2).restore(checker.contiguous())[..., 8:-8, 8:-8].abs().max() < 0.02
    torch.testing.assert_close(BicubicRestorer(1).restore(row), row)
    with pytest.raises(UserError, match="factor: 0"):
        BicubicRestorer(0)


@pytest.mark.parametrize("trained_with", [True, False])
def test_adain_follows_the_checkpoint_unless_it_is_given(tmp_path, trained_with):
    path = tmp_path / "codeformer.safetensors"
    network = save_codeformer(path, {"adain": str(trained_with).lower()})
    for given in (None, True, False):
        restorer = build_restorer("codeformer", str(path), 0.5, given, CPU)
        assert restorer.knobs["adain"] == (trained_with if given is None else given)
    expected = CodeFormerRestorer(network, fidelity=0.5, adain=False).restore(faces())
    torch.testing.assert_close(restorer.restore(faces()), expected)


def test_a_run_folder_and_a_file_give_the_same_network(tmp_path):
    save_codeformer(tmp_path / "weights" / "codeformer.safetensors", {})
    from_run = build_restorer("codeformer", str(tmp_path), 0.5, None, CPU)
    from_file = build_restorer("codeformer", str(tmp_path / "weights" / "codeformer.safetensors"), 0.5, None, CPU)
    assert torch.equal(from_run.restore(faces()), from_file.restore(faces()))


def test_baselines_need_no_checkpoint():
    assert build_restorer("identity", "", 0.5, None, CPU).restore(faces()).equal(faces())
    assert build_restorer("bicubic", "", 0.5, None, CPU).knobs == {"factor": 2}


def test_weights_of_another_kind_truncated_or_foreign_ones_are_named(tmp_path):
    good = tmp_path / "codeformer.safetensors"
    save_codeformer(good, {})
    with pytest.raises(UserError, match=r"holds a codeformer; the restorer vqgan needs vqgan weights"):
        build_restorer("vqgan", str(good), 0.5, None, CPU)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cut\.safetensors"):
        build_restorer("codeformer", str(cut), 0.5, None, CPU)
    torch.save({"params_ema": codeformer().state_dict()}, tmp_path / "small.pth")
    with pytest.raises(UserError, match=r"small\.pth: not the network 'codeformer'"):
        build_restorer("codeformer", str(tmp_path / "small.pth"), 0.5, None, CPU)


def test_unknown_restorer_is_refused():
    with pytest.raises(UserError, match=r"restorer: 'gfpgan' is not one of codeformer, vqgan, .*, bicubic, identity"):
        build_restorer("gfpgan", "bundled", 0.5, None, CPU)


def test_precisions_agree_as_far_as_their_format_allows():
    lq = faces(4)
    exact = CodeFormerRestorer(codeformer(), fidelity=1.0, adain=True).restore(lq)
    assert torch.equal(CodeFormerRestorer(codeformer(), fidelity=1.0, adain=True, precision=EXACT).restore(lq), exact)
    ordered = CodeFormerRestorer(codeformer(), fidelity=1.0, adain=True, precision=Precision("fp32"))
    torch.testing.assert_close(ordered.restore(lq), exact, atol=1e-5, rtol=1e-5)
    network = codeformer()
    half = CodeFormerRestorer(network, fidelity=1.0, adain=True, precision=Precision("bf16")).restore(lq)
    assert half.dtype == torch.float32
    assert 0 < (half - exact).abs().mean() < 0.1
    # What decides the codes stays fp32, what is convolved does not.
    assert network.position_emb.dtype == network.idx_pred_layer[1].weight.dtype == torch.float32
    assert network.encoder.blocks[0].weight.dtype == network.quantize.embedding.weight.dtype == torch.bfloat16
    codes = VqganRestorer(VqAutoencoder(AUTOENCODER), Precision("bf16")).restore(lq)
    assert codes.dtype == torch.float32


def test_auto_is_fp32_on_the_cpu():
    assert choose_precision("auto", CPU).name == "fp32"
    assert choose_precision("bf16", CPU).description == "bf16, channels last"


def test_inpainting_fills_white_pixels_only():
    lq = faces(2).clamp(max=0.9)
    lq[0, :, 4:9, 6:20] = 1.0
    lq[1, 0, 3, 3] = 1.0  # one channel does not make white
    restored = InpaintingRestorer(codeformer(), fidelity=1.0, adain=False).restore(lq)
    filled = (restored != lq).any(dim=1)
    assert filled[0, 4:9, 6:20].float().mean() > 0.99
    assert filled.sum() <= 5 * 14


@pytest.mark.parametrize(
    ("kind", "fidelity", "adain"),
    [("codeformer", 0.5, True), ("codeformer_colorization", 0.0, True), ("codeformer_inpainting", 1.0, False)],
)
def test_published_files_are_run_as_their_scripts_do(tmp_path, monkeypatch, kind, fidelity, adain):
    monkeypatch.setattr(build, "load_published", lambda name, path: codeformer())
    (tmp_path / "published.pth").touch()
    restorer = build_restorer(kind, str(tmp_path / "published.pth"), None, None, CPU)
    assert restorer.name == kind
    assert restorer.knobs == {"fidelity": fidelity, "adain": adain}
    assert build_restorer(kind, str(tmp_path / "published.pth"), 0.25, None, CPU).knobs["fidelity"] == 0.25
