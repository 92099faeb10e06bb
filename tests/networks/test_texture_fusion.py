"""Texture fusion network: where it starts, what learns, what it learns, alignment of features, sides and sizes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.networks.texture_fusion import TextureFusion, field_of_face, field_of_level
from src.settings.codeformer_plus_plus import ALIGNMENTS, INJECTIONS
from src.settings.scale import TextureFusionSize

SIZE = TextureFusionSize(
    widths=[8, 16, 16],
    residual_blocks=1,
    bottleneck_blocks=1,
    norm_groups=4,
    reduction=4,
    offset_groups=2,
    window=3,
    heads=2,
)


def build(injection: str = "attention_fusion", alignment: str = "none", **changes: Any) -> TextureFusion:
    torch.manual_seed(0)
    return TextureFusion(replace(SIZE, **changes), injection, alignment)


def shaken(network: TextureFusion) -> TextureFusion:
    """The network with no weight left where it starts, so that everything in it has a part in the result."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return network


def faces(number: int, *sides: int, seed: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """I_F, I_G and a field of a few pixels."""
    generator = torch.Generator().manual_seed(seed)
    identity, moving = (torch.rand(number, 3, *sides, generator=generator) * 2 - 1 for _ in range(2))
    return identity, moving, 2 * torch.randn(number, 2, *sides, generator=generator)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("injection", INJECTIONS)
def test_it_starts_at_the_identity_face_bit_for_bit_and_then_all_of_it_learns(injection: str, alignment: str) -> None:
    network = build(injection, alignment)
    identity, moving, field = faces(2, 16, 24)
    assert torch.equal(network(identity, moving, field).image, identity)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(identity, moving, field).image, identity)
    # The convolution at zero hides the rest in the first step; the alignments have zeros of their own behind it.
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(1 if alignment == "none" else 2):
        optimiser.zero_grad()
        F.mse_loss(network(identity, moving, field).image, moving).backward()
        optimiser.step()
    optimiser.zero_grad()
    F.mse_loss(network(identity, moving, field).image, moving).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("injection", INJECTIONS)
def test_what_it_tells_of_attention_and_fusion(injection: str) -> None:
    fused = build(injection)(*faces(2, 32, 16))
    sides = [(8, 32, 16), (16, 16, 8), (16, 8, 4)]
    if injection in ("attention", "attention_fusion"):
        assert [tuple(attention.shape[1:]) for attention in fused.attention] == sides
        assert all(attention.min() > 0.05 and attention.max() < 0.95 for attention in fused.attention)
    else:
        assert fused.attention == []
    if injection == "attention_fusion":
        assert fused.identity_share is not None
        torch.testing.assert_close(fused.identity_share, torch.full((2, 3), 0.88), rtol=0, atol=0.01)
    else:
        assert fused.identity_share is None
    assert fused.alignment_field is None
    assert fused.alignment_penalty == 0


@torch.no_grad()
@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("injection", ["attention_fusion", "spade", "cross_attention"])
def test_a_face_alone_is_the_face_in_a_batch_and_training_mode_changes_nothing(injection: str, alignment: str) -> None:
    network = shaken(build(injection, alignment))
    batch = faces(3, 24, 16)
    together = network(*batch).image
    assert (together - batch[0]).abs().mean() > 0.05
    assert torch.equal(network.eval()(*batch).image, together)
    alone = torch.cat([network(*(part[i : i + 1] for part in batch)).image for i in range(3)])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)


