// What stands in a cell: text, and a whisker on the scale of its column.

function rankCell(row) {
  if (row.baseline) return el("span", { title: "baseline: shown for orientation, without a rank" }, "base");
  if (!known(row.position)) return "";
  if (!known(row.rank)) return el("span", { title: "in order, but no rank can be claimed" }, DASH);
  return `${row.rank}${row.tied ? "=" : ""}`;
}

function armCell(row, column, view) {
  const open = el("button", { type: "button", class: "arm", onclick: () => openPanel(view, row) }, breakable(row.arm));
  return el("span", { class: "who" }, swatch(view.series.get(row.arm)), open);
}

function metricCell(row, column, state, worst) {
  const cell = row.cells[column.metric.id];
  if (!cell) return DASH;
  if (cell.refused)
    return el("span", { class: "refused", title: "not compared: other number of images" }, cell.refused);
  const shown = shownValue(cell, worst);
  if (!shown) return DASH;
  return [
    numberText(shown, column.metric.digits, state),
    failureText(cell),
    whisker(shown, column.range, row.baseline),
  ];
}

function differenceCell(row, column, state) {
  if (!row.toBest) return row.position === 1 ? "first" : "";
  return [numberText(row.toBest, column.metric.digits, state), whisker(row.toBest, column.range, false, 0)];
}

function numberText([value, low, high], digits, state) {
  const bounds = state.intervals === "1" ? between(low, high, digits) : "";
  const title = withInterval(value, low, high, digits);
  return el("span", { class: "number", title }, fixed(value, digits), bounds && el("small", null, bounds));
}

function failureText(cell) {
  return cell.failures ? el("small", { class: "failed" }, `${cell.failures} failed`) : null;
}

// Bounds of a column's whiskers, over the arms that are shown, or over the baselines where they are alone.
function rangeOf(rows, column) {
  const arms = rows.filter((row) => !row.baseline);
  const values = (arms.length ? arms : rows).flatMap((row) => column.triple(row) ?? []).filter(known);
  return values.length ? [Math.min(...values), Math.max(...values)] : null;
}

// A baseline far from the arms is an arrow at the edge: the scale is the arms'.
function whisker([value, low, high], range, muted, origin = null) {
  if (!range || range[0] === range[1] || !known(value)) return null;
  const place = (number) => Math.min(100, Math.max(0, (100 * (number - range[0])) / (range[1] - range[0])));
  const outside = value < range[0] ? "below" : value > range[1] ? "above" : "dot";
  const bounded = known(low) && known(high) && outside === "dot";
  const bar =
    bounded && styled(el("span", { class: "bar" }), { left: `${place(low)}%`, width: `${place(high) - place(low)}%` });
  const mark = styled(el("span", { class: outside }), { left: `${place(value)}%` });
  const zero = known(origin) && styled(el("span", { class: "origin" }), { left: `${place(origin)}%` });
  const attributes = { class: muted ? "whisker muted" : "whisker", "aria-hidden": "true" };
  return el("span", attributes, el("span", { class: "track" }, zero, bar, mark));
}
