// Every arm has one colour and one shape, in the table and in all charts.

const COLOURS = 8;
// Outlines of a radius of about one; a circle has none.
const SHAPES = [
  null,
  polygon([-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]),
  polygon([0, -1.15], [1.1, 0.8], [-1.1, 0.8]),
  polygon([0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]),
  polygon([0, 1.15], [1.1, -0.8], [-1.1, -0.8]),
  polygon([-1.15, 0], [0.8, -1.1], [0.8, 1.1]),
  polygon([1.15, 0], [-0.8, -1.1], [-0.8, 1.1]),
  polygon([-0.55, -1], [0.55, -1], [1.15, 0], [0.55, 1], [-0.55, 1], [-1.15, 0]),
  polygon([0, -1.2], [1.15, -0.35], [0.7, 1], [-0.7, 1], [-1.15, -0.35]),
];
const BASELINE_SHAPES = [
  lines([-1, -1, 1, 1], [-1, 1, 1, -1]),
  lines([-1.2, 0, 1.2, 0], [0, -1.2, 0, 1.2]),
  lines([-1.2, 0, 1.2, 0]),
];

function polygon(...points) {
  return (r) => `M${points.map(([x, y]) => `${x * r},${y * r}`).join("L")}Z`;
}

function lines(...segments) {
  return (r) => segments.map(([x1, y1, x2, y2]) => `M${x1 * r},${y1 * r}L${x2 * r},${y2 * r}`).join("");
}

function circle(r) {
  return `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
}

// Arms in the order of the ranking, baselines last: arm name to its number, class and shape.
function seriesOf(rows) {
  const order = (row) => (row.baseline ? 1e9 : (row.position ?? 1e6));
  const names = [...new Set([...rows].sort((a, b) => order(a) - order(b)).map((row) => row.arm))];
  const baselines = new Set(rows.filter((row) => row.baseline).map((row) => row.arm));
  const series = new Map();
  let arms = 0;
  let plain = 0;
  for (const name of names) {
    const baseline = baselines.has(name);
    const index = baseline ? plain++ : arms++;
    const shapes = baseline ? BASELINE_SHAPES : SHAPES;
    const style = baseline ? "baseline" : `s${index % COLOURS}`;
    series.set(name, { number: series.size, name, baseline, style, shape: shapes[index % shapes.length] ?? circle });
  }
  return series;
}

function marker(series, size, attributes) {
  return svg("path", { d: series.shape(size), class: `mark ${series.style}`, ...attributes });
}

function swatch(series) {
  const box = { class: "swatch", viewBox: "-6 -6 12 12", width: 12, height: 12, "aria-hidden": "true" };
  return svg("svg", box, marker(series, 4));
}

function legend(view) {
  const items = [...view.series.values()].map((series) => {
    const handlers = { onmouseenter: () => highlight(series.number), onmouseleave: () => highlight(null) };
    return el("li", { "data-arm": series.number, ...handlers }, swatch(series), series.name);
  });
  return el("ul", { class: "legend" }, items);
}

// Marks everything of one arm, in table and charts, and one row of the table if it is named.
function highlight(arm, row = null) {
  const page = document.getElementById("page");
  page.classList.toggle("highlighting", arm !== null);
  for (const node of page.querySelectorAll("[data-arm]")) {
    node.classList.toggle("hot", arm !== null && node.dataset.arm === String(arm));
  }
  for (const node of page.querySelectorAll("tr[data-row]")) {
    node.classList.toggle("pointed", row !== null && node.dataset.row === String(row));
  }
}
