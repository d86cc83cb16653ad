// The page `play`: choose a picture, see what the network makes of it, follow the way through its layers.

import { calibrate, forward, load, loadWeights, windowAt } from "./network.js";
import { choosePosition, grid, make, number, paintMap, paintPicture, spoken, style, term } from "./parts.js";
import { SIZE, readFile, shrink } from "./picture.js";
import { DRAWINGS, draw } from "./samples.js";

const FOLDER = new URL("network/", import.meta.url);
const FIRST = 10; // maps of a layer that are shown before all of them are asked for
const BRUSHES = { "grey, to cover a part": "#808080", black: "#000000", white: "#ffffff", red: "#d02020", orange: "#f08a10", yellow: "#f8d010", green: "#308030", blue: "#3070d0", brown: "#704020" };
const percent = (p) => `${(100 * p).toFixed(1)}%`;

// What there is: the network, the picture as chosen and as it is now, what each layer gave, and what is looked at.
const state = { network: null, original: null, pixels: null, tensors: null, focus: null, brush: [16, 16], frames: 0 };
globalThis.play = state; // for the tests and the benchmark

const said = make("p", { role: "status", class: "said" });
const canvas = make("canvas", { width: SIZE, height: SIZE, class: "picture", role: "application",
  "aria-label": "The picture, 32 by 32 pixels. The arrow keys move the brush, the space bar paints." });
const cursor = make("div", { class: "cursor", "aria-hidden": "true" });
const field = make("div", { class: "cursor field", "aria-hidden": "true" });
const brush = make("select", {}, ...Object.keys(BRUSHES).map((name) => make("option", {}, name)));
const width = make("select", {}, ...[2, 4, 8, 12].map((n) => make("option", { value: n, selected: n === 8 }, `${n} pixels`)));
const answers = make("tbody");
const names = make("p");
const way = make("div", { class: "way" });
const detail = make("div", { class: "detail", role: "group", "aria-label": "How one number of the map is computed" });

let loading = null;
async function begin() {
  state.network ??= await load(FOLDER);
  await loadWeights(state.network, FOLDER);
}

/** Begin with a picture: load the weights if they are not there yet, and run the network. */
async function choose(pixels, sentence) {
  state.original = pixels;
  state.pixels = pixels.slice();
  paintPicture(canvas, pixels);
  try {
    say(`${sentence} Loading the network …`);
    await (loading ??= begin());
  } catch (error) {
    loading = null; // the next picture tries again
    say(error.message);
    return;
  }
  state.sentence = sentence;
  run();
  listMaps();
}

let speaking;
/** Say a sentence; when many follow each other, only the last. */
function say(sentence, wait = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (said.textContent = sentence), wait);
}

/** Compute, and show what came out. */
function run() {
  const { network, pixels } = state;
  state.tensors = forward(network, pixels);
  state.frames++;
  paintPicture(canvas, pixels);
  const probabilities = state.tensors.at(-1).data;
  const calibrated = network.temperature && calibrate(probabilities, network.temperature);
  const best = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 5);
  const bar = (p) => make("span", { class: "bar", style: `width:${100 * p}%` });
  answers.replaceChildren(...best.map((i) => make("tr", {}, make("th", { scope: "row" }, spoken(network.names[i])),
    make("td", {}, percent(probabilities[i]), bar(probabilities[i])),
    ...(calibrated ? [make("td", {}, percent(calibrated[i]), bar(calibrated[i]))] : []))));
  const list = best.slice(0, 3).map((i) => `${spoken(network.names[i])} ${percent((calibrated || probabilities)[i])}`);
  say(`${state.sentence} The network says: ${list.join(", ")}.`, 300);
  way.querySelectorAll("canvas[data-map]").forEach((map) => paintMap(map, state.tensors[map.dataset.layer], Number(map.dataset.map)));
  explain();
}

let waiting = false;
/** Run before the next frame, once, however often the picture has changed. */
function runSoon() {
  if (waiting || !state.tensors) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    run();
  });
}

