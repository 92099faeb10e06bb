"""Writes a network as one ONNX file and compares that file, run by ONNX Runtime, with torch."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from src.checkpoints.files import atomic_path
from src.networks import CodeFormer, VqAutoencoder
from src.settings.errors import UserError

FIDELITIES = (0.0, 0.5, 1.0)
"""At which a CodeFormer's file is compared."""
MEAN_LIMIT = 1e-4
"""Largest mean difference of two images of equal codes: 1/80 of an 8-bit level, and 100 times what two threads against
one change (GOLDEN.md)."""
TIE = 1e-5
"""Codes may differ where their scores do by less than this share of the largest score, as fp32 rounds there."""
PROTOBUF_LIMIT = 2**31
"""Bytes of one ONNX file, weights included."""
OPSET = 18
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
NOISY_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")

Restorable = CodeFormer | VqAutoencoder
Compared = tuple[Float[Tensor, "b n k"], list[Float[Tensor, "b 3 h w"]]]
"""Scores of every code at every position, highest wins; images, one for each fidelity."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How near an ONNX file comes to torch on two probe images, in units of the image range [-1, 1]."""

    mean_difference: float
    """Largest mean absolute difference of an image."""
    max_difference: float
    equal_codes: float
    """Share of positions at which the same code was taken."""


