"""CodeFormer: code prediction by a Transformer and controllable feature transformation."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from src.networks.adaptive_instance_norm import adaptive_instance_norm
from src.networks.code_predictor import CodePredictorLayer
from src.networks.encoder import Encoder
from src.networks.feature_transformation import FeatureTransformation
from src.networks.generator import FeatureMap, Generator
from src.networks.resolution_levels import latent_side, resolution_levels
from src.networks.vector_quantizer import VectorQuantizer
from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.scale import CodePredictorSize, VqAutoencoderSize


class CodePrediction(NamedTuple):
    """Codes predicted from degraded images."""

    logits: Float[Tensor, "b n k"]
    """Token n = h * side + w of the latent, row-major."""
    latent: Float[Tensor, "b d h w"]
    """Encoder output."""
    features: dict[int, Tensor]
    """Encoder feature maps "b c side side" by side for the CFT blocks; empty unless asked for."""

    @property
    def codes(self) -> Int[Tensor, "b h w"]:
        """Most likely code of every position."""
        batch, _, height, width = self.latent.shape
        return self.logits.argmax(2).view(batch, height, width)


class Generated(NamedTuple):
    """An image of predicted codes, and what it was made of last."""

    image: Float[Tensor, "b 3 h w"]
    fused: Tensor | None
    """Output "b c side side" of the finest CFT block, through which alone the blocks reach the image; None without one."""


class Restoration(NamedTuple):
    """Restored images with what the code losses need."""

    image: Float[Tensor, "b 3 h_image w_image"]
    """Aims at [-1, 1] but is unbounded."""
    logits: Float[Tensor, "b n k"]
    latent: Float[Tensor, "b d h w"]


class CodeFormer(nn.Module):
    """CodeFormer of any size (codeformer.md 1.2).

    `fused_sizes` are the resolutions with a CFT block; ValueError if one is not a resolution of the autoencoder.
    """

    def __init__(self, size: VqAutoencoderSize, predictor: CodePredictorSize, fused_sizes: Sequence[int]) -> None:
        super().__init__()
        self.size = size
        self.predictor_size = predictor
        self.encoder = Encoder(size)
        self.quantize = VectorQuantizer(size.codebook_size, size.code_dim)
        self.generator = Generator(size)
        dim = predictor.dim
        self.position_emb = nn.Parameter(torch.zeros(latent_side(size) ** 2, dim))
        self.feat_emb = nn.Linear(size.code_dim, dim)
        self.ft_layers = nn.ModuleList(CodePredictorLayer(dim, predictor.heads) for _ in range(predictor.layers))
        self.idx_pred_layer = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, size.codebook_size, bias=False))
        channels = {level.side: level.channels for level in resolution_levels(size)}
        unknown = sorted(set(fused_sizes) - set(channels))
        if unknown:
            raise ValueError(f"fused_sizes {unknown} are none of the network's resolutions {sorted(channels)}")
        self.fuse_convs_dict = nn.ModuleDict(
            {str(side): FeatureTransformation(channels[side], size.norm_groups) for side in sorted(set(fused_sizes))}
        )

    @property
    def fused_sizes(self) -> tuple[int, ...]:
        """Resolutions with a CFT block, ascending."""
        return tuple(int(side) for side in self.fuse_convs_dict)

    @property
    def adaptive_layer(self) -> nn.Parameter:
        """Weight to which the adaptive GAN weight refers: the finest CFT block's last shift layer (codeformer.md 2.1).

        Raises ValueError if nothing is fused.
        """
        if not self.fused_sizes:
            raise ValueError("a CodeFormer without fused_sizes has no CFT weight for the adaptive GAN weight")
        return self.get_parameter(f"fuse_convs_dict.{self.fused_sizes[-1]}.shift.2.weight")

    def code_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that the code losses train: encoder, position, Transformer and head."""
        modules = (self.encoder, self.feat_emb, self.ft_layers, self.idx_pred_layer)
        return chain([self.position_emb], *(module.parameters() for module in modules))

    def fusion_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that the image losses train: the CFT blocks."""
        return self.fuse_convs_dict.parameters()

    def freeze_decoder(self) -> None:
        """Stop gradients of codebook and generator, which keep their stage I weights in stages II and III."""
        self.quantize.requires_grad_(False)
        self.generator.requires_grad_(False)

    def load_autoencoder(self, autoencoder: VqAutoencoder) -> None:
        """Copy encoder, codebook and generator of a trained autoencoder of the same sizes (RuntimeError if not)."""
        for name in ("encoder", "quantize", "generator"):
            self.get_submodule(name).load_state_dict(autoencoder.get_submodule(name).state_dict())

    def predict_codes(self, image: Float[Tensor, "b 3 h w"], with_features: bool = False) -> CodePrediction:
        """Predict the clean image's codes from degraded images in [-1, 1].

        `with_features` keeps the encoder features that `generate` needs for a fidelity above 0. Raises ValueError
        unless the images have the side for which the position table was built.
        """
        side = self.size.image_size
        if image.shape[-2:] != (side, side):
            raise ValueError(f"expected images of {side} x {side} pixels, got {image.shape[-2]} x {image.shape[-1]}")
        latent, features = self.encoder(image, self.fused_sizes if with_features else ())
        tokens = self.feat_emb(latent.flatten(2).transpose(1, 2).to(self.position_emb.dtype))
        for layer in self.ft_layers:
            tokens = layer(tokens, self.position_emb)
        return CodePrediction(self.idx_pred_layer(tokens), latent, features)

    def generate(
        self, prediction: CodePrediction, fidelity: float = 0.5, adain: bool = False
    ) -> Float[Tensor, "b 3 h w"]:
        """Image of predicted codes, so that one prediction serves several fidelities.

        Codes and encoder features are detached: image losses reach the CFT blocks alone. Raises ValueError if
        `fidelity` is negative, or positive while the prediction lacks the encoder features.
        """
        return self.generate_fused(prediction, fidelity, adain).image

    def generate_fused(self, prediction: CodePrediction, fidelity: float = 0.5, adain: bool = False) -> Generated:
        """`generate`, with the feature map behind the finest CFT block."""
        if fidelity < 0:
            raise ValueError(f"fidelity {fidelity} is negative")
        return self._decoded(prediction, fidelity if fidelity > 0 else None, adain)

    def decode(
        self, prediction: CodePrediction, fidelity: float | Float[Tensor, ""] | None, adain: bool
    ) -> Float[Tensor, "b 3 h w"]:
        """`generate` with every CFT block, whatever the fidelity, so that a graph traced with a tensor serves them all.

        None skips the blocks. Raises ValueError if they are to be run and the prediction lacks the encoder features.
        """
        return self._decoded(prediction, fidelity, adain).image

    def _decoded(self, prediction: CodePrediction, fidelity: float | Tensor | None, adain: bool) -> Generated:
        latent = self.quantize.lookup(prediction.codes).detach()
        if adain:
            latent = adaptive_instance_norm(latent, prediction.latent.detach())
        if fidelity is None or not self.fused_sizes:
            return Generated(self.generator(latent), None)
        fusions, outputs = self._fusions(prediction.features, fidelity), list[Tensor]()
        finest = self.fused_sizes[-1]
        fusions[finest] = partial(_kept, fusions[finest], outputs)
        return Generated(self.generator(latent, fusions), outputs[0])

    def _fusions(self, features: dict[int, Tensor], fidelity: float | Tensor) -> dict[int, FeatureMap]:
        if features.keys() != set(self.fused_sizes):
            raise ValueError("the CFT blocks of a fidelity above 0 need predict_codes(..., with_features=True)")
        return {
            side: partial(self.fuse_convs_dict[str(side)], feature.detach(), fidelity=fidelity)
            for side, feature in features.items()
        }

    def forward(self, image: Float[Tensor, "b 3 h w"], fidelity: float = 0.5, adain: bool = False) -> Restoration:
        """Restore degraded images in [-1, 1].

        `fidelity` is the paper's w: 0 uses the codes alone and skips the CFT blocks, 1 uses the encoder features in
        full; training goes up to 1.3. `adain` gives the looked-up codes the statistics of the encoder output.
        """
        prediction = self.predict_codes(image, with_features=fidelity > 0)
        return Restoration(self.generate(prediction, fidelity, adain), prediction.logits, prediction.latent)


def _kept(change: FeatureMap, outputs: list[Tensor], feature: Tensor) -> Tensor:
    outputs.append(change(feature))
    return outputs[-1]
