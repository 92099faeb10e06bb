"""Every array of codeformer_golden.npz at the published sizes (GOLDEN.md), but for the degradations' `deg_*`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.checkpoints.published import load_published, published_layout
from src.networks import CodeFormer, PatchDiscriminator, VqAutoencoder
from src.networks.codebook_health import histogram, perplexity
from src.networks.codeformer import CodePrediction
from tests.networks.key_name_weights import recipe

PATTERNS = ("rand", "smooth")
SIDES = (512, 256, 128, 64, 32, 16)
Traced = tuple[CodePrediction, dict[str, Tensor]]


def golden_network(name: str, known: dict[str, Tensor] | None = None) -> nn.Module:
    """Published network with the recipe's weights, taken from `known` where key and shape agree.

    channels_last saves a third of the time.
    """
    state = {}
    for key, (shape, dtype) in published_layout(name).items():
        if known and key in known and known[key].shape == shape:
            state[key] = known[key]
        else:
            state[key] = recipe(key, shape) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype)
    return load_published(name, state).to(memory_format=torch.channels_last)


def pattern(name: str) -> Tensor:
    if name == "rand":
        values = np.random.RandomState(0).uniform(-1, 1, (1, 3, 512, 512))
    else:
        c, y, x = np.arange(3)[:, None, None], np.arange(512)[:, None], np.arange(512)
        waves = 0.6 * np.sin(2 * np.pi * ((c + 1) * x / 512 + 0.25 * c)) * np.cos(2 * np.pi * (3 - c) * y / 512)
        values = (waves + 0.3 * np.cos(2 * np.pi * (c + 2) * (x + y) / 512))[None]
    return torch.from_numpy(values.astype(np.float32)).contiguous(memory_format=torch.channels_last)


class Golden:
    """The stored arrays and the comparisons that GOLDEN.md allows."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.arrays = {name: arrays[name] for name in arrays}

    def near(self, name: str, value: Tensor) -> None:
        expected = torch.from_numpy(self.arrays[name])
        torch.testing.assert_close(value.detach().to(expected), expected, rtol=1e-3, atol=1e-3, msg=lambda m: name + m)

    def stats(self, name: str, value: Tensor) -> None:
        value = value.detach().double()
        self.near(name, torch.stack([value.mean(), value.std(correction=0), value.abs().max()]))

    def scalar(self, name: str, value: Tensor) -> None:
        assert value.item() == pytest.approx(self.arrays[name].item(), rel=1e-3), name

    def gradient(self, name: str, value: Tensor) -> None:
        """A norm: float64, which takes six minutes, agrees within 5.2e-4; float32 rounding moves it by up to 1.5e-3."""
        assert value.item() == pytest.approx(self.arrays[name].item(), rel=2e-3), name

    def codes(self, name: str, value: Tensor, margin: float) -> None:
        assert (self.arrays[f"{name}_margin"] > margin).all()
        np.testing.assert_array_equal(value.flatten().numpy(), self.arrays[name])


@pytest.fixture(scope="module", autouse=True)
def _two_threads() -> Iterator[None]:
    """The tolerances were measured so: with one thread the convolutions round otherwise, by up to 1.6e-3 at single pixels."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def golden(root: Path) -> Golden:
    return Golden(root / "tests" / "data" / "codeformer_golden.npz")


@pytest.fixture(scope="module")
def codeformer() -> CodeFormer:
    network = golden_network("codeformer")
    assert isinstance(network, CodeFormer)
    return network


@pytest.fixture(scope="module")
def vqgan(codeformer: CodeFormer) -> VqAutoencoder:
    network = golden_network("vqgan", codeformer.state_dict())
    assert isinstance(network, VqAutoencoder)
    return network


@pytest.fixture(scope="module")
def discriminator_state() -> dict[str, Tensor]:
    return golden_network("vqgan_discriminator").state_dict()


@pytest.fixture
def discriminator(discriminator_state: dict[str, Tensor]) -> PatchDiscriminator:
    network = golden_network("vqgan_discriminator", discriminator_state)
    assert isinstance(network, PatchDiscriminator)
    return network


@contextmanager
def recorded(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Keep the outputs of named modules while the context lasts."""
    outputs: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: outputs.__setitem__(name, output)

    handles = [module.register_forward_hook(keeper(name)) for name, module in modules.items()]
    yield outputs
    for handle in handles:
        handle.remove()


@pytest.fixture(scope="module")
def traced(codeformer: CodeFormer) -> dict[str, Traced]:
    """Predictions of both patterns with the intermediate tensors of encoder and Transformer."""
    encoder = codeformer.encoder
    points: dict[str, nn.Module] = {f"enc{side}": encoder.blocks[encoder.taps[side]] for side in SIDES}
    points |= {"emb": codeformer.feat_emb, "layer0": codeformer.ft_layers[0], "layer8": codeformer.ft_layers[8]}
    found = {}
    for name in PATTERNS:
        with torch.no_grad(), recorded(points) as taps:
            found[name] = codeformer.predict_codes(pattern(name), with_features=True), taps
    return found