class CodeFormerGraph(nn.Module):
    """What the file of a CodeFormer computes, at any fidelity."""

    def __init__(self, network: CodeFormer, adain: bool) -> None:
        super().__init__()
        self.network = network
        self.adain = adain

    def forward(
        self, image: Float[Tensor, "b 3 h w"], fidelity: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b h_code w_code"]]:
        """Unbounded restorations of images in [-1, 1], and their codes."""
        prediction = self.network.predict_codes(image, with_features=True)
        return self.network.decode(prediction, fidelity, self.adain), prediction.codes


class VqAutoencoderGraph(nn.Module):
    """What the file of a VQ autoencoder computes."""

    def __init__(self, network: VqAutoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, image: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b h_code w_code"]]:
        """Unbounded reconstructions of images in [-1, 1], and their codes."""
        codes = self.network.codes(image)
        return self.network.decode(self.network.quantize.lookup(codes)), codes


def export_onnx(network: Restorable, path: Path, *, adain: bool, metadata: Mapping[str, str]) -> Agreement:
    """Write a network in eval mode to one file, after comparing it with torch in ONNX Runtime on the CPU.

    Inputs: `image` "batch 3 side side" in [-1, 1], RGB; for a CodeFormer also `fidelity`, a scalar. Output: `restored`,
    of the image's shape and unbounded. `adain` is fixed in the file; a VQ autoencoder has none.

    Raises:
        UserError: a package is missing, the network is beyond 2 GB, cannot be traced, or the file computes something
            else than torch.
    """
    _require_packages()
    _check_size(network)
    program = _traced(network, adain)
    _replace_metadata(program.model, metadata)
    restored, codes = program.model.graph.outputs
    with atomic_path(path) as temporary:
        program.model.graph.outputs[:] = [restored]
        program.save(temporary, external_data=False)
        program.model.graph.outputs[:] = [codes]
        return _compare(network, adain, str(temporary), program.model_proto.SerializeToString())


def probe_images(side: int) -> list[Float[Tensor, "1 3 side side"]]:
    """A smooth pattern and noise, in [-1, 1] (the inputs of GOLDEN.md at any side)."""
    c, y, x = np.arange(3)[:, None, None], np.arange(side)[:, None] / side, np.arange(side) / side
    waves = 0.6 * np.sin(2 * np.pi * ((c + 1) * x + 0.25 * c)) * np.cos(2 * np.pi * (3 - c) * y)
    smooth = waves + 0.3 * np.cos(2 * np.pi * (c + 2) * (x + y))
    noise = np.random.RandomState(0).uniform(-1, 1, smooth.shape)
    return [torch.from_numpy(image.astype(np.float32))[None] for image in (smooth, noise)]


def _require_packages() -> None:
    for name in PACKAGES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import_module(name)
        except ImportError as error:
            raise UserError(
                f"--format onnx needs the package {name}, which is not installed: pip install '.[export]'"
            ) from error


def _check_size(network: nn.Module) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size >= PROTOBUF_LIMIT:
        raise UserError(
            f"the network has {size / 1e9:.1f} GB of weights, one ONNX file holds 2 GB: use another --format"
        )


def _traced(network: Restorable, adain: bool) -> Any:
    side = network.size.image_size
    graph: nn.Module
    # A batch of 2, because the exporter takes a 1 for a constant.
    inputs: tuple[Tensor, ...] = (torch.zeros(2, 3, side, side),)
    shapes: dict[str, Any] = {"image": {0: torch.export.Dim("batch")}}
    if isinstance(network, CodeFormer):
        graph, inputs, shapes = (
            CodeFormerGraph(network, adain),
            (*inputs, torch.tensor(0.5)),
            shapes | {"fidelity": None},
        )
    else:
        graph = VqAutoencoderGraph(network)
    with _silence():
        try:
            return torch.onnx.export(
                graph.eval(),
                inputs,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(shapes),
                output_names=["restored", "codes"],
                dynamic_shapes=shapes,
                custom_translation_table=_translations(),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = next(line for line in str(error).splitlines() if line)
            raise UserError(f"torch {torch.__version__} cannot export this network to ONNX: {reason}") from error


def _replace_metadata(model: Any, metadata: Mapping[str, str]) -> None:
    """Keep `metadata` alone: the exporter writes the folders of this machine to every node."""
    values = [value for node in model.graph for value in node.outputs]
    for part in (model, model.graph, *model.graph, *values, *model.graph.inputs):
        part.metadata_props.clear()
    model.metadata_props.update(metadata)


def _translations() -> dict[Any, Any]:
    """ONNX for what the exporter itself translates badly."""
    op = getattr(import_module("onnxscript"), f"opset{OPSET}")
    aten = torch.ops.aten
    return {aten.scaled_dot_product_attention.default: _attention(op), aten.group_norm.default: _group_norm(op)}


def _attention(op: Any) -> Callable[..., Any]:
    """For tensors of any rank; the exporter takes four dimensions only."""

    def attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
        rank = len(query.shape)
        transposed = op.Transpose(key, perm=[*range(rank - 2), rank - 1, rank - 2])
        scale = op.Constant(value_float=int(query.shape[-1]) ** -0.5)
        return op.MatMul(op.Softmax(op.Mul(op.MatMul(query, transposed), scale), axis=-1), value)

    return attention


def _group_norm(op: Any) -> Callable[..., Any]:
    """Means by rows first: InstanceNormalization, which the exporter takes, sums half a million fp32 values in a row.

    At 512 pixels a whole CodeFormer then differs from torch by 1.5e-6 on average instead of 2.0e-5.
    """

    def mean(grouped: Any) -> Any:
        by_row = op.ReduceMean(grouped, op.Constant(value_ints=[3]))
        return op.ReduceMean(by_row, op.Constant(value_ints=[2]))

    def group_norm(feature: Any, groups: int, weight: Any, bias: Any, eps: float = 1e-5, *_: Any, **__: Any) -> Any:
        channels, height, width = map(int, feature.shape[1:])
        grouped = op.Reshape(feature, op.Constant(value_ints=[0, groups, -1, width]))
        centred = op.Sub(grouped, mean(grouped))
        variance = op.Add(mean(op.Mul(centred, centred)), op.Constant(value_float=eps))
        normed = op.Reshape(op.Div(centred, op.Sqrt(variance)), op.Constant(value_ints=[0, channels, height, width]))
        over_positions = op.Constant(value_ints=[1, 2])
        return op.Add(op.Mul(normed, op.Unsqueeze(weight, over_positions)), op.Unsqueeze(bias, over_positions))

    return group_norm


@contextmanager
def _silence() -> Iterator[None]:
    """The exporter's warnings and messages are about its own parts."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for logger in map(logging.getLogger, NOISY_LOGGERS):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        yield


@torch.no_grad()
def _compare(network: Restorable, adain: bool, restored_model: str, codes_model: bytes) -> Agreement:
    sessions = _session(restored_model), _session(codes_model)
    means, maxima, equal = [], [], []
    for image in probe_images(network.size.image_size):
        scores, expected = _by_torch(network, image, adain)
        (codes,) = sessions[1].run(None, _feeds(network, image, FIDELITIES[0]))
        agreeing = _agreeing(scores.flatten(0, 1), torch.from_numpy(codes).flatten())
        equal.append(float(agreeing.double().mean()))
        for fidelity, one in zip(FIDELITIES, expected, strict=False):
            (found,) = sessions[0].run(None, _feeds(network, image, fidelity))
            difference = (torch.from_numpy(found) - one).abs()
            means.append(float(difference.mean()))
            maxima.append(float(difference.max()))
            if bool(agreeing.all()) and not means[-1] <= MEAN_LIMIT:
                raise UserError(
                    f"the ONNX file was not kept: at equal codes its images differ from torch's by {means[-1]:.1e} on "
                    f"average, the limit is {MEAN_LIMIT}; try other versions of torch, onnxscript and onnxruntime"
                )
    return Agreement(mean_difference=max(means), max_difference=max(maxima), equal_codes=sum(equal) / len(equal))


def _session(model: str | bytes) -> Any:
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _feeds(network: Restorable, image: Tensor, fidelity: float) -> dict[str, Any]:
    feeds = {"image": image.numpy()}
    return feeds | {"fidelity": np.array(fidelity, np.float32)} if isinstance(network, CodeFormer) else feeds


def _by_torch(network: Restorable, image: Tensor, adain: bool) -> Compared:
    # Looked-up codes are in channels-last order, in which torch's own group norms are off by up to 4e-5.
    with network.generator.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:])):
        if isinstance(network, CodeFormer):
            prediction = network.predict_codes(image, with_features=True)
            return prediction.logits, [network.generate(prediction, fidelity, adain) for fidelity in FIDELITIES]
        return -network.quantize.distances(network.encode(image))[None], [network(image).image]


def _agreeing(scores: Float[Tensor, "n k"], codes: Int[Tensor, " n"]) -> Tensor:
    """Where the codes are those of the best scores. UserError if one is neither that nor tied with it."""
    best = scores.max(1)
    lost = best.values - scores.gather(1, codes[:, None])[:, 0]
    wrong = int((~(lost <= TIE * scores.abs().max())).sum())  # NaN is wrong too
    if wrong:
        raise UserError(
            f"the ONNX file was not kept: {wrong} of {len(codes)} codes are not those that torch finds; "
            "try other versions of torch, onnxscript and onnxruntime"
        )
    return best.indices == codes
