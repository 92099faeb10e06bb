// Where a row comes from: a panel with everything needed to check and to repeat it.

function openPanel(view, row) {
  const panel = document.getElementById("panel");
  panel.replaceChildren(...panelContent(view, row, () => panel.close()));
  panel.onclose = () => update(view, { open: "" }, () => null);
  panel.onclick = (event) => event.target === panel && panel.close();
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
  if (known(row.index)) update(view, { open: String(row.index) }, () => null);
}

function panelContent(view, row, close) {
  const newest = row.records.reduce((a, b) => (a.created >= b.created ? a : b));
  const head = el(
    "header",
    null,
    el("h2", { id: "panel-title" }, named(row)),
    el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "Close"),
  );
  return [
    head,
    el("p", null, standingText(row)),
    part(
      "Runs",
      row.records.map((record) => runFacts(record)),
    ),
    part("Metrics", metricTable(view, row), metricDetails(view, row, newest)),
    missingPart(view, newest),
    part("Cost and machine", costFacts(view, row, newest)),
    part("Benchmark", facts(objectPairs(view.pool[newest.benchmark]))),
    part("Weights and licences", weightsTable(view.pool[newest.weights], view.pool[newest.licences])),
    part("Configuration", configContent(view, row)),
  ];
}

function part(title, ...content) {
  return el("section", null, el("h3", null, title), content);
}

function standingText(row) {
  if (row.reason) return `${row.status === "failed" ? "Failed" : "Apart from the ranking"}: ${row.reason}`;
  if (row.baseline) return "Baseline: shown for orientation, without a rank.";
  if (!known(row.position)) return "Not this arm's best setting on the primary metric, therefore without a place.";
  if (!known(row.rank)) return `Number ${row.position} in order; no rank can be claimed.`;
  return `Rank ${row.rank}${row.tied ? ", tied: the paired intervals to the arm before and to the first of the rank hold zero" : ""}.`;
}

function runFacts(record) {
  const commit = el("span", null, el("code", null, record.commit), record.dirty && " with uncommitted changes");
  return [
    facts([
      ["run", record.run],
      ["identity", el("code", null, record.identity)],
      ["restorer", record.restorer],
      ["stage", record.stage],
      ["seed", plain(record.seed)],
      ["created", record.created],
      ["commit", commit],
    ]),
    commandBlock(record.command),
  ];
}

function commandBlock(command) {
  const code = el("code", null, command);
  const button = el("button", { type: "button", class: "copy" }, "Copy command");
  button.addEventListener("click", async () => {
    const done = await copied(code);
    button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy command"), 2000);
  });
  return el("div", { class: "command" }, el("pre", null, code), button);
}

async function copied(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return false;
  }
}

function metricTable(view, row) {
  const names = ["metric", "value", "95 % interval", "worst tenth", "n", "failed"];
  const lines = Object.entries(row.cells).map(([id, cell]) => {
    const digits = view.metrics.get(id)?.digits ?? 4;
    const name = `${id} ${ARROWS[view.metrics.get(id)?.direction] ?? ""}`;
    const texts = [
      cell.refused ?? fixed(cell.value, digits),
      between(...(cell.interval ?? []), digits),
      fixed(cell.worst?.[0], digits),
    ];
    const counts = [cell.n ?? 0, cell.failures ?? 0].map(String);
    const spread =
      cell.seeds &&
      el(
        "small",
        null,
        `seeds: ${Object.entries(cell.seeds)
          .map(([seed, value]) => `${seed}: ${fixed(value, digits)}`)
          .join(", ")}`,
      );
    return el(
      "tr",
      null,
      el("th", { scope: "row" }, name, spread),
      [...texts, ...counts].map((text) => el("td", { class: "numeric" }, text || DASH)),
    );
  });
  const head = el(
    "tr",
    null,
    names.map((name, index) => el("th", { scope: "col", class: index ? "numeric" : null }, name)),
  );
  return lines.length
    ? el("div", { class: "scroll" }, el("table", null, el("thead", null, head), el("tbody", null, lines)))
    : el("p", null, "Nothing was measured.");
}

function metricDetails(view, row, record) {
  return Object.entries(view.pool[record.definitions]).map(([id, definition]) =>
    folded(`Definition of ${id}`, facts(objectPairs(definition))),
  );
}

function missingPart(view, record) {
  const missing = Object.entries(view.pool[record.missing]);
  return missing.length ? part("Not measured", facts(missing)) : null;
}

function costFacts(view, row, record) {
  const cost = row.cost
    ? [
        ["parameters", row.cost.parameters.toLocaleString("en")],
        ["network evaluations an image", String(row.cost.evaluations)],
        ["seconds an image", significant(row.cost.seconds)],
        ["peak memory", known(row.cost.memory) ? `${fixed(row.cost.memory, 0)} MB` : "not measured"],
      ]
    : [];
  return facts([...cost, ...objectPairs(view.pool[record.hardware])]);
}

function weightsTable(weights, licences) {
  const names = [...new Set([...Object.keys(weights), ...Object.keys(licences)])];
  if (!names.length) return el("p", null, "No weights were used.");
  const lines = names.map((name) =>
    el(
      "tr",
      null,
      el("th", { scope: "row" }, name),
      el("td", null, licences[name] ?? DASH),
      el("td", { class: "hash" }, weights[name] ? el("code", null, weights[name]) : DASH),
    ),
  );
  const head = el(
    "tr",
    null,
    ["file", "licence", "SHA-256"].map((name) => el("th", { scope: "col" }, name)),
  );
  return el("div", { class: "scroll" }, el("table", null, el("thead", null, head), el("tbody", null, lines)));
}

function configContent(view, row) {
  return row.records.map((record) => {
    const own = view.pool[record.config];
    const differing = own.whole ? [] : own.set.map(([keys, value]) => [keys.join("."), el("code", null, plain(value))]);
    const common = own.whole || differing.length ? null : el("p", null, "As most runs of this study.");
    const difference = differing.length > 0 && [
      el("p", null, "Differs from most runs of this study in:"),
      facts(differing),
    ];
    const text = JSON.stringify(configOf(view.study, own), null, 2);
    const knobs = objectPairs(view.pool[record.knobs]);
    return [
      knobs.length > 0 && facts(knobs),
      common,
      difference,
      folded(`Whole configuration of ${record.run}`, el("pre", null, text)),
    ];
  });
}

// The study's common entries with what a run has of its own.
function configOf(study, own) {
  if (own.whole) return own.whole;
  const unset = new Set(own.unset.map((keys) => JSON.stringify(keys)));
  const entries = new Map(
    study.config
      .filter(([keys]) => !unset.has(JSON.stringify(keys)))
      .map(([keys, value]) => [JSON.stringify(keys), [keys, value]]),
  );
  for (const [keys, value] of own.set) entries.set(JSON.stringify(keys), [keys, value]);
  const root = Object.create(null);
  for (const [keys, value] of entries.values()) {
    const last = keys[keys.length - 1];
    const parent = keys.slice(0, -1).reduce((node, key) => (node[key] ??= Object.create(null)), root);
    parent[last] = value;
  }
  return root;
}

function objectPairs(object) {
  return Object.entries(object ?? {}).map(([name, value]) => [name.replaceAll("_", " "), plain(value)]);
}