def test_recipe_and_inputs(golden: Golden, vqgan: VqAutoencoder) -> None:
    probe = vqgan.encoder.blocks[0].get_parameter("weight").flatten()[:16]
    assert torch.equal(probe, torch.from_numpy(golden.arrays["probe_weight_vq_encoder.blocks.0.weight"]))
    for name in PATTERNS:
        golden.near(f"input_{name}_sub", pattern(name)[:, :, ::64, ::64])
        golden.stats(f"input_{name}_stats", pattern(name))


@pytest.mark.parametrize(("name", "layout"), [("rand", torch.contiguous_format), ("smooth", torch.channels_last)])
@torch.no_grad()
def test_vqgan(golden: Golden, vqgan: VqAutoencoder, name: str, layout: torch.memory_format) -> None:
    result = vqgan.to(memory_format=layout)(pattern(name).contiguous(memory_format=layout))
    golden.near(f"vq_{name}_z_sub", result.latent[:, ::8, ::2, ::2])
    golden.stats(f"vq_{name}_z_stats", result.latent)
    golden.codes(f"vq_{name}_idx", result.codes, margin=1e-3)
    golden.near(f"vq_{name}_codefeat_sub", vqgan.quantize.lookup(result.codes)[:, ::8, ::2, ::2])
    golden.near(f"vq_{name}_out_sub", result.image[:, :, ::16, ::16])
    golden.stats(f"vq_{name}_out_stats", result.image)
    golden.scalar(f"vq_{name}_codebook_loss", result.codebook_loss)
    golden.scalar(f"vq_{name}_perplexity", perplexity(histogram(result.codes, vqgan.quantize.codebook_size)))
    golden.scalar(f"vq_{name}_mean_distance", vqgan.quantize.distances(result.latent).mean())
    points = result.latent.permute(0, 2, 3, 1).flatten(0, 2).double()
    nearest = torch.cdist(points, vqgan.quantize.embedding.weight.double()).square().topk(2, largest=False).values
    golden.near(f"vq_{name}_idx_margin", nearest[:, 1] - nearest[:, 0])


@pytest.mark.parametrize("name", PATTERNS)
def test_code_prediction(golden: Golden, traced: dict[str, Traced], name: str) -> None:
    prediction, taps = traced[name]
    golden.near(f"cf_{name}_logits_sub", prediction.logits[:, ::4, ::8])
    golden.stats(f"cf_{name}_logits_stats", prediction.logits)
    golden.near(f"cf_{name}_lq_feat_sub", prediction.latent[:, ::8, ::2, ::2])
    golden.stats(f"cf_{name}_lq_feat_stats", prediction.latent)
    golden.codes(f"cf_{name}_idx", prediction.codes, margin=1e-4)
    best = prediction.logits[0].topk(2).values
    golden.near(f"cf_{name}_idx_margin", best[:, 0] - best[:, 1])
    for side in SIDES:
        check_feature(golden, f"cf_{name}_tap_enc{side}", taps[f"enc{side}"])
    for tap in ("emb", "layer0", "layer8"):
        golden.near(f"cf_{name}_tap_{tap}_sub", taps[tap][0, ::16, ::16])
        golden.stats(f"cf_{name}_tap_{tap}_stats", taps[tap])


