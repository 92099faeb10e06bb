"""Whether this machine may send to a Weights & Biases server; looked up without asking the server or the user."""

import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

PUBLIC_SERVER = "https://api.wandb.ai"


def server() -> str:
    """Address of the server that runs are sent to: WANDB_BASE_URL, or the public one."""
    return os.environ.get("WANDB_BASE_URL", PUBLIC_SERVER).rstrip("/")


def account_is_configured() -> bool:
    """Whether there is an API key for the server, in the environment or in a netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    return any(_has_login(path, urlsplit(server()).netloc) for path in _netrc_files())


def _netrc_files() -> list[Path]:
    if path := os.environ.get("NETRC"):
        return [Path(path).expanduser()]
    return [Path.home() / ".netrc", Path.home() / "_netrc"]


def _has_login(path: Path, host: str) -> bool:
    try:
        return netrc.netrc(str(path)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
