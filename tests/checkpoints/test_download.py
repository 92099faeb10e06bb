"""Downloads from a server of this process that misbehaves on demand."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from src.checkpoints.catalogue import CATALOGUE
from src.checkpoints.download import fetch_weights
from src.checkpoints.entries import WeightsEntry
from src.settings.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONTENT = bytes(range(256)) * 9000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Source(ThreadingHTTPServer):
    """Serves one file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.mark: str | None = '"first"'
        self.cut: int | None = None
        """Close the connection after so many bytes, once."""
        self.ranges = True
        self.shift = 0
        """Answer with a piece that starts so many bytes too late."""
        self.kind = "application/octet-stream"
        self.status = 200
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/net.pth"


class Handler(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        source, wanted = self.server, self.headers.get("Range")
        source.asked.append(wanted)
        if source.status != 200:
            self.send_error(source.status)
            return
        fresh = wanted is None or not source.ranges or self.headers.get("If-Range") != source.mark
        start = 0 if fresh else int(str(wanted).removeprefix("bytes=").removesuffix("-")) + source.shift
        if start >= len(source.content):
            self.send_error(416)
            return
        body = source.content[start:]
        self.send_response(200 if fresh else 206)
        if not fresh:
            self.send_header("Content-Range", f"bytes {start}-{len(source.content) - 1}/{len(source.content)}")
        self.send_header("Content-Type", source.kind)
        if source.mark is not None:
            self.send_header("ETag", source.mark)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, source.cut = source.cut, None
        self.wfile.write(body[:cut])

    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet."""


@pytest.fixture
def source() -> Iterator[Source]:
    server = Source()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A weights folder of the test's own, and an entry of the catalogue that the source serves."""
    enter(source, monkeypatch, sha256=DIGEST)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path / "weights"))
    for key in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path / "weights"


def enter(source: Source, monkeypatch: pytest.MonkeyPatch, sha256: str | None) -> None:
    licence = "Some License, non-commercial use only"
    entry = WeightsEntry(file="net.pth", url=source.url, licence=licence, sha256=sha256, folder="nets")
    monkeypatch.setitem(CATALOGUE, "net", entry)


def fetch() -> Path:
    return fetch_weights("net", None, progress=False)


