// Training and survival.

function training(cell) {
  const { step, loss } = cell.training, levels = [cell.unigram_loss, cell.bigram_loss];
  const finite = [...loss.flat(), ...levels].filter((v) => v !== null);
  // A first step far above H_u would flatten all that matters.
  const gap = Math.max(levels[0] - levels[1], 0.02), top = cell.degenerate ? Math.max(...finite) : Math.min(Math.max(...finite), levels[0] + 1.5 * gap);
  const low = Math.min(...finite.filter((v) => v <= top)), pad = 0.06 * (top - low || 0.1);
  const y = { low: low - 2.2 * pad, high: top + pad, ticks: nice(low - 2.2 * pad, top + pad), label: "loss (nats)" };
  const last = step[step.length - 1];
  const x = { low: 0, high: last, ticks: nice(0, last, 4), label: "step" };
  const box = frame($("training"), `Loss of ${plural(loss.length, "run")} by step`, x, y);
  const clip = (ys) => ys.map((v) => (v === null || v > y.high ? null : v));
  loss.forEach((ys, k) => {
    const end = cell.runs[k].outcome;
    const kind = end === "unigram" || end === "bigram" ? end : "other";
    const line = svg("path", { class: `run ${kind}`, d: path(step, clip(ys), box.at, box.up) });
    line.append(svg("title", {}, `seed ${cell.runs[k].seed}: ends at ${end}`));
    box.root.append(line);
  });
  [["unigram", levels[0]], ["bigram", levels[1]]].forEach(([kind, level], k) => {
    if (level === null) return;
    box.root.append(svg("line", { class: `level ${kind}`, x1: box.edge.left, x2: box.width - box.edge.right, y1: box.up(level), y2: box.up(level) }));
    const same = cell.degenerate, words = same ? "unigram = bigram loss" : `${kind} loss`;
    if (same && k) return;
    box.root.append(svg("text", { class: `note ${kind}`, x: box.width - box.edge.right - 2, y: box.up(level) + (k ? 13 : -5), "text-anchor": "end" }, words));
  });
  const counts = {};
  for (const run of cell.runs) counts[ending(run)] = (counts[ending(run)] || 0) + 1;
  $("training-caption").textContent = `Loss (nats) of ${plural(loss.length, "run")}, coloured by where it ends: ` + Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", ") + "." + (loss.flat().some((v) => v !== null && v > y.high) ? ` Losses above ${number(y.high, 2)} are not drawn.` : "");
}

const ending = (run) => (run.outcome === "degenerate" ? "where unigram and bigram are one" : run.outcome);

function survival(cell) {
  const found = cell.survival;
  if (!found) {
    nothing($("survival"), "Unigram and bigram have the same loss here: there is nothing to escape from.");
    $("survival-caption").textContent = "";
    return;
  }
  const last = found.step[found.step.length - 1];
  const x = { low: 0, high: last, ticks: nice(0, last, 4), label: "step" };
  const y = { low: 0, high: 1.04, ticks: [0, 0.25, 0.5, 0.75, 1].map((v) => [v, `${100 * v}%`]), label: "runs not yet escaped" };
  const box = frame($("survival"), "Share of runs that have not escaped, by step", x, y);
  const stairs = (ys) => {
    let d = `M${box.at(found.step[0])},${box.up(ys[0])}`;
    for (let k = 1; k < ys.length; k++) d += `H${box.at(found.step[k]).toFixed(1)}V${box.up(ys[k]).toFixed(1)}`;
    return d;
  };
  let band = stairs(found.high);
  for (let k = found.low.length - 1; k > 0; k--) band += `${k === found.low.length - 1 ? "L" + box.at(found.step[k]) + "," + box.up(found.low[k]) : "V" + box.up(found.low[k])}H${box.at(found.step[k]).toFixed(1)}`;
  band += `V${box.up(found.low[0])}H${box.at(found.step[0])}Z`;
  box.root.append(svg("path", { class: "band", d: band }));
  box.root.append(svg("path", { class: "run neutral", d: stairs(found.share) }));
  $("survival-caption").textContent = `Share of ${plural(found.runs, "run")} whose loss has not yet been halfway from unigram to bigram; shaded: ${Math.round(100 * found.confidence)}% limits at each step. Halfway is another line than “stuck”, which is within a tenth of the unigram at the end.`;
}
