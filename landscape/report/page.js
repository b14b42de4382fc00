"use strict";
// The map, the charts and the surfaces. Text enters the page as text only, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const YLORBR = ["#ffffe5", "#fff7bc", "#fee391", "#fec44f", "#fe9929", "#ec7014", "#cc4c02", "#993404", "#662506"];
  const RDBU = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"];
  const BLUES = ["#08306b", "#08519c", "#2171b5", "#4292c6", "#6baed6", "#9ecae1", "#c6dbef", "#deebf7", "#f7fbff"];
  const LOWEST_ERROR = 1e-17;
  let chosen = -1, colour = "stuck";

  // --- small makers ------------------------------------------------------------------------------
  const make = (tag, attributes = {}, ...inside) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") node.className = value;
      else node.setAttribute(name, value);
    }
    node.append(...inside);
    return node;
  };
  const svg = (tag, attributes = {}, text = "") => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== "") node.textContent = text;
    return node;
  };
  const number = (value, digits = 3) => {
    if (value === null || value === undefined) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e5) {
      const [front, power] = value.toExponential(1).split("e");
      return `${front.replace("-", "−")} × 10${superscript(Number(power))}`;
    }
    return String(Number(value.toPrecision(digits))).replace("-", "−");
  };
  const superscript = (power) => [...String(power)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
  const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + "s"}`;
  const article = (word) => (/^[aeiou]/.test(word) ? "an " : "a ") + word;
  const mix = (stops, share) => {
    const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(at));
    const part = (hex, n) => parseInt(hex.slice(1 + 2 * n, 3 + 2 * n), 16);
    return [0, 1, 2].map((n) => Math.round(part(stops[k], n) + (at - k) * (part(stops[k + 1], n) - part(stops[k], n))));
  };
  const ink = (rgb) => {
    const [r, g, b] = rgb.map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.1791 ? "#000" : "#fff";
  };

  // --- choosing ----------------------------------------------------------------------------------
  const place = () => Object.fromEntries([...$("choosers").querySelectorAll("select")].map((s) => [s.name, s.value]));
  const find = (at) => data.cells.findIndex((cell) => data.axes.every((axis) => cell.at[axis.name] === at[axis.name]));

  function choosers() {
    for (const axis of data.axes) {
      const list = make("select", { name: axis.name, id: `axis-${axis.name}` });
      for (const value of axis.values) list.append(make("option", { value }, value));
      list.addEventListener("change", () => choose(find(place())));
      $("choosers").append(make("label", { for: `axis-${axis.name}` }, axis.label, list));
    }
  }

  function choose(index, { reveal = false } = {}) {
    if (index < 0 || index >= data.cells.length) return;
    const planeBefore = chosen < 0 ? null : planeKey(data.cells[chosen]);
    chosen = index;
    const cell = data.cells[index];
    for (const list of $("choosers").querySelectorAll("select")) list.value = cell.at[list.name];
    if (data.plane && !document.querySelector(`.tile[data-cell="${index}"]`) && planeBefore !== null) maps();
    for (const tile of document.querySelectorAll(".tile[data-cell]")) {
      const mine = Number(tile.dataset.cell) === index;
      tile.classList.toggle("chosen", mine);
      tile.setAttribute("aria-pressed", String(mine));
      tile.tabIndex = mine ? 0 : -1;
    }
    try { history.replaceState(null, "", `#cell-${cell.id.slice(0, 12)}`); } catch { /* some browsers refuse it for files */ }
    detail(cell);
    if (reveal) {
      $("detail").scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
      $("detail").focus({ preventScroll: true });
    }
  }

  // --- the map -----------------------------------------------------------------------------------
  const planeKey = (cell) => JSON.stringify(data.others.map((name) => cell.at[name]));

  function maps() {
    const planes = [...new Set(data.cells.map(planeKey))];
    const shown = planes.length <= 2 ? planes : [planeKey(data.cells[Math.max(0, chosen)])];
    $("maps").replaceChildren(...shown.map(map));
    legend();
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
      tile.addEventListener("click", () => choose(index));
      tile.addEventListener("keydown", (event) => walk(event, index, mine, p, q));
      plane.append(tile);
    }
    if (!order.some((x) => x.index === chosen) && order.length) plane.querySelector(".tile").tabIndex = 0;
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
      choose(index, { reveal: true });
    }
    if (!step) return;
    event.preventDefault();
    const here = data.cells[index];
    const goal = [p.sorted[p.sorted.indexOf(here.p) + step[0]], q.sorted[q.sorted.indexOf(here.q) + step[1]]];
    const next = mine.find((x) => x.cell.p === goal[0] && x.cell.q === goal[1]);
    if (!next) return;
    choose(next.index);
    document.querySelector(`.tile[data-cell="${next.index}"]`).focus();
  }

  const curvature = (cell) => (cell.spectra && cell.spectra.unigram ? cell.spectra.unigram.deciding : null);
  const error = (cell) => (cell.points && cell.points.unigram ? cell.points.unigram.max_error : null);
  const largest = () => Math.max(1e-12, ...data.cells.map((cell) => Math.abs(curvature(cell) ?? 0)));

  function paint(tile, cell) {
    tile.className = tile.className.replace(/ ?\b(empty|missing|minimum)\b/g, "");
    let rgb = null, text = "";
    if (cell.state !== "done") {
      tile.classList.add("missing");
      text = "?";
    } else if (colour === "stuck") {
      if (cell.stuck) {
        rgb = mix(YLORBR, cell.stuck[0] / cell.stuck[1]);
        text = `${cell.stuck[0]}/${cell.stuck[1]}`;
      } else {
        tile.classList.add("empty");
        text = cell.degenerate ? "" : "∞";
      }
    } else if (colour === "curvature" && cell.degenerate) {
      tile.classList.add("empty"); // flat across the unigram set: what curves upward is the bias alone
      text = "0";
    } else if (colour === "curvature" && curvature(cell) !== null) {
      rgb = mix(RDBU, 0.5 + curvature(cell) / largest() / 2);
      text = curvature(cell).toFixed(2).replace("-", "−").replace("0.", ".");
    } else if (colour === "error" && error(cell) !== null) {
      rgb = mix(BLUES, 1 - Math.log10(Math.max(LOWEST_ERROR, error(cell)) / LOWEST_ERROR) / 17);
      text = error(cell) ? `−${Math.round(-Math.log10(error(cell)))}` : "0";
    } else tile.classList.add("empty");
    if (cell.state === "done" && cell.theory === "local minimum") tile.classList.add("minimum");
    tile.style.background = rgb ? `rgb(${rgb})` : "";
    tile.style.color = rgb ? ink(rgb) : "";
    tile.textContent = tile.classList.contains("tiny") ? "" : text;
    tile.setAttribute("aria-label", `${cell.words}: ${fate(cell)}${cell.theory ? `; theory: ${cell.theory}` : ""}`);
    tile.title = `${cell.words}: ${fate(cell)}`;
  }

  function legend() {
    const gradient = (stops) => `linear-gradient(to right, ${stops.join(", ")})`;
    const bars = {
      stuck: ["none stuck", gradient(YLORBR), "all stuck"],
      curvature: [`−${number(largest(), 2)}`, gradient(RDBU), `+${number(largest(), 2)}`],
      error: ["10⁻¹⁷", gradient([...BLUES].reverse()), "1"],
    };
    const words = {
      stuck: "Share of runs that end at the unigram; in the square, how many of how many.",
      curvature: "Lowest eigenvalue of the measured Hessian at the unigram that is not zero: below zero (blue) it is a saddle, above (red) a minimum.",
      error: "Largest |predicted − measured| eigenvalue at the unigram; in the square, its power of ten. 10⁻¹⁵ is the rounding of the computer.",
    };
    const [low, background, high] = bars[colour];
    const bar = make("i");
    bar.style.background = background;
    const key = (kind, text) => make("span", {}, make("span", { class: `tile ${kind}` }), text);
    const keys = make("div", { class: "keys" });
    if (data.cells.some((cell) => cell.theory === "local minimum")) keys.append(key("minimum", "theory: local minimum"));
    if (data.cells.some((cell) => cell.degenerate)) keys.append(key("empty", "p + q = 1: nothing to learn"));
    if (data.cells.some((cell) => cell.state !== "done")) keys.append(key("missing", "no result"));
    $("legend").replaceChildren(make("div", { class: "bar" }, low, bar, high), make("p", {}, words[colour]), keys);
  }

  function colours() {
    const names = [["stuck", "Runs stuck"], ["curvature", "Curvature"], ["error", "Error of theory"]];
    for (const [name, text] of names) {
      const input = make("input", { type: "radio", name: "colour", value: name });
      input.checked = name === colour;
      input.addEventListener("change", () => {
        colour = name;
        for (const tile of document.querySelectorAll(".tile[data-cell]")) paint(tile, data.cells[Number(tile.dataset.cell)]);
        legend();
      });
      $("colours").append(make("label", {}, input, make("span", {}, text)));
    }
    $("colours").hidden = false;
    $("hint").hidden = false;
  }

  // --- the chosen cell ---------------------------------------------------------------------------
  function fate(cell) {
    if (cell.state === "missing") return "no result yet";
    if (cell.state !== "done") return "damaged";
    if (cell.degenerate) return "nothing to learn, symbols are independent";
    if (!cell.stuck) return "a run has no finite loss";
    return `${cell.stuck[0]} of ${plural(cell.stuck[1], "run")} stuck`;
  }

  function sentence(cell) {
    if (cell.state !== "done") return `There is nothing to show: this cell ${cell.why}.`;
    const start = fate(cell);
    const parts = [start[0].toUpperCase() + start.slice(1) + "."];
    const unigram = cell.points.unigram;
    if (cell.degenerate && unigram && !unigram.reason) {
      parts.push("Unigram and bigram are one point here, which theory calls degenerate: flat to second order, but for the bias.");
    } else if (unigram && unigram.reason) parts.push(`There is no unigram point: ${unigram.reason}`);
    else if (unigram && cell.theory !== "no prediction") {
      const value = cell.spectra.unigram ? cell.spectra.unigram.deciding : null;
      const how = value === null ? "" : value < 0
        ? `: downhill with curvature ${number(value)} along at least one direction`
        : `: no direction is downhill, and the lowest curvature that is not zero is ${number(value)}`;
      parts.push(`Theory calls the unigram ${article(cell.theory)}${how}.`);
      if (unigram.max_error !== null) parts.push(`Measured and predicted eigenvalues differ by at most ${number(unigram.max_error, 2)} (${unigram.verdict}).`);
    } else if (unigram) parts.push("Theory makes no prediction at this unigram point.");
    return parts.join(" ");
  }

  function detail(cell) {
    $("detail-title").textContent = cell.words === "the only cell" ? cell.source : cell.words;
    $("detail-words").textContent = sentence(cell);
    const link = make("a", { href: "#detail", class: "down" }, "See its curves ↓");
    link.addEventListener("click", (event) => { event.preventDefault(); choose(chosen, { reveal: true }); });
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

  function nothing(box, text) {
    box.replaceChildren(make("div", { class: "nothing" }, text));
  }

  function frame(box, label, x, y) {
    const width = Math.max(220, box.clientWidth), height = box.clientHeight || 210;
    const edge = { left: 50, right: 18, top: 16, bottom: x.ticks.length ? 34 : 24 };
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    const at = (v) => edge.left + ((v - x.low) / (x.high - x.low || 1)) * (width - edge.left - edge.right);
    const up = (v) => height - edge.bottom - ((v - y.low) / (y.high - y.low || 1)) * (height - edge.top - edge.bottom);
    for (const [value, text] of y.ticks) {
      root.append(svg("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: up(value), y2: up(value) }));
      root.append(svg("text", { x: edge.left - 6, y: up(value) + 4, "text-anchor": "end" }, text));
    }
    for (const [value, text] of x.ticks) root.append(svg("text", { x: at(value), y: height - edge.bottom + 15, "text-anchor": "middle" }, text));
    root.append(svg("path", { class: "frame", d: `M${edge.left},${edge.top}V${height - edge.bottom}H${width - edge.right}` }));
    root.append(svg("text", { x: (edge.left + width - edge.right) / 2, y: height - 4, "text-anchor": "middle" }, x.label));
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

  function training(cell) {
    const { step, loss } = cell.training, levels = [cell.unigram_loss, cell.bigram_loss];
    const finite = [...loss.flat(), ...levels].filter((v) => v !== null);
    // A first step far above H_u would flatten all that matters.
    const gap = Math.max(levels[0] - levels[1], 0.02), top = cell.degenerate ? Math.max(...finite) : Math.min(Math.max(...finite), levels[0] + 1.5 * gap);
    const low = Math.min(...finite.filter((v) => v <= top)), pad = 0.06 * (top - low || 0.1);
    const y = { low: low - 2.2 * pad, high: top + pad, ticks: nice(low - 2.2 * pad, top + pad) };
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
    $("training-caption").textContent = `Loss (nats) of ${plural(loss.length, "run")}, coloured by where it ends: ` + Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", ") + ".";
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
    const y = { low: 0, high: 1.04, ticks: [0, 0.25, 0.5, 0.75, 1].map((v) => [v, `${100 * v}%`]) };
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
    box.root.append(svg("path", { class: "run bigram", d: stairs(found.share) }));
    $("survival-caption").textContent = `Share of ${plural(found.runs, "run")} whose loss has not yet been halfway from unigram to bigram; shaded: ${Math.round(100 * found.confidence)}% limits at each step.`;
  }

  function spectrum(kind, cell) {
    const box = $(`spectrum-${kind}`), caption = $(`spectrum-${kind}-caption`), found = cell.spectra[kind];
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
        { low: low - pad, high: high + pad, ticks });
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
    words.push(found.predicted ? "Rings: theory; dots: measured." : "Dots: measured. Theory has no prediction here.");
    words.push(`${found.zeros} of ${found.parameters} eigenvalues are zero, and not drawn${found.thinned ? ", nor are some of the others" : ""}.`);
    if (point.max_error !== null) words.push(`Largest difference of all: ${number(point.max_error, 2)}.`);
    words.push(`The point is ${/^(degenerate|undecided|negative|no |not)/.test(point.classification) ? "" : "a "}${point.classification}.`);
    caption.textContent = words.join(" ");
  }

  // --- surfaces ----------------------------------------------------------------------------------
  const webgl = (() => {
    try { const c = document.createElement("canvas"); return Boolean(c.getContext("webgl2") || c.getContext("webgl")); } catch { return false; }
  })();
  const eyes = { unigram: null, bigram: null }; // once a reader has turned a surface, all are seen from there

  function view(found) {
    // From across the highest corner, which else would hide the middle.
    const last = (axis) => axis.length - 1;
    const corners = [[0, 0], [0, last(found.beta)], [last(found.alpha), 0], [last(found.alpha), last(found.beta)]];
    const [i, j] = corners.reduce((best, c) => ((found.loss[c[0]][c[1]] ?? -Infinity) > (found.loss[best[0]][best[1]] ?? -Infinity) ? c : best));
    return { x: i ? -1.25 : 1.25, y: j ? -1.6 : 1.6, z: 1.25 };
  }

  function surface(kind, cell) {
    const box = $(`surface-${kind}`), caption = $(`surface-${kind}-caption`), found = cell.slices[kind];
    caption.textContent = "";
    if (!found || !webgl || typeof Plotly === "undefined") {
      if (typeof Plotly !== "undefined") Plotly.purge(box);
      return nothing(box, !found ? "No loss surface was measured here." : "This browser cannot draw in 3D (no WebGL). The scan’s pictures show its surfaces too.");
    }
    if (box.querySelector(".nothing")) box.replaceChildren();
    const eye = eyes[kind] || view(found);
    const losses = found.loss.flat().filter((v) => v !== null), least = Math.min(...losses), most = Math.max(...losses);
    const style = getComputedStyle(document.documentElement), tone = (name) => style.getPropertyValue(name).trim();
    const across = found.alpha.map((_, i) => i), z = found.beta.map((_, j) => across.map((i) => found.loss[i][j]));
    const axis = (title) => ({ title: { text: title, font: { size: 13 } }, color: tone("--dim"), gridcolor: tone("--rule"), zerolinecolor: tone("--dim"), showbackground: false, tickfont: { size: 10 }, nticks: 5 });
    const traces = [
      { type: "surface", x: found.alpha, y: found.beta, z, colorscale: "Cividis", showscale: false,
        // The colour follows the root of the loss: near the point, where it matters, it changes most.
        surfacecolor: z.map((row) => row.map((v) => (v === null ? null : Math.sqrt((v - least) / (most - least || 1))))), cmin: 0, cmax: 1,
        contours: { z: { show: true, usecolormap: false, color: "rgba(255,255,255,.55)", width: 1 } },
        hovertemplate: "α %{x:.2f}, β %{y:.2f}<br>loss %{z:.4f}<extra></extra>" },
      { type: "scatter3d", mode: "markers", x: [0], y: [0], z: [found.center], marker: { size: 7, color: tone(`--${kind}`), line: { color: "#fff", width: 2 } }, hovertemplate: `${kind} point<br>loss %{z:.4f}<extra></extra>` },
    ];
    const layout = {
      margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: eyes[kind] ? kind : cell.id + kind,
      font: { family: "system-ui, sans-serif", color: tone("--ink") },
      scene: { xaxis: axis("α"), yaxis: axis("β"), zaxis: axis("loss"), camera: { eye, center: { x: 0, y: 0, z: -0.12 } }, aspectmode: "manual", aspectratio: { x: 1.05, y: 1.05, z: 0.75 } },
    };
    const fresh = !box.data;
    Plotly.react(box, traces, layout, { displayModeBar: false, displaylogo: false, responsive: true, plotlyServerURL: "" });
    if (fresh) {
      box.on("plotly_relayout", (event) => { if (event["scene.camera"]) eyes[kind] = event["scene.camera"].eye; });
    }
    const along = found.names.map((name, k) => `${"αβ"[k]} ${name}${found.curvatures[k] === undefined || found.curvatures[k] === null ? "" : ` (curvature ${number(found.curvatures[k])})`}`);
    box.setAttribute("aria-label", `Loss surface around the ${kind}, from ${number(least, 4)} to ${number(most, 4)}, at the centre ${number(found.center, 4)}. Arrow keys turn it.`);
    caption.textContent = `Along ${along.join(" and ")}; the dot is the ${kind}, of loss ${number(found.center, 4)}. Drag, or focus and use the arrow keys, to turn it.`;
  }

  function turning(kind) {
    const box = $(`surface-${kind}`);
    box.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!turn || !box.data) return;
      event.preventDefault();
      const { x, y, z } = eyes[kind] || box._fullLayout.scene.camera.eye, far = Math.hypot(x, y, z);
      const around = Math.atan2(y, x) + 0.15 * turn[0];
      const tilt = Math.min(1.5, Math.max(-1.5, Math.asin(z / far) + 0.12 * turn[1]));
      eyes[kind] = { x: far * Math.cos(tilt) * Math.cos(around), y: far * Math.cos(tilt) * Math.sin(around), z: far * Math.sin(tilt) };
      Plotly.relayout(box, { "scene.camera.eye": eyes[kind] });
    });
  }

  // --- tables of the chosen cell -----------------------------------------------------------------
  function table(headings, rows) {
    const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map((row) => make("tr", {}, ...row.map((text) => make("td", {}, text))));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  }

  function runs(cell) {
    const rows = cell.runs.map((run) => [String(run.seed), ending(run), run.loss === null ? "not finite" : number(run.loss, 5), run.escape === null || run.escape < 0 ? "never" : String(run.escape), run.end || "–"]);
    $("runs").replaceChildren(table(["seed", "ends at", "final loss", "escapes at step", "curvature at the end"], rows));
  }

  function checks(cell) {
    const value = (x) => (typeof x === "number" ? number(x, 6) : Array.isArray(x) ? x.join(" / ") : x === null || x === undefined ? "–" : String(x));
    const rows = Object.entries(cell.checks).flatMap(([kind, list]) => list.map((check) => [kind, check.claim, value(check.predicted), value(check.measured), value(check.tolerance), check.verdict]));
    $("checks").replaceChildren(rows.length ? table(["point", "claim", "predicted", "measured", "tolerance", "verdict"], rows) : make("p", { class: "dim" }, "Theory makes no prediction at this cell."));
  }

  // --- start -------------------------------------------------------------------------------------
  choosers();
  ["unigram", "bigram"].forEach(turning);
  const named = /^#cell-([0-9a-f]{12})$/.exec(location.hash);
  const linked = named ? data.cells.findIndex((cell) => cell.id.startsWith(named[1])) : -1;
  chosen = linked >= 0 ? linked : data.first;
  if (data.plane) {
    colours();
    maps();
  }
  choose(chosen);
  for (const button of document.querySelectorAll("button.choose")) {
    button.addEventListener("click", () => choose(Number(button.dataset.cell), { reveal: true }));
  }
  const again = () => { if (chosen >= 0 && data.cells[chosen].state === "done") draw(data.cells[chosen]); };
  let width = window.innerWidth, timer = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone's address bar comes and goes
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(again, 120);
  });
  dark.addEventListener("change", again);
  document.documentElement.dataset.ready = "true";
})();
