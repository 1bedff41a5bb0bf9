"use strict";
// The text that a model read: coloured by one unit, each symbol with what comes next and what that guess looked at.
const reading = JSON.parse(document.getElementById("reading-data").textContent);
const page = document.getElementById("reading"), text = page.querySelector(".text");
const numbers = (map) => Float32Array.from(atob(map.data), (c) => (c.charCodeAt(0) === 255 ? 0 : (map.size * (c.charCodeAt(0) - 127)) / 127));
const held = numbers(reading.contents), looked = numbers(reading.looked), units = reading.units, back = reading.back;
const worth = (t, unit) => held[t * units + unit];
// what colours a symbol, from -1 to 1: how far the unit is above or below its own mean, or how much was looked at it
function shares() {
  if (seen.by !== "unit") {
    return spans.map((_, t) => { const ago = seen.at - t; return ago >= 0 && ago < back ? looked[seen.at * back + ago] : 0; });
  }
  const values = spans.map((_, t) => worth(t, seen.unit)), mean = values.reduce((a, v) => a + v, 0) / values.length;
  const most = Math.max(...values.map((v) => Math.abs(v - mean))) || 1;
  return values.map((v) => (v - mean) / most);
}
const seen = { unit: reading.known.length ? reading.known[0].unit : 0, at: reading.symbols.length - 1, by: "unit" };
const spans = reading.symbols.map((symbol, t) => {
  const span = document.createElement("span");
  span.textContent = symbol + (reading.words && symbol !== "\n" ? " " : "");
  span.dataset.t = t;
  text.append(span);
  return span;
});
function paint() {
  const all = shares();
  spans.forEach((span, t) => {
    const share = all[t], part = Math.round(65 * Math.min(1, Math.abs(share)) ** 0.7);
    span.style.background = part > 3 ? `color-mix(in srgb, var(${share < 0 ? "--minus" : "--plus"}) ${part}%, transparent)` : "";
    span.classList.toggle("at", t === seen.at);
  });
  page.querySelector("#unit").value = seen.unit;
  page.querySelector("#unit-label").textContent = `unit ${seen.unit}`;
  for (const button of page.querySelectorAll("[data-unit]")) {
    button.setAttribute("aria-pressed", seen.by === "unit" && Number(button.dataset.unit) === seen.unit);
  }
  page.querySelector("#by").setAttribute("aria-pressed", seen.by === "looked");
  const shown = (s) => `“${s.replaceAll(" ", "␣").replaceAll("\n", "↵")}”`;
  page.querySelector(".next").textContent = `after ${shown(reading.symbols[seen.at])}, ${seen.by === "unit"
    ? `where unit ${seen.unit} holds ${worth(seen.at, seen.unit).toFixed(2)}` : "in colour what the first guess looked at"}: `
    + reading.guesses[seen.at].map(([s, p]) => `${shown(s)} ${Math.round(100 * p)} %`).join(", ");
}
const move = (t) => { seen.at = Math.max(0, Math.min(spans.length - 1, t)); paint(); };
text.addEventListener("pointerover", (event) => { if (event.target.dataset.t) move(Number(event.target.dataset.t)); });
text.addEventListener("click", (event) => { if (event.target.dataset.t) move(Number(event.target.dataset.t)); });
text.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -40, ArrowDown: 40 }[event.key];
  if (step) { event.preventDefault(); move(seen.at + step); }
});
for (const button of page.querySelectorAll("[data-unit]")) {
  button.addEventListener("click", () => { seen.unit = Number(button.dataset.unit); seen.by = "unit"; paint(); });
}
page.querySelector("#unit").addEventListener("input", (event) => { seen.unit = Number(event.target.value); seen.by = "unit"; paint(); });
page.querySelector("#by").addEventListener("click", () => { seen.by = seen.by === "unit" ? "looked" : "unit"; paint(); });
paint();
