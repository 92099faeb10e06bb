// Faces chosen by rule, before and after: a range input under each picture moves its cut.

const RULES = ["best", "median", "worst"];
const SMALL = 128;

function gallerySection(view) {
  const { gallery } = view.ranking;
  const empty = "The records of this ranking hold no pictures: evaluate with a gallery to see faces here.";
  if (!gallery.length)
    return el("section", { id: "faces" }, el("h2", null, "Faces"), el("p", { class: "note" }, empty));
  const { state } = view;
  const box = el("div", { class: "faces" });
  view.nodes.gallery = box;
  const bar = [
    choices(
      "face",
      "Face",
      shownRules(gallery).map((rule) => [rule, rule]),
      shownRule(view),
      (face) => update(view, { face }, drawGallery),
    ),
    choices(
      "pair",
      "Compare",
      [
        ["input", "input | restored"],
        ["truth", "restored | truth"],
      ],
      state.pair,
      (pair) => update(view, { pair }, drawGallery),
    ),
    tick("sliders move together", state.together === "1", (on) =>
      update(view, { together: on ? "1" : "0" }, () => null),
    ),
  ];
  return el(
    "section",
    { id: "faces" },
    el("h2", null, "Faces"),
    el("p", { class: "note" }, galleryText(view)),
    el("div", { class: "controls" }, bar),
    box,
  );
}

function shownRules(gallery) {
  return RULES.filter((rule) => gallery.some((entry) => rule in entry.faces));
}

function shownRule(view) {
  const rules = shownRules(view.ranking.gallery);
  return rules.includes(view.state.face) ? view.state.face : rules[0];
}

function galleryText(view) {
  const { metric } = view.ranking.gallery[0];
  const by = metric ? `by ${metric}${comparedText(view.metrics.get(metric)?.definition)}` : "by rule";
  return `Each arm at its best setting, on the face that was chosen for that arm ${by}: arms may show different faces.`;
}

// What the metric looks at besides the restored face; a drop from the input is no comparison of two faces.
function comparedText(definition) {
  const needs = definition?.needs;
  if (!needs) return "";
  if (!needs.length) return " of the restored face alone";
  if (needs.length > 1 || definition.role?.includes("drop")) return ", judged by the true face";
  return ` between the restored and the ${needs[0] === "input" ? "degraded" : "true"} face`;
}

function drawGallery(view) {
  const cards = view.ranking.gallery.map((entry) => faceCard(view, entry));
  view.nodes.gallery.replaceChildren(...cards.filter(Boolean));
}

function faceCard(view, entry) {
  const row = view.rows[entry.row];
  const face = entry.faces[shownRule(view)];
  if (!face) return null;
  const series = view.series.get(row.arm);
  const value = known(face.value)
    ? `${entry.metric ?? "value"} ${fixed(face.value, view.metrics.get(entry.metric)?.digits ?? 4)}`
    : "";
  const title = el("button", { type: "button", class: "arm", onclick: () => openPanel(view, row) }, named(row));
  const words = el(
    "figcaption",
    null,
    el("div", { class: "who" }, swatch(series), title),
    el("div", null, plain(face.name)),
    el("div", { class: "value" }, value),
  );
  return el("figure", { class: "face", "data-arm": series.number }, compare(view, row, face), words);
}

function pairOf(view) {
  return view.state.pair === "truth" ? ["restored", "truth"] : ["input", "restored"];
}

function compare(view, row, face) {
  const [left, right] = pairOf(view);
  if (!face.pictures[left] || !face.pictures[right]) {
    return el("p", { class: "note" }, `No picture of ${face.pictures[left] ? right : left} was kept.`);
  }
  const picture = (name) =>
    el("img", {
      src: face.pictures[name],
      alt: `${plain(face.name)}: ${name}, ${named(row)}`,
      class: `side-${name === left ? "left" : "right"}`,
      draggable: "false",
    });
  const range = el("input", {
    type: "range",
    min: 0,
    max: 100,
    value: view.cut,
    "aria-label": `${named(row)}: how much of ${left} is shown`,
  });
  const tags = [el("span", { class: "tag left" }, left), el("span", { class: "tag right" }, right)];
  const box = el(
    "div",
    { class: face.width <= SMALL ? "compare small" : "compare" },
    picture(right),
    picture(left),
    el("span", { class: "divider" }),
    tags,
    range,
  );
  range.addEventListener("input", () => moveCut(view, box, Number(range.value)));
  setCut(box, view.cut, left, right);
  return box;
}

function moveCut(view, box, cut) {
  view.cut = cut;
  const boxes = view.state.together === "1" ? view.nodes.gallery.querySelectorAll(".compare") : [box];
  const [left, right] = pairOf(view);
  for (const each of boxes) setCut(each, cut, left, right);
}

function setCut(box, cut, left, right) {
  styled(box, { "--cut": `${cut}%` });
  const range = box.querySelector("input");
  range.value = cut;
  range.setAttribute("aria-valuetext", `${cut} % ${left}, ${100 - cut} % ${right}`);
}
