"use strict";
// Numbers in, SVG out. Columns 0..T of every figure are the states; step t, which reads symbol t, is column t = 1..T.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const LEFT = 64, RIGHT = 64, WIDE = 1040, COLOURS = ["--c0", "--c1", "--c2", "--c3", "--c4"];
const columns = data.steps + 1, column = (WIDE - LEFT - RIGHT) / columns;
const X = (t) => LEFT + (t + 0.5) * column;
const escaped = (s) => s.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const number = (v) => (v === null || v === undefined ? "missing" : Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-2)
  ? v.toExponential(1) : String(+v.toPrecision(3)));
const state = { frame: 0, step: Math.ceil(data.steps / 2), layer: 0, same: true };
const layerOf = (frame) => data.frames[frame].layers[state.layer];
const shownFrames = () => (state.same ? data.frames.map((_, k) => k) : [state.frame]);

// ------------------------------------------------------------------------------------------------ axes and cursor
function timeAxis(y) {
  const long = data.symbols && Math.max(...data.symbols.map((s) => s.length)) > 1;
  const every = Math.ceil((data.symbols ? 13 : 28) / column);
  let out = `<line class=axis x1=${LEFT} x2=${WIDE - RIGHT} y1=${y} y2=${y} />`;
  for (let t = 0; t < columns; t += every) {
    const text = data.symbols ? (t ? data.symbols[t - 1] : "0") : String(t);
    const turned = long && t > 0;
    out += turned ? `<text class=soft font-size=11 text-anchor=end transform="translate(${X(t) + 4},${y + 10}) rotate(-50)">${escaped(text)}</text>`
      : `<text class=soft font-size=11 text-anchor=middle x=${X(t)} y=${y + 14}>${escaped(text)}</text>`;
  }
  return out + `<text class=soft font-size=11 x=${WIDE - RIGHT + 8} y=${y + 14}>time t</text>`;
}
const timeHeight = () => (!data.symbols ? 22 : 24 + 4.3 * Math.max(...data.symbols.map((s) => s.length)));
const sideways = (text, y) => `<text class=soft font-size=11 text-anchor=middle transform="translate(14,${y}) rotate(-90)">${text}</text>`;
function draw(id, height, name, body, legend) {
  const box = at(id).querySelector(".figure");
  const bottom = height + timeHeight();
  box.innerHTML = `<svg role=img aria-label="${escaped(name)}" viewBox="0 0 ${WIDE} ${bottom}">${body}${timeAxis(height)}`
    + `<line class=cursor x1=${X(state.step)} x2=${X(state.step)} y1=6 y2=${height} /></svg><div class=legend>${legend}</div>`;
}
const key = (colour, text) => `<span><i style="background:${colour}"></i>${text}</span>`;
const swatch = (k) => `var(${COLOURS[k % COLOURS.length]})`;

