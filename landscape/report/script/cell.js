// The chosen cell.

function fate(cell) {
  if (cell.state === "missing") return "no result yet";
  if (cell.state !== "done") return cell.state;
  if (cell.degenerate) return "nothing to learn, symbols are independent";
  if (!cell.stuck) return "a run has no finite loss";
  return `${cell.stuck[0]} of ${plural(cell.stuck[1], "run")} stuck`;
}

// The bias has the curvature π₀π₁ = pq/(p+q)² at every unigram point whose other weights are zero.
const ofBias = (cell, value) => cell.p !== null && cell.q !== null && Math.abs((value * (cell.p + cell.q) ** 2) / (cell.p * cell.q) - 1) < 1e-4;

function sentence(cell) {
  if (cell.state !== "done") return `There is nothing to show: this cell ${cell.why}.`;
  const start = fate(cell);
  const runs = cell.runs.filter((run) => run.falls && run.outcome !== "bigram").length;
  const parts = [start[0].toUpperCase() + start.slice(1) + (runs ? `; ${runs === 1 ? "one that is not at the bigram is" : `${runs} that are not at the bigram are`} still falling` : "") + "."];
  const unigram = cell.points.unigram;
  if (cell.degenerate && unigram && !unigram.reason) {
    parts.push("Unigram and bigram are one point here, which theory calls degenerate: flat to second order, but for the bias.");
  } else if (unigram && unigram.reason) parts.push(`There is no unigram point: ${unigram.reason}`);
  else if (unigram && cell.theory !== "no prediction") {
    const value = cell.spectra.unigram ? cell.spectra.unigram.deciding : null;
    const how = value === null ? "" : value < 0
      ? `: downhill with curvature ${number(value)} along at least one direction`
      : `: no direction is downhill, and the lowest curvature that is not zero is ${number(value)}${ofBias(cell, value) ? ", that of the bias" : ""}`;
    parts.push(`Theory calls the unigram ${called(cell.theory)}${how}.`);
    if (cell.theory === "local minimum") parts.push("This holds close to the point; along the flat set through it a run may drift away.");
    if (unigram.max_error !== null) parts.push(`Measured and predicted eigenvalues differ by at most ${number(unigram.max_error, 2)} (${unigram.why ? `${unigram.verdict}: ${unigram.why}` : unigram.verdict}).`);
  } else if (unigram) parts.push("Theory makes no prediction at this unigram point.");
  return parts.join(" ");
}

function detail(cell) {
  $("detail-title").textContent = cell.words === "the only cell" ? cell.source : cell.words;
  $("detail-words").textContent = sentence(cell);
  const link = make("a", { href: "#detail", class: "down" }, "See its curves ↓");
  link.addEventListener("click", (event) => { event.preventDefault(); choose(chosen, { reveal: true, named: true }); });
  $("chosen-short").replaceChildren(make("b", {}, cell.words), `: ${fate(cell)}. `, link);
  $("detail-body").hidden = cell.state !== "done";
  if (cell.state !== "done") return;
  draw(cell);
  runs(cell);
  checks(cell);
  const to = (path, text) => make("a", { href: `${data.base}/${path}` }, text);
  $("files").replaceChildren("Files of this cell: ", to(`cells/${cell.id}.nc`, "results (netCDF)"), ", ", to(`cells/${cell.id}.json`, "scalars (JSON)"), ", ", to(`weights/${cell.id}.safetensors`, "weights (safetensors)"));
}

function draw(cell) {
  training(cell);
  survival(cell);
  for (const kind of ["unigram", "bigram"]) {
    spectrum(kind, cell);
    surface(kind, cell);
  }
}
