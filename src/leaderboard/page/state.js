// What is shown is written into the URL's fragment, so that a view can be linked to.

const DEFAULTS = {
  view: "0",
  sort: "rank",
  dir: "",
  filter: "",
  settings: "best",
  baselines: "1",
  values: "mean",
  intervals: "1",
  hide: "",
  scale: "arms",
  severity: "",
  face: "median",
  pair: "input",
  together: "1",
  open: "",
};

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const entries = Object.keys(DEFAULTS).map((key) => [key, given.get(key) ?? DEFAULTS[key]]);
  return Object.fromEntries(entries);
}

function writeState(state) {
  const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  const fragment = new URLSearchParams(changed).toString();
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}
