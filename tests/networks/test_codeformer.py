"""CodeFormer of any size: what is run, what is trained, what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from src.checkpoints.published import PUBLISHED_NETWORKS
from src.networks import CodeFormer, FeatureTransformation, VqAutoencoder
from src.networks.adaptive_instance_norm import adaptive_instance_norm
from src.networks.code_predictor import CodePredictorLayer
from src.settings.scale import CodePredictorSize, VqAutoencoderSize

SIZE = VqAutoencoderSize(
    image_size=32,
    width=8,
    multipliers=[1, 2, 2, 4],
    residual_blocks=1,
    attention_sizes=[4],
    norm_groups=8,
    codebook_size=16,
    code_dim=8,
)
PREDICTOR = CodePredictorSize(dim=24, heads=4, layers=2)


def build(**changes: object) -> CodeFormer:
    torch.manual_seed(0)
    network = CodeFormer(replace(SIZE, **changes), PREDICTOR, [16, 8])
    nn.init.normal_(network.quantize.embedding.weight)
    nn.init.normal_(network.position_emb)
    return network


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        network = PUBLISHED_NETWORKS["codeformer"]()
    assert isinstance(network, CodeFormer)
    network.freeze_decoder()

    def count(parameters: object) -> int:
        return sum(p.numel() for p in parameters)

    assert count(network.parameters()) == 94_112_707
    assert count(p for p in network.parameters() if p.requires_grad) == 59_788_608
    assert count(network.fusion_parameters()) == 10_659_584
    assert count(network.code_parameters()) == 59_788_608 - 10_659_584
    assert len(list(network.fusion_parameters())) == 72
    assert network.position_emb.shape == (256, 512)
    assert network.adaptive_layer is network.get_parameter("fuse_convs_dict.256.shift.2.weight")


@pytest.mark.parametrize("attention_sizes", [[4], []])
@pytest.mark.parametrize("residual_blocks", [1, 2])
def test_every_size_restores(image: Tensor, attention_sizes: list[int], residual_blocks: int) -> None:
    network = build(attention_sizes=attention_sizes, residual_blocks=residual_blocks)
    assert network.fused_sizes == (8, 16)
    result = network(image, fidelity=0.7)
    assert result.image.shape == (2, 3, 32, 32)
    assert result.logits.shape == (2, 16, 16)
    assert result.latent.shape == (2, 8, 4, 4)
    everywhere = CodeFormer(network.size, PREDICTOR, [4, 8, 16, 32])
    assert everywhere(image, fidelity=1.0).image.shape == (2, 3, 32, 32)


def test_fidelity_0_skips_the_cft_blocks(image: Tensor) -> None:
    network = build()
    calls: list[nn.Module] = []
    for block in network.fuse_convs_dict.values():
        block.register_forward_hook(lambda module, _inputs, _output: calls.append(module))
    without = network(image, fidelity=0.0).image
    assert not calls
    assert network.predict_codes(image).features == {}
    network(image, fidelity=1e-6)
    assert len(calls) == 2
    bare = CodeFormer(SIZE, PREDICTOR, [])
    bare.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("fuse_convs_dict")})
    for fidelity in (0.0, 1.0):
        assert torch.equal(bare(image, fidelity).image, without)


@pytest.mark.parametrize("adain", [False, True])
def test_one_prediction_serves_every_fidelity(image: Tensor, adain: bool) -> None:
    network = build()
    prediction = network.predict_codes(image, with_features=True)
    images = []
    for fidelity in (0.0, 0.5, 1.0):
        result = network(image, fidelity, adain)
        assert torch.equal(result.image, network.generate(prediction, fidelity, adain))
        assert torch.equal(result.logits, prediction.logits)
        images.append(result.image)
    assert not torch.allclose(images[0], images[1])
    assert not torch.allclose(images[1], images[2])


@pytest.mark.parametrize("adain", [False, True])
def test_fidelity_may_be_a_tensor(image: Tensor, adain: bool) -> None:
    network = build()
    prediction = network.predict_codes(image, with_features=True)
    for fidelity in (0.0, 0.4, 1.0):
        decoded = network.decode(prediction, torch.tensor(fidelity), adain)
        torch.testing.assert_close(decoded, network.generate(prediction, fidelity, adain), rtol=0, atol=1e-6)
    assert torch.equal(network.decode(prediction, None, adain), network.generate(prediction, 0.0, adain))


def test_image_losses_reach_the_cft_blocks_alone(image: Tensor) -> None:
    network = build()
    network.freeze_decoder()
    network(image, fidelity=1.0, adain=True).image.abs().mean().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached == {name for name, _ in network.named_parameters() if name.startswith("fuse_convs_dict")}
    assert len(reached) == 2 * 18
    assert not network(image, fidelity=0.0).image.requires_grad


def test_code_losses_reach_everything_but_cft_and_decoder(image: Tensor) -> None:
    network = build()
    network.freeze_decoder()
    prediction = network.predict_codes(image)
    (prediction.logits.square().mean() + prediction.latent.square().mean()).backward()
    reached = {id(p) for p in network.parameters() if p.grad is not None}
    assert reached == {id(p) for p in network.code_parameters()}


def test_codes_are_row_major(image: Tensor) -> None:
    prediction = build().predict_codes(image)
    for row, column in ((0, 3), (2, 1)):
        assert torch.equal(prediction.codes[:, row, column], prediction.logits[:, 4 * row + column].argmax(1))


def test_autoencoder_weights_are_taken_over(image: Tensor) -> None:
    network, autoencoder = build(), VqAutoencoder(SIZE)
    network.load_autoencoder(autoencoder)
    assert torch.equal(network.predict_codes(image).latent, autoencoder.encode(image))
    codes = network.predict_codes(image).codes
    image_of_codes = autoencoder.decode(autoencoder.quantize.lookup(codes))
    assert torch.equal(network(image, fidelity=0.0).image, image_of_codes)
    with pytest.raises(RuntimeError, match=r"blocks.0.weight"):
        network.load_autoencoder(VqAutoencoder(replace(SIZE, width=16)))


def test_bad_input_is_refused(image: Tensor) -> None:
    with pytest.raises(ValueError, match=r"fused_sizes \[7\].*\[4, 8, 16, 32\]"):
        CodeFormer(SIZE, PREDICTOR, [7, 8])
    with pytest.raises(ValueError, match="without fused_sizes"):
        _ = CodeFormer(SIZE, PREDICTOR, []).adaptive_layer
    with pytest.raises(ValueError, match="heads 5 must divide dim 24"):
        CodeFormer(SIZE, replace(PREDICTOR, heads=5), [])
    network = build()
    with pytest.raises(ValueError, match="32 x 32 pixels, got 64 x 32"):
        network(torch.zeros(1, 3, 64, 32))
    with pytest.raises(ValueError, match=r"fidelity -0.5 is negative"):
        network(image, fidelity=-0.5)
    with pytest.raises(ValueError, match="with_features=True"):
        network.generate(network.predict_codes(image), fidelity=1.0)


def test_training_works_under_bfloat16_autocast(image: Tensor) -> None:
    network = build()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(image, fidelity=1.0, adain=True)
    (result.image.float().mean() + result.logits.float().square().mean()).backward()
    trained = [*network.code_parameters(), *network.fusion_parameters()]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)


def test_bfloat16_weights_restore(image: Tensor) -> None:
    result = build().bfloat16()(image.bfloat16(), fidelity=1.0, adain=True)
    assert result.image.dtype == torch.bfloat16
    assert result.image.isfinite().all()


def test_transformer_layer_equals_explicit_attention() -> None:
    torch.manual_seed(0)
    layer = CodePredictorLayer(dim=12, heads=3).double()
    tokens, position = torch.randn(2, 5, 12).double(), torch.randn(5, 12).double()
    normed = layer.norm1(tokens)
    weight, bias = layer.self_attn.in_proj_weight.split(12), layer.self_attn.in_proj_bias.view(3, 12)
    sources = (normed + position, normed + position, normed)
    query, key, value = (
        (source @ weight[i].T + bias[i]).view(2, 5, 3, 4).transpose(1, 2) for i, source in enumerate(sources)
    )
    attended = (query @ key.transpose(2, 3) / 2).softmax(3) @ value
    hidden = tokens + layer.self_attn.out_proj(attended.transpose(1, 2).reshape(2, 5, 12))
    widened = layer.linear1(layer.norm2(hidden))
    gelu = widened * 0.5 * (1 + torch.erf(widened / 2**0.5))
    torch.testing.assert_close(layer(tokens, position), hidden + layer.linear2(gelu))


def test_feature_transformation_is_affine_in_fidelity() -> None:
    torch.manual_seed(0)
    block = FeatureTransformation(8, norm_groups=4)
    encoder_feature, decoder_feature = torch.randn(2, 1, 8, 4, 4)
    at_0, at_1 = (block(encoder_feature, decoder_feature, w) for w in (0.0, 1.0))
    assert torch.equal(at_0, decoder_feature)
    torch.testing.assert_close(block(encoder_feature, decoder_feature, 0.3), 0.7 * at_0 + 0.3 * at_1)
    swapped = block(decoder_feature, encoder_feature, 1.0)
    assert not torch.allclose(swapped, at_1)


def test_adain_gives_content_the_statistics_of_style() -> None:
    torch.manual_seed(0)
    content, style = torch.randn(2, 3, 4, 4) * 2 + 1, torch.randn(2, 3, 4, 4) * 5 - 3
    matched = adaptive_instance_norm(content, style)
    torch.testing.assert_close(matched.mean((2, 3)), style.mean((2, 3)))
    torch.testing.assert_close(matched.var((2, 3)), style.var((2, 3)), rtol=1e-4, atol=0)
    flat = torch.full((1, 1, 2, 2), 4.0)
    assert torch.equal(adaptive_instance_norm(flat, flat + 3), flat + 3)
