// What was asked, what was found, and on what terms.

function headline(view) {
  const { study, ranking } = view;
  const primary = view.metrics.get(ranking.primary);
  const missing = Object.entries(ranking.missing);
  const notes = [...ranking.notes, ...study.notes];
  return el(
    "header",
    { class: "headline" },
    titles(study),
    el("p", { class: "verdict" }, ranking.verdict),
    facts([
      [
        "Primary metric",
        `${ranking.primary} ${ARROWS[primary.direction]} (${betterText(primary.direction)}), ${study.primarySource}`,
      ],
      ["Benchmark", benchmarkText(ranking.benchmark)],
      ["Degradations", ranking.recipe],
      ["Made", originText(view)],
    ]),
    notes.length > 0 && folded(`How far this carries (${notes.length})`, list(notes)),
    missing.length > 0 && folded(`Not measured (${missing.length})`, facts(missing)),
  );
}

function titles(study) {
  if (!study.question)
    return [el("h1", null, breakable(study.study)), el("p", { class: "study" }, "no question was written down")];
  return [el("p", { class: "study" }, study.study), el("h1", null, study.question)];
}

// Of a study without any row that can be ranked.
function emptyHeadline({ study }) {
  return el(
    "header",
    { class: "headline" },
    titles(study),
    el("p", { class: "verdict" }, "No arm has a result that can be ranked."),
    study.notes.length > 0 && folded(`Notes (${study.notes.length})`, list(study.notes)),
  );
}

function benchmarkText(benchmark) {
  const parts = [
    benchmark.name,
    benchmark.split && `split ${benchmark.split}`,
    `n = ${benchmark.n ?? "?"}`,
    benchmark.recipe && `recipe ${benchmark.recipe}`,
    `hash ${shortHash(benchmark.hash)}`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function originText(view) {
  const records = view.rows.flatMap((row) => row.records);
  const commits = [
    ...new Set(records.map((record) => record.commit.slice(0, 10) + (record.dirty ? " with uncommitted changes" : ""))),
  ];
  const days = records.map((record) => record.created.slice(0, 10)).sort();
  const range = days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
  const others = commits.length > 3 ? ` and ${commits.length - 3} more` : "";
  return `${range} · commit ${commits.slice(0, 3).join(", ")}${others}`;
}

function navigation(views, current) {
  if (views.length < 2) return null;
  const titles = views.map((view) => `${view.study.study} · ${view.ranking?.benchmark.name ?? "no ranking"}`);
  const links = views.map((view, index) => {
    const recipe = titles.indexOf(titles[index]) !== titles.lastIndexOf(titles[index]) && view.ranking?.benchmark.recipe;
    const text = recipe ? `${titles[index]} · ${recipe}` : titles[index];
    return el("li", null, el("a", { href: `#view=${index}`, "aria-current": view === current ? "page" : null }, text));
  });
  return el("nav", { "aria-label": "Rankings" }, el("ul", null, links));
}

function definitions(view) {
  const lines = view.ranking.metrics.map((metric) => {
    const { definition } = metric;
    const known = [definition.formula, definition.range && `range ${definition.range}`, definition.source];
    const hash = definition.extractor_sha256 && `extractor ${shortHash(definition.extractor_sha256)}`;
    const set = [definition.reference, definition.reference_sha256 && shortHash(definition.reference_sha256)];
    const reference = set.some(Boolean) && `reference ${set.filter(Boolean).join(" ")}`;
    const version = `version ${definition.version ?? 1}`;
    const text = [betterText(metric.direction), `n = ${metric.n}`, ...known, hash, reference, version];
    return [el("code", null, metric.id), text.filter(Boolean).join("; ")];
  });
  return el("section", { id: "definitions" }, el("h2", null, "Definitions"), facts(lines));
}

function apartSection(view) {
  const { apart } = view.study;
  if (!apart.length) return null;
  const lines = apart.map((row) => {
    const open = el(
      "button",
      { type: "button", class: "arm", onclick: () => openPanel(view, row) },
      breakable(row.arm),
    );
    const status = row.status === "failed" ? "failed" : "not comparable";
    return el(
      "tr",
      null,
      el("th", { scope: "row" }, open),
      [row.setting, status, plain(row.reason)].map((text) => el("td", null, text)),
    );
  });
  const head = el(
    "tr",
    null,
    ["arm", "setting", "status", "reason"].map((name) => el("th", { scope: "col" }, name)),
  );
  const table = el("table", { class: "apart" }, el("thead", null, head), el("tbody", null, lines));
  return el(
    "section",
    { id: "apart" },
    el("h2", null, "Apart from the ranking"),
    el("div", { class: "scroll" }, table),
  );
}
