// Figures over all benchmarks of a study, as they were drawn.

function studyFigure({ heading, caption, readings, picture }) {
  const image = el("img", { src: picture, alt: `${heading}. ${readings.join(" ")}` });
  const box = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heading }, image);
  return el(
    "section",
    { class: "study-figure" },
    el("h2", null, heading),
    readings.length > 0 && list(readings),
    el("figure", null, box, el("figcaption", null, caption)),
  );
}
