// Loss surfaces, and how they are turned.

const webgl = (() => {
  try { const c = document.createElement("canvas"); return Boolean(c.getContext("webgl2") || c.getContext("webgl")); } catch { return false; }
})();
const eyes = { unigram: null, bigram: null }; // from where a reader has turned to; null: from the start

let resets = 0;

function seeFromTheStart() {
  resets += 1;
  for (const kind of Object.keys(eyes)) eyes[kind] = null;
}

function view(found) {
  // From across the highest corner, which else would hide the middle.
  const last = (axis) => axis.length - 1;
  const corners = [[0, 0], [0, last(found.beta)], [last(found.alpha), 0], [last(found.alpha), last(found.beta)]];
  const [i, j] = corners.reduce((best, c) => ((found.loss[c[0]][c[1]] ?? -Infinity) > (found.loss[best[0]][best[1]] ?? -Infinity) ? c : best));
  return { x: i ? -1.25 : 1.25, y: j ? -1.6 : 1.6, z: 1.25 };
}

// A direction's curvature in words: 0 within rounding, and whether others share it, for then any would do.
function curved(spectrum, value) {
  if (value === undefined || value === null) return "";
  if (!spectrum) return ` (curvature ${number(value)})`;
  const zero = Math.abs(value) <= spectrum.zero_bound;
  const alike = zero ? spectrum.zeros : spectrum.measured.filter((v) => v !== null && Math.abs(v - value) <= 1e-4 * Math.abs(value)).length;
  const many = spectrum.thinned && !zero ? "several" : alike;
  const choice = alike > 1 ? `, one of ${many} alike: others among them would do as well` : "";
  return ` (curvature ${zero ? "0" : number(value)}${choice})`;
}

function surface(kind, cell) {
  const box = $(`surface-${kind}`), caption = $(`surface-${kind}-caption`), found = cell.slices[kind];
  caption.textContent = "";
  if (!found || !webgl || typeof Plotly === "undefined") {
    if (typeof Plotly !== "undefined") Plotly.purge(box);
    $(`reset-${kind}`).hidden = true;
    return nothing(box, !found ? "No loss surface was measured here." : "This browser cannot draw in 3D (no WebGL). The scan’s pictures show its surfaces too.");
  }
  if (box.querySelector(".nothing")) box.replaceChildren();
  $(`reset-${kind}`).hidden = false;
  const eye = eyes[kind] || view(found);
  const losses = found.loss.flat().filter((v) => v !== null), least = Math.min(...losses), most = Math.max(...losses);
  const style = getComputedStyle(document.documentElement), tone = (name) => style.getPropertyValue(name).trim();
  const across = found.alpha.map((_, i) => i), z = found.beta.map((_, j) => across.map((i) => found.loss[i][j]));
  const axis = (title) => ({ title: { text: title, font: { size: 13 } }, color: tone("--dim"), gridcolor: tone("--rule"), zerolinecolor: tone("--dim"), showbackground: false, tickfont: { size: 10 }, nticks: 5 });
  // No tick at an end: in the corners it would lie on one of the loss.
  const inner = (title, nodes) => {
    const end = Number((Math.max(...nodes.map(Math.abs)) / 2).toPrecision(1));
    return { ...axis(title), tickmode: "array", tickvals: [-end, 0, end] };
  };
  const traces = [
    { type: "surface", x: found.alpha, y: found.beta, z, colorscale: "Cividis", showscale: false,
      // The colour follows the root of the loss: near the point, where it matters, it changes most.
      surfacecolor: z.map((row) => row.map((v) => (v === null ? null : Math.sqrt((v - least) / (most - least || 1))))), cmin: 0, cmax: 1,
      contours: { z: { show: true, usecolormap: false, color: "rgba(255,255,255,.55)", width: 1 } },
      hovertemplate: "α %{x:.2f}, β %{y:.2f}<br>loss %{z:.4f}<extra></extra>" },
    { type: "scatter3d", mode: "markers", x: [0], y: [0], z: [found.center], marker: { size: 7, color: tone(`--${kind}`), line: { color: "#fff", width: 2 } }, hovertemplate: `${kind} point<br>loss %{z:.4f}<extra></extra>` },
  ];
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: eyes[kind] ? kind : `${cell.id}${kind}${resets}`,
    font: { family: "system-ui, sans-serif", color: tone("--ink") },
    scene: { xaxis: inner("α", found.alpha), yaxis: inner("β", found.beta), zaxis: axis("loss"), camera: { eye, center: { x: 0, y: 0, z: -0.12 } }, aspectmode: "manual", aspectratio: { x: 1.05, y: 1.05, z: 0.75 } },
  };
  const fresh = !box.data;
  Plotly.react(box, traces, layout, { displayModeBar: false, displaylogo: false, scrollZoom: false, doubleClick: false, responsive: true, plotlyServerURL: "" });
  if (fresh) {
    box.on("plotly_relayout", (event) => { if (event["scene.camera"]) eyes[kind] = event["scene.camera"].eye; });
  }
  const along = found.names.map((name, k) => `${"αβ"[k]} ${name}${curved(cell.spectra[kind], found.curvatures[k])}`);
  const lengths = found.names.every((name) => name.startsWith("eigenvector")) ? "These have length 1, so α and β are distances in parameters, without a unit." : "α and β are multiples of these, without a unit.";
  box.setAttribute("aria-label", `Loss surface around the ${kind}, from ${number(least, 4)} to ${number(most, 4)}, at the centre ${number(found.center, 4)}. Arrow keys turn it.`);
  caption.textContent = `Along ${along.join(" and ")}. ${lengths} The dot is the ${kind}, of loss ${number(found.center, 4)} nats; white lines join equal losses. Drag (sideways with a finger), or focus and use the arrow keys, to turn it; a double click turns it back.`;
}

function turning(kind) {
  const box = $(`surface-${kind}`);
  const again = () => {
    if (!box.data) return;
    seeFromTheStart();
    surface("unigram", data.cells[chosen]);
    surface("bigram", data.cells[chosen]);
  };
  box.addEventListener("dblclick", again);
  $(`reset-${kind}`).addEventListener("click", again);
  // The wheel, and a finger that moves up or down, belong to the page: the drawing does not hear of them.
  box.addEventListener("wheel", (event) => event.stopPropagation(), { capture: true, passive: true });
  let from = null, sideways = null;
  box.addEventListener("touchstart", (event) => {
    from = event.touches[0];
    sideways = null;
  }, { capture: true, passive: true });
  box.addEventListener("touchmove", (event) => {
    const to = event.touches[0];
    if (sideways === null && from) sideways = Math.abs(to.clientX - from.clientX) > Math.abs(to.clientY - from.clientY);
    if (!sideways || event.touches.length > 1) event.stopPropagation();
  }, { capture: true, passive: true });
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
