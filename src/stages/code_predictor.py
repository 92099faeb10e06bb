"""Stage II: encoder and Transformer learn to predict the codes of the clean face (codeformer.md 2.3)."""

from math import isqrt
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.losses.code import code_accuracy, feature_loss, token_loss
from src.networks.codeformer import CodeFormer, CodePrediction
from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.scale import ScaleSettings
from src.settings.stages import CodeLossSettings, CodePredictorSettings
from src.stages.codeformer_weights import codeformer_sizes
from src.stages.frozen import Frozen
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


def target_codes(batch: Batch, vqgan: VqAutoencoder) -> Int[Tensor, "b h w"]:
    """Codes of the clean faces: those that came with the batch, else computed."""
    if "codes" not in batch:
        return vqgan.codes(batch["hq"])
    side = isqrt(batch["codes"].shape[1])
    return batch["codes"].unflatten(1, (side, side))


def code_terms(prediction: CodePrediction, codes: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Feature and token loss with graph, and the accuracies."""
    return {
        "feature": feature_loss(prediction.latent, target),
        "token": token_loss(prediction.logits, codes),
        "accuracy_top1": code_accuracy(prediction.logits, codes, 1).detach(),
        "accuracy_top5": code_accuracy(prediction.logits, codes, 5).detach(),
    }


def code_objective(terms: dict[str, Tensor], settings: CodeLossSettings) -> Tensor:
    """feature * L_feat + token * L_ce."""
    return settings.feature * terms["feature"] + settings.token * terms["token"]


class CodePredictorStage(Stage):
    """Trains everything but codebook and generator; targets come from the stage I network, which must be given.

    (The published configurations leave that network at random initialisation: codeformer.md 6.1.)
    """

    kind = "code_predictor"

    def __init__(
        self, settings: CodePredictorSettings, scale: ScaleSettings, *, vqgan: VqAutoencoder, seed: int
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.vqgan = Frozen(vqgan)
        self.network = CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=())
        self.network.load_autoencoder(vqgan)
        self.network.freeze_decoder()
        self.average = WeightAverage(self.network, settings.training.ema_decay)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for encoder and Transformer."""
        return [self.adam(self.network.code_parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the code losses."""
        with torch.no_grad():
            codes = target_codes(batch, self.vqgan.network)
            target = self.network.quantize.lookup(codes)
        terms = code_terms(self.network.predict_codes(batch["lq"]), codes, target)
        self.guard(terms)
        self.descend(self.optimizers(), code_objective(terms, self.settings.losses))
        self.average.update(self.network)
        return {name: value.detach() for name, value in terms.items()} | {"chance_top1": self._chance()}

    def _chance(self) -> Tensor:
        return torch.full((), 1.0 / self.scale.autoencoder.codebook_size, device=self.device)

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, the face decoded from predicted codes, and the clean face."""
        restored = self.average.network(batch["lq"], fidelity=0.0).image
        return {"input": batch["lq"], "restored": restored, "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network, without fusion blocks."""
        path = folder / "codeformer.safetensors"
        sizes = codeformer_sizes(self.scale, fused_sizes=())
        return {"codeformer": save_network(path, "codeformer", self.average.network, sizes, facts)}
