"""CLR-Face's sampler as a restorer: what guidance changes and what it does not, and noise that belongs to a face."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from src.diffusion.conditional_sampling import restored_latent
from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.guidance.identity_guide import identity_distance
from src.losses.identity import IdentityLoss
from src.networks.identity_recovery import EmbeddingRecovery
from src.networks.recogniser import Recogniser
from src.restorers.base import Diagnosed, Restorer
from src.restorers.clr_face_networks import ClrFaceNetworks
from src.restorers.face_noise import FaceNoise
from src.restorers.latent_chain import latent_chain, latent_sampler
from src.restorers.precision import Precision
from src.settings.clr_face import DISCRETE_SOLVERS, MASKS, SDE_SOLVERS
from src.settings.errors import UserError
from src.settings.scale import RecogniserSize
from src.stages.latent_condition import LatentCondition
from tests.restorers.small_clr_face import (
    CHANNELS,
    LATENT_SIDE,
    SDE,
    SIDE,
    clr_face,
    faces,
    guidance,
    guided,
    sampling,
    small_networks,
)

CPU = torch.device("cpu")
KEYS = [7, 0, 2**32 - 1]
PROCESSES = [*(("vp", solver) for solver in SDE_SOLVERS), *(("ve", solver) for solver in SDE_SOLVERS)]
PROCESSES += [("ddpm", solver) for solver in DISCRETE_SOLVERS]


def clean(keys: object) -> Tensor:
    return faces(3).flip(0)


@torch.no_grad()
def by_hand(networks: ClrFaceNetworks, lq: Tensor, keys: list[int], start: float) -> Tensor:
    """The sheet's order of inference without guidance, from the parts."""
    recovery = networks.recovery if networks.sees_recovered else None
    condition = LatentCondition(networks.encoder, networks.autoencoder, recovery)(lq)
    chosen = sampling(start=start)
    chain, sampler = latent_chain(networks.process, chosen), latent_sampler(networks.process, chosen)
    denoiser = ConditionedDenoiser(networks.process, networks.score, condition)
    z_lq, noise = condition[:, :CHANNELS], FaceNoise(0, keys, LATENT_SIDE, CPU)
    return networks.autoencoder.decoded(restored_latent(networks.process, sampler, denoiser, z_lq, chain, noise)).clamp(
        -1, 1
    )


@pytest.mark.parametrize("sees_recovered", [False, True])
@pytest.mark.parametrize("start", [1.0, 0.4])
def test_unguided_it_is_encoder_sampler_and_decoder(start: float, sees_recovered: bool) -> None:
    networks = small_networks(sees_recovered=sees_recovered)
    restored = clr_face(sampling(start=start), networks).restore(faces(), KEYS)
    assert torch.equal(restored, by_hand(networks, faces(), KEYS, start))
    assert restored.shape == (3, 3, SIDE, SIDE)
    assert restored.std() > 0.01


@pytest.mark.parametrize("gradient", ["cheap", "full"])
def test_a_face_with_its_key_is_the_same_in_any_batch(gradient: str) -> None:
    """Guided too, up to the rounding of convolutions, whose order of sums depends on the batch."""
    for chosen in (guided(gradient=gradient), replace(guided(mask="random"), solver="euler_maruyama", start=0.5)):
        restorer, lq = clr_face(chosen), faces()
        together = restorer.restore(lq, KEYS)
        assert torch.equal(together, restorer.restore(lq, KEYS)), "the same batch gives the same bits"
        alone = torch.cat([restorer.restore(face[None], [key]) for face, key in zip(lq, KEYS, strict=True)])
        torch.testing.assert_close(alone, together, rtol=0, atol=1e-4)
        assert (restorer.restore(lq, [8, 0, KEYS[2]])[0] - together[0]).abs().max() > 1e-3, "another key, another face"
        assert (clr_face(replace(chosen, seed=1)).restore(lq, KEYS) - together).abs().max() > 1e-3


def test_without_scale_or_under_no_mask_every_bit_is_the_unguided_ones() -> None:
    lq = faces()
    unguided = clr_face(sampling()).restore(lq, KEYS)
    bare = replace(small_networks(), mask=None, guide=None, recovery=None)
    assert torch.equal(clr_face(sampling(guidance=guidance(scale=0.0)), bare).restore(lq, KEYS), unguided)
    assert torch.equal(clr_face(guided(mask="zeros", scale=10.0)).restore(lq, KEYS), unguided)
    assert torch.equal(clr_face(guided(window=(0.9, 0.95))).restore(lq, KEYS), unguided)
    assert not torch.equal(clr_face(guided()).restore(lq, KEYS), unguided)


