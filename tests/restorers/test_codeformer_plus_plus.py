"""CodeFormer++ as a restorer: how its branches are told, what it registers as a whole, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.checkpoints.network_file import save_network
from src.config.compose import compose_train
from src.networks import CodeFormer, VqAutoencoder
from src.networks.codeformer_branches import Branches, on_levels
from src.registration.registered import Registered
from src.registration.texture_source import texture_source, whole_registration
from src.registration.warp import warped
from src.restorers.bicubic import BicubicRestorer
from src.restorers.branch_recipe import recipe_of_fact, recipe_of_settings
from src.restorers.codeformer_plus_plus import branch_restorers
from src.restorers.locate import resolve_checkpoints
from src.restorers.vqgan import VqganRestorer
from src.settings.errors import UserError
from tests.small_networks import AUTOENCODER, PREDICTOR

CPU = torch.device("cpu")
SETTINGS = compose_train([]).branches


def codeformer() -> CodeFormer:
    torch.manual_seed(0)
    return CodeFormer(AUTOENCODER, PREDICTOR, fused_sizes=[16])


def faces() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_both_branches_are_codeformers_own_decodings_on_levels() -> None:
    network, lq = codeformer(), faces()
    recipe = recipe_of_settings(replace(SETTINGS, identity_fidelity=0.8, generative_fidelity=0.1), None, 0)
    branches = recipe_of_fact(recipe.as_fact(), Path("nowhere")).maker(network, CPU)(lq, [0, 1])
    for found, fidelity in ((branches.identity, 0.8), (branches.generative, 0.1)):
        assert torch.equal(found, on_levels(network(lq, fidelity=fidelity, adain=False).image))
    assert not any(weight.requires_grad for weight in network.parameters())


def test_a_restorer_without_weights_makes_the_generative_branch() -> None:
    recipe = recipe_of_settings(replace(SETTINGS, generative="bicubic"), None, 0)
    branches = recipe_of_fact(recipe.as_fact(), Path("nowhere")).maker(codeformer(), CPU)(faces(), [0, 1])
    assert torch.equal(branches.generative, on_levels(BicubicRestorer().restore(faces())))


def test_a_plugged_restorer_is_found_beside_the_fusion_network(tmp_path: Path) -> None:
    torch.manual_seed(3)
    autoencoder = VqAutoencoder(AUTOENCODER)
    file = tmp_path / "run" / "vqgan.safetensors"
    file.parent.mkdir()
    sizes = {"autoencoder": vars(AUTOENCODER)}
    save_network(file, "vqgan", autoencoder, sizes, {})
    recipe = recipe_of_settings(replace(SETTINGS, generative="vqgan", checkpoint=str(file)), None, 0)
    fusion = tmp_path / "fusion" / "texture_fusion.safetensors"
    fusion.parent.mkdir()
    with pytest.raises(UserError, match="generative branch is vqgan's"):
        recipe_of_fact(recipe.as_fact(), fusion)
    for name, path in recipe.kept_files.items():
        (fusion.parent / f"{name}.safetensors").write_bytes(path.read_bytes())
    branches = recipe_of_fact(recipe.as_fact(), fusion).maker(codeformer(), CPU)(faces(), [0, 1])
    torch.testing.assert_close(branches.generative, on_levels(VqganRestorer(autoencoder.eval()).restore(faces())))
    assert "fusion" not in json.dumps(json.loads(recipe.as_fact()))


def test_the_baselines_are_the_branches_and_their_mean() -> None:
    maker = recipe_of_settings(SETTINGS, None, 0).maker(codeformer(), CPU)
    made: Branches = maker(faces(), [0, 1])
    expected = {
        "identity_branch": made.identity,
        "generative_branch": made.generative,
        "branch_average": (made.identity + made.generative) / 2,
    }
    restorers = branch_restorers(maker)
    assert [restorer.name for restorer in restorers] == list(expected)
    for restorer in restorers:
        assert torch.equal(restorer.restore(faces(), [0, 1]), expected[restorer.name])
        assert (restorer.network_evaluations, restorer.image_size) == (1, 32)


def test_a_plugged_branch_costs_what_its_restorer_does() -> None:
    maker = recipe_of_settings(replace(SETTINGS, generative="bicubic"), None, 0).maker(codeformer(), CPU)
    identity, generative, average = branch_restorers(maker)
    assert (generative.parameters, generative.network_evaluations) == (0, 0)
    assert identity.parameters == average.parameters == sum(weight.numel() for weight in maker.network.parameters())


def shifted(dx: float) -> torch.Tensor:
    field = torch.zeros(2, 2, 32, 32)
    field[:, 0] = dx
    return field


def test_features_that_are_aligned_count_on_top_of_the_faces_own_registration() -> None:
    moving = faces()
    first = Registered(warped(moving, shifted(2.0)), shifted(2.0), (), {})
    whole = whole_registration("deformable_convolution", moving, first, shifted(1.0))
    assert torch.equal(whole.field[:, 0, :, :28], shifted(3.0)[:, 0, :, :28])
    assert torch.equal(whole.warped[..., :28], moving[..., 3:31])
    # Offsets that start from the field hold it already.
    guided = whole_registration("flow_guided_deformable", moving, first, shifted(2.5))
    assert torch.equal(guided.field, shifted(2.5))
    assert whole_registration("none", moving, first, None) is first
    assert torch.equal(texture_source("flow_guided_deformable", moving, first), moving)
    assert torch.equal(texture_source("local_attention", moving, first), first.warped)


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"published no weights of this method; train one with .* arm=dense"):
        resolve_checkpoints("codeformer_plus_plus", "published", None)
    with pytest.raises(UserError, match=r"holds no weights/texture_fusion\.safetensors"):
        resolve_checkpoints("codeformer_plus_plus", str(tmp_path), None)
    with pytest.raises(UserError, match="does not say how its branches are made"):
        recipe_of_fact(None, tmp_path)
