// Choosing a cell, by lists, tiles, rows, or the address.

const place = () => Object.fromEntries([...$("choosers").querySelectorAll("select")].map((s) => [s.name, s.value]));
const find = (at) => data.cells.findIndex((cell) => data.axes.every((axis) => cell.at[axis.name] === at[axis.name]));

function choosers() {
  for (const axis of data.axes) {
    const list = make("select", { name: axis.name, id: `axis-${axis.name}` });
    for (const value of axis.values) list.append(make("option", { value }, value));
    list.addEventListener("change", () => choose(find(place()), { named: true }));
    $("choosers").append(make("label", { for: `axis-${axis.name}` }, axis.label, list));
  }
}

// `reveal` goes to the curves; `named` puts the cell into the address, where a reader chose it.
function choose(index, { reveal = false, named = false } = {}) {
  if (index < 0 || index >= data.cells.length) return;
  const planeBefore = chosen < 0 ? null : planeKey(data.cells[chosen]);
  if (index !== chosen) seeFromTheStart();
  chosen = index;
  const cell = data.cells[index];
  for (const list of $("choosers").querySelectorAll("select")) list.value = cell.at[list.name];
  if (data.plane && !document.querySelector(`.tile[data-cell="${index}"]`) && planeBefore !== null) maps();
  for (const tile of document.querySelectorAll(".tile[data-cell]")) {
    const mine = Number(tile.dataset.cell) === index;
    tile.classList.toggle("chosen", mine);
    tile.setAttribute("aria-pressed", String(mine));
  }
  tabStops();
  if (named) {
    try { history.replaceState(null, "", `#cell-${cell.id.slice(0, 12)}`); } catch { /* some browsers refuse it for files */ }
  }
  detail(cell);
  if (reveal) {
    $("detail").scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
    $("detail").focus({ preventScroll: true });
  }
}

// What the address names: a cell of this scan, or a place on the page, which may be folded in.
function cellNamed() {
  const found = /^#cell-([0-9a-f]{12})$/.exec(location.hash);
  return found ? data.cells.findIndex((cell) => cell.id.startsWith(found[1])) : -1;
}

function goToPlace() {
  const goal = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!goal) return;
  for (let node = goal; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  goal.scrollIntoView();
}

function follow() {
  const index = cellNamed();
  if (index >= 0) choose(index);
  else goToPlace();
}
