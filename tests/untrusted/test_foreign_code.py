"""Configurations that would run, import, show or overwrite something beside what the suite uses."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.compose import compose_train
from src.config.foreign_code import TRUST_VARIABLE, refuse_foreign_code
from src.settings.errors import UserError
from tests.untrusted.hostile_pickles import RunsCode

CALLING = {
    "hydra: {callbacks: {mine: {_target_: os.system}}}": "hydra.callbacks.mine._target_: would call 'os.system'",
    "hydra: {callbacks: {mine: {_target_: src.jobs.sweep.SweepCallback.x}}}": "would call 'src.jobs.sweep.SweepCallback.x'",
    "hydra: {callbacks: {mine: {_target_: src.jobs.sweep.SweepCallback, a: [{_target_: b.c}]}}}": r"a\.0\._target_.*'b.c'",
    "hydra: {callbacks: {mine: {_target_: '${study}'}}}": r"would call '\$\{study\}'",
    "hydra: {launcher: {_target_: my.Launcher}}": "'my.Launcher'",
    "hydra: {sweeper: {params: {mine: {_target_: os.system}}}}": "'os.system'",
    "metrics: {definitions: {mine: {_target_: builtins.eval}}}": "'builtins.eval'",
    "hydra: {job_logging: {handlers: {a: {class: logging.handlers.SMTPHandler}}}}": "'logging.handlers.SMTPHandler'",
    "hydra: {hydra_logging: {formatters: {a: {'()': my.factory}}}}": "'my.factory'",
    "hydra: {job_logging: {handlers: {a: {stream: 'ext://my.module'}}}}": "would import 'ext://my.module'",
    "hydra: {job_logging: {handlers: {a: {filename: /home/me/.bashrc}}}}": "would write to '/home/me/.bashrc'",
    "hydra: {job_logging: {handlers: {a: {filename: ../../a.log}}}}": r"would write to '\.\./\.\./a\.log'",
}
RESOLVING = {
    "${oc.create:{_target_:os.system}}": "would call the resolver 'oc.create'",
    "a ${oc.decode:x}": "would call the resolver 'oc.decode'",
    "${oc.dict.values:data}": "would call the resolver 'oc.dict.values'",
    "${${study}:x}": "by another value what is called",
    "${oc.${study}:x}": "by another value what is called",
    "${oc.env:WANDB_API_KEY}": "a secret of the environment",
    "${oc.env:AWS_SECRET_ACCESS_KEY,none}": "a secret of the environment",
    "${oc.env:${study}}": "a secret of the environment",
    "${oc.env:HF_${study}}": "a secret of the environment",
    "${ oc.env : GITHUB_TOKEN }": "a secret of the environment",
    "${oc.select:a,${oc.env:WANDB_API_KEY}}": "a secret of the environment",
}
JOBS = {
    "hydra: {job: {env_set: {LD_PRELOAD: theirs.so}}}": "LD_PRELOAD: would set a variable of the environment",
    "hydra: {launcher: {setup: ['rm -rf $HOME']}}": "setup.0: .* would become a command of a job",
    "hydra: {launcher: {additional_parameters: {wrap: rm}}}": "wrap: 'rm' would become a command of a job",
    'study: "a\\nrm -rf"\nhydra: {launcher: {name: "${study}"}}': r"name: '\$\{study\}' would become a command of a job",
}


def look_over(text: str) -> None:
    config = OmegaConf.create(text)
    assert isinstance(config, DictConfig)
    refuse_foreign_code(config, given=[])


@pytest.mark.parametrize(("text", "reason"), [*CALLING.items(), *JOBS.items()])
def test_what_would_run_is_refused_in_one_sentence(text: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=rf"{reason}.*, which no configuration may; .*{TRUST_VARIABLE}=1") as caught:
        look_over(text)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    look_over(text)


@pytest.mark.parametrize(("text", "reason"), RESOLVING.items())
def test_interpolations_call_and_show_nothing_else(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"question: .*{reason}"):
        refuse_foreign_code(OmegaConf.create({"question": text}), given=[])


def test_commands_and_variables_of_a_job_come_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    given = ["hydra.launcher.setup=['module load cuda']", "+hydra.job.env_set.OMP_NUM_THREADS=1"]
    config = compose_train(["cluster=slurm", "question='${oc.env:SCRATCH}/${study}'", *given])
    assert (config.cluster.kind, config.question) == ("slurm", "/scratch/me/default")
    with pytest.raises(UserError, match=r"hydra\.callbacks\.mine\._target_: would call 'os.system'"):
        compose_train(["+hydra.callbacks.mine._target_=os.system"])


@pytest.mark.parametrize("part", ["hydra", "task"])
def test_a_file_cannot_say_that_the_command_line_gave_something(part: str) -> None:
    planted = f"hydra: {{overrides: {{{part}: [hydra.job.env_set=x]}}, job: {{env_set: {{LD_PRELOAD: theirs.so}}}}}}"
    with pytest.raises(UserError, match=r"hydra\.overrides: 'hydra\.job\.env_set=x' is said to be of the command line"):
        look_over(planted)


def command(module: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of the suite as a user starts it, with files beside it in `folder`."""
    environment = {name: value for name, value in os.environ.items() if name != TRUST_VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])
    call = [sys.executable, "-m", module, *arguments]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("mode", ["RUN", "MULTIRUN"])
def test_the_command_line_ends_before_hydra_calls_anything(tmp_path: Path, mode: str) -> None:
    (tmp_path / "theirs.py").write_text("import os\nos.mkdir('imported')\ndef call(**_): os.mkdir('called')\n")
    theirs = tmp_path / "conf" / "experiment" / "theirs.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("# @package _global_\nhydra:\n  callbacks:\n    mine: {_target_: theirs.call}\n")
    done = command(
        "src.leaderboard", "--config-dir", "conf", "+experiment=theirs", f"hydra.mode={mode}", folder=tmp_path
    )
    assert done.returncode != 0
    assert done.stderr.startswith("hydra.callbacks.mine._target_: would call 'theirs.call'")
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "theirs.py"]


def test_a_pickled_configuration_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "config.pickle").write_bytes(pickle.dumps(RunsCode(tmp_path / "it_ran")))
    done = command("src.leaderboard", "--experimental-rerun", "config.pickle", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: --experimental-rerun: config.pickle is unpickled")
    assert not (tmp_path / "it_ran").exists()
