// Elements are built from nodes and text nodes only: nothing that a record holds is ever parsed as markup.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
}

// The page's policy forbids style attributes; properties set one by one are allowed.
function styled(node, properties) {
  for (const [name, value] of Object.entries(properties)) node.style.setProperty(name, value);
  return node;
}

// The text may be broken behind underscores, hyphens and slashes.
function breakable(text) {
  return String(text)
    .split(/(?<=[_/-])(?=.)/)
    .flatMap((piece, index) => (index ? [el("wbr"), piece] : [piece]));
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => [el("dt", null, name), el("dd", null, value)]),
  );
}

function folded(title, ...content) {
  return el("details", null, el("summary", null, title), ...content);
}

function list(sentences) {
  return el(
    "ul",
    null,
    sentences.map((sentence) => el("li", null, sentence)),
  );
}

function choice(name, label, value, checked, changed) {
  const input = el("input", { type: "radio", name, value, checked, onchange: () => changed(value) });
  return el("label", { class: "choice" }, input, el("span", null, label));
}

function choices(name, legend, options, current, changed) {
  const items = options.map(([value, label]) => choice(name, label, value, value === current, changed));
  return el("fieldset", { class: "choices" }, el("legend", null, legend), items);
}

function tick(label, checked, changed) {
  const input = el("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  return el("label", { class: "tick" }, input, label);
}
