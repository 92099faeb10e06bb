"""The stages of CodeFormer++: what learns and what does not, what is logged, and what is left behind for restoring."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from src.checkpoints.network_file import save_network
from src.metric_learning.contrast import metric_learning_loss
from src.restorers.build_codeformer_plus_plus import build_codeformer_plus_plus
from src.restorers.locate import companions
from src.settings.errors import UserError
from src.stages.codeformer_weights import codeformer_sizes
from src.stages.registration import RegistrationStage
from src.stages.texture_fusion import TextureFusionStage
from tests.stages.small import plus_plus_stage, small_batch, small_config, small_data, small_stage, small_trainer

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
LEARNING = ("texture_fusion.metric_learning.weight=0.1", "texture_fusion.metric_learning.features=pixels")


def trained(folder: Path, variant: str, *changes: str, iterations: int = 2) -> RegistrationStage | TextureFusionStage:
    config = small_config(variant, iterations, *changes)
    stage = small_stage(config)
    assert isinstance(stage, RegistrationStage | TextureFusionStage)
    small_trainer(folder).fit(stage, datamodule=small_data(config))
    return stage


def moved(before: nn.Module, after: nn.Module) -> set[str]:
    """Names of the parameters that are no longer what they were."""
    old = dict(before.named_parameters())
    return {name for name, value in after.named_parameters() if not torch.equal(value, old[name])}


def test_before_training_the_fused_face_is_the_identity_branch_bit_for_bit() -> None:
    config = small_config("texture_fusion")
    stage = plus_plus_stage(config)
    shown = stage.preview(small_batch(config))
    assert torch.equal(shown["fused"], shown["w=1 (identity)"])
    assert not torch.equal(shown["w=0 (generative)"], shown["w=1 (identity)"])
    torch.testing.assert_close(shown["warped"], shown["w=0 (generative)"], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("variant", "learns"), [("texture_fusion", False), ("joint", True)])
def test_branches_never_learn_and_the_registration_only_where_it_has_a_rate(
    variant: str, learns: bool, tmp_path: Path
) -> None:
    config = small_config(variant, 3)
    stage = plus_plus_stage(config)
    before = copy.deepcopy(stage)
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    assert not moved(before.pairs, stage.pairs)
    assert bool(moved(before.registration, stage.registration)) == learns
    assert bool(moved(before.registration_average, stage.registration_average)) == learns
    still = set(dict(stage.network.named_parameters())) - moved(before.network, stage.network)
    assert not {name for name in still if "alignments" not in name}
    stage.train()
    assert stage.registration.training == learns
    assert not stage.pairs.branches.training


def test_offsets_and_registration_have_rates_of_their_own() -> None:
    config = small_config("joint", 2, "texture_fusion.offset_rate=0.2", "texture_fusion.registration_rate=0.05")
    groups = plus_plus_stage(config).configure_optimizers()[0].param_groups
    assert [group["share"] for group in groups] == [1.0, 0.2, 0.05]
    stage = plus_plus_stage(config)
    assert sum(len(group["params"]) for group in groups) == len(list(stage.network.parameters())) + len(
        list(stage.registration.parameters())
    )


def test_kept_and_fresh_branches_train_the_same_network(tmp_path: Path) -> None:
    """Branches are 8-bit faces in both ways."""
    config = small_config("texture_fusion", 1)
    fresh = small_batch(config)
    stage = plus_plus_stage(config)
    pair = stage.pairs(fresh)
    levels = ((pair.identity + 1) * 127.5).round().to(torch.uint8)
    again = levels.float() / 127.5 - 1
    assert torch.equal(again, pair.identity)
    kept = stage.pairs({"identity_branch": pair.identity, "generative_branch": pair.generative})
    assert torch.equal(kept.identity, pair.identity)
    assert torch.equal(kept.generative, pair.generative)


def test_metric_learning_is_logged_and_weighed(tmp_path: Path) -> None:
    stage = trained(tmp_path, "texture_fusion", *LEARNING, iterations=1)
    names = {"metric_learning", "active_triplets", "cosine_positive", "cosine_mirrored", "identity_share", "pixel"}
    assert names <= stage.scalars.keys()
    config = small_config("texture_fusion", 1, *LEARNING)
    fresh = plus_plus_stage(config)
    batch = small_batch(config)
    pair = fresh.pairs(batch)
    registered = fresh.registration(pair.generative, pair.identity, None)
    learning = config.texture_fusion.metric_learning
    loss, _ = metric_learning_loss(
        pair.identity,
        pair.identity,
        pair.generative,
        registered.warped,
        fresh.masks(batch, pair),
        fresh.features,
        learning,
    )
    torch.testing.assert_close(stage.scalars["metric_learning"], loss)


def test_a_trained_system_restores_what_its_stage_showed(tmp_path: Path) -> None:
    config = small_config("texture_fusion", 2)
    stage = plus_plus_stage(config)
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    network, folder = stage.pairs.branches.network, tmp_path / "weights"
    sizes = codeformer_sizes(config.scale, config.cft.fused_sizes)
    source = tmp_path / "cft.safetensors"
    save_network(source, "codeformer", network, sizes, {})
    object.__setattr__(stage.upstream, "files", {"codeformer": source})
    hashes = stage.save_weights(folder, {"run": "some"})
    assert set(hashes) == {"texture_fusion", "registration", "codeformer"}
    files = companions(folder / "texture_fusion.safetensors")
    restorer = build_codeformer_plus_plus(files, torch.device("cpu"))
    batch = small_batch(config)
    shown = stage.preview(batch)
    restored = restorer.restore(batch["lq"])
    torch.testing.assert_close(restored, shown["fused"], rtol=0, atol=1e-5)
    assert not torch.equal(restored, shown["w=1 (identity)"])
    alone = torch.cat([restorer.restore(face[None]) for face in batch["lq"]])
    torch.testing.assert_close(alone, restored, rtol=0, atol=1e-4)
    assert restorer.knobs == {"registration": "dense", "injection": "attention_fusion", "alignment": "none"}
    (folder / "codeformer.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no codeformer\.safetensors"):
        build_codeformer_plus_plus(companions(folder / "texture_fusion.safetensors"), torch.device("cpu"))


def test_registration_shows_its_field_and_says_how_it_works(tmp_path: Path) -> None:
    stage = trained(tmp_path, "registration")
    batch = small_batch(small_config("registration"))
    shown = stage.preview(batch)
    assert list(shown) == ["moving", "fixed", "warped", "field (1 px)", "grid", "face"]
    assert {image.shape for image in shown.values()} == {(4, 3, 32, 32)}
    numbers = stage.diagnostics(batch)
    assert {"ncc_before", "ncc_after", "displacement_mean", "folded_share", "texture_kept"} <= numbers.keys()
    assert {"dissimilarity", "irregularity"} <= stage.scalars.keys()
