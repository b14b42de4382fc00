// The tables of the chosen cell.

// Text in which H_u has its index lowered.
const indexed = (text) => text.split(/([A-Zλ]_[a-z]+)\b/).map((part, k) => {
  if (k % 2 === 0) return part;
  const [letter, index] = part.split("_");
  return make("span", {}, letter, make("sub", {}, index));
});

function table(headings, rows) {
  const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((text, k) => make("td", { "data-label": headings[k] }, ...indexed(text)))));
  return make("table", { class: "stack" }, make("thead", {}, head), make("tbody", {}, ...body));
}

function runs(cell) {
  const rows = cell.runs.map((run) => [String(run.seed), ending(run) + (run.falls && run.outcome !== "bigram" ? ", still falling" : ""), run.loss === null ? "not finite" : number(run.loss, 5), run.escape === null || run.escape < 0 ? "never" : String(run.escape), number(run.lowest, 2), number(run.slope, 2), run.end || "–", run.downhill === null ? "–" : run.downhill ? "yes" : "no"]);
  $("runs").replaceChildren(table(["seed", "ends at", "final loss", "halfway down at step", "lowest eigenvalue", "gradient", "curvature at the end", "downhill below"], rows));
}

function checks(cell) {
  const value = (x) => (typeof x === "number" ? number(x, 6) : Array.isArray(x) ? x.join(" / ") : x === null || x === undefined ? "–" : String(x));
  const rows = Object.entries(cell.checks).flatMap(([kind, list]) => list.map((check) => [kind, check.claim, value(check.predicted), value(check.measured), value(check.tolerance), check.note ? `${check.verdict}: ${check.note}` : check.verdict]));
  $("checks").replaceChildren(rows.length ? table(["point", "claim", "predicted", "measured", "tolerance", "verdict"], rows) : make("p", { class: "dim" }, "Theory makes no prediction at this cell."));
}
