"""Hands pyiqa the weights that the suite found and checked, and keeps it from the network meanwhile."""

import contextlib
import hashlib
import io
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn

import torch

from src.checkpoints.catalogue import from_home

UNTRAINED = {"pretrained": False}
CACHE_COPIES = {"topiq": "pyiqa.archs.topiq_arch", "liqe": "pyiqa.archs.liqe_arch"}
"""Modules that copy the place of pyiqa's cache when they are imported, by the first letters of their metrics."""
HUB = "https://huggingface.co"
"""Where models of several files, which a metric names by `hub_model`, are published."""


class WeightsAskedFor(OSError):
    """pyiqa wanted to download a file from `url` to `path`."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(f"{url} is asked for")
        self.url, self.path = url, path


@contextlib.contextmanager
def given_weights(name: str, files: Sequence[Path], *, backbone_in_weights: bool) -> Iterator[None]:
    """While it is open, pyiqa finds exactly these files in its cache, by their names, and asks nobody for others.

    With `backbone_in_weights` timm builds backbones without weights of their own: those of the metric hold them, which
    their strict loading confirms.
    """
    with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for path in files:
            (Path(folder) / path.name).symlink_to(path.resolve())
        # CLIP's weights are looked for one folder further down.
        (Path(folder) / "clip").symlink_to(folder)
        stack.enter_context(_cache_at(name, folder))
        if backbone_in_weights:
            timm = import_module("timm")
            build = timm.create_model
            stack.enter_context(_replaced(timm, "create_model", lambda *args, **kw: build(*args, **kw | UNTRAINED)))
        stack.enter_context(no_network())
        yield


@contextlib.contextmanager
def _cache_at(name: str, folder: str) -> Iterator[None]:
    """Move pyiqa's cache. Modules that copied its place are imported first: they would keep the moved one for ever."""
    copies = [import_module(module) for prefix, module in CACHE_COPIES.items() if name.startswith(prefix)]
    with contextlib.ExitStack() as stack:
        for module in [_downloads(), *copies]:
            stack.enter_context(_replaced(module, "DEFAULT_CACHE_DIR", folder))
        stack.enter_context(_replaced(import_module("pyiqa.archs.clip_model"), "get_dir", lambda: folder))
        yield


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """While it is open, this thread reaches no host, and pyiqa and the model hub say at once what they would fetch."""
    hub = import_module("huggingface_hub.constants")
    with (
        _replaced(_downloads(), "download_url_to_file", _refuse_download),
        _replaced(hub, "HF_HUB_OFFLINE", True),
        _replaced(socket, "getaddrinfo", _refusing_this_thread(socket.getaddrinfo)),
    ):
        yield


def _refuse_download(url: str, path: str, *args: object, **options: object) -> NoReturn:
    raise WeightsAskedFor(url, path)


def _refusing_this_thread(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Other threads, such as the upload of a run's records, go on."""
    building = threading.get_ident()

    def resolve_elsewhere(host: object, *args: Any, **options: Any) -> Any:
        if threading.get_ident() == building:
            raise OSError(f"{host} is not asked for weights")
        return resolve(host, *args, **options)

    return resolve_elsewhere


@contextlib.contextmanager
def quiet_and_safe() -> Iterator[None]:
    """While it is open, libraries are silent, unpickle no code, leave torch's random state and find what they import."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        torch.random.fork_rng(devices=[]),
        _environment("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1"),
        _old_setuptools(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _old_setuptools() -> Iterator[None]:
    """openai-clip, on which CLIP-IQA is built, takes `packaging` from a module that setuptools no longer brings."""
    if find_spec("pkg_resources"):
        yield
        return
    stand_in = ModuleType("pkg_resources")
    vars(stand_in)["packaging"] = import_module("packaging")
    sys.modules["pkg_resources"] = stand_in
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]


@contextlib.contextmanager
def _environment(key: str, value: str) -> Iterator[None]:
    before = os.environ.get(key)
    os.environ[key] = value
    try:
        yield
    finally:
        os.environ.pop(key)
        if before is not None:
            os.environ[key] = before


@contextlib.contextmanager
def _replaced(owner: Any, attribute: str, value: object) -> Iterator[None]:
    before = getattr(owner, attribute)
    setattr(owner, attribute, value)
    try:
        yield
    finally:
        setattr(owner, attribute, before)


def _downloads() -> Any:
    return import_module("pyiqa.utils.download_util")


def cached_hub_model(repository: str) -> Path | None:
    """Folder of a model of several files in the hub's own cache, named by its revision; None where it is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def missing_hub_model(repository: str) -> list[str]:
    """A sentence if a model of several files is not in the hub's own cache. It is never fetched unasked: it is large."""
    if cached_hub_model(repository):
        return []
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    fetch = f"run `hf download {repository}` ({HUB}/{repository}), which puts it at {from_home(place)}"
    return [f"the model {repository} is missing: {fetch}"]


def joint_sha256(digests: Sequence[str]) -> str:
    """Hash of weights that are several files: of their digests, a line each; a single file's own."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