function paintAt(row, column, pressed) {
  state.brush = [row, column];
  const radius = width.value / 2;
  cursor.style.cssText = box(row + 0.5 - radius, column + 0.5 - radius, 2 * radius, 2 * radius);
  if (!pressed || !state.pixels) return;
  const colour = [1, 3, 5].map((i) => parseInt(BRUSHES[brush.value].slice(i, i + 2), 16));
  for (let i = 0; i < SIZE * SIZE; i++) {
    const distance = Math.hypot(Math.floor(i / SIZE) - row, (i % SIZE) - column);
    if (distance < radius) state.pixels.set(colour, 3 * i);
  }
  state.sentence = "The picture was painted on.";
  runSoon();
}
const box = (top, left, high, wide) => Object.entries({ top, left, height: high, width: wide }).map(([name, n]) => `${name}:${(100 * n) / SIZE}%`).join(";");

/** List the feature maps of each convolution and pooling, the largest mean first. */
function listMaps() {
  const chosen = state.focus && `${state.focus.index} ${state.focus.map}`;
  const counts = { conv: 0, pool: 0 };
  way.replaceChildren(...state.network.layers.flatMap((layer, i) => {
    if (!["conv", "pool"].includes(layer.kind) || layer.shape.length < 3) return [];
    const [rows, columns, count] = layer.shape;
    const means = new Float32Array(count);
    state.tensors[i + 1].data.forEach((value, j) => (means[j % count] += value / (rows * columns)));
    const order = Array.from(means.keys()).sort((a, b) => means[b] - means[a]);
    const option = (map) => {
      const picture = make("canvas", { width: columns, height: rows, "data-layer": i + 1, "data-map": map });
      paintMap(picture, state.tensors[i + 1], map);
      const input = make("input", { type: "radio", name: "map", value: `${i} ${map}`, "aria-label": `map ${map}, mean ${number(means[map])}`,
        onchange: () => look(i, map) });
      return make("label", { class: "map" }, input, picture, make("span", {}, String(map)));
    };
    const maps = make("div", { class: "maps" }, ...order.slice(0, FIRST).map(option));
    const more = make("button", { type: "button", onclick: () => {
      more.remove();
      maps.append(...order.slice(FIRST).map(option));
      maps.querySelectorAll("input")[FIRST].focus();
    } }, `Show all ${count} maps`);
    const what = `${layer.kind === "conv" ? "Convolution" : "Pooling"} ${++counts[layer.kind]}`;
    return [make("fieldset", {}, make("legend", {}, `${what}: ${count} maps of ${rows} × ${columns}`), maps, ...(count > FIRST ? [more] : []))];
  }));
  const again = way.querySelector(`input[value="${chosen}"]`) ?? way.querySelector("input");
  again.checked = true;
  look(...again.value.split(" ").map(Number));
}

/** Look at one map in large, below its layer. */
function look(index, map) {
  const [rows, columns] = state.network.layers[index].shape;
  const old = state.focus?.index === index ? state.focus : { row: rows >> 1, column: columns >> 1 };
  state.focus = { index, map, row: old.row, column: old.column };
  const large = make("canvas", { width: columns, height: rows, role: "application", "data-layer": index + 1, "data-map": map,
    "aria-label": `Map ${map} of ${state.network.layers[index].name}. The arrow keys choose a position.` });
  paintMap(large, state.tensors[index + 1], map);
  choosePosition(large, () => [rows, columns], (row, column) => {
    Object.assign(state.focus, { row, column });
    explain();
  })(old.row, old.column);
  const spot = make("div", { class: "cursor", "aria-hidden": "true" });
  detail.replaceChildren(make("div", { class: "frame" }, large, spot), make("div", { class: "sum", role: "status" }));
  way.querySelector(`input[value="${index} ${map}"]`).closest("fieldset").append(detail);
  explain();
}