// ------------------------------------------------------------------------------------------------ lines on a log axis
function domain(pick, decades) {
  let low = Infinity, high = 0;
  for (const k of shownFrames()) for (const values of pick(layerOf(k))) for (const v of values) {
    if (v > 0) { low = Math.min(low, v); high = Math.max(high, v); }
  }
  if (high === 0) return [-1, 0];
  const top = Math.ceil(Math.log10(high) + 1e-9), floor = Math.max(Math.floor(Math.log10(low)), top - decades);
  return [Math.min(floor, top - 1), top];
}
function logAxis([low, high], height) {
  const Y = (v) => 10 + (height - 20) * (high - Math.max(Math.log10(v), low)) / (high - low);
  const every = Math.ceil((high - low) / 6);
  let out = "";
  for (let e = low; e <= high; e += every) {
    const y = Y(10 ** e);
    out += `<line class=rule x1=${LEFT} x2=${WIDE - RIGHT} y1=${y} y2=${y} />`
      + `<text class=soft font-size=11 text-anchor=end x=${LEFT - 6} y=${y + 4}>10<tspan dy=-4 font-size=9>${String(e).replace("-", "−")}</tspan></text>`;
  }
  return [Y, out];
}
// one path for each stretch of numbers; a number alone is a dot, zero a ring on the floor, a missing one a gap
function path(values, places, Y, height, colour) {
  let out = "", run = [];
  const end = () => {
    if (run.length === 1) out += `<circle cx=${run[0][0]} cy=${run[0][1]} r=2.5 fill="${colour}" />`;
    if (run.length > 1) out += `<polyline class=line stroke="${colour}" points="${run.map((p) => p.map((n) => n.toFixed(1)).join()).join(" ")}" />`;
    run = [];
  };
  values.forEach((v, k) => {
    if (v > 0) return run.push([X(places[k]), Y(v)]);
    end();
    if (v === 0) out += `<circle cx=${X(places[k])} cy=${height - 10} r=3 fill=none stroke="${colour}" />`;
  });
  end();
  return out;
}
function lines(id, title, what, first, pick) {
  const height = 230, names = Object.keys(pick(layerOf(state.frame)));
  const [Y, axis] = logAxis(domain((layer) => Object.values(pick(layer)), 30), height);
  const now = pick(layerOf(state.frame));
  let body = axis + sideways(what, height / 2), legend = "", zero = false, gap = false;
  names.forEach((name, k) => {
    const values = now[name];
    body += path(values, values.map((_, t) => t + first), Y, height, swatch(k));
    legend += key(swatch(k), `${name}: ${state.step < first ? "–" : number(values[state.step - first])}`);
    zero ||= values.includes(0);
    gap ||= values.includes(null);
  });
  if (zero) legend += "<span>○ exactly 0</span>";
  if (gap) legend += "<span>gaps: missing (not a finite number)</span>";
  draw(id, height, title, body, legend);
}
function spectrum() {
  if (!at("spectrum")) return;
  const height = 230, now = layerOf(state.frame), places = now.at.map((t) => t + 1), s = now.spectrum;
  const [Y, axis] = logAxis(domain((layer) => Object.values(layer.spectrum).concat([[1]]), 6), height);
  const stretches = [[]]; // of indices k whose values are there
  s.median.forEach((v, k) => (v === null ? stretches.push([]) : stretches.at(-1).push(k)));
  const band = (top, bottom, opacity) => stretches.filter((known) => known.length).map((known) => {
    const half = known.length === 1 ? column / 2 : 0;
    const side = (name) => known.flatMap((k) => (half ? [-half, half] : [0]).map((d) =>
      `${(X(places[k]) + d).toFixed(1)},${(s[name][k] > 0 ? Y(s[name][k]) : height - 10).toFixed(1)}`));
    return `<polygon fill="var(--c0)" opacity=${opacity} points="${[...side(top), ...side(bottom).reverse()].join(" ")}" />`;
  }).join("");
  const body = axis + sideways("singular value", height / 2) + band("largest", "smallest", 0.18) + band("90 %", "10 %", 0.3)
    + path(s.median, places, Y, height, swatch(0)) + path(s.largest, places, Y, height, swatch(1))
    + `<line class=one x1=${LEFT} x2=${WIDE - RIGHT} y1=${Y(1)} y2=${Y(1)} /><text font-size=11 x=${WIDE - RIGHT + 6} y=${Y(1) + 4}>1</text>`;
  const k = places.indexOf(state.step), value = (name) => (k < 0 ? "–" : number(s[name][k]));
  const legend = key(swatch(1), `largest: ${value("largest")}`) + key(swatch(0), `median: ${value("median")}`)
    + key("color-mix(in srgb, var(--c0) 45%, transparent)", `middle 80 %: ${value("10 %")} to ${value("90 %")}`)
    + key("color-mix(in srgb, var(--c0) 18%, transparent)", `smallest: ${value("smallest")}`)
    + (s.median.includes(null) ? "<span>gaps: missing (not a finite number)</span>" : "");
  draw("spectrum", height, "Singular values of the step", body, legend);
}

