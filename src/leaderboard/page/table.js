// The table: which rows and columns are shown, in which order, and its controls.

const LONGEST_ARM = 26;

function shownRows(view) {
  const { state } = view;
  const wanted = state.filter.trim().toLowerCase();
  return view.rows.filter((row) => {
    if (row.baseline) return state.baselines === "1" && matches(row, wanted);
    return (state.settings === "all" || known(row.position)) && matches(row, wanted);
  });
}

function matches(row, wanted) {
  const text = [row.arm, row.setting, ...row.records.flatMap((record) => [record.run, record.restorer])].join(" ");
  return wanted.split(/\s+/).every((word) => text.toLowerCase().includes(word));
}

// Better first unless the state says otherwise; what was not measured comes last either way.
function sortedRows(rows, column, direction) {
  const sign = direction === "desc" ? -1 : 1;
  return [...rows].sort(
    (a, b) => compared(a, b, column.value, sign) || compared(a, b, rankOrder, 1) || a.index - b.index,
  );
}

function compared(a, b, value, sign) {
  const [one, other] = [value(a), value(b)];
  if (!known(one) || !known(other)) return Number(!known(one)) - Number(!known(other));
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other), "en", { numeric: true });
}

function sorting(view, columns) {
  const column = columns.find((candidate) => candidate.key === view.state.sort) ?? columns[0];
  const usual = column.better === "higher" ? "desc" : "asc";
  return { column, direction: ["asc", "desc"].includes(view.state.dir) ? view.state.dir : usual };
}

function drawTable(view) {
  const columns = columnsOf(view);
  const { column: sorted, direction } = sorting(view, columns);
  const hidden = new Set(view.state.hide.split(",").filter(Boolean));
  const shown = columns.filter((column) => column.keys || column.primary || !hidden.has(column.family));
  const rows = sortedRows(shownRows(view), sorted, direction);
  for (const column of shown) column.range = column.metric ? rangeOf(rows, column) : null;
  const body = el(
    "tbody",
    null,
    rows.map((row) => tableRow(view, row, shown)),
  );
  const head = el(
    "thead",
    null,
    el(
      "tr",
      null,
      shown.map((column, index) => heading(view, column, shown[index - 1], sorted, direction)),
    ),
  );
  const longest = Math.max(8, ...rows.map((row) => row.arm.length));
  styled(view.nodes.table, { "--longest": String(Math.min(longest, LONGEST_ARM)) });
  view.nodes.table.replaceChildren(head, body);
  view.nodes.reading.textContent = readingText(view);
  view.nodes.count.textContent = `${rows.length} of ${view.rows.length} rows`;
  Object.assign(document.documentElement.dataset, {
    rows: rows.length,
    order: rows.map((row) => named(row)).join("|"),
    sort: `${sorted.key} ${direction}`,
  });
}

function readingText(view) {
  const worst = view.state.values === "worst";
  const what = worst
    ? "Means over the worst tenth of the faces with 95 % intervals; distances between sets have none."
    : "Means with 95 % bootstrap intervals over images.";
  return `${what} Marks below the numbers share one scale a column. Click a heading to sort, a row for its origin.`;
}

function heading(view, column, before, sorted, direction) {
  const isSorted = column.key === sorted.key;
  const arrow = column.metric && column.key !== "to-best" ? ` ${ARROWS[column.better]}` : "";
  const family =
    column.family && column.family !== before?.family ? FAMILIES.find(([name]) => name === column.family)[1] : "";
  const button = el(
    "button",
    { type: "button", title: column.hint, onclick: () => sortBy(view, column, isSorted, direction) },
    el("span", { class: "family" }, family),
    el("span", { class: "title" }, column.title + arrow, el("span", { class: "sorted", "aria-hidden": "true" })),
  );
  const names = { asc: "ascending", desc: "descending" };
  const attributes = {
    scope: "col",
    class: classOf(column, before),
    "aria-sort": isSorted ? names[direction] : "none",
  };
  return el("th", { ...attributes, "data-column": column.key }, button);
}

function classOf(column, before) {
  const starts = before && column.family !== before.family;
  const found = [
    column.numeric && "numeric",
    column.primary && "primary",
    starts && "starts",
    column.keys && `key-${column.key}`,
  ];
  return found.filter(Boolean).join(" ") || null;
}

function sortBy(view, column, isSorted, direction) {
  const usual = column.better === "higher" ? "desc" : "asc";
  const turned = direction === "asc" ? "desc" : "asc";
  const next = isSorted ? turned : usual;
  update(view, { sort: column.key, dir: next === usual ? "" : next });
  view.nodes.table.querySelector(`th[aria-sort="ascending"] button, th[aria-sort="descending"] button`)?.focus();
}

function tableRow(view, row, columns) {
  const cells = columns.map((column, index) => {
    const tag = column.key === "arm" ? "th" : "td";
    const attributes = { class: classOf(column, columns[index - 1]), scope: tag === "th" ? "row" : null };
    return el(tag, attributes, column.cell(row, column, view));
  });
  const series = view.series.get(row.arm);
  const attributes = {
    "data-row": row.index,
    "data-arm": series.number,
    class: [row.baseline && "baseline", known(row.position) && "placed"].filter(Boolean).join(" ") || null,
    onmouseenter: () => highlight(series.number, row.index),
    onmouseleave: () => highlight(null),
    onclick: (event) => event.target.closest("button") || String(getSelection()) || openPanel(view, row),
  };
  return el("tr", attributes, cells);
}

function controls(view) {
  const { state } = view;
  const filter = el("input", {
    type: "search",
    value: state.filter,
    placeholder: "arm, setting, run",
    oninput: (event) => update(view, { filter: event.target.value }),
  });
  const settings = choices(
    "settings",
    "Rows",
    [
      ["best", "each arm at its best setting"],
      ["all", "all settings"],
    ],
    state.settings,
    (value) => update(view, { settings: value }),
  );
  const values = choices(
    "values",
    "Values",
    [
      ["mean", "mean"],
      ["worst", "worst tenth of faces"],
    ],
    state.values,
    (value) => update(view, { values: value }),
  );
  return el(
    "div",
    { class: "controls" },
    el("label", { class: "filter" }, "Filter ", filter),
    settings,
    hasWorst(view) && values,
    tick("baselines", state.baselines === "1", (on) => update(view, { baselines: on ? "1" : "0" })),
    tick("intervals as numbers", state.intervals === "1", (on) => update(view, { intervals: on ? "1" : "0" })),
    columnChooser(view),
    view.nodes.count,
  );
}

function hasWorst(view) {
  return view.rows.some((row) => Object.values(row.cells).some((cell) => cell.worst));
}

function columnChooser(view) {
  const present = new Set(
    columnsOf(view)
      .filter((column) => !column.keys)
      .map((column) => column.family),
  );
  const boxes = FAMILIES.filter(([name]) => present.has(name)).map(([name, label]) => {
    const hidden = () => new Set(view.state.hide.split(",").filter(Boolean));
    return tick(label, !hidden().has(name), (on) => {
      const names = hidden();
      if (on) names.delete(name);
      else names.add(name);
      update(view, { hide: [...names].join(",") });
    });
  });
  return el("details", { class: "chooser" }, el("summary", null, "Columns"), el("div", { class: "boxes" }, boxes));
}
