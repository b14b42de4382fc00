// The start.

choosers();
["unigram", "bigram"].forEach(turning);
const linked = cellNamed();
chosen = linked >= 0 ? linked : data.first;
if (data.plane) {
  colours();
  maps();
}
choose(chosen);
goToPlace();
window.addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) goToPlace(); // no change of address, but perhaps folded in again
});
for (const button of document.querySelectorAll("button.choose")) {
  button.addEventListener("click", () => choose(Number(button.dataset.cell), { reveal: true, named: true }));
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
window.addEventListener("beforeprint", () => {
  for (const closer of document.querySelectorAll(".card details")) closer.open = true;
});
document.documentElement.dataset.ready = "true";
