// What the colours of the map show.

const curvature = (cell) => (cell.spectra && cell.spectra.unigram ? cell.spectra.unigram.deciding : null);
const errors = (cell) => Object.values(cell.points || {}).map((point) => point.max_error).filter((v) => v !== null && v !== undefined);
const error = (cell) => (errors(cell).length ? Math.max(...errors(cell)) : null);
const largest = () => Math.max(1e-12, ...data.cells.map((cell) => Math.abs(curvature(cell) ?? 0)));

// Powers of ten from the least error that is not zero to what rounding allows, or beyond.
function errorScale() {
  const found = data.cells.flatMap(errors).filter((v) => v > 0);
  const bounds = data.cells.flatMap((cell) => Object.values(cell.points || {})).map((point) => point.zero_bound).filter((v) => v > 0);
  const all = [...found, ...bounds];
  if (!all.length) return { low: -17, high: 0, bounds };
  const low = Math.floor(Math.log10(Math.min(...all))), high = Math.ceil(Math.log10(Math.max(...all)));
  return { low, high: Math.max(high, low + 1), bounds };
}

// To two decimals, halves away from zero, as written: 0.075 is .08.
const hundredths = (value) => {
  const size = Math.round(Number(`${Math.abs(value)}e2`)) / 100;
  return `${value < 0 && size ? "−" : ""}${size.toFixed(2).replace(/^0/, "")}`;
};

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
    text = hundredths(curvature(cell));
  } else if (colour === "error" && error(cell) !== null) {
    const { low, high } = errorScale();
    rgb = mix(BLUES, error(cell) ? 1 - (Math.log10(error(cell)) - low) / (high - low) : 1);
    text = error(cell) ? `10${superscript(Math.round(Math.log10(error(cell))))}` : "none";
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
  const scale = errorScale(), bounds = scale.bounds;
  const allowed = bounds.length ? ` Rounding is of the order of D ε ‖H‖, here ${number(Math.min(...bounds), 2)} to ${number(Math.max(...bounds), 2)}.` : "";
  const bars = {
    stuck: ["none stuck", gradient(YLORBR), "all stuck"],
    curvature: [`−${number(largest(), 2)}`, gradient(RDBU), `+${number(largest(), 2)}`],
    error: [`10${superscript(scale.low)}`, gradient([...BLUES].reverse()), `10${superscript(scale.high)}`],
  };
  const words = {
    stuck: "Share of runs that end at the unigram; in the square, how many of how many.",
    curvature: "Lowest eigenvalue of the measured Hessian at the unigram that is not zero: below zero (blue) it is a saddle, above (red) a minimum. In the square, to two decimals. Above zero it may be that of the bias, which is positive everywhere.",
    error: `Largest |predicted − measured| eigenvalue at unigram and bigram; in the square, its size to a power of ten.${allowed}`,
  };
  const [low, background, high] = bars[colour];
  const bar = make("i");
  bar.style.background = background;
  const key = (kind, text) => make("span", {}, make("span", { class: `tile ${kind}` }), text);
  const keys = make("div", { class: "keys" });
  if (data.cells.some((cell) => cell.theory === "local minimum")) keys.append(key("minimum", "theory: local minimum"));
  const hatched = { stuck: "p + q = 1: nothing to learn", curvature: "p + q = 1: flat, but for the bias", error: "not compared" };
  if (document.querySelector("#maps .tile.empty")) keys.append(key("empty", hatched[colour]));
  if (data.cells.some((cell) => cell.state !== "done")) keys.append(key("missing", "no result"));
  $("legend").replaceChildren(make("div", { class: "bar" }, low, bar, high), make("p", {}, words[colour]), keys);
}

function colours() {
  const names = [["stuck", "Runs stuck"], ["curvature", "Curvature"], ["error", "Error"]];
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
