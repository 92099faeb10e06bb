// Numbers and names as they are read.

const ARROWS = { lower: "↓", higher: "↑" };
const DASH = "–";

function known(value) {
  return value !== null && value !== undefined;
}

// A true minus has the width of a digit; a hyphen does not.
function fixed(value, digits) {
  return known(value) ? value.toFixed(digits).replace("-", "−") : DASH;
}

function between(low, high, digits) {
  return known(low) && known(high) ? `[${fixed(low, digits)}, ${fixed(high, digits)}]` : "";
}

function withInterval(value, low, high, digits) {
  return [fixed(value, digits), between(low, high, digits)].filter(Boolean).join(" ");
}

function significant(value, digits = 3) {
  return known(value) ? String(Number(value.toPrecision(digits))).replace("-", "−") : DASH;
}

function betterText(direction) {
  return direction === "lower" ? "lower is better" : "higher is better";
}

function named(row) {
  return row.setting === DASH || !row.setting ? row.arm : `${row.arm} (${row.setting})`;
}

function shortHash(text) {
  return String(text ?? "?").slice(0, 8);
}

function plain(value) {
  if (value === null || value === undefined) return DASH;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
