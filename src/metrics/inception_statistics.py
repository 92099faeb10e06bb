"""Published Inception statistics of a reference set, as BasicSR saves them: a dict with `mean` and `cov`."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.metrics.set_distances import Moments, moments_of_covariance
from src.settings.errors import UserError


def read_statistics(path: Path) -> Moments:
    """Moments of a statistics file, whose arrays may be numpy's or torch's; nothing else in it is unpickled.

    Raises:
        UserError: it is no such file.
    """
    try:
        with torch.serialization.safe_globals(_numpy_arrays()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            kept = torch.load(path, map_location="cpu", weights_only=True)
        mean, covariance = (np.asarray(kept[key], dtype=np.float64) for key in ("mean", "cov"))
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: holds no `mean` and `cov` of features ({reason}); fetch it again") from None
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not np.isfinite(covariance).all():
        raise UserError(
            f"{path}: its mean {mean.shape} and covariance {covariance.shape} do not belong together; fetch it again"
        )
    return moments_of_covariance(mean, covariance)


def _numpy_arrays() -> list[Any]:
    """What a pickled array of floats is made of; numpy 1 and 2 name the first of them differently."""
    rebuild = np.empty(0).__reduce__()[0]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64)]
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *kinds]