def check_feature(golden: Golden, name: str, feature: Tensor) -> None:
    channels, side = feature.shape[1], feature.shape[2]
    step = max(side // 8, 1)
    golden.near(f"{name}_sub", feature[0, :: channels // 8, ::step, ::step])
    golden.stats(f"{name}_stats", feature)


@pytest.mark.parametrize("adain", [False, True])
@pytest.mark.parametrize("fidelity", ["0", "0.5", "1"])
@pytest.mark.parametrize("name", PATTERNS)
@torch.no_grad()
def test_restoration(
    golden: Golden, codeformer: CodeFormer, traced: dict[str, Traced], name: str, fidelity: str, adain: bool
) -> None:
    generator = codeformer.generator
    points: dict[str, nn.Module] = {f"gen{side}": generator.blocks[generator.points[side]] for side in SIDES}
    with recorded(points) as taps:
        image = codeformer.generate(traced[name][0], float(fidelity), adain)
    golden.near(f"cf_{name}_w{fidelity}_adain{int(adain)}_out_sub", image[:, :, ::16, ::16])
    golden.stats(f"cf_{name}_w{fidelity}_adain{int(adain)}_out_stats", image)
    if fidelity == "0.5" and not adain:
        for tap, feature in taps.items():
            check_feature(golden, f"cf_{name}_tap_{tap}", feature)


@torch.no_grad()
def test_inpainting(golden: Golden, codeformer: CodeFormer) -> None:
    network = golden_network("codeformer_inpainting", codeformer.state_dict())
    result = network(pattern("rand"), fidelity=1.0)
    golden.codes("inpaint_rand_idx", result.logits.argmax(2), margin=1e-4)
    best = result.logits[0].topk(2).values
    golden.near("inpaint_rand_idx_margin", best[:, 0] - best[:, 1])
    golden.near("inpaint_rand_w1_adain0_out_sub", result.image[:, :, ::16, ::16])
    golden.stats("inpaint_rand_w1_adain0_out_stats", result.image)


@torch.no_grad()
def test_discriminator(golden: Golden, discriminator: PatchDiscriminator) -> None:
    pair = torch.cat([pattern(name) for name in PATTERNS])
    for name, logits in zip(PATTERNS, discriminator(pair).split(1), strict=True):
        golden.near(f"disc_{name}_eval_out", logits)
    golden.near("disc_pair_train_out_sub", discriminator.train()(pair)[:, :, ::2, ::2])
    for buffer in ("running_mean", "running_var"):
        golden.near(f"disc_pair_train_main.3.{buffer}_after", discriminator.get_buffer(f"main.3.{buffer}"))


def adaptive_weight(golden: Golden, stage: str, rec: Tensor, gan: Tensor, layer: Tensor) -> Tensor:
    """Adaptive GAN weight before its factor, with its two gradient norms checked."""
    (rec_gradient,) = torch.autograd.grad(rec, layer, retain_graph=True)
    (gan_gradient,) = torch.autograd.grad(gan, layer, retain_graph=True)
    golden.gradient(f"{stage}_recon_gradnorm", rec_gradient.norm())
    golden.gradient(f"{stage}_gan_gradnorm", gan_gradient.norm())
    weight = (rec_gradient.norm() / (gan_gradient.norm() + 1e-4)).clamp(0, 1)
    golden.gradient(f"{stage}_d_weight_clamped", weight)
    return weight


def check_hinge(golden: Golden, stage: str, discriminator: PatchDiscriminator, image: Tensor) -> None:
    with torch.no_grad():
        golden.scalar(f"{stage}_d_real", F.relu(1 - discriminator(pattern("smooth"))).mean())
        golden.scalar(f"{stage}_d_fake", F.relu(1 + discriminator(image)).mean())


def check_gradients(golden: Golden, stage: str, network: nn.Module, total: Tensor) -> None:
    """Norms of the stored gradients; only these are computed, which saves half of the backward pass."""
    prefix = f"{stage}_gradnorm_"
    names = [name.removeprefix(prefix) for name in golden.arrays if name.startswith(prefix)]
    gradients = torch.autograd.grad(total, [network.get_parameter(name) for name in names])
    for name, gradient in zip(names, gradients, strict=True):
        golden.gradient(prefix + name, gradient.norm())


def test_stage_1_losses_and_gradients(golden: Golden, vqgan: VqAutoencoder, discriminator: PatchDiscriminator) -> None:
    clean = pattern("smooth")
    result = vqgan.to(memory_format=torch.channels_last)(clean)
    pixel = (result.image - clean).abs().mean()
    adversarial = -discriminator.train()(result.image).mean()
    golden.scalar("train_s1_l1", pixel)
    golden.scalar("train_s1_codebook", result.codebook_loss)
    golden.scalar("train_s1_g_gan", adversarial)
    weight = adaptive_weight(golden, "train_s1", pixel, adversarial, vqgan.last_layer)
    check_gradients(golden, "train_s1", vqgan, pixel + 0.8 * weight * adversarial + result.codebook_loss)
    check_hinge(golden, "train_s1", discriminator, result.image)


def test_stage_2_and_3_losses_and_gradients(
    golden: Golden, codeformer: CodeFormer, discriminator: PatchDiscriminator
) -> None:
    codeformer.freeze_decoder()
    prediction = codeformer.predict_codes(pattern("rand"), with_features=True)
    targets = torch.from_numpy(golden.arrays["vq_smooth_idx"]).long().view(1, 16, 16)
    feature = F.mse_loss(prediction.latent, codeformer.quantize.lookup(targets))
    token = F.cross_entropy(prediction.logits.transpose(1, 2), targets.flatten(1))
    code_loss = feature + 0.5 * token
    golden.scalar("train_s2_feat_l2", feature)
    golden.scalar("train_s2_ce_raw", token)
    golden.scalar("train_s2_total", code_loss)
    code_loss.backward(retain_graph=True)
    prefix = "train_s2_gradnorm_"
    for name in (key for key in golden.arrays if key.startswith(prefix)):
        gradient = codeformer.get_parameter(name.removeprefix(prefix)).grad
        assert gradient is not None
        golden.gradient(name, gradient.norm())
    without = sum(p.requires_grad and p.grad is None for p in codeformer.parameters())
    assert without == golden.arrays["train_s2_n_params_without_grad_but_trainable"] == 72

    image = codeformer.generate(prediction, fidelity=1.0)
    pixel = (image - pattern("smooth")).abs().mean()
    adversarial = -discriminator.train()(image).mean()
    golden.scalar("train_s3_l1", pixel)
    golden.scalar("train_s3_g_gan", adversarial)
    weight = adaptive_weight(golden, "train_s3", pixel, adversarial, codeformer.adaptive_layer)
    total = code_loss + pixel + 0.1 * weight * adversarial
    golden.scalar("train_s3_total", total)
    check_gradients(golden, "train_s3", codeformer, total)
    check_hinge(golden, "train_s3", discriminator, image)