def test_without_scale_no_guide_is_asked() -> None:
    networks = small_networks()
    for module in (networks.guide.network, networks.recovery, networks.mask):
        module.register_forward_pre_hook(lambda *_: pytest.fail("was evaluated"))
    clr_face(sampling(), networks).restore(faces(), KEYS)


def test_every_mask_guides_elsewhere() -> None:
    restored = {name: clr_face(guided(mask=name)).restore(faces(), KEYS) for name in MASKS}
    assert len({tuple(picture.flatten().tolist()) for picture in restored.values()}) == len(MASKS)


def test_an_adaptive_mask_is_asked_at_every_part_of_the_process_and_of_every_face() -> None:
    networks, seen = small_networks(mask="adaptive"), []
    soft = networks.mask.soft

    def watched(condition: Tensor, part: Tensor) -> Tensor:
        seen.append((condition, part))
        return soft(condition, part)

    networks.mask.soft = watched
    restorer = clr_face(guided(), networks)
    restorer.restore(faces(), KEYS)
    parts = torch.stack([part for _, part in seen])
    expected = torch.tensor(latent_chain(networks.process, sampling()).timesteps)
    torch.testing.assert_close(parts, expected[:, None].expand(-1, 3).float())
    with torch.no_grad():
        assert torch.equal(seen[0][0], networks.encoder(faces()))


def test_a_caller_may_be_in_inference_mode() -> None:
    restorer = clr_face(guided(gradient="full", constraint=0.5))
    expected = restorer.restore(faces(), KEYS)
    with torch.inference_mode():
        restored = restorer.restore(faces().clone(), KEYS)
    assert torch.equal(restored, expected)
    assert not restored.requires_grad


def test_the_guide_sees_the_face_come_closer_to_what_it_is_led_to() -> None:
    """The nearer, the truer the target: to the clean face an oracle leads nearer than the input does."""
    networks = small_networks()
    embed, lq = networks.guide.embed, faces()

    def distance(**changes: object) -> float:
        chosen = replace(guided(mask="ones", scale=3.0, limit=10.0, gradient="full", **changes), steps=8)
        restored = clr_face(chosen, networks, oracle=clean).restore(lq, KEYS)
        with torch.no_grad():
            return identity_distance(embed, restored, embed(clean(KEYS))).mean().item()

    with torch.no_grad():
        unguided = identity_distance(embed, clr_face(sampling(steps=8), networks).restore(lq, KEYS), embed(clean(KEYS)))
    oracle = distance(target="oracle")
    assert oracle < unguided.mean().item()
    assert oracle < distance(target="input")


def test_a_recovery_of_embeddings_alone_is_a_target() -> None:
    torch.manual_seed(3)
    recovery = EmbeddingRecovery(Recogniser(RecogniserSize(input_size=SIDE, width=8, embedding_dim=8)))
    networks = replace(small_networks(), recovery=recovery)
    restorer = clr_face(guided(), networks)
    assert restorer.restore(faces(), KEYS).isfinite().all()
    assert restorer.network_evaluations == clr_face(guided()).network_evaluations - 1, "no pass through the recogniser"
    with pytest.raises(UserError, match=r"guidance\.constraint: 0\.5 needs an identity recovery that gives faces"):
        clr_face(guided(constraint=0.5), networks)


def test_the_constraint_needs_and_changes_the_recovered_latent() -> None:
    networks = small_networks()
    plain, constrained = (clr_face(guided(constraint=value), networks) for value in (0.0, 5.0))
    assert not torch.equal(plain.restore(faces(), KEYS), constrained.restore(faces(), KEYS))
    assert constrained.network_evaluations == plain.network_evaluations + 1
    assert constrained.parameters > plain.parameters


@pytest.mark.parametrize(("process", "solver"), PROCESSES)
def test_the_passes_that_are_told_are_those_that_happen(process: str, solver: str) -> None:
    networks = small_networks(replace(SDE, kind=process))
    passes: list[str] = []
    counted = {
        "score": networks.score,
        "encoder": networks.encoder,
        "decoder": networks.autoencoder.generator,
        "clean_encoder": networks.autoencoder.encoder,
        "recovery": networks.recovery,
        "recogniser": networks.guide.network,
    }
    for name, module in counted.items():
        module.register_forward_pre_hook(lambda *_, name=name: passes.append(name))
    eta = 0.5 if solver == "ddim" else None
    chosen = sampling(solver=solver, eta=eta, steps=4, guidance=guidance(every=2, window=(0.0, 0.9), constraint=0.1))
    for setting in (chosen, replace(chosen, guidance=guidance(scale=0.0))):
        passes.clear()
        restorer = clr_face(setting, networks)
        assert isinstance(restorer, Restorer)
        assert restorer.restore(faces(), KEYS).isfinite().all()
        assert restorer.network_evaluations == len(passes)
    shown = {"solver": solver, "start": 1.0, "steps": 4, "scale": 0.0, "seed": 0}
    assert restorer.knobs == (shown | {"eta": 0.5} if eta else shown)


