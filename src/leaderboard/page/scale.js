// Linear scales with round ticks, and the frame that charts share.

function linear(low, high, from, to) {
  const span = high - low || 1;
  const scale = (value) => from + ((value - low) / span) * (to - from);
  return Object.assign(scale, { low, high });
}

function padded(values, share) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = (high - low || Math.abs(high) * 0.1 || 1) * share;
  return [low - margin, high + margin];
}

function roundStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function ticks(from, to, count) {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const step = roundStep(high - low, count);
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high + step * 1e-9; index++) found.push(index * step);
  return { values: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function canvas(box, label, ratio) {
  const width = Math.max(280, Math.floor(box.clientWidth || 600));
  const height = Math.round(Math.min(440, Math.max(290, width * ratio)));
  const margin = { top: 18, right: 14, bottom: 42, left: 54 };
  const plot = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  box.replaceChildren(root);
  return { root, plot, width, height };
}

function yAxis(frame, scale, title) {
  const { left, right, top, bottom } = frame.plot;
  const { values, digits } = ticks(scale.low, scale.high, (bottom - top) / 45);
  const lines = values.map((value) => [
    svg("line", { class: "grid", x1: left, x2: right, y1: scale(value), y2: scale(value) }),
    svg("text", { class: "tick-label", x: left - 7, y: scale(value) + 4, "text-anchor": "end" }, fixed(value, digits)),
  ]);
  const turned = {
    class: "axis-title",
    transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`,
    "text-anchor": "middle",
  };
  frame.root.append(...lines.flat(), svg("text", turned, title));
}

function xAxis(frame, scale, title) {
  const { left, right, bottom } = frame.plot;
  const { values, digits } = ticks(scale.low, scale.high, (right - left) / 80);
  const marks = values.map((value) => [
    svg("line", { class: "axis", x1: scale(value), x2: scale(value), y1: bottom, y2: bottom + 4 }),
    svg(
      "text",
      { class: "tick-label", x: scale(value), y: bottom + 17, "text-anchor": "middle" },
      fixed(value, digits),
    ),
  ]);
  const line = svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom });
  const name = { class: "axis-title", x: (left + right) / 2, y: bottom + 35, "text-anchor": "middle" };
  frame.root.append(line, ...marks.flat(), svg("text", name, title));
}

function path(points) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");
}
