// Identity against Fréchet distance: better is up and to the right, whichever way the numbers run.

function drawFrontier(view) {
  const { frontier } = view.ranking;
  const box = view.nodes.frontier;
  const frame = canvas(box, `Identity (${frontier.identity}) against Fréchet distance (${frontier.distance})`, 0.7);
  const scales = frontierScales(view, frontier, frame);
  const labels = new Labels(frame);
  yAxis(frame, scales.y, `${identityLabel(frontier)} ↑ higher is better`);
  xAxis(frame, scales.x, `${frontier.distance} ↓ lower is better, axis reversed`);
  corner(frame);
  const inside = frontier.points.filter((point) => isInside(point, scales));
  for (const point of inside) labels.block(scales.x(point.distance), scales.y(point.identity), 4);
  drawFront(frame, frontier, scales);
  drawArms(view, frame, inside, scales, labels);
  drawReference(frame, frontier, scales, labels);
  labelFront(frontier, scales, labels);
  drawPoints(view, frame, box, inside, scales, labels);
  view.nodes.beyondScale.replaceChildren(...outsideText(frontier, scales));
}

function identityLabel(frontier) {
  return frontier.toInput ? `identity to the input: ${frontier.identity}` : frontier.identity;
}

function frontierScales(view, frontier, frame) {
  const arms = frontier.points.filter((point) => !point.baseline);
  const points = view.state.scale === "all" ? frontier.points : arms;
  const { left, right, top, bottom } = frame.plot;
  const bounds = points.filter((point) => isShownWhisker(view, point)).flatMap((point) => point.interval ?? []);
  const [low, high] = padded([...points.map((point) => point.identity), ...bounds.filter(known)], 0.06);
  const [near, far] = padded(
    points.map((point) => point.distance),
    0.08,
  );
  return { x: linear(far, near, left, right), y: linear(low, high, bottom, top) };
}

function isInside(point, { x, y }) {
  const within = (value, scale) => value >= Math.min(scale.low, scale.high) && value <= Math.max(scale.low, scale.high);
  return within(point.distance, x) && within(point.identity, y);
}

function isShownWhisker(view, point) {
  return point.baseline || known(view.rows[point.row]?.position);
}

function corner(frame) {
  const { right, top } = frame.plot;
  const arrow = svg("path", {
    class: "better-arrow",
    d: `M${right - 12},${top + 10}L${right - 2},${top}m-6.5,0h6.5v6.5`,
  });
  frame.root.append(
    arrow,
    svg("text", { class: "better", x: right - 17, y: top + 11, "text-anchor": "end" }, "better"),
  );
}

// Stairs through the points that no other arm beats; the corners are what each of them dominates.
function drawFront(frame, frontier, { x, y }) {
  const front = frontier.points.filter((point) => point.onFront).sort((a, b) => a.distance - b.distance);
  if (!front.length) return;
  const { left, bottom } = frame.plot;
  const stairs = [[x(front[0].distance), bottom]];
  front.forEach((point, index) => {
    stairs.push([x(point.distance), y(point.identity)]);
    const next = front[index + 1];
    stairs.push([next ? x(next.distance) : left, y(point.identity)]);
  });
  frame.root.append(svg("path", { class: "front", d: path(stairs) }));
}

function labelFront(frontier, { x, y }, labels) {
  const front = frontier.points.filter((point) => point.onFront);
  if (!front.length) return;
  const right = x(Math.min(...front.map((point) => point.distance)));
  labels.add(
    "Pareto front",
    right,
    (labels.frame.plot.bottom + y(Math.min(...front.map((point) => point.identity)))) / 2,
    "front-label",
  );
}

// Settings of one arm that differ in one knob alone are joined; w is named along the reference, another knob at both ends.
function drawArms(view, frame, points, { x, y }, labels) {
  const joined = points.filter((point) => known(point.line) && known(point.along));
  joined.sort((a, b) => view.series.get(a.arm).number - view.series.get(b.arm).number);
  for (const line of new Set(joined.map((point) => point.line))) {
    const own = joined.filter((point) => point.line === line).sort((a, b) => a.along - b.along);
    if (own.length < 2) continue;
    const series = view.series.get(own[0].arm);
    const d = path(own.map((point) => [x(point.distance), y(point.identity)]));
    frame.root.append(svg("path", { class: `arm-line ${series.style}`, "data-arm": series.number, d }));
    for (const end of own[0].knob === "fidelity" ? [] : [own[0], own.at(-1)]) {
      labels.add(`${end.knob} ${end.along}`, x(end.distance), y(end.identity), "front-label");
    }
  }
}

