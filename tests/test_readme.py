"""Every command of the README runs: the training ones on small networks, those that need GPUs up to the last check."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from src.data.image_file import write_png
from src.jobs.sweep_plan import plan
from src.photos.check import check_settings
from tests.commands.restore_settings import restore_config
from tests.photos.group_photo import GroupPhoto
from tests.stages.small import OVERRIDES, STAGES
from tests.stages.small_clr_face import REFINEMENT_OVERRIDES
from tests.stages.small_latent import LATENT_OVERRIDES

pytestmark = pytest.mark.timeout(900)  # a sweep trains up to eight networks first, a process each

README = Path(__file__).resolve().parents[1] / "README.md"
ARM_KEYS = ("cft.fused_sizes", "cft.training_fidelity", "cft.phases")
SMALL = [
    *(text for text in OVERRIDES if not text.startswith(ARM_KEYS)),
    *(text for text in (*LATENT_OVERRIDES, *REFINEMENT_OVERRIDES) if "f4.image_size" not in text),
    "scale.feature_transformation.all_sizes=[16]",
    "scale.feature_transformation.coarse_sizes=[16]",
    *(f"{stage}.training.iterations=2" for stage in STAGES),
    "cft.phases=[{until: 2, image_every: 1, fidelity: 1.0}]",
    "data.identities=12",
    "data.images_per_identity=2",
    "data.test_identities=4",
    "data.validation_identities=2",
    "benchmark.count=4",
    "evaluation.fidelities=[0.0,1.0]",
    "evaluation.difface.starts.steps=[2]",
    "evaluation.difface.starts.start=[400,800]",
    "metrics.bootstrap_resamples=200",
    "logger=none",
]


FEWER_ARMS = {
    "cft_sweep": "none,all_fixed",
    "registration_sweep": "unregistered,velocity",
    "metric_learning_ablation": "no_metric_learning,info_nce",
    "compare_codeformer_plus_plus": "all_fixed,moving_least_squares",
    "latent_size_study": "latent_f4,latent_f8",
    "compare": "swinir,clr_face",
}
"""Of sweeps with many: all of them are composed and checked elsewhere."""
FEWER_SETTINGS = [
    "evaluation.clr_face.starts.start=[0.4,1.0]",
    "evaluation.clr_face.solvers.solver=[heun]",
    "evaluation.clr_face.guided.scale=[0.0,0.3]",
    "evaluation.clr_face.masks.mask=[random,edges]",
    *(
        f"evaluation.clr_face.{grid}.steps=[2]"
        for grid in ("starts", "solvers", "guided", "masks", "targets", "gradients")
    ),
]
"""Of CLR-Face's sweep."""
POPULATION = [word for word in SMALL if word.startswith(("data.", "benchmark."))]
EVALUATED = ["metrics.bootstrap_resamples=200", "logger=none"]


def commands() -> list[str]:
    """The lines of all bash blocks, without their comments."""
    blocks = re.findall(r"```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_two_commands_come_first() -> None:
    assert commands()[:2] == ["make sweep", "make test"]


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("make")])
def test_make_knows_its_targets(line: str, root: Path) -> None:
    subprocess.run([*line.split(), "-n"], cwd=root, check=True, capture_output=True)


def is_run(line: str) -> bool:
    """Whether a command can be run here: not on folders of the reader, nor with the authors' weights."""
    return line.startswith(("python", "torchrun")) and not any(
        word in line for word in ("DIR", "PHOTOS", " fetch ", " import")
    )


@pytest.mark.parametrize("line", [line for line in commands() if "PHOTOS" in line])
def test_commands_with_the_authors_weights_are_well_formed(line: str) -> None:
    check_settings(restore_config(shlex.split(line)[3:]))


@pytest.mark.parametrize("line", [line for line in commands() if "src.weights" in line and not is_run(line)])
def test_commands_that_fetch_say_what_they_cannot(line: str, place: Path, root: Path, forked_python: str) -> None:
    offline = os.environ | {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    command = localised(line, place, forked_python)
    done = subprocess.run(command, cwd=root, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "licence" in done.stderr
    assert re.search(r"error: \S+\.pth cannot be fetched from https://", done.stderr)


@pytest.mark.parametrize("line", [line for line in commands() if "DIR" in line])
def test_commands_on_own_faces_pass_every_check_before_training(line: str) -> None:
    overrides = shlex.split(line.replace("DIR", "faces"))[3:]
    jobs = plan(overrides)
    assert len(jobs) > 1
    assert all(config.data.root == "faces" for _, config in jobs)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a run store that the commands fill in their order, and two pictures."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        write_png(folder / "faces" / f"{name}.png", rng.integers(0, 256, (48, 48, 3), np.uint8))
    write_png(folder / "photos" / "group.png", GroupPhoto.of([(40, 60), (280, 120)]).picture)
    return folder


def finished(place: Path, stage: str) -> Path:
    """A run of a stage that an earlier command left; of CFT one that fuses."""
    return next((place / "runs" / stage).glob("*all_fixed*" if stage == "cft" else "*"))


def localised(line: str, place: Path, python: str) -> list[str]:
    """The command with `python`, small networks and every path inside `place`."""
    program, *words = shlex.split(line)
    if program == "torchrun":
        words = ["-m", "torch.distributed.run", *words]
    if "src.evaluate" in words:
        words += [*EVALUATED, f"run_store={place / 'runs'}", *(POPULATION if "benchmark=rendered" in words else [])]
    if "src.leaderboard" in words and "sync" in words:
        words.append(f"runs={place / 'runs'}")
    if "src.train" in words and "--help" not in words:
        kept = [word for word in words if "iterations=" not in word]
        words = [*kept, *SMALL, f"run_store={place / 'runs'}"]
        if "+experiment=difface_sweep" in words:
            words += [
                "arm=swinir",
                "degradation@benchmark.degradation=difface",
                "evaluation.difface.solvers.solver=[unipc]",
            ]
            words += [f"evaluation.difface.{grid}.steps=[2]" for grid in ("solvers", "reference")]
        words += [f"arm={arms}" for experiment, arms in FEWER_ARMS.items() if f"+experiment={experiment}" in words]
        if "+experiment=compare_codeformer_difface" in words:
            words.append("evaluation.difface.published.steps=[2]")
        words += FEWER_SETTINGS if "+experiment=clr_face_sweep" in words else []
    words = [
        word.replace("=runs/", f"={place}/runs/")
        .replace("=photos", f"={place}/photos")
        .replace("=faces", f"={place}/faces")
        .replace("=packed/", f"={place}/packed/")
        .replace("=benchmarks/", f"={place}/benchmarks/")
        .replace("=upscaled", f"={place}/upscaled")
        for word in words
    ]
    words = [str(place / word) if word.startswith("runs/") or word == "codeformer.onnx" else word for word in words]
    words = [re.sub(rf"^(output|out)=(?!{place})", rf"\1={place}/", word) for word in words]
    # Small networks see faces of 32 px.
    words = [word.replace("size=64", "size=32") for word in words]
    words = [re.sub(rf"{place}/runs/(\w+)/RUN", lambda found: str(finished(place, found[1])), word) for word in words]
    if "src.weights" in words:
        words.extend(["--weights-dir", str(place / "weights")] if "export" not in words else [])
    return [python, *words]


@pytest.mark.parametrize("line", [line for line in commands() if is_run(line)])
def test_command_runs(line: str, place: Path, root: Path, forked_python: str) -> None:
    command = localised(line, place, forked_python)
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
