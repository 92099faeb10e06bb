"""The page: its payload equals the rows, it loads nothing, and a browser shows, sorts and filters it."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.leaderboard.page import embedded_json, write_page
from src.leaderboard.page_config import own_config, shared_config
from src.leaderboard.page_payload import payload
from src.leaderboard.page_pictures import data_uri
from src.leaderboard.row import Row
from src.leaderboard.setting import named
from src.settings.errors import UserError
from src.tracking.records import StoredRecord
from tests.leaderboard.page_browser import Browser, found_browser
from tests.leaderboard.page_study import (
    SEVERITY,
    MakeRecord,
    full_study,
    page_path,
    tables,
    with_faces,
    with_severity,
)

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return found_browser(tmp_path)


class _Elements(HTMLParser):
    """Every element's tag, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.found if name == tag]


def _data(path: Path) -> dict[str, Any]:
    return json.loads(_Elements(path.read_text(encoding="utf-8")).texts("script")[0])


def test_payload_equals_the_rows(make: MakeRecord, tmp_path: Path) -> None:
    study = full_study(make)
    shown = _data(write_page(page_path(tmp_path), study))["studies"][0]
    assert (shown["study"], shown["question"]) == (study[0].study, study[0].question)
    assert [row["arm"] for row in shown["apart"]] == ["broken"]
    assert shown["apart"][0]["reason"] == "the loss became NaN"
    for ranking, found in zip(study[0].rankings, shown["rankings"], strict=True):
        assert found["verdict"] == ranking.verdict
        assert found["primary"] == found["metrics"][0]["id"] == ranking.protocol.metric
        assert len(found["rows"]) == len(ranking.rows) == 8
        for row, cells in zip(ranking.rows, found["rows"], strict=True):
            _assert_same(row, cells)


def _assert_same(row: Row, shown: dict[str, Any]) -> None:
    standing = row.standing
    assert shown["arm"] == row.arm
    assert shown["seeds"] == list(row.seeds)
    assert shown["baseline"] == row.baseline
    assert [record["run"] for record in shown["records"]] == [entry.record.run for entry in row.records]
    assert (shown["position"], shown["rank"]) == ((standing.position, standing.rank) if standing else (None, None))
    assert set(shown["cells"]) == set(row.cells)
    for name, cell in row.cells.items():
        found = shown["cells"][name]
        assert found["value"] == pytest.approx(cell.value, rel=1e-6)
        assert ("interval" in found) == (cell.interval is not None)
        if cell.interval is not None:
            assert found["interval"] == pytest.approx(list(cell.interval), rel=1e-6)
        if len(row.seeds) > 1:
            assert found["seeds"] == pytest.approx({str(seed): value for seed, value in cell.by_seed.items()}, rel=1e-6)


def test_charts_point_to_their_rows(make: MakeRecord) -> None:
    study = full_study(make)
    ranking = payload(study)["studies"][0]["rankings"][0]
    names = [named(row) for row in study[0].rankings[0].rows]
    points = ranking["frontier"]["points"]
    assert [names[point["row"]].split(" ")[0] for point in points] == [point["arm"] for point in points]
    for point in points:
        row = ranking["rows"][point["row"]]
        assert row["cells"][ranking["frontier"]["identity"]]["value"] == point["identity"]
    assert {curve["metric"] for curve in ranking["severity"]} == {"st_lpips", "id/cos_mobilefacenet", "psnr"}
    assert all(sum(found["n"] for found in curve["bins"]) == 64 for curve in ranking["severity"])
    placed = [index for index, row in enumerate(ranking["rows"]) if row["position"] is not None]
    assert sorted(entry["row"] for entry in ranking["gallery"]) == placed


def test_configurations_come_back_whole() -> None:
    common = {
        "a": {"b": [1, 2], "c": {}},
        "lr": 1e-4,
        "name.with.dots": None,
        "steps": {"blur": {"sigma": [1.0, 15.0]}},
    }
    configs = [{**common, "seed": seed} for seed in range(4)]
    configs += [{"seed": 9}, {**common, "lr": 2, "a": {"b": [1, 3]}}, {"a": {"b": {"deep": 1}, "c": {}}, "lr": 1e-4}]
    shared = shared_config(configs)
    stored = [own_config(config, shared) for config in configs]
    assert [_whole(shared, own) for own in stored] == configs
    assert stored[1] == {"set": [[["seed"], 1]], "unset": []}
    assert stored[4] == {"whole": {"seed": 9}}


