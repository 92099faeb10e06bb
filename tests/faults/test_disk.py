"""Full and read-only disks: what was there stays whole, nothing half-written is left, one sentence names the file."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.checkpoints.files import append_line, refuse_unwritable
from src.checkpoints.network_file import save_network
from src.checkpoints.store import RunStatus, write_status
from src.config.compose import CONFIG_DIR, compose_train
from src.config.schema import register
from src.data import build_source
from src.data.code_targets import write_code_targets
from src.data.image_file import write_png
from src.jobs.checkpoint_files import write_checkpoint
from src.jobs.evaluate_job import evaluate_job
from src.jobs.processes import PARENT_VARIABLE
from src.jobs.sweep import _prepare
from src.jobs.train_job import run_job
from src.jobs.upstream import Upstreams
from src.networks import SrcnnSameResolution
from src.settings.commands import EvaluateConfig, TrainConfig
from src.settings.errors import UserError
from src.settings.scale import SrcnnSize
from src.tracking.records import write_record
from tests.faults.disks import fill, make_read_only, small_disk
from tests.tracking.test_records import RECORD

FEW_FACES = [
    "data.identities=3",
    "data.validation_identities=1",
    "data.test_identities=1",
    "data.images_per_identity=2",
]
NOBODY = 65534
"""Number of the user and group without rights."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 2048) as folder:
        yield folder


def _checkpoint(folder: Path, version: int) -> None:
    write_checkpoint(
        {"state_dict": {"a": torch.full((100_000,), float(version))}}, folder / "checkpoints" / "last.ckpt"
    )


def _weights(folder: Path, version: int) -> None:
    torch.manual_seed(version)
    path, size = folder / "weights" / "srcnn.safetensors", {"downscale": 2, "width": 16, "depth": 4}
    save_network(path, "srcnn", SrcnnSameResolution(SrcnnSize(**size)), {"srcnn": size}, {})


def _record(folder: Path, version: int) -> None:
    table = pd.DataFrame({"name": ["a", "b"], "psnr": [20.0 + version, 21.0]})
    write_record(folder / "record", replace(RECORD, seed=version), table, overwrite=True)


def _status(folder: Path, version: int) -> None:
    write_status(folder / "run", RunStatus("vqgan", "abcd", f"run{version}", "running"))


def _log(folder: Path, version: int) -> None:
    append_line(folder / "train_log.jsonl", f"{version}" * 10_000)


def _picture(folder: Path, version: int) -> None:
    write_png(folder / "grid.png", np.random.default_rng(version).integers(0, 256, (64, 64, 3), np.uint8))


def _codes(folder: Path, version: int) -> None:
    codes = np.full((100, 2, 64), version, np.int16)
    write_code_targets(folder / "codes.npy", (100, 64), iter([codes[:50], codes[50:]]))


def _faces(folder: Path, version: int) -> None:
    config = compose_train([*FEW_FACES, f"data.seed={version}"])
    build_source(config.data, split="test", size=64, cache=folder / "cache")


WRITERS = {
    "last.ckpt": _checkpoint,
    "srcnn.safetensors": _weights,
    "result.json|per_image.parquet": _record,
    "status.json": _status,
    "train_log.jsonl": _log,
    "grid.png": _picture,
    "codes.npy": _codes,
    "cache": _faces,
}
"""What the sentence names, and what writes it."""


def _files(disk: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in disk.rglob("*") if path.is_file() and path.name != "filling"}


@pytest.mark.parametrize("spare", [0, 4096])
def test_on_a_full_disk_the_older_files_stay_whole(disk: Path, spare: int) -> None:
    for write in WRITERS.values():
        write(disk, 1)
    before = _files(disk)
    fill(disk, spare=spare)
    for name, write in WRITERS.items():
        if name == "status.json" and spare:
            continue  # it fits
        said = rf"(?:{name}).*written \(No space left.*\); free some space"
        with pytest.raises(UserError, match=said) as told:
            write(disk, 2)
        assert "\n" not in str(told.value)
        assert _files(disk) == before, name
    (disk / "filling").unlink()
    for write in WRITERS.values():
        write(disk, 2)
    assert all(_files(disk)[path] != content for path, content in before.items() if "cache" not in path)


def _train(config: TrainConfig) -> None:
    run_job(config, [])


def _prepare_sweep(config: TrainConfig) -> None:
    _prepare(["stage=vqgan", "seed=0,1", f"run_store={config.run_store}"], OmegaConf.create({}), [])


def _evaluate(config: TrainConfig) -> None:
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        settings = OmegaConf.to_object(compose("evaluate", overrides=[f"run_store={config.run_store}"]))
    assert isinstance(settings, EvaluateConfig)
    evaluate_job(settings, [])


@pytest.mark.parametrize("start", [_train, _prepare_sweep, _evaluate])
def test_a_read_only_run_store_is_told_before_anything_is_trained(
    disk: Path,
    start: Callable[[TrainConfig], object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where another process waits for the record of the failure, which cannot be written either."""
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    monkeypatch.setattr(Upstreams, "of", lambda *_: pytest.fail("begun to train"))
    make_read_only(disk)
    config = compose_train(["stage=cft", f"run_store={disk / 'runs'}", "logger=none"])
    told = f"{disk / 'runs'}: cannot be written (Read-only file system); make the folder writable or choose another one"
    with pytest.raises((UserError, SystemExit)) as stopped:
        start(config)
    assert told in str(stopped.value) + capsys.readouterr().err


@pytest.mark.parametrize(("mode", "refusal"), [(0o777, None), (0o555, "Permission denied); make the folder writable")])
def test_an_unwritable_folder_is_told_to_ordinary_users_too(tmp_path: Path, mode: int, refusal: str | None) -> None:
    """Whose rights count, other than those of root, as whom tests may run."""
    tmp_path.chmod(mode)
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)  # from where the rights to the folders around it do not count
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os._exit(0 if _is_refusal(Path(), refusal) else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    tmp_path.chmod(0o755)
    assert status == 0
    refuse_unwritable(tmp_path / "new")
    assert not list(tmp_path.iterdir())


def _is_refusal(folder: Path, expected: str | None) -> bool:
    """Whether a file in the folder is refused in the expected words, or allowed if there are none."""
    try:
        refuse_unwritable(folder)
    except UserError as error:
        return expected is not None and expected in str(error)
    return expected is None