// ------------------------------------------------------------------------------------------------ saturation
function saturation() {
  const now = layerOf(state.frame), names = Object.keys(now.low), strip = 62, gap = 14;
  let body = "", legend = key("var(--low)", "at or below the lower limit") + key("var(--high)", "at or above the upper limit");
  let missing = false;
  names.forEach((name, k) => {
    const top = 10 + k * (strip + gap), [low, high] = data.limits[name];
    body += `<rect x=${LEFT} y=${top} width=${WIDE - LEFT - RIGHT} height=${strip} fill=none class=rule />`
      + `<text x=${LEFT - 34} y=${top + strip / 2 + 4} text-anchor=end font-weight=600>${name.replace("phi", "φ")}</text>`
      + `<text class=soft font-size=11 x=${LEFT - 6} y=${top + 9} text-anchor=end>100 %</text>`
      + `<text class=soft font-size=11 x=${LEFT - 6} y=${top + strip} text-anchor=end>0 %</text>`
      + (high === null ? "" : `<text class=soft font-size=11 x=${WIDE - RIGHT + 6} y=${top + 9}>≥ ${high}</text>`)
      + (low === null ? "" : `<text class=soft font-size=11 x=${WIDE - RIGHT + 6} y=${top + strip}>≤ ${String(low).replace("-", "−")}</text>`);
    for (let t = 0; t < data.steps; t++) {
      const x = X(t + 1) - column / 2, w = Math.max(column - 1, 0.5), a = now.low[name][t], b = now.high[name][t];
      if (a === null || b === null) {
        missing = true;
        body += `<rect x=${x} y=${top} width=${w} height=${strip} fill="var(--none)" />`;
        continue;
      }
      if (a) body += `<rect x=${x} y=${top + strip * (1 - a)} width=${w} height=${strip * a} fill="var(--low)" />`;
      if (b) body += `<rect x=${x} y=${top} width=${w} height=${strip * b} fill="var(--high)" />`;
    }
    const percent = (v) => (v === null || v === undefined ? "missing" : `${Math.round(100 * v)} %`);
    if (state.step) legend += `<span>${name.replace("phi", "φ")}: ${percent(now.low[name][state.step - 1])} low, ${percent(now.high[name][state.step - 1])} high</span>`;
  });
  if (missing) legend += key("var(--none)", "missing (not a finite number)");
  draw("saturation", names.length * (strip + gap) + 6, "Saturation", body, legend);
}

// ------------------------------------------------------------------------------------------------ heat maps
const bytes = (map) => Uint8Array.from(atob(map.data), (c) => c.charCodeAt(0));
function rgb(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
  const six = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
  return [0, 2, 4].map((k) => parseInt(six.slice(k, k + 2), 16));
}
function colourOf(share, tones) {
  const end = share < 0 ? tones.minus : tones.plus, part = Math.min(1, Math.abs(share)) ** 0.8;
  return tones.zero.map((z, k) => Math.round(z + (end[k] - z) * part));
}
// a data: URL of an image with a pixel a cell; paint(row, column) -> [r, g, b]
function image(wide, high, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = wide;
  canvas.height = high;
  const context = canvas.getContext("2d"), pixels = context.createImageData(wide, high);
  for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++) pixels.data.set([...paint(y, x), 255], 4 * (y * wide + x));
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}
function heat(id, kind, name, first) {
  const map = layerOf(state.frame)[kind][name], values = bytes(map), steps = columns - first, units = values.length / steps;
  const size = Math.max(...shownFrames().map((k) => layerOf(k)[kind][name].size)) || 1;
  const tones = { zero: rgb("--paper"), minus: rgb("--minus"), plus: rgb(kind === "masks" ? "--soft" : "--plus"), none: rgb("--none") };
  const height = Math.max(150, Math.min(300, 5 * units)), top = 10, tall = height - top;
  const value = (b) => (b === 255 ? null : (map.size * (b - 127)) / 127);
  const paint = (y, x) => {
    const v = value(values[x * units + y]);
    return v === null ? tones.none : colourOf(v / size, tones);
  };
  const picture = (href, x, y, w, h) => `<image href="${href}" x=${x} y=${y} width=${w} height=${h} preserveAspectRatio=none />`;
  const signed = kind === "contents", scale = image(1, 101, (y) => colourOf(signed ? 1 - y / 50 : 1 - y / 100, tones));
  const ends = signed ? [[0, size], [0.5, 0], [1, -size]] : [[0, size], [1, 0]];
  let body = picture(image(steps, units, paint), LEFT + first * column, top, steps * column, tall) + sideways("unit", top + tall / 2)
    + `<text class=soft font-size=11 x=${LEFT - 6} y=${top + 9} text-anchor=end>0</text>`
    + `<text class=soft font-size=11 x=${LEFT - 6} y=${height} text-anchor=end>${(units - 1) * data.stride}</text>`
    + `<rect x=${LEFT + first * column} y=${top} width=${steps * column} height=${tall} fill=none class=axis />`
    + picture(scale, WIDE - RIGHT + 8, top, 10, tall) + `<rect x=${WIDE - RIGHT + 8} y=${top} width=10 height=${tall} fill=none class=axis />`;
  for (const [part, v] of ends) body += `<text class=soft font-size=11 x=${WIDE - RIGHT + 22} y=${top + 9 + part * (tall - 9)}>${number(v).replace("-", "−")}</text>`;
  let legend = values.includes(255) ? key("var(--none)", "missing (not a finite number)") : "";
  if (state.step >= first) {
    const there = [...values.slice((state.step - first) * units, (state.step - first + 1) * units)].map(value).filter((v) => v !== null);
    const mean = there.reduce((a, v) => a + (signed ? Math.abs(v) : v), 0) / there.length;
    legend += `<span>mean ${signed ? "size" : "value"} at this step: ${there.length ? number(mean) : "missing"}</span>`;
  }
  draw(id, height, `${kind} of ${name}, unit by step`, body, legend);
}