def _whole(shared: list, own: dict[str, Any]) -> dict[str, Any]:
    if "whole" in own:
        return own["whole"]
    entries = {path: value for path, value in shared if list(path) not in own["unset"]}
    entries |= {tuple(path): value for path, value in own["set"]}
    root: dict[str, Any] = {}
    for path, value in entries.items():
        parent = root
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
        parent[path[-1]] = value
    return root


def test_forty_rows_stay_small(make: MakeRecord, tmp_path: Path) -> None:
    common = {f"option_{index}": {"name": "value" * 5, "range": [0.0, 1.0]} for index in range(60)}
    records = [
        make(f"arm{arm}", w, shift=0.01 * arm, config={**common, "arm": f"arm{arm}"})
        for arm in range(8)
        for w in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    path = write_page(page_path(tmp_path), tables(records))
    assert len(_data(path)["studies"][0]["rankings"][0]["rows"]) == 40
    assert path.stat().st_size < 200_000


def test_nothing_is_loaded_and_only_this_script_runs(make: MakeRecord, tmp_path: Path) -> None:
    text = write_page(page_path(tmp_path), full_study(make)).read_text(encoding="utf-8")
    elements = _Elements(text)
    assert not [tag for tag, _, _ in elements.found if tag in ("link", "img", "iframe", "object", "base", "form")]
    assert not [attributes for _, attributes, _ in elements.found if {"src", "href", "style"} & set(attributes)]
    style, script = elements.texts("style")[0], elements.texts("script")[1]
    assert not re.search(r"@import|url\(", style)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|fetch\(|XMLHttp", script)
    policy = next(str(attributes["content"]) for _, attributes, _ in elements.found if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for directive, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy


def test_embedded_json_cannot_end_its_element() -> None:
    data = {"name": HOSTILE, "comment": "<!-- &amp; \u2028"}
    text = embedded_json(data)
    assert json.loads(text) == data
    assert not set("<>&\u2028\u2029") & set(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded_json(float("nan"))


def test_pictures_are_small_jpegs(tmp_path: Path) -> None:
    yellow = np.full((300, 600, 4), (250, 240, 20, 255), dtype=np.uint8)
    Image.fromarray(yellow).save(tmp_path / "wide.png")
    uri, width = data_uri(tmp_path / "wide.png")
    kind, encoded = uri.split(",")
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert (kind, picture.format) == ("data:image/jpeg;base64", "JPEG")
        assert picture.size == (256, 128)
        assert width == 256
        assert np.abs(np.asarray(picture, dtype=int) - (250, 240, 20)).max() <= 4
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"broken\.png: not a readable picture"):
        data_uri(tmp_path / "broken.png")


def test_pictures_of_a_gallery_are_those_that_were_kept(make: MakeRecord) -> None:
    kept, bare = with_faces(make("a", None)), make("b", None, shift=0.1)
    (kept.folder / "faces" / "worst-truth.png").unlink()
    for rule in ("best", "median"):
        for view in ("input", "restored", "truth"):
            (kept.folder / "faces" / f"{rule}-{view}.png").unlink()
    (entry,) = payload(tables([kept, bare]))["studies"][0]["rankings"][0]["gallery"]
    assert set(entry["faces"]) == {"worst"}
    assert set(entry["faces"]["worst"]["pictures"]) == {"input", "restored"}
    assert entry["faces"]["worst"]["name"] == "face_0002"


LOOK = """
  one("{target}").scrollIntoView();
  const box = one("{target}").getBoundingClientRect();
  const {{ left, top, right, bottom }} = box;
  const dots = all("figure .point").length;
  return {{ ...hook(), dots, box: {{ left, top, right, bottom }}, width: frame.contentWindow.innerWidth }};
"""


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_a_browser_shows_table_and_charts(
    make: MakeRecord, tmp_path: Path, browser: Browser, width: int, height: int
) -> None:
    path = write_page(page_path(tmp_path), full_study(make, "long" * 20))
    for target in (".ranking-box", ".chart"):
        shown = browser.run(path, width, height, LOOK.format(target=target), "sort=psnr")
        facts = shown.result
        assert (facts["ready"], facts["errors"], facts["width"]) == ("yes", "0", width)
        assert int(facts["overflow"]) <= 0
        assert facts["rows"] == "4"
        assert facts["dots"] > 10
        assert shown.colours(facts["box"]) > 20


def test_a_browser_sorts_by_the_fragment_and_by_headings(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    study = full_study(make)
    path = write_page(page_path(tmp_path), study)
    driver = """
      const order = () => hook().order.split("|");
      const seen = { first: order() };
      const press = (key) => one(`th[data-column="${key}"] button`).click();
      press("psnr");
      seen.turned = order();
      seen.aria = one('th[data-column="psnr"]').getAttribute("aria-sort");
      press("st_lpips");
      seen.lpips = order();
      seen.fragment = frame.contentWindow.location.hash;
      return { ...seen, ...hook() };
    """
    result = browser.run(path, 1440, 900, driver, "settings=all&sort=psnr").result
    rows = study[0].rankings[0].rows

    def order(metric: str, sign: int) -> list[str]:
        return [named(row) for row in sorted(rows, key=lambda row: sign * (row.cells[metric].value or 0))]

    assert result["first"] == order("psnr", -1)
    assert result["turned"] == order("psnr", 1)
    assert result["aria"] == "ascending"
    assert result["lpips"] == order("st_lpips", 1)
    assert result["fragment"] == "#sort=st_lpips&settings=all"
    assert result["errors"] == "0"


def test_a_browser_filters_hides_and_opens(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    path = write_page(page_path(tmp_path), full_study(make))
    driver = """
      const typed = (input, value, kind) => {
        input.value = value;
        input.dispatchEvent(new Event(kind, { bubbles: true }));
      };
      const ticked = (label) => all("label").find((node) => node.textContent === label).querySelector("input").click();
      const seen = { all: texts(".ranking tbody th") };
      ticked("baselines");
      seen.arms = texts(".ranking tbody th");
      typed(one("input[type=search]"), "diffu", "input");
      seen.filtered = texts(".ranking tbody th");
      seen.columns = all(".ranking thead th").length;
      ticked("Cost");
      seen.fewer = all(".ranking thead th").length;
      one(".compare input").value = 20;
      typed(one(".compare input"), "20", "input");
      seen.cuts = all(".compare").map((node) => node.style.getPropertyValue("--cut"));
      one(".ranking tbody button").click();
      seen.panel = one("dialog").open && one("dialog").textContent;
      seen.config = texts("dialog details pre").at(-1);
      one("dialog .close").click();
      return { ...seen, open: one("dialog").open, ...hook() };
    """
    result = browser.run(path, 1440, 900, driver).result
    assert sorted(result["all"]) == ["adain", "diffusion", "input", "plain"]
    assert sorted(result["arms"]) == ["adain", "diffusion", "plain"]
    assert result["filtered"] == ["diffusion"]
    assert result["columns"] - result["fewer"] == 4
    assert result["cuts"] == ["20%"] * 3
    for text in ("tiny64-diffusion-s1", "python -m src.train", "0123456789abcdef", "ef" * 32, "bench" * 8, "made up"):
        assert text in result["panel"]
    assert json.loads(result["config"]) == {"seed": 1}
    assert (result["open"], result["errors"]) == (False, "0")


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (["truth"], "by id/cos_mobilefacenet between the restored and the true face:"),
        (["input"], "by id/cos_mobilefacenet between the restored and the degraded face:"),
        (["truth", "input"], "by id/cos_mobilefacenet, judged by the true face:"),
        ([], "by id/cos_mobilefacenet of the restored face alone:"),
    ],
)
def test_a_browser_says_what_chose_the_faces(
    make: MakeRecord, tmp_path: Path, browser: Browser, needs: list[str], expected: str
) -> None:
    def looking_at(stored: StoredRecord) -> StoredRecord:
        kept = stored.record.metrics["id/cos_mobilefacenet"]
        changed = replace(kept, definition=kept.definition | {"needs": needs})
        metrics = stored.record.metrics | {"id/cos_mobilefacenet": changed}
        return StoredRecord(replace(stored.record, metrics=metrics), stored.folder)

    records = [looking_at(with_faces(make("a"))), looking_at(with_faces(make("b", shift=0.1)))]
    path = write_page(page_path(tmp_path), tables(records))
    result = browser.run(path, 1440, 900, 'return { text: one("#faces .note").textContent, ...hook() };').result
    assert expected in result["text"]
    assert result["errors"] == "0"


def test_a_browser_keeps_scales_of_severity_apart(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    scales = [SEVERITY, SEVERITY | {"edges": [1.0, 8.0]}]
    records = [
        with_severity(make(arm, shift=shift), scale) for arm, shift, scale in zip("ab", (0.0, 0.1), scales, strict=True)
    ]
    path = write_page(page_path(tmp_path), tables(records))
    driver = """
      const figure = one("input[name=severity]").closest("figure");
      const boxes = [...figure.querySelectorAll("input[name=severity]")];
      const names = boxes.map((input) => input.closest("label").textContent);
      const shown = () => [...figure.querySelectorAll(".curve")].length;
      const seen = { names, first: shown(), note: figure.querySelector(".note").textContent };
      boxes[1].click();
      seen.second = shown();
      seen.outside = figure.querySelector(".note").textContent;
      seen.captions = texts("figcaption").join(" ");
      return { ...seen, ...hook() };
    """
    result = browser.run(path, 1440, 900, driver).result
    assert result["names"][:2] == [
        "st_lpips ↓ by downscale factor r (1, 4, 8, 16)",
        "st_lpips ↓ by downscale factor r (1, 8)",
    ]
    assert (result["first"], result["second"]) == (1, 1)
    assert (result["note"], result["outside"]) == ("", "34 faces outside the bins.")
    assert "point estimates; the distance has no interval" in result["captions"]
    assert result["errors"] == "0"


def test_a_browser_walks_through_a_chart_by_keys(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    study = full_study(make)
    path = write_page(page_path(tmp_path), study)
    driver = """
      const key = (name) => page.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
      const label = () => page.activeElement.getAttribute("aria-label");
      const marks = all("figure:first-child .point");
      marks[0].focus();
      const seen = { first: label() };
      key("ArrowRight");
      seen.second = label();
      key("ArrowLeft");
      key("ArrowLeft");
      seen.last = label();
      seen.labels = marks.map((node) => node.getAttribute("aria-label"));
      key("Enter");
      return { ...seen, panel: one("dialog h2").textContent, stops: marks.filter((node) => node.tabIndex === 0).length };
    """
    result = browser.run(path, 1440, 900, driver).result
    labels = result["labels"]
    assert [result["first"], result["second"], result["last"]] == [labels[0], labels[1], labels[-1]]
    assert len(set(labels)) == len(labels) == 7
    assert result["panel"] == labels[-1].split("; ")[0]
    assert result["stops"] == 1


def test_a_hostile_name_is_text(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    path = write_page(page_path(tmp_path), full_study(make, HOSTILE))
    assert "<img" not in path.read_text(encoding="utf-8")
    driver = """
      all(".ranking tbody button").find((node) => node.textContent.includes("img")).click();
      const strange = all("img").filter((node) => !node.src.startsWith("data:")).length;
      return { arms: texts(".ranking tbody th"), title: one("dialog h2").textContent, strange, ...hook() };
    """
    result = browser.run(path, 1440, 900, driver, "view=99&sort=nothing&open=1e9&face=%3Cb%3E").result
    assert HOSTILE in result["arms"]
    assert result["title"].startswith(HOSTILE)
    assert (result["strange"], result["errors"]) == (0, "0")


def test_a_study_without_any_ranking_says_so(make: MakeRecord, tmp_path: Path, browser: Browser) -> None:
    path = write_page(page_path(tmp_path), tables([make("broken", status="failed", reason="out of memory")]))
    driver = 'return { text: one("main").textContent, ...hook() };'
    result = browser.run(path, 390, 844, driver).result
    assert "No arm has a result that can be ranked." in result["text"]
    assert "out of memory" in result["text"]
    assert result["errors"] == "0"
