// How each metric moves with how badly the faces were degraded.

function severityFigure(view) {
  const groups = severityGroups(view);
  const box = el("div", { class: "chart" });
  const note = el("p", { class: "note" });
  Object.assign(view.nodes, { severity: box, severityNote: note });
  const selector = choices(
    "severity",
    "Metric",
    [...groups].map(([key, [{ metric }]]) => [
      key,
      `${metric} ${ARROWS[directionOf(view, metric)]}${key.slice(metric.length)}`,
    ]),
    severityKey(view, groups),
    (value) => update(view, { severity: value }, drawSeverity),
  );
  const text = [
    "Mean over the faces of each bin with 95 % intervals, each arm at its best setting; ",
    "marks are set side by side within a bin.",
  ];
  return el(
    "figure",
    null,
    el("div", { class: "figure-head" }, el("h3", null, "Severity"), selector),
    box,
    el("figcaption", null, text),
    note,
  );
}

// Curves of one metric over the same bins of the same severity, by the metric; where it has several scales, by both.
function severityGroups(view) {
  const { severity } = view.ranking;
  const scaleOf = (curve) => `${curve.scale} (${curve.edges.map((edge) => significant(edge)).join(", ")})`;
  const groups = new Map();
  for (const curve of severity) {
    const scales = new Set(severity.filter(({ metric }) => metric === curve.metric).map(scaleOf));
    const key = scales.size > 1 ? `${curve.metric} by ${scaleOf(curve)}` : curve.metric;
    groups.set(key, [...(groups.get(key) ?? []), curve]);
  }
  return groups;
}

function severityKey(view, groups) {
  return groups.has(view.state.severity) ? view.state.severity : groups.keys().next().value;
}

function directionOf(view, id) {
  return view.metrics.get(id)?.direction ?? "higher";
}

function drawSeverity(view) {
  const groups = severityGroups(view);
  const all = groups.get(severityKey(view, groups));
  const name = all[0].metric;
  all.sort((a, b) => view.series.get(a.arm).number - view.series.get(b.arm).number);
  const arms = all.filter((curve) => !curve.baseline);
  const curves = view.state.scale === "all" || !arms.length ? all : arms;
  const box = view.nodes.severity;
  const metric = view.metrics.get(name);
  const frame = canvas(box, `${name} over severity`, 0.7);
  const bins = binsOf(curves);
  const values = curves.flatMap((curve) => curve.bins.flatMap((bin) => bin.mean)).filter(known);
  const y = linear(...padded(values, 0.06), frame.plot.bottom, frame.plot.top);
  yAxis(frame, y, `${metric.id} ${ARROWS[metric.direction]} ${betterText(metric.direction)}`);
  binAxis(frame, bins, curves[0].scale);
  const outside = Math.max(...curves.map((curve) => curve.outside));
  view.nodes.severityNote.replaceChildren(
    ...(outside ? [`${outside} ${outside === 1 ? "face" : "faces"} outside the bins.`] : []),
  );
  const tip = tooltip(box);
  const points = curves.flatMap((curve, index) =>
    severityCurve(view, frame, curve, bins, y, (index + 1) / (curves.length + 1) - 0.5),
  );
  interactive(points, tip);
}

function binsOf(curves) {
  const found = new Map();
  for (const bin of curves.flatMap((curve) => curve.bins)) {
    const n = Math.max(bin.n, found.get(bin.low)?.n ?? 0);
    found.set(bin.low, { low: bin.low, high: bin.high, n });
  }
  return [...found.values()].sort((a, b) => a.low - b.low);
}

function binPlace(frame, bins, low) {
  const { left, right } = frame.plot;
  const width = (right - left) / bins.length;
  return { centre: left + width * (bins.findIndex((bin) => bin.low === low) + 0.5), width };
}

function binAxis(frame, bins, scale) {
  const { left, right, bottom } = frame.plot;
  const names = bins.map((bin) => {
    const { centre } = binPlace(frame, bins, bin.low);
    const range = `${significant(bin.low)}–${significant(bin.high)}`;
    return [
      svg("text", { class: "tick-label", x: centre, y: bottom + 14, "text-anchor": "middle" }, range),
      svg("text", { class: "tick-label faint", x: centre, y: bottom + 25, "text-anchor": "middle" }, `n = ${bin.n}`),
    ];
  });
  const edges = bins.slice(1).map((bin) => {
    const { centre, width } = binPlace(frame, bins, bin.low);
    return svg("line", {
      class: "grid",
      x1: centre - width / 2,
      x2: centre - width / 2,
      y1: frame.plot.top,
      y2: bottom,
    });
  });
  const line = svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom });
  const title = svg(
    "text",
    { class: "axis-title", x: (left + right) / 2, y: bottom + 39, "text-anchor": "middle" },
    scale,
  );
  frame.root.append(line, ...edges, ...names.flat(), title);
}

function severityCurve(view, frame, curve, bins, y, shift) {
  const series = view.series.get(curve.arm);
  const places = curve.bins.map((bin) => {
    const { centre, width } = binPlace(frame, bins, bin.low);
    return { bin, x: centre + shift * width * 0.5, y: y(bin.mean[0]) };
  });
  const line = svg("path", {
    class: `curve ${series.style}`,
    "data-arm": series.number,
    d: path(places.map((place) => [place.x, place.y])),
  });
  frame.root.append(line);
  return places.map((place) => severityPoint(view, frame, curve, series, place, y));
}

function severityPoint(view, frame, curve, series, place, y) {
  const [mean, low, high] = place.bin.mean;
  const bars = known(low) && svg("line", { class: "whisker-line", x1: place.x, x2: place.x, y1: y(low), y2: y(high) });
  const mark = marker(series, 3.5, { transform: `translate(${place.x} ${place.y})` });
  const target = svg("circle", { class: "target", cx: place.x, cy: place.y, r: 7 });
  const node = svg(
    "g",
    { class: `point on-front placed ${series.style}`, "data-arm": series.number },
    bars,
    mark,
    target,
  );
  frame.root.append(node);
  const digits = view.metrics.get(curve.metric)?.digits ?? 4;
  const range = `${curve.scale} ${significant(place.bin.low)} to ${significant(place.bin.high)}, n = ${place.bin.n}`;
  const lines = [named(curve), `${curve.metric} ${withInterval(mean, low, high, digits)}`, range];
  const opens = () => known(curve.row) && openPanel(view, view.rows[curve.row]);
  return { node, arm: series.number, row: curve.row, lines, x: place.x, y: place.y, opens };
}