function drawReference(frame, frontier, { x, y }, labels) {
  const points = frontier.reference.map((point) => [x(point.distance), y(point.identity)]);
  if (points.length < 2) return;
  frame.root.append(svg("path", { class: "reference", d: path(points) }));
  frontier.reference.forEach((point, index) => {
    if (known(point.fidelity)) labels.add(`w ${point.fidelity}`, ...points[index], "w-label");
  });
}

function drawPoints(view, frame, box, points, scales, labels) {
  const tip = tooltip(box);
  const ordered = [...points].sort((a, b) => isShownWhisker(view, a) - isShownWhisker(view, b));
  interactive(
    ordered.map((point) => frontierPoint(view, frame, point, scales, labels)),
    tip,
  );
}

function frontierPoint(view, frame, point, { x, y }, labels) {
  const series = view.series.get(point.arm);
  const at = { x: x(point.distance), y: y(point.identity) };
  const [low, high] = (point.interval ?? [null, null]).map((bound) => (known(bound) ? y(bound) : null));
  const bars =
    known(low) &&
    svg("line", { class: "whisker-line", x1: at.x, x2: at.x, y1: clamped(frame, low), y2: clamped(frame, high) });
  const classes = ["point", series.style, point.onFront && "on-front", isShownWhisker(view, point) && "placed"];
  const mark = marker(series, 4.5, { transform: `translate(${at.x} ${at.y})` });
  const target = svg("circle", { class: "target", cx: at.x, cy: at.y, r: 9 });
  const node = svg("g", { class: classes.filter(Boolean).join(" "), "data-arm": series.number }, bars, mark, target);
  frame.root.append(node);
  if (point.baseline) labels.add(point.arm, at.x, at.y, "baseline-label");
  const opens = () => known(point.row) && openPanel(view, view.rows[point.row]);
  return { node, arm: series.number, row: point.row, lines: pointLines(view, point), ...at, opens };
}

function clamped(frame, y) {
  return Math.min(frame.plot.bottom, Math.max(frame.plot.top, y));
}

function pointLines(view, point) {
  const { frontier } = view.ranking;
  const digits = (id) => view.metrics.get(id)?.digits ?? 4;
  const identity = withInterval(point.identity, ...(point.interval ?? [null, null]), digits(frontier.identity));
  const lines = [
    named(point),
    `${frontier.identity} ${identity}`,
    `${frontier.distance} ${fixed(point.distance, digits(frontier.distance))}, n = ${frontier.n}`,
  ];
  if (point.onFront) lines.push("on the Pareto front");
  if (point.beyond === true) lines.push("beyond the reference curve");
  if (point.baseline) lines.push("baseline");
  return lines;
}

function outsideText(frontier, scales) {
  const outside = frontier.points.filter((point) => !isInside(point, scales));
  const names = outside.map(
    (point) => `${named(point)} (${significant(point.distance)}, ${significant(point.identity)})`,
  );
  return names.length ? [`Outside this scale: ${names.join("; ")}.`] : [];
}

function frontierFigure(view) {
  const { frontier } = view.ranking;
  const box = el("div", { class: "chart" });
  const note = el("p", { class: "note" });
  Object.assign(view.nodes, { frontier: box, beyondScale: note });
  const kept = frontier.toInput ? "Identity of the input kept" : "Identity kept";
  const text = [
    `${kept} (${frontier.identity}) against distance to clean faces (${frontier.distance}); `,
    `n = ${frontier.n} faces. Filled marks are on the Pareto front (stairs); whiskers are 95 % intervals of identity, `,
    "drawn at each arm's best setting and otherwise on hover. ",
    referenceText(frontier),
    ` Front and reference compare ${frontier.certainty}.`,
  ];
  return el(
    "figure",
    null,
    el("div", { class: "figure-head" }, el("h3", null, "Fidelity–quality frontier")),
    box,
    el("figcaption", null, text),
    note,
  );
}

function referenceText(frontier) {
  if (!frontier.reference.length) return "";
  const beyond = frontier.points.filter((point) => point.beyond && !point.baseline);
  const arms = [...new Set(beyond.map((point) => point.arm))];
  const found = arms.length ? `Beyond it: ${arms.join(", ")}.` : "No other arm lies beyond it.";
  return `The bold line is CodeFormer's own curve over w (${frontier.reference[0].arm}). ${found}`;
}
