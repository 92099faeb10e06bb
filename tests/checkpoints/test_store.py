"""The run store."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from src.checkpoints import store as store_module
from src.checkpoints.store import BUNDLED, STATUS_FILE, RunStatus, RunStore, read_run, write_status
from src.settings.errors import UserError

STATUS = RunStatus(stage="vqgan", identity="abcd", name="a", state="finished", weights={"vqgan": "12"}, facts={"n": 3})


def write_raw(folder: Path, status: RunStatus) -> Path:
    folder.mkdir(parents=True)
    (folder / STATUS_FILE).write_text(json.dumps(asdict(status)))
    return folder


def test_a_status_is_read_back_with_its_time(tmp_path: Path) -> None:
    written = write_status(tmp_path / "run", STATUS)
    assert read_run(tmp_path / "run") == written
    assert replace(written.status, updated="") == STATUS
    assert written.status.updated.endswith("+00:00")
    assert written.is_finished
    assert not write_status(tmp_path / "run", replace(STATUS, state="running")).is_finished


def test_the_newest_finished_run_of_an_identity_is_found(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    times = {"old": "2026-01-01T00:00:00+00:00", "new": "2026-03-01T00:00:00+00:00", "mid": "2026-02-01T00:00:00+00:00"}
    for name, time in times.items():
        write_raw(store.folder("vqgan", name), replace(STATUS, name=name, updated=time))
    later = "2026-09-01T00:00:00+00:00"
    for state in ("running", "failed"):
        write_raw(store.folder("vqgan", state), replace(STATUS, name=state, state=state, updated=later))
    write_raw(store.folder("vqgan", "other"), replace(STATUS, identity="ffff", updated=later))
    write_raw(store.folder("cft", "elsewhere"), replace(STATUS, stage="cft", updated=later))
    found = store.find("vqgan", "abcd")
    assert found is not None
    assert found.folder == tmp_path / "vqgan" / "new"
    assert store.find("vqgan", "0000") is None
    assert store.find("code_predictor", "abcd") is None


def test_of_two_runs_written_one_after_the_other_the_second_is_newer(tmp_path: Path) -> None:
    first = write_status(tmp_path / "vqgan" / "b", STATUS).status.updated
    while (second := write_status(tmp_path / "vqgan" / "a", STATUS).status.updated) == first:
        pass
    found = RunStore(tmp_path).find("vqgan", "abcd")
    assert found is not None
    assert (found.folder.name, found.status.updated) == ("a", second)


@pytest.mark.parametrize(
    "content", [b"", b'{"stage": "vqgan"', b"[1, 2]", b"3", b'{"stage": "vqgan"}', b"\xff\xfe", b'{"unknown": 1}']
)
def test_a_corrupt_status_is_no_run(tmp_path: Path, content: bytes) -> None:
    store = RunStore(tmp_path)
    broken = store.folder("vqgan", "broken")
    broken.mkdir(parents=True)
    (broken / STATUS_FILE).write_bytes(content)
    assert read_run(broken) is None
    assert store.find("vqgan", "abcd") is None
    write_status(store.folder("vqgan", "good"), STATUS)
    assert store.find("vqgan", "abcd") is not None


def test_a_folder_without_status_is_no_run(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "absent") is None


def test_a_write_that_fails_keeps_the_old_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_status(tmp_path, replace(STATUS, state="running"))
    before = (tmp_path / STATUS_FILE).read_bytes()
    with pytest.raises(TypeError):
        write_status(tmp_path, replace(STATUS, facts={"not": {1, 2}}))

    def interrupted(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_status(tmp_path, STATUS)
    assert (tmp_path / STATUS_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATUS_FILE]


def test_weights_are_found_or_named(tmp_path: Path) -> None:
    run = write_status(tmp_path, STATUS)
    with pytest.raises(UserError, match=r"vqgan\.safetensors: this run of stage vqgan has no vqgan weights; .*delete"):
        run.weights_file("vqgan")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vqgan.safetensors").touch()
    assert run.weights_file("vqgan") == tmp_path / "weights" / "vqgan.safetensors"


def test_the_store_is_light_and_the_bundled_runs_lie_beside_it() -> None:
    program = "import sys, src.checkpoints.store; sys.exit('torch' in sys.modules)"
    root = Path(store_module.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
    assert Path(store_module.__file__).parent / "bundled" == BUNDLED
