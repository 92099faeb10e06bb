"""Made-up records of CLR-Face: latents of several sizes, its encoder alone, starts and evaluations, guidance under masks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from src.metrics.statistics import bootstrap_mean
from src.settings.metric_roles import GUIDE_ROLE
from src.tracking.records import Cost, MetricValue, StoredRecord, write_record
from tests.leaderboard.conftest import DEFINITIONS, MakeRecord, metric_values

FACES = 64
GUIDE = "id/cos_guide"
IDENTITY, LPIPS, DISTANCE = "id/cos_mobilefacenet", "st_lpips", "fd_mobilenetv2"
SIZES = {
    4: (0.97, 0.04, 3.0, 31.0),
    8: (0.93, 0.09, 6.0, 27.5),
    16: (0.82, 0.17, 14.0, 23.5),
    32: (0.55, 0.3, 31.0, 19.5),
}
"""Identity, perceptual and Fréchet distance and PSNR by factor of down-sampling."""
SCALES = (0.03, 0.1, 0.3, 1.0, 3.0)
SAMPLER = {"solver": "dpm_solver_pp", "start": 1.0, "steps": 20}


@dataclass(frozen=True)
class Made:
    """What the faces of a made-up setting are like on average."""

    identity: float
    distance: float
    lpips: float = 0.2
    psnr: float = 24.0
    guide: float | None = None


def of_size(make: MakeRecord, factor: int, made: Made | None = None, **changes: Any) -> StoredRecord:
    """Clean faces through the latent of one size."""
    identity, lpips, distance, psnr = SIZES[factor]
    found = made or Made(identity, distance, lpips, psnr)
    changes = {"restorer": "latent_autoencoder", "knobs": {"downscale": factor}} | changes
    return made_record(make, f"latent_f{factor}", found, 1, **changes)


def guided(
    make: MakeRecord, made: Made, scale: float, mask: str = "", target: str = "recovered", **knobs: Any
) -> StoredRecord:
    """One setting of CLR-Face's guidance; none at scale 0."""
    guidance = {"scale": scale} | ({"mask": mask, "target": target, "gradient": "cheap"} if scale > 0 else {})
    return made_record(make, "clr_face", made, 22, restorer="clr_face", knobs=SAMPLER | guidance | knobs | {"seed": 0})


def made_record(make: MakeRecord, arm: str, made: Made, evaluations: int, **changes: Any) -> StoredRecord:
    """A record whose faces differ by a difficulty that is theirs, and by noise."""
    text = f"{arm}{sorted(changes.get('knobs', {}).items())}"
    rng = np.random.default_rng([sum(map(ord, text)), len(text)])
    own = np.random.default_rng(5).uniform(-0.1, 0.1, FACES)
    columns = {
        IDENTITY: made.identity + own + 0.01 * _noise(rng),
        LPIPS: made.lpips - own / 3 + 0.005 * _noise(rng),
        "psnr": made.psnr + 10 * own + 0.1 * _noise(rng),
    }
    metrics = metric_values(columns, made.distance, FACES)
    if made.guide is not None:
        columns[GUIDE] = made.guide + own + 0.01 * _noise(rng)
        definition = DEFINITIONS[IDENTITY] | {"id": GUIDE, "role": GUIDE_ROLE, "extractor_sha256": "99" * 32}
        mean = bootstrap_mean(columns[GUIDE], 1000, 0)
        metrics[GUIDE] = MetricValue(definition, mean.mean, mean.n, mean.dropped, (mean.low, mean.high))
    fixed = {"n": FACES, "metrics": metrics, "cost": Cost(1_000_000, evaluations, 0.1, None)}
    stored = make(arm, None, **fixed | changes)
    table = pd.DataFrame({"name": [f"face_{index:04d}" for index in range(FACES)], **columns})
    write_record(stored.folder, stored.record, table, overwrite=True)
    return stored


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Whose mean is exactly 0, so that means of settings differ as they were made to."""
    noise = rng.standard_normal(FACES)
    return noise - noise.mean()


def without_guide(stored: StoredRecord) -> StoredRecord:
    """The same, not measured by the guide."""
    metrics = {name: value for name, value in stored.record.metrics.items() if name != GUIDE}
    record = replace(stored.record, metrics=metrics)
    table = stored.per_image()
    assert table is not None
    write_record(stored.folder, record, table.drop(columns=GUIDE), overwrite=True)
    return StoredRecord(record, stored.folder)


def guidance_records(make: MakeRecord) -> Iterator[StoredRecord]:
    """No guidance, the masks over the scales, and the learned one led to the other targets."""
    yield guided(make, Made(0.6, 20.0, guide=0.58), 0.0)
    gains = {
        "learned": (0.12, 1.2),
        "ones": (0.1, 5.0),
        "random": (0.05, 2.5),
        "components": (0.09, 2.0),
    }
    for mask, (gain, cost) in gains.items():
        for scale in SCALES:
            rise = gain * scale / (scale + 0.3) - (0.02 * (scale - 1) if scale > 1 else 0)
            yield guided(make, Made(0.6 + rise, 20 + cost * scale, guide=0.58 + 2 * rise), scale, mask)
    for target, gain in {"oracle": 0.2, "input": -0.03}.items():
        for scale in (0.3, 1.0):
            rise = gain * scale / (scale + 0.3)
            yield guided(make, Made(0.6 + rise, 20 + 1.5 * scale, guide=0.58 + 1.5 * rise), scale, "learned", target)


def sweep_records(make: MakeRecord) -> Iterator[StoredRecord]:
    """The encoder alone, and CLR-Face without guidance over starts, and over evaluations of two solvers."""
    yield made_record(
        make,
        "score_vp",
        Made(0.6, 35.0, 0.3, 24.0),
        2,
        restorer="clr_face_encoder",
        knobs={},
        weights={"latent_encoder": "aa"},
    )
    settings = [("ddim", start, 20) for start in (0.2, 0.4, 0.6, 0.8, 1.0)]
    settings += [(solver, 1.0, steps) for solver in ("ddim", "dpm_solver_pp") for steps in (5, 10, 50)]
    for solver, start, steps in settings:
        error = 1 - 0.6 * start * (0.7 - start)
        made = Made(0.6 + 0.1 * start * (1 - start), 35 - 15 * start + 30 / steps, 0.3 - 0.1 * start + 0.3 / steps)
        eta = {"eta": 0.0} if solver == "ddim" else {}
        yield made_record(
            make,
            "score_vp",
            replace(made, psnr=24 - 20 * float(np.log10(error))),
            2 + steps,
            restorer="clr_face",
            knobs={"solver": solver, "start": start, "steps": steps, **eta, "scale": 0.0, "seed": 0},
            weights={"latent_encoder": "aa", "latent_score": "bb"},
        )