/** Show the window, the filter and the sum behind one number of the map. */
function explain() {
  if (!state.focus) return;
  const { index, map, row, column } = state.focus;
  const layer = state.network.layers[index];
  const [rows, columns, count] = layer.shape;
  const { data, shape } = state.tensors[index];
  const channels = shape[2];
  const result = state.tensors[index + 1].data[(row * columns + column) * count + map];
  const covered = windowAt(layer, row, column, shape);
  const cut = (value) => Array.from({ length: layer.kernel[0] }, (_, i) => Array.from({ length: layer.kernel[1] }, (_, j) => value(i * layer.kernel[1] + j)));
  const inside = new Map(covered.map(([y, x, k]) => [k, y * shape[1] + x]));
  const input = (c) => cut((k) => (inside.has(k) ? data[inside.get(k) * channels + c] : 0));
  const name = (c) => (channels === 3 ? ["red", "green", "blue"][c] : `input map ${c}`);
  const place = `Map ${map}, row ${row + 1}, column ${column + 1}`;
  const parts = [];
  if (layer.kind === "pool") {
    parts.push(make("p", {}, `${place}: the ${layer.take === "max" ? "largest" : "mean"} of this window is ${number(result)}.`), make("div", { class: "stages" }, grid("Window", input(map))));
  } else {
    const [weights, bias] = layer.arrays;
    const weight = (c, k) => weights[(k * channels + c) * count + map];
    const sums = Array.from({ length: channels }, (_, c) => covered.reduce((sum, [y, x, k]) => sum + data[(y * shape[1] + x) * channels + c] * weight(c, k), 0));
    const order = Array.from(sums.keys()).sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a])).slice(0, 3);
    const rest = sums.reduce((a, b) => a + b) - order.reduce((sum, c) => sum + sums[c], 0);
    const total = sums.reduce((a, b) => a + b) + (bias?.[map] ?? 0);
    const terms = [...order.map((c) => term(sums[c])), ...(channels > 3 ? [`${term(rest)} (the other ${channels - 3} input maps)`] : []), ...(bias ? [`${term(bias[map])} (bias)`] : [])];
    parts.push(make("p", {}, `${place}: ${terms.join(" + ")} = ${number(total)}${layer.activation === "relu" ? `, after ReLU ${number(result)}` : ""}.`),
      ...order.map((c) => make("div", { class: "stages" }, grid(`Window in ${name(c)}`, input(c)), grid("Filter", cut((k) => weight(c, k))), make("span", {}, `sum of the products: ${number(sums[c])}`))));
  }
  detail.querySelector(".sum").replaceChildren(...parts);
  detail.querySelector(".cursor").style.cssText = [["top", row, rows], ["left", column, columns], ["height", 1, rows], ["width", 1, columns]].map(([side, n, all]) => `${side}:${(100 * n) / all}%`).join(";");
  // What part of the picture reaches this number: back through the layers, window by window.
  let area = [row, row, column, column];
  for (let i = index; i >= 0; i--) {
    const { stride, padding, kernel } = state.network.layers[i];
    if (kernel) area = area.map((n, j) => n * stride[j >> 1] - padding[j >> 1] + (j % 2 ? kernel[j >> 1] - 1 : 0));
  }
  area = area.map((n) => Math.max(0, Math.min(SIZE - 1, n)));
  field.style.cssText = box(area[0], area[2], area[1] - area[0] + 1, area[3] - area[2] + 1);
}

async function takeFile(file) {
  if (!file) return;
  try {
    const { pixels, sentence } = await readFile(file);
    clearChoice();
    await choose(pixels, sentence);
  } catch (error) {
    say(error.message);
  }
}
const clearChoice = () => document.querySelectorAll("input[name=sample]:checked").forEach((input) => (input.checked = false));

/** Make the choice among pictures of one kind; pictures are pairs of a name and what gives the pixels. */
function gallery(title, pictures) {
  return make("fieldset", {}, make("legend", {}, title), make("div", { class: "maps samples" }, ...pictures.map(({ name, pixels, sentence }) => {
    const small = make("canvas", { width: SIZE, height: SIZE });
    paintPicture(small, pixels);
    return make("label", { class: "map" }, make("input", { type: "radio", name: "sample", "aria-label": name, onchange: () => choose(pixels, sentence) }), small);
  })));
}

