// Numbers that say how a method worked, one table a section, over all benchmarks of a study.

function diagnosticsSection({ heading, note, keys, headings, rows, meanings }) {
  const cell = (text, index) =>
    index === 0 ? el("th", { scope: "row" }, breakable(text)) : el("td", { class: index < keys ? null : "numeric" }, text);
  const head = headings.map((name, index) =>
    el("th", { scope: "col", class: index < keys ? null : "numeric-heading" }, name),
  );
  const lines = rows.map((row) => el("tr", null, row.map(cell)));
  const table = el("table", { class: "diagnostics" }, el("thead", null, el("tr", null, head)), el("tbody", null, lines));
  return el(
    "section",
    { class: "diagnostics-section" },
    el("h2", null, heading),
    el("p", { class: "note" }, note),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heading }, table),
    meanings.length > 0 && folded(`What is measured (${meanings.length})`, facts(meanings)),
  );
}
