"""AdaFace's IR-101."""

import pytest
import torch

from src.networks.adaface_ir101 import AdaFaceIr101


@pytest.fixture(scope="module")
def network() -> AdaFaceIr101:
    torch.manual_seed(0)
    return AdaFaceIr101().eval()


def test_its_layout_is_the_one_of_the_repository(network: AdaFaceIr101) -> None:
    """Of its name: 1 + 49 blocks of 2 convolutions + 1 linear layer = 100, and the last normalisation."""
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(network.body) == 49
    assert len(convolutions) == 1 + 2 * 49
    state = network.state_dict()
    assert state["input_layer.0.weight"].shape == (64, 3, 3, 3)
    assert state["body.3.shortcut_layer.0.weight"].shape == (128, 64, 1, 1)
    assert state["body.3.res_layer.3.weight"].shape == (128,)
    assert state["output_layer.3.weight"].shape == (512, 512 * 7 * 7)
    assert {"output_layer.4.running_mean", "output_layer.4.running_var"} <= state.keys()
    assert "output_layer.4.weight" not in state


def test_its_trunk_equals_facexlibs_ir_network_but_for_a_normalisation(network: AdaFaceIr101) -> None:
    """AdaFace has a BatchNorm between a block's first convolution and its PReLU; as the identity it changes nothing."""
    arch = pytest.importorskip("facexlib.recognition.arcface_arch")
    theirs = arch.Backbone(num_layers=100, drop_ratio=0.4, mode="ir").eval()
    ours = network.state_dict()
    for index in range(49):
        norm = network.body[index].res_layer[2]
        torch.nn.init.constant_(norm.running_var, 1 - norm.eps)
    renamed = {}
    for key in theirs.state_dict():
        prefix, _, rest = key.partition(".res_layer.")
        place, _, leaf = rest.partition(".")
        source = f"{prefix}.res_layer.{int(place) + (int(place) > 1)}.{leaf}" if rest else key
        renamed[key] = ours.get(source, theirs.state_dict()[key])
    theirs.load_state_dict(renamed)
    face = torch.rand(1, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        expected = theirs.body(theirs.input_layer(face))
        torch.testing.assert_close(network.body(network.input_layer(face)), expected, rtol=1e-4, atol=1e-4)
