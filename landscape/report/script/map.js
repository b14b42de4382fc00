// The map of p and q: a tile for each cell.

const planeKey = (cell) => JSON.stringify(data.others.map((name) => cell.at[name]));

function maps() {
  const planes = [...new Set(data.cells.map(planeKey))];
  const shown = planes.length <= 2 ? planes : [planeKey(data.cells[Math.max(0, chosen)])];
  $("maps").replaceChildren(...shown.map(map));
  tabStops();
  legend();
}

// Tab stops once in each map, at the chosen cell or at the one of the same p and q.
function tabStops() {
  const here = data.cells[Math.max(0, chosen)];
  for (const plane of document.querySelectorAll(".plane")) {
    const tiles = [...plane.querySelectorAll(".tile")];
    const cell = (tile) => data.cells[Number(tile.dataset.cell)];
    const stop = tiles.find((tile) => cell(tile) === here) || tiles.find((tile) => cell(tile).p === here.p && cell(tile).q === here.q) || tiles[0];
    for (const tile of tiles) tile.tabIndex = tile === stop ? 0 : -1;
  }
}

function scale(values) {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const steps = sorted.slice(1).map((value, k) => value - sorted[k]);
  const step = steps.length ? Math.min(...steps) : 0.2;
  if (step >= 0.035) return { to: (v) => v, side: 0.86 * step, line: true, sorted };
  const n = sorted.length;
  return { to: (v) => (sorted.indexOf(v) + 0.5) / n, side: 0.9 / n, line: false, sorted };
}

function map(key) {
  const mine = data.cells.map((cell, index) => ({ cell, index })).filter((x) => planeKey(x.cell) === key);
  const [p, q] = ["p", "q"].map((name) => scale(mine.map((x) => x.cell[name])));
  const side = Math.min(p.side, q.side);
  const values = JSON.parse(key);
  const title = data.others.map((name, k) => `${data.axes.find((a) => a.name === name).label} = ${values[k]}`).join(", ");
  const plane = make("div", { class: "plane", role: "group", "aria-label": `Map of p and q${title ? ", " + title : ""}` });
  if (p.line && q.line) {
    const lines = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
    lines.append(svg("line", { x1: 0, y1: 0, x2: 100, y2: 100, "vector-effect": "non-scaling-stroke" }));
    plane.append(lines);
  }
  const order = [...mine].sort((a, b) => b.cell.q - a.cell.q || a.cell.p - b.cell.p);
  for (const { cell, index } of order) {
    const tile = make("button", { type: "button", class: "tile", "data-cell": index, tabindex: -1, "aria-pressed": "false" });
    Object.assign(tile.style, {
      left: `${100 * (p.to(cell.p) - side / 2)}%`, top: `${100 * (1 - q.to(cell.q) - side / 2)}%`,
      width: `${100 * side}%`, height: `${100 * side}%`,
    });
    if (side < 0.075) tile.classList.add("tiny");
    paint(tile, cell);
    tile.addEventListener("click", () => choose(index, { named: true }));
    tile.addEventListener("keydown", (event) => walk(event, index, mine, p, q));
    plane.append(tile);
  }
  const ticks = (name, axis) => {
    const box = make("div", { class: `ticks ${name}`, "aria-hidden": "true" });
    const every = Math.ceil(axis.sorted.length / 7);
    axis.sorted.forEach((value, k) => {
      if (k % every) return;
      const tick = make("span", {}, String(value));
      if (name === "p") tick.style.left = `${100 * axis.to(value)}%`;
      else tick.style.top = `${100 * (1 - axis.to(value))}%`;
      box.append(tick);
    });
    const label = make("span", { class: "axis" }, name);
    if (name === "p") Object.assign(label.style, { left: "50%", top: "1.05rem" });
    else Object.assign(label.style, { top: "50%", right: "1.9rem" });
    box.append(label);
    return box;
  };
  return make("div", { class: "map" }, make("h3", {}, title || "all cells"), ticks("q", q), plane, ticks("p", p));
}

function walk(event, index, mine, p, q) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (event.key === "Enter") {
    event.preventDefault();
    choose(index, { reveal: true, named: true });
  }
  if (!step) return;
  event.preventDefault();
  const here = data.cells[index];
  const goal = [p.sorted[p.sorted.indexOf(here.p) + step[0]], q.sorted[q.sorted.indexOf(here.q) + step[1]]];
  const next = mine.find((x) => x.cell.p === goal[0] && x.cell.q === goal[1]);
  if (!next) return;
  choose(next.index, { named: true });
  document.querySelector(`.tile[data-cell="${next.index}"]`).focus();
}