def test_what_became_of_the_guidance_is_told() -> None:
    restorer = clr_face(guided(limit=1e-3))
    assert isinstance(restorer, Diagnosed)
    assert restorer.diagnostics == {}
    restorer.restore(faces(2), KEYS[:2])
    restorer.restore(faces(1), KEYS[:1])
    assert restorer.diagnostics == {"guided_share": 1.0, "clipped_share": 1.0, "not_finite_share": 0.0}
    half = clr_face(guided(every=2, limit=1e6))
    half.restore(faces(), KEYS)
    assert half.diagnostics == {"guided_share": pytest.approx(2 / 3), "clipped_share": 0.0, "not_finite_share": 0.0}
    unguided = clr_face(sampling())
    unguided.restore(faces(), KEYS)
    assert unguided.diagnostics == {}


def test_parameters_are_those_of_the_networks_at_work() -> None:
    networks = small_networks()
    count = {
        name: sum(weight.numel() for weight in module.parameters())
        for name, module in (
            ("score", networks.score),
            ("encoder", networks.encoder),
            ("codebook", networks.autoencoder.quantize),
            ("generator", networks.autoencoder.generator),
            ("recovery", networks.recovery),
            ("guide", networks.guide),
            ("mask", networks.mask),
        )
    }
    unguided = count["score"] + count["encoder"] + count["codebook"] + count["generator"]
    assert clr_face(sampling(), networks).parameters == unguided
    assert clr_face(guided(), networks).parameters == sum(count.values())
    assert clr_face(guided(mask="ones", target="input"), networks).parameters == unguided + count["guide"]


def test_bf16_keeps_the_face() -> None:
    exact = clr_face(guided()).restore(faces(), KEYS)
    bf16 = clr_face(guided(), precision=Precision("bf16")).restore(faces(), KEYS)
    assert bf16.dtype == torch.float32
    assert 0 < (bf16 - exact).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("missing", "changes", "sentence"),
    [
        (["guide"], {}, r"guidance\.scale: 0\.3 needs the recogniser that guides"),
        (["mask"], {}, r"guidance\.mask: learned needs a trained mask.*guidance\.mask=ones, or guidance\.scale=0"),
        (["mask"], {"mask": "edges"}, r"guidance\.mask: edges needs a trained mask"),
        (["recovery"], {}, r"guidance\.target: recovered needs an identity recovery"),
        ([], {"target": "oracle"}, r"guidance\.target: oracle leads to the clean face, which only a benchmark"),
    ],
)
def test_what_guidance_lacks_is_named(missing: list[str], changes: dict, sentence: str) -> None:
    networks = replace(small_networks(), **dict.fromkeys(missing))
    with pytest.raises(UserError, match=sentence):
        clr_face(guided(**changes), networks)
    clr_face(sampling(), networks)
    if missing == ["mask"]:
        clr_face(guided(mask="components"), networks)


def test_a_solver_of_another_process_is_refused_and_so_are_wrong_faces() -> None:
    for kind, solver in (("vp", "ddpm"), ("ddpm", "heun"), ("ddpm", "euler_maruyama")):
        with pytest.raises(
            UserError, match=rf"sampling\.solver: {solver} is no solver of the process {kind}.*take one of"
        ):
            clr_face(sampling(solver=solver), small_networks(replace(SDE, kind=kind)))
    restorer = clr_face(sampling())
    with pytest.raises(ValueError, match="1 keys for 3 faces"):
        restorer.restore(faces(), [0])
    with pytest.raises(UserError, match="clr_face was trained on faces of 16 x 16 px, not 32 x 32"):
        restorer.restore(faces(1, 32), [0])


def test_a_guide_that_breaks_down_leaves_the_face_unguided_and_is_counted() -> None:
    """Of one face only: the others are guided as ever."""
    networks = small_networks()
    recogniser, broken = networks.guide.network, torch.tensor([torch.nan, 1.0, 1.0])[:, None]

    def embed(pictures: Tensor) -> Tensor:
        return recogniser(pictures) * (broken if pictures.requires_grad else 1)

    networks = replace(networks, guide=IdentityLoss("broken", recogniser, embed))
    restorer = clr_face(guided(), networks)
    restored = restorer.restore(faces(), KEYS)
    unguided, ordinary = (clr_face(chosen).restore(faces(), KEYS) for chosen in (sampling(), guided()))
    assert torch.equal(restored[0], unguided[0])
    assert torch.equal(restored[1:], ordinary[1:])
    assert restorer.diagnostics["not_finite_share"] == pytest.approx(1 / 3)
    assert restorer.diagnostics["guided_share"] == pytest.approx(2 / 3)