async function start(place) {
  style();
  const drawn = Object.keys(DRAWINGS).map((name) => ({ name: `drawing: ${name}`, pixels: shrink(draw(name), 256, 256), sentence: `A drawing: ${name}.` }));
  const galleries = make("div", {}, gallery("Drawings", drawn));
  const file = make("input", { type: "file", accept: "image/*", onchange: () => takeFile(file.files[0]).then(() => (file.value = "")) });
  const button = (text, onclick) => make("button", { type: "button", onclick }, text);
  const blank = button("Blank picture to draw on", () => { clearChoice(); brush.value = "black"; width.value = 2; choose(new Float32Array(SIZE * SIZE * 3).fill(255), "A blank picture."); });
  const restore = button("Restore the picture", () => state.original && choose(state.original, "The picture as it was."));
  const heads = make("tr", {}, make("th", { scope: "col" }, "class"), make("th", { scope: "col" }, "probability"));
  place.replaceChildren(galleries,
    make("div", { class: "choices" }, make("label", {}, "Your own picture or photograph ", file), blank),
    make("p", {}, "You can also drop a picture on this page, or paste one."), said,
    make("div", { class: "stages" },
      make("div", { class: "chosen" }, make("div", { class: "frame" }, canvas, field, cursor),
        make("div", { class: "choices" }, make("label", {}, "Brush ", brush), make("label", {}, "Width ", width), restore)),
      make("div", { class: "beside" },
        make("table", { class: "answers" }, make("caption", {}, "The five most probable classes"), make("thead", {}, heads), answers),
        make("p", {}, "The network must give one of its 100 names, even if none fits, and these 32 × 32 pixels are all it sees."),
        make("details", {}, make("summary", {}, "The 100 names"), names))),
    make("h3", {}, "The way through the network"),
    make("p", {}, "The feature maps of each layer, the largest mean first. Choose a map, then a position on it: the frame in the picture shows what this number depends on."), way);
  place.classList.add("touch");
  choosePosition(canvas, () => [SIZE, SIZE], paintAt, { drag: true })(...state.brush);
  width.onchange = () => paintAt(...state.brush, false);
  width.onchange();
  addEventListener("paste", (event) => takeFile(event.clipboardData?.files[0]));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); takeFile(event.dataTransfer.files[0]); });
  try {
    state.network = await load(FOLDER);
  } catch (error) {
    say(error.message);
    return;
  }
  const { samples, temperature, measured } = state.network;
  names.textContent = state.network.names.map(spoken).join(", ");
  if (temperature) heads.append(make("th", { scope: "col" }, "calibrated"));
  if (samples.length) galleries.append(gallery("Test images", await testImages(samples)));
  if (measured) place.append(make("p", {}, `One forward pass takes ${measured.browser_ms} ms in the browser and ${measured.keras_ms} ms in Keras, a ratio of ${measured.ratio}; while you paint, ${measured.frames_per_second} pictures are computed per second (${measured.browser} on an ${measured.machine.processor} with ${measured.machine.cores} cores).`));
  if (!state.original) (place.querySelector("[aria-label='drawing: tree']") ?? place.querySelector("input[name=sample]")).click(); // the page opens with a picture
}

/** The first test images: the network has not seen them in training, and it gets many of them wrong. */
async function testImages(labels) {
  const bytes = new Uint8Array(await (await fetch(new URL("samples.bin", FOLDER))).arrayBuffer());
  return labels.map((label, i) => {
    const name = spoken(state.network.names[label]);
    const pixels = Float32Array.from(bytes.subarray(i * 3072, (i + 1) * 3072));
    return { name: `test image ${i}: ${name}`, pixels, sentence: `Test image ${i}, labelled ${name}.` };
  });
}

start(document.querySelector("#play"));