def test_a_file_is_fetched_once_and_its_licence_stated_before(source, folder, capsys):
    source.status = 404
    with pytest.raises(UserError):
        fetch()
    told = capsys.readouterr().err
    assert "Some License, non-commercial use only" in told
    assert source.url in told
    source.status = 200
    assert fetch() == folder / "nets" / "net.pth"
    assert fetch().read_bytes() == CONTENT
    assert source.asked == [None, None]
    assert {path.name for path in (folder / "nets").iterdir()} == {"net.pth", ".net.pth.lock"}


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on_where_the_server_can(source, folder, ranges):
    source.cut, source.ranges = 1_500_000, ranges
    with pytest.raises(UserError, match=r"net\.pth cannot be fetched"):
        fetch()
    held = (folder / "nets" / "net.pth.part").stat().st_size
    assert 0 < held <= 1_500_000
    assert not (folder / "nets" / "net.pth").exists()
    assert fetch().read_bytes() == CONTENT
    assert source.asked == [None, f"bytes={held}-"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(source, folder, monkeypatch):
    source.cut = 1_500_000
    with pytest.raises(UserError):
        fetch()
    source.content, source.mark = CONTENT[::-1], '"second"'
    enter(source, monkeypatch, sha256=hashlib.sha256(source.content).hexdigest())
    assert fetch().read_bytes() == CONTENT[::-1]


def test_without_a_mark_of_the_file_nothing_is_glued(source, folder):
    source.cut, source.mark = 1_500_000, None
    with pytest.raises(UserError):
        fetch()
    assert fetch().read_bytes() == CONTENT
    assert source.asked == [None, None]


def test_a_piece_that_does_not_follow_is_not_glued(source, folder, monkeypatch):
    enter(source, monkeypatch, sha256=None)
    source.cut, source.shift = 1_500_000, 1000
    with pytest.raises(UserError, match="the connection was cut"):
        fetch()
    assert fetch().read_bytes() == CONTENT
    assert len(source.asked) == 3
    assert source.asked[-1] is None


def test_a_whole_part_of_a_killed_process_is_no_obstacle(source, folder):
    part = folder / "nets" / "net.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    part.with_name("net.pth.part.mark").write_text('"first"')
    assert fetch().read_bytes() == CONTENT
    assert source.asked == [f"bytes={len(CONTENT)}-", None]


def test_a_web_page_is_no_weights_file(source, folder, monkeypatch):
    enter(source, monkeypatch, sha256=None)
    source.kind = "text/html; charset=utf-8"
    with pytest.raises(UserError, match="a web page came instead"):
        fetch()
    assert not list((folder / "nets").glob("net*"))


def test_another_process_is_waited_for(source, folder):
    folder.joinpath("nets").mkdir(parents=True)
    lock = folder / "nets" / ".net.pth.lock"
    holder = (
        f"import fcntl; lock = open({str(lock)!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        thread = threading.Thread(target=fetch)
        thread.start()
        thread.join(0.3)
        assert source.asked == []
        other.kill()  # a dead process holds no lock
        thread.join(10)
    assert source.asked == [None]
    assert (folder / "nets" / "net.pth").read_bytes() == CONTENT


def test_a_full_disk_is_one_sentence(source, folder):
    code = (
        "import resource, signal, sys\n"
        "from src.checkpoints.catalogue import CATALOGUE, WeightsEntry\n"
        "from src.checkpoints.download import fetch_weights\n"
        "from src.settings.errors import UserError\n"
        f"CATALOGUE['net'] = WeightsEntry(file='net.pth', url={source.url!r}, licence='MIT', sha256={DIGEST!r})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    fetch_weights('net', None, progress=False)\n"
        "except UserError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert f"net.pth cannot be fetched from {source.url} (File too large)" in done.stdout, done.stderr
    assert str(folder / "net.pth") in done.stdout
    assert not (folder / "net.pth").exists()


def test_another_hash_is_refused_with_everything_one_needs(source, folder):
    source.content = CONTENT[:-1] + b"x"
    with pytest.raises(UserError) as caught:
        fetch()
    found = hashlib.sha256(source.content).hexdigest()
    for text in ("net.pth", source.url, str(folder / "nets" / "net.pth"), DIGEST, found):
        assert text in str(caught.value)
    assert not list((folder / "nets").glob("net*"))
    source.content = CONTENT
    assert fetch().read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_refuses_is_quoted(source, folder, status):
    source.status = status
    with pytest.raises(UserError, match=f"the server answered {status}") as caught:
        fetch()
    for text in ("net.pth", source.url, str(folder / "nets" / "net.pth"), DIGEST, "by hand"):
        assert text in str(caught.value)


def test_no_connection_is_one_sentence(source, folder, monkeypatch):
    entry = WeightsEntry(file="net.pth", url="http://127.0.0.1:9/net.pth", licence="MIT", sha256=DIGEST)
    monkeypatch.setitem(CATALOGUE, "net", entry)
    with pytest.raises(
        UserError, match=r"net\.pth cannot be fetched from http://127\.0\.0\.1:9/net\.pth \(no connection\)"
    ):
        fetch()


def test_a_file_without_a_published_hash_is_held_to_its_first_one(source, folder, monkeypatch, capsys):
    enter(source, monkeypatch, sha256=None)
    path = fetch()
    assert "no hash is published" in capsys.readouterr().err
    assert path.with_name("net.pth.sha256").read_text().strip() == DIGEST
    assert fetch() == path
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=f"expected {DIGEST}"):
        fetch()
    path.unlink()
    source.content = CONTENT[::-1]
    with pytest.raises(UserError, match=rf"expected {DIGEST} .*remove .*net\.pth\.sha256 only if"):
        fetch()
    path.with_name("net.pth.sha256").unlink()
    assert fetch().read_bytes() == CONTENT[::-1]


def test_a_folder_that_cannot_be_written_is_named(source, folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=str(folder)):
        fetch()


def test_two_at_once_fetch_one_file(source, folder):
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [folder / "nets" / "net.pth"] * 4
    assert source.asked == [None]
    assert found[0].read_bytes() == CONTENT


def test_what_no_address_gives_alone_is_told(folder, monkeypatch):
    entry = WeightsEntry(file="net.pth", url="https://example.org/project", licence="MIT", package="some_package")
    monkeypatch.setitem(CATALOGUE, "net", entry)
    with pytest.raises(UserError, match=r"fetch https://example\.org/project .* pip package some-package"):
        fetch()


def test_an_unknown_name_is_told(folder):
    with pytest.raises(UserError, match="'nte' is no weights file of the catalogue"):
        fetch_weights("nte", None)
