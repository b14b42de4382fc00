// The frame of a chart, its axes and ticks.

function nothing(box, text) {
  box.replaceChildren(make("div", { class: "nothing" }, text));
}

function frame(box, label, x, y) {
  const width = Math.max(220, box.clientWidth), height = box.clientHeight || 210;
  // Edges grow with the letters, whose size is the reader's.
  const em = (parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16;
  const edge = { left: 50 * em, right: 18, top: 26 * em, bottom: (x.ticks.length ? 34 : 24) * em };
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const at = (v) => edge.left + ((v - x.low) / (x.high - x.low || 1)) * (width - edge.left - edge.right);
  const up = (v) => height - edge.bottom - ((v - y.low) / (y.high - y.low || 1)) * (height - edge.top - edge.bottom);
  for (const [value, text] of y.ticks) {
    root.append(svg("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: up(value), y2: up(value) }));
    root.append(svg("text", { x: edge.left - 6, y: up(value) + 4 * em, "text-anchor": "end" }, text));
  }
  for (const [value, text] of x.ticks) root.append(svg("text", { x: at(value), y: height - edge.bottom + 15 * em, "text-anchor": "middle" }, text));
  root.append(svg("path", { class: "frame", d: `M${edge.left},${edge.top}V${height - edge.bottom}H${width - edge.right}` }));
  root.append(svg("text", { x: (edge.left + width - edge.right) / 2, y: height - 4, "text-anchor": "middle" }, x.label));
  root.append(svg("text", { class: "title", x: 2, y: 12 * em, "text-anchor": "start" }, y.label));
  box.replaceChildren(root);
  return { root, at, up, width, height, edge };
}

function nice(low, high, most = 5) {
  const raw = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    const value = k * step;
    ticks.push([value, String(Number(value.toPrecision(6))).replace("-", "−")]);
  }
  return ticks;
}

const path = (xs, ys, at, up) => {
  let d = "", pen = "M";
  xs.forEach((x, k) => {
    if (ys[k] === null) { pen = "M"; return; }
    d += `${pen}${at(x).toFixed(1)},${up(ys[k]).toFixed(1)}`;
    pen = "L";
  });
  return d;
};
