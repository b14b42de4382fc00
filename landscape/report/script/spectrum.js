// Eigenvalues, theory beside measurement.

function spectrum(kind, cell) {
  const box = $(`spectrum-${kind}`), caption = $(`spectrum-${kind}-caption`), found = cell.spectra[kind];
  let wideAxis = false;
  caption.textContent = "";
  if (!found) {
    const point = cell.points[kind];
    return nothing(box, point && point.reason ? point.reason : "This point was not measured.");
  }
  const shown = [...found.measured, ...(found.predicted || [])].filter((v) => v);
  if (!shown.length) {
    nothing(box, `All ${found.parameters} eigenvalues are zero.`);
  } else {
    // Over many decades it is linear near zero and logarithmic beyond, for both signs.
    const sizes = shown.map(Math.abs), most = Math.max(...sizes), least = Math.max(Math.min(...sizes), most * 1e-6);
    const wide = most > 20 * least;
    wideAxis = wide;
    const to = wide ? (v) => Math.asinh((2 * v) / least) : (v) => v;
    const all = shown.map(to), low = Math.min(0, ...all), high = Math.max(0, ...all), pad = 0.08 * (high - low);
    const ticks = wide ? [[0, "0"]] : nice(low - pad, high + pad);
    for (const sign of wide ? [-1, 1] : []) {
      const ends = shown.filter((v) => v * sign > 0).map(Math.abs);
      if (!ends.length) continue;
      const from = Math.floor(Math.log10(Math.min(...ends))), upto = Math.ceil(Math.log10(Math.max(...ends)));
      const every = Math.max(1, Math.ceil((upto - from) / 4));
      for (let k = from; k <= upto; k += every) {
        const value = sign * 10 ** k, y = to(value);
        if (y >= low - pad && y <= high + pad && ticks.every(([t]) => Math.abs(t - y) > (high - low) / 9)) ticks.push([y, `${sign < 0 ? "−" : ""}${k > -3 && k < 3 ? Number((10 ** k).toPrecision(1)) : "10" + superscript(k)}`]);
      }
    }
    const n = found.measured.length;
    const chart = frame(box, `Eigenvalues of the Hessian at the ${kind}, predicted and measured`,
      { low: -0.7, high: n - 0.3, ticks: [], label: "eigenvalues that are not zero, ascending" },
      { low: low - pad, high: high + pad, ticks, label: wide ? "eigenvalue (nats), logarithmic beyond 0" : "eigenvalue (nats)" });
    const size = n > 40 ? 2.2 : 3.4;
    found.measured.forEach((value, k) => {
      if (value === null) return;
      if (found.predicted) chart.root.append(svg("circle", { class: "theory", cx: chart.at(k), cy: chart.up(to(found.predicted[k])), r: size + 2.6 }));
      const dot = svg("circle", { class: "measured", cx: chart.at(k), cy: chart.up(to(value)), r: size });
      dot.append(svg("title", {}, `measured ${number(value, 6)}${found.predicted ? `, predicted ${number(found.predicted[k], 6)}` : ""}`));
      chart.root.append(dot);
    });
  }
  const point = cell.points[kind], words = [];
  if (wideAxis) words.push("The axis is linear close to 0 and logarithmic on either side.");
  words.push(found.predicted ? "Rings: theory; dots: measured." : "Dots: measured. Theory has no prediction here.");
  words.push(`${found.zeros} of ${found.parameters} eigenvalues are zero, and not drawn${found.thinned ? ", nor are some of the others" : ""}.`);
  if (point.narrow) words.push("The gap between those and the smallest other is below a factor of 10: the counts are not safe.");
  if (point.max_error !== null) words.push(`Largest difference of all: ${number(point.max_error, 2)}; rounding is of the order of ${number(found.zero_bound, 2)}.`);
  words.push(`The point is ${called(point.classification)}.`);
  caption.textContent = words.join(" ");
}
