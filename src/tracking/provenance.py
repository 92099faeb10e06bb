"""Where a number comes from: code, packages and machine."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = "unknown"
PACKAGES = (
    *("torch", "torchvision", "torchmetrics", "numpy", "scipy", "opencv-python-headless", "pillow"),
    *("pyiqa", "facexlib", "facenet-pytorch", "torch-fidelity", "lpips", "dlib", "dlib-bin"),
)
"""Distributions by the name they are installed under; dlib comes as its sources or built."""
FOLLOWING = ("torchvision",)
"""Each release is made for one of torch and numbered below 1.0 with it: the versions of torch decide."""


def git_commit(root: Path = ROOT) -> tuple[str, bool]:
    """Commit of the checkout at `root`, and whether its tracked files differ from that commit.

    `("unknown", False)` outside a checkout, without git, or before the first commit. A repository that merely contains
    `root` does not count: its commit says nothing about this code.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if not top or not commit or Path(top).resolve() != root.resolve():
        return UNKNOWN, False
    return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))


def hardware() -> dict[str, str | int | float | None]:
    """Processor, cores, memory in GB and, if torch is loaded and sees one, the GPU; imports nothing heavy."""
    return {"cpu": _cpu_model(), "cores": os.cpu_count(), "memory_gb": _memory_gb(), "gpu": _gpu_name()}


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can move a measured number."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def incompatible_packages(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Packages in both whose versions semantic versioning does not call compatible, with both versions.

    Compatible are versions with the same major number, below 1.0 with the same minor number too; those that follow
    another package are not asked.
    """
    shared = [name for name in first if name in second and name not in FOLLOWING]
    return [
        f"{name} {first[name]} and {second[name]}"
        for name in sorted(shared)
        if _release_line(first[name]) != _release_line(second[name])
    ]


def _release_line(version: str) -> tuple[str, ...]:
    major, *rest = version.partition("+")[0].split(".")
    return (major, *rest[:1]) if major == "0" else (major,)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine() or UNKNOWN


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _gpu_name() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())