def smooth_and_textured(seed: int) -> tuple[Tensor, Tensor]:
    """Faces without texture, and the same with stripes of random direction, phase and strength."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(4, 3, 4, 4, generator=generator) - 0.5
    smooth = F.interpolate(coarse, size=(16, 16), mode="bicubic")
    angle, phase = 6.3 * torch.rand(2, 4, 1, 1, 1, generator=generator)
    place = torch.arange(16.0)
    stripes = torch.sin(2 * (place * angle.cos() + place[:, None] * angle.sin()) + phase)
    return smooth, smooth + (0.2 + 0.2 * torch.rand(4, 3, 1, 1, generator=generator)) * stripes


def test_the_method_learns_to_transfer_texture_to_faces_that_it_has_not_seen() -> None:
    network = build()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    unseen, target = smooth_and_textured(1000)
    before = F.l1_loss(network(unseen, target).image, target).item()
    for step in range(60):
        smooth, textured = smooth_and_textured(step)
        optimiser.zero_grad()
        F.l1_loss(network(smooth, textured).image, textured).backward()
        optimiser.step()
    after = F.l1_loss(network(unseen, target).image, target).item()
    assert after < 0.5 * before
    # What it adds comes from the texture: without any, it adds little.
    assert (network(unseen, unseen).image - unseen).abs().mean() < 0.5 * before


def test_a_guided_alignment_reads_the_texture_where_the_field_points_at_every_level() -> None:
    network = build(alignment="flow_guided_deformable")
    identity, moving, _ = faces(1, 64, 64)
    field = torch.tensor([8.0, -4.0])[None, :, None, None].expand(1, 2, 64, 64)
    read: list[Tensor] = []
    for inject in network.injections:
        inject.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[1]))
    fused = network(identity, moving, field)
    for level, (texture, aligned) in enumerate(zip(network.texture_encoder(moving), read, strict=True)):
        dx, dy = 8 // 2**level, 4 // 2**level
        torch.testing.assert_close(aligned[:, :, dy:, :-dx], texture[:, :, :-dy, dx:])
    torch.testing.assert_close(fused.alignment_field[:, :, 4:, :-8], field[:, :, 4:, :-8])
    assert fused.alignment_penalty == 0


def test_fields_of_levels_are_means_in_cells_and_come_back_in_pixels_of_the_face() -> None:
    x, y = torch.arange(16.0).expand(8, 16), torch.arange(8.0)[:, None].expand(8, 16)
    field = torch.stack([3 + 0.5 * x - y, 2 - x])[None]
    halved = field_of_level(field, 2)
    assert halved is not None
    centre_x, centre_y = torch.tensor([1.5, 5.5, 9.5, 13.5]), torch.tensor([[1.5], [5.5]])
    expected = torch.stack([3 + 0.5 * centre_x - centre_y, (2 - centre_x).expand(2, 4)])[None] / 4
    torch.testing.assert_close(halved, expected)
    torch.testing.assert_close(field_of_face(halved, 2)[:, :, 2:-2, 2:-2], field[:, :, 2:-2, 2:-2])
    assert field_of_level(None, 1) is None


def test_alignments_stand_where_they_should_and_yield_what_learns_slowly() -> None:
    names = {alignment: build(alignment=alignment) for alignment in ALIGNMENTS}
    assert {name: list(network.alignments) for name, network in names.items()} == {
        "none": [],
        "deformable_convolution": ["0", "1", "2"],
        "flow_guided_deformable": ["0", "1", "2"],
        "local_attention": ["1", "2"],
    }
    for name, network in names.items():
        offsets = {id(parameter) for parameter in network.offset_parameters()}
        slow = {key for key, parameter in network.named_parameters() if id(parameter) in offsets}
        assert bool(slow) == ("deformable" in name)
        assert all(key.startswith("alignments.") for key in slow)
        aligning = {key for key, _ in network.alignments.named_parameters(prefix="alignments")}
        assert slow < aligning or not slow


@pytest.mark.parametrize("alignment", ["deformable_convolution", "local_attention"])
def test_an_alignment_of_its_own_needs_no_field_and_ignores_one(alignment: str) -> None:
    network = shaken(build(alignment=alignment))
    identity, moving, field = faces(2, 16, 16)
    without, given = network(identity, moving), network(identity, moving, field)
    assert torch.equal(without.image, given.image)
    assert without.alignment_field.shape == (2, 2, 16, 16)
    assert without.alignment_field.abs().max() > 0
    assert (without.alignment_penalty > 0) == (alignment == "deformable_convolution")


def test_the_penalty_is_the_mean_offset_over_the_levels_and_the_field_is_the_finest_level_s() -> None:
    network = build(alignment="deformable_convolution")
    for level, offset in (("0", 3.0), ("1", 2.0), ("2", 1.0)):
        last = network.alignments[level].offsets[-1]
        nn.init.constant_(last.bias, offset)
    fused = network(*faces(1, 16, 16))
    assert fused.alignment_penalty.item() == pytest.approx(2.0)
    torch.testing.assert_close(fused.alignment_field, torch.full((1, 2, 16, 16), 3.0))


@torch.no_grad()
@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_channels_last_and_bf16_give_the_same_within_their_precision(alignment: str) -> None:
    network = shaken(build(alignment=alignment))
    batch = faces(2, 16, 16)
    expected = network(*batch).image
    with torch.autocast("cpu", torch.bfloat16):
        halved = network(*batch).image
    assert halved.dtype == torch.float32
    assert 0 < (halved - expected).abs().mean() < 0.05 * (expected - batch[0]).std()
    network.to(memory_format=torch.channels_last)
    last = network(*(part.contiguous(memory_format=torch.channels_last) for part in batch)).image
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(16, 20), (4, 8)])
def test_sides_must_be_multiples_of_the_stride(shape: tuple[int, int]) -> None:
    network = build()
    assert network.stride == 8
    with pytest.raises(ValueError, match=rf"multiples of 8, got an image of {shape[0]} x {shape[1]}"):
        network(*faces(1, *shape))


def test_a_guided_alignment_without_a_field_is_refused() -> None:
    identity, moving, _ = faces(1, 16, 16)
    with pytest.raises(ValueError, match="field"):
        build(alignment="flow_guided_deformable")(identity, moving)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"injection": "add"}, "injection 'add' must be one of"),
        ({"alignment": "optical_flow"}, "alignment 'optical_flow' must be one of none, "),
        ({"norm_groups": 5}, r"norm_groups 5 must divide every width, got \[8, 16, 16\]"),
        ({"widths": []}, r"got widths \[\]"),
        ({"residual_blocks": 0}, "residual_blocks 0"),
        ({"alignment": "deformable_convolution", "offset_groups": 3}, "offset_groups 3 must divide"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**change)
