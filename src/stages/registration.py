"""CodeFormer++: the generative face is registered onto the identity-preserving one (codeformer_plus_plus.md 3 and 4)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, keyed_normals, stream_number
from src.faces.template import TEMPLATE_SIDE
from src.losses.image_similarity import Features
from src.registration.build import build_registration, registration_settings
from src.registration.diagnostics import diagnosed, in_pixels_of
from src.registration.objective import registration_loss
from src.registration.registered import Registered
from src.registration.velocity import ProbabilisticVelocityRegistration
from src.settings.codeformer_plus_plus import RegistrationSettings
from src.settings.scale import ScaleSettings
from src.stages.field_columns import field_columns
from src.stages.registration_pair import PairMaker, RegistrationPair
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

NOISE = stream_number("registration")


class RegistrationStage(Stage):
    """Trains a registration without labels: the warped generative face is to look like the identity-preserving one."""

    kind = "registration"

    def __init__(
        self,
        settings: RegistrationSettings,
        scale: ScaleSettings,
        *,
        pairs: PairMaker,
        features: Features | None,
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.network = build_registration(settings.method, settings.objective, scale)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.pairs = pairs
        self.features = features

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the registration."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the objective, in float32 whatever the precision of the training."""
        pair = self.pairs(batch)
        with torch.autocast(self.device.type, enabled=False):
            loss, terms = self._loss(pair)
        self.guard(terms | {"loss": loss})
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        return {name: term.detach() for name, term in terms.items()}

    def _loss(self, pair: RegistrationPair) -> tuple[Tensor, dict[str, Tensor]]:
        give_noise(self.network, [SampleKey(self.seed, self.iteration, place) for place in self.places])
        registered: Registered = self.network(pair.generative, pair.identity, pair.landmarks)
        return registration_loss(
            registered,
            pair.generative,
            pair.identity,
            pair.landmarks,
            self.settings.objective,
            progress=self.iteration / self.settings.training.iterations,
            features=self.features,
        )

    @torch.no_grad()
    def registered(self, batch: Batch) -> tuple[RegistrationPair, Registered]:
        """The pair of every face, and what the averaged network makes of it."""
        pair = self.pairs(batch)
        with torch.autocast(self.device.type, enabled=False):
            return pair, self.average.network(pair.generative, pair.identity, pair.landmarks)

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Means over the faces of what there is to say of the averaged network's registrations; lengths in pixels of 512."""
        pair, registered = self.registered(batch)
        values = diagnosed(pair.generative, pair.identity, registered, pair.landmarks)
        values = in_pixels_of(TEMPLATE_SIDE, values, pair.identity.shape[-1])
        return {name: float(value.nanmean()) for name, value in values.items()}

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """Both branches, the warped face, its field and a grid under it, and the clean face."""
        pair, registered = self.registered(batch)
        columns = {"moving": pair.generative, "fixed": pair.identity, "warped": registered.warped}
        return {**columns, **field_columns(pair.generative, registered.field), "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged registration."""
        return {self.kind: save_registration(folder, self.average.network, self.settings, self.scale, facts)}


def save_registration(
    folder: Path, network: nn.Module, settings: RegistrationSettings, scale: ScaleSettings, facts: dict[str, str]
) -> str:
    """Write a registration, trained or in closed form, as `registration.safetensors`; returns its SHA-256."""
    described = registration_settings(settings.method, settings.objective, scale)
    return save_network(folder / "registration.safetensors", "registration", network, described, facts)


def give_noise(network: nn.Module, keys: Sequence[SampleKey]) -> None:
    """Let a probabilistic registration draw the noise of each face from its key, whatever else is in the batch."""
    if isinstance(network, ProbabilisticVelocityRegistration):
        device = next(network.parameters()).device
        network.noise = lambda shape: to_device(_noise(keys, shape), device)


def _noise(keys: Sequence[SampleKey], shape: torch.Size) -> Tensor:
    count = shape[1:].numel()
    return torch.from_numpy(np.stack([keyed_normals(key, NOISE, count) for key in keys])).view(shape)
