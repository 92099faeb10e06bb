// Columns of the table: what each shows, how it sorts, and the family by which it can be hidden.

const FAMILIES = [
  ["perceptual", "Perceptual"],
  ["distribution", "Distribution"],
  ["identity", "Identity"],
  ["landmarks", "Landmarks"],
  ["no_reference", "No reference"],
  ["distortion", "Distortion"],
  ["other", "Other metrics"],
  ["cost", "Cost"],
  ["runs", "Runs"],
];
const FAMILY_OF_ROLE = new Map([
  ["dists", "perceptual"],
  ["psnr", "distortion"],
  ["ssim", "distortion"],
  ["ms_ssim", "distortion"],
]);

// Most roles begin with their family's name: identity_drop_eyes, distribution_unbiased.
function familyOf(metric) {
  const role = String(metric.role ?? "");
  const found = FAMILIES.find(([name]) => role.startsWith(name));
  return FAMILY_OF_ROLE.get(role) ?? found?.[0] ?? "other";
}

function columnsOf(view) {
  const [primary, ...others] = view.ranking.metrics.map((metric) => metricColumn(view, metric));
  const families = FAMILIES.map(([name]) => name);
  others.sort((a, b) => families.indexOf(a.family) - families.indexOf(b.family));
  return [...keyColumns(), primary, differenceColumn(view), ...others, ...costColumns(), ...runColumns()];
}

function keyColumns() {
  return [
    { key: "rank", title: "rank", value: rankOrder, better: "lower", cell: rankCell, keys: true },
    { key: "arm", title: "arm", value: (row) => row.arm, better: "lower", cell: armCell, keys: true },
    { key: "setting", title: "setting", value: settingOrder, better: "lower", cell: (row) => row.setting, keys: true },
  ];
}

function metricColumn(view, metric) {
  const worst = view.state.values === "worst";
  const triple = (row) => shownValue(row.cells[metric.id], worst);
  return {
    key: metric.id,
    title: metric.id,
    family: familyOf(metric),
    metric,
    primary: metric.id === view.ranking.primary,
    better: metric.direction,
    hint: `${betterText(metric.direction)}; ${metric.definition.formula ?? ""}`,
    triple,
    value: (row) => triple(row)?.[0] ?? null,
    cell: (row, column) => metricCell(row, column, view.state, worst),
    numeric: true,
  };
}

// Value and bounds of a cell: of the mean, or of the mean over the worst tenth of the faces.
function shownValue(cell, worst) {
  if (!cell || (worst && !cell.worst) || cell.refused) return null;
  return worst ? cell.worst : [cell.value, ...(cell.interval ?? [null, null])];
}

function differenceColumn(view) {
  const metric = view.ranking.metrics[0];
  return {
    key: "to-best",
    title: "to the first",
    family: familyOf(metric),
    metric,
    better: metric.direction,
    hint: `${metric.id}: paired mean difference to the arm in first place`,
    triple: (row) => row.toBest ?? (row.position === 1 ? [0] : null),
    value: (row) => row.toBest?.[0] ?? (row.position === 1 ? 0 : null),
    cell: (row, column) => differenceCell(row, column, view.state),
    numeric: true,
  };
}

function costColumns() {
  const column = (key, title, hint, value, text) => ({
    key,
    title,
    hint,
    family: "cost",
    better: "lower",
    value: (row) => (row.cost ? value(row.cost) : null),
    cell: (row) => (row.cost && known(value(row.cost)) ? text(value(row.cost)) : DASH),
    numeric: true,
  });
  return [
    column(
      "parameters",
      "Mparam",
      "parameters, in millions",
      (cost) => cost.parameters,
      (n) => fixed(n / 1e6, 2),
    ),
    column("evaluations", "evals", "passes of the largest network an image", (cost) => cost.evaluations, String),
    column(
      "seconds",
      "s/image",
      "seconds an image",
      (cost) => cost.seconds,
      (s) => significant(s),
    ),
    column(
      "memory",
      "MB",
      "peak memory, MB",
      (cost) => cost.memory,
      (mb) => fixed(mb, 0),
    ),
  ];
}

function runColumns() {
  return [
    {
      key: "seeds",
      title: "seeds",
      family: "runs",
      better: "higher",
      value: (row) => row.seeds.length,
      cell: (row) => row.seeds.join(", "),
      numeric: true,
    },
    {
      key: "failures",
      title: "failed",
      hint: "most faces that any one metric could not be measured on",
      family: "runs",
      better: "lower",
      value: (row) => row.failures,
      cell: (row) => (row.failures ? `${row.failures} of ${row.n}` : "0"),
      numeric: true,
    },
  ];
}

// Rows of an arm without a place of their own follow its placed row; baselines come last.
function rankOrder(row) {
  return row.baseline ? 1e9 : (row.position ?? row.armPosition ?? 1e6);
}

function settingOrder(row) {
  return row.fidelity ?? row.setting;
}