// ------------------------------------------------------------------------------------------------ controls
function everything() {
  const frame = data.frames[state.frame], now = frame.layers[state.layer];
  at("frame").value = state.frame;
  at("step").value = state.step;
  at("frame").setAttribute("aria-valuetext", frame.label);
  at("frame-label").textContent = `${frame.label} (${state.frame + 1} of ${data.frames.length})${frame.facts ? "; " + frame.facts : ""}`;
  at("step-label").textContent = state.step === 0 ? "t = 0, the initial state"
    : `t = ${state.step} of ${data.steps}${data.symbols ? `, reads ${data.symbols[state.step - 1]}` : ""}`;
  lines("gates", "The gradient at each gate", "‖∂L/∂a‖", 1, (layer) => layer.gates);
  lines("states", "The gradient at each state", "‖∂L/∂s‖", 0, (layer) => layer.states);
  saturation();
  spectrum();
  for (const name of Object.keys(now.contents)) heat(`contents-${name}`, "contents", name, 0);
  for (const name of Object.keys(now.masks)) heat(`masks-${name}`, "masks", name, 1);
}
const within = (v, most) => Math.max(0, Math.min(most, Number.isInteger(v) ? v : 0));
function fromHash() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("checkpoint");
  if (asked !== null) state.frame = within(Number(asked), data.frames.length - 1);
}
at("frame").addEventListener("input", () => {
  state.frame = Number(at("frame").value);
  history.replaceState(null, "", `#checkpoint=${state.frame}`);
  everything();
});
at("step").max = data.steps;
at("step").addEventListener("input", () => { state.step = Number(at("step").value); everything(); });
at("same").addEventListener("change", () => { state.same = at("same").checked; everything(); });
at("layer").addEventListener("change", () => { state.layer = Number(at("layer").value); everything(); });
at("layers").hidden = data.frames[0].layers.length === 1;
if (data.frames.length === 1) at("frame").disabled = true;
document.addEventListener("click", (event) => {
  const svg = event.target.closest("svg");
  if (!svg) return;
  const box = svg.getBoundingClientRect(), x = ((event.clientX - box.left) * WIDE) / box.width;
  if (x > LEFT && x < WIDE - RIGHT) { state.step = within(Math.floor((x - LEFT) / column), data.steps); everything(); }
});
window.addEventListener("hashchange", () => { fromHash(); everything(); });
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", everything);
fromHash();
everything();
