// Builds the page from the payload and keeps it in step with the URL's fragment.

let errors = 0;
addEventListener("error", () => report({ errors: ++errors }));

// What a test reads: rows shown, their order, mistakes, and whether the page is wider than its window.
function report(facts) {
  const root = document.documentElement;
  Object.assign(root.dataset, { overflow: root.scrollWidth - innerWidth, errors, ...facts });
}

function viewsOf(data) {
  const rankings = (study) => (study.rankings.length ? study.rankings : [null]);
  return data.studies.flatMap((study) => rankings(study).map((ranking) => makeView(study, ranking, data.pool)));
}

function makeView(study, ranking, pool) {
  const given = ranking?.rows ?? [];
  const places = new Map(given.filter((row) => known(row.position)).map((row) => [row.arm, row.position]));
  const rows = given.map((row, index) => ({ ...row, index, armPosition: places.get(row.arm) ?? null }));
  const metrics = new Map((ranking?.metrics ?? []).map((metric) => [metric.id, metric]));
  return { study, ranking, pool, rows, metrics, series: seriesOf(rows), state: { ...DEFAULTS }, nodes: {}, cut: 50 };
}

// Takes up a change of state and draws what it concerns: by default the table.
function update(view, changes, draw = drawTable) {
  Object.assign(view.state, changes);
  writeState(view.state);
  draw(view);
  report({});
}

function show(views) {
  const state = readState();
  const view = views[Number(state.view)] ?? views[0];
  view.state = state;
  const main = view.ranking ? shownRanking(view) : el("main", null, emptyHeadline(view), apartSection(view));
  document.getElementById("page").replaceChildren(...[navigation(views, view), main].filter(Boolean));
  if (view.ranking) drawAll(view);
  const opened = view.rows.find((row) => String(row.index) === state.open);
  if (opened) openPanel(view, opened);
  return view;
}

function shownRanking(view) {
  const { frontier, severity } = view.ranking;
  view.nodes = {
    table: el("table", { class: "ranking" }),
    reading: el("p", { class: "note" }),
    count: el("span", { class: "count", role: "status" }),
  };
  const charts = [frontier && frontierFigure(view), severity.length > 0 && severityFigure(view)].filter(Boolean);
  return el(
    "main",
    null,
    headline(view),
    rankingSection(view),
    charts.length > 0 && chartSection(view, charts),
    view.study.figures.map(studyFigure),
    (view.study.diagnostics ?? []).map(diagnosticsSection),
    gallerySection(view),
    apartSection(view),
    definitions(view),
  );
}

function drawAll(view) {
  drawTable(view);
  drawCharts(view);
  if (view.nodes.gallery) drawGallery(view);
}

function rankingSection(view) {
  const box = el(
    "div",
    { class: "scroll ranking-box", tabindex: "0", role: "region", "aria-label": "Ranking" },
    view.nodes.table,
  );
  return el("section", { id: "ranking" }, el("h2", null, "Ranking"), controls(view), box, view.nodes.reading);
}

function chartSection(view, charts) {
  const options = [
    ["arms", "ranked arms"],
    ["all", "with baselines"],
  ];
  const scale = choices("scale", "Show", options, view.state.scale, (value) =>
    update(view, { scale: value }, drawCharts),
  );
  const hasBaselines = view.rows.some((row) => row.baseline);
  const bar = hasBaselines && el("div", { class: "controls" }, scale);
  return el(
    "section",
    { id: "charts" },
    el("h2", null, "Trade-offs"),
    bar,
    legend(view),
    el("div", { class: "charts" }, charts),
  );
}

function drawCharts(view) {
  if (view.nodes.frontier) drawFrontier(view);
  if (view.nodes.severity) drawSeverity(view);
}

function start() {
  const views = viewsOf(JSON.parse(document.getElementById("payload").textContent));
  let view = show(views);
  let width = innerWidth;
  addEventListener("hashchange", () => (view = show(views)));
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    drawCharts(view);
    report({});
  });
  addEventListener("beforeprint", () => unfold(true));
  addEventListener("afterprint", () => unfold(false));
  report({ ready: "yes" });
}

function unfold(open) {
  for (const node of document.querySelectorAll(".headline details")) node.open = open;
}

start();
