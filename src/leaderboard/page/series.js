// Every arm has one colour and one shape, in the table and in all charts.

const COLOURS = 8;
const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  (r) => `M${-0.88 * r},${-0.88 * r}h${1.76 * r}v${1.76 * r}h${-1.76 * r}Z`,
  (r) => `M0,${-1.15 * r}L${1.1 * r},${0.8 * r}H${-1.1 * r}Z`,
  (r) => `M0,${-1.25 * r}L${1.25 * r},0L0,${1.25 * r}L${-1.25 * r},0Z`,
  (r) => `M0,${1.15 * r}L${1.1 * r},${-0.8 * r}H${-1.1 * r}Z`,
  (r) => `M${-1.15 * r},0L${0.8 * r},${-1.1 * r}V${1.1 * r}Z`,
  (r) => `M${1.15 * r},0L${-0.8 * r},${-1.1 * r}V${1.1 * r}Z`,
  (r) => `M${-0.5 * r},${-1.1 * r}h${r}L${1.1 * r},0L${0.5 * r},${1.1 * r}h${-r}L${-1.1 * r},0Z`,
  (r) => `M${-0.4 * r},${-1.1 * r}h${0.8 * r}v${0.7 * r}h${0.7 * r}v${0.8 * r}h${-0.7 * r}v${0.7 * r}h${-0.8 * r}v${-0.7 * r}h${-0.7 * r}v${-0.8 * r}h${0.7 * r}Z`,
];
const BASELINE_SHAPES = [
  (r) => `M${-r},${-r}L${r},${r}M${-r},${r}L${r},${-r}`,
  (r) => `M${-1.2 * r},0H${1.2 * r}M0,${-1.2 * r}V${1.2 * r}`,
  (r) => `M${-1.2 * r},0H${1.2 * r}`,
];

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
    series.set(name, { number: series.size, name, baseline, style, shape: shapes[index % shapes.length] });
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
