"""Degradation of a batch on the device, with the draws that the loader would have made."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from src.data.plan import DegradationPlan
from src.data.stream import Key
from src.degradation.batch import degrade_batch
from src.degradation.canvas import device_tensor
from src.degradation.chain import Chain
from src.degradation.keyed import SampleKey

Images = UInt8[Tensor, "b 3 s s"]


@dataclass(frozen=True)
class DeviceDegradation:
    """Applies a plan to clean batches."""

    plan: DegradationPlan
    seed: int

    def __call__(self, hq: Images, keys: Sequence[Key]) -> tuple[Images, Images]:
        """(targets, degraded): sample i gets what the plan chooses for `keys[i]`."""
        chains = [self.plan(key, self.seed) for key in keys]
        samples = [SampleKey(self.seed, key.epoch, key.face) for key in keys]
        # In nearly all batches there is one chain.
        if chains[0] is not None and all(chain == chains[0] for chain in chains):
            return degrade_batch(hq, chains[0], samples)
        return self._mixed(hq, chains, samples)

    def _mixed(self, hq: Images, chains: Sequence[Chain | None], samples: Sequence[SampleKey]) -> tuple[Images, Images]:
        target, lq = hq.clone(), hq.clone()
        for chain in dict.fromkeys(chain for chain in chains if chain is not None):
            places = [place for place, other in enumerate(chains) if other == chain]
            chosen = device_tensor(places, hq.device)
            part = degrade_batch(hq.index_select(0, chosen), chain, [samples[place] for place in places])
            target.index_copy_(0, chosen, part[0])
            lq.index_copy_(0, chosen, part[1])
        return target, lq
