// How one number of a feature map came about: the window, the filter and the sum behind it.

import { windowAt } from "./network.js";
import { grid, make, number, term } from "./parts.js";
import { SIZE } from "./picture.js";

const SHOWN = 3; // channels whose windows are shown, those that add most to the sum
const COLOURS = ["red", "green", "blue"];
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Return the elements that explain the number which is looked at. */
export function explain({ network, tensors, focus }) {
  const { index, map, row, column } = focus;
  const layer = network.layers[index];
  const [, columns, maps] = layer.shape;
  const result = tensors[index + 1].data[(row * columns + column) * maps + map];
  const place = `Map ${map}, row ${row + 1}, column ${column + 1}`;
  const covered = windowAt(layer, row, column, tensors[index].shape);
  if (layer.kind === "pool") return explainPooling(layer, tensors[index], covered, map, place, result);
  return explainConvolution(layer, tensors[index], covered, map, place, result);
}

/** Cut a window's numbers, given by their position in it, into rows. */
function rowsOf(layer, value) {
  const [height, width] = layer.kernel;
  return Array.from({ length: height }, (_, i) =>
    Array.from({ length: width }, (_, j) => value(i * width + j)),
  );
}

/** Return the window's part of one channel; outside the picture stand zeros. */
function windowIn(layer, { data, shape }, covered, channel) {
  const values = new Map(covered.map(([y, x, k]) => [k, data[(y * shape[1] + x) * shape[2] + channel]]));
  return rowsOf(layer, (k) => values.get(k) ?? 0);
}

function explainPooling(layer, input, covered, map, place, result) {
  const what = layer.take === "max" ? "largest" : "mean";
  return [
    make("p", {}, `${place}: the ${what} of this window is ${number(result)}.`),
    make("div", { class: "stages" }, grid("Window", windowIn(layer, input, covered, map))),
  ];
}

function explainConvolution(layer, input, covered, map, place, result) {
  const { data, shape } = input;
  const channels = shape[2];
  const maps = layer.shape[2];
  const [weights, bias] = layer.arrays;
  const weight = (c, k) => weights[(k * channels + c) * maps + map];
  const product = (c, [y, x, k]) => data[(y * shape[1] + x) * channels + c] * weight(c, k);
  const sums = Array.from({ length: channels }, (_, c) =>
    sum(covered.map((position) => product(c, position))),
  );

  const order = Array.from(sums.keys())
    .sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a]))
    .slice(0, SHOWN);
  const terms = order.map((c) => term(sums[c]));
  if (channels > SHOWN) {
    const rest = sum(sums) - sum(order.map((c) => sums[c]));
    terms.push(`${term(rest)} (the other ${channels - SHOWN} input maps)`);
  }
  if (bias) terms.push(`${term(bias[map])} (bias)`);
  const total = sum(sums) + (bias?.[map] ?? 0);
  const after = layer.activation === "relu" ? `, after ReLU ${number(result)}` : "";

  const name = (c) => (channels === COLOURS.length ? COLOURS[c] : `input map ${c}`);
  const windows = order.map((c) =>
    make(
      "div",
      { class: "stages" },
      grid(`Window in ${name(c)}`, windowIn(layer, input, covered, c)),
      grid(
        "Filter",
        rowsOf(layer, (k) => weight(c, k)),
      ),
      make("span", {}, `sum of the products: ${number(sums[c])}`),
    ),
  );
  return [make("p", {}, `${place}: ${terms.join(" + ")} = ${number(total)}${after}.`), ...windows];
}

/** Return the part of the picture that reaches the number: back through the layers, window by window. */
export function areaOf({ network, focus }) {
  let [top, bottom] = [focus.row, focus.row];
  let [left, right] = [focus.column, focus.column];
  for (let i = focus.index; i >= 0; i--) {
    const { stride, padding, kernel } = network.layers[i];
    if (!kernel) continue;
    top = top * stride[0] - padding[0];
    bottom = bottom * stride[0] - padding[0] + kernel[0] - 1;
    left = left * stride[1] - padding[1];
    right = right * stride[1] - padding[1] + kernel[1] - 1;
  }
  [top, bottom, left, right] = [top, bottom, left, right].map((n) => Math.max(0, Math.min(SIZE - 1, n)));
  return { top, left, height: bottom - top + 1, width: right - left + 1 };
}
