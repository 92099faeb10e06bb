"""`python -m src.train`: trains a stage with everything it needs, evaluates it and writes records.

One run:  python -m src.train stage=cft scale=tiny64
A sweep:  python -m src.train +experiment=cft_sweep
"""

import os
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from src.config.command import friendly_errors
from src.config.compose import CONFIG_DIR, typed
from src.config.schema import register
from src.config.validate import validate

register()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="train")
@friendly_errors
def main(config: DictConfig) -> float | None:
    """Check the configuration, then run the job, or start it in a process of its own if it is part of a sweep."""
    settings = typed(config)
    validate(settings)
    hydra_config = HydraConfig.get()
    overrides = list(hydra_config.overrides.task)
    if hydra_config.mode == RunMode.MULTIRUN:
        from src.jobs.sweep import launch_job

        return launch_job(settings, overrides, hydra_config.job.num)
    if settings.cluster.dry_run:
        from src.jobs.dry_run import print_plan
        from src.jobs.sweep_plan import Progress

        Progress().jobs = [overrides]
        print_plan([(overrides, settings)], hydra_config.launcher)
        return None
    from src.jobs.upstream import check_given

    check_given(settings)
    from src.jobs.train_job import run_job

    return run_job(settings, overrides)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
