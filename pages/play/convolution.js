// A convolution to touch: a small picture, nine numbers, and what comes out of them, step by step or at once.
// It attaches itself to every element of the class "convolution-to-touch".

import { forward, windowAt } from "./network.js";
import { choosePosition, grid, make, number, style, term } from "./parts.js";

const rows = (text) =>
  text
    .trim()
    .split(/\s+/)
    .map((row) => Array.from(row, (digit) => Number(digit) / 2));
const PICTURES = {
  "an edge": rows("000222 000222 000222 000222 000222 000222"),
  "a square": rows("00000000 00000000 00222200 00222200 00222200 00222200 00000000 00000000"),
  "a diagonal": rows("20000000 12000000 01200000 00120000 00012000 00001200 00000120 00000012"),
  "a ring": rows("00000000 00222200 02100120 02000020 02000020 02100120 00222200 00000000"),
};
const FILTERS = {
  "vertical edges": [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  "horizontal edges": [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  blur: Array(9).fill(0.11),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  "no change": [0, 0, 0, 0, 1, 0, 0, 0, 0],
};
const OWN = "your own";

/** Describe a layer of one window and one channel, as network.json describes those of the network. */
function layer(kind, size, stride, same, [height, width], rest) {
  const along = (n) => (same ? Math.ceil(n / stride) : Math.floor((n - size) / stride) + 1);
  const shape = [along(height), along(width), 1];
  const padding = [height, width].map((n, i) =>
    same ? Math.max((shape[i] - 1) * stride + size - n, 0) >> 1 : 0,
  );
  return {
    kind,
    shape,
    padding,
    kernel: [size, size],
    stride: [stride, stride],
    activation: "linear",
    ...rest,
  };
}

/** Cut a tensor of one channel into rows of numbers. */
const table = ({ data, shape }) =>
  Array.from({ length: shape[0] }, (_, i) => Array.from(data.subarray(i * shape[1], (i + 1) * shape[1])));

export function attach(place) {
  style();
  const picture = select("Picture", Object.keys(PICTURES), restart);
  const filter = select("Filter", [...Object.keys(FILTERS), OWN], () => {
    FILTERS[filter.value]?.forEach((weight, i) => (weights[i].value = weight));
    update();
  });
  const padding = select("Padding", ["valid", "same"], restart);
  const stride = select("Stride", ["1", "2"], restart);
  const pooling = select("Pooling", ["none", "largest of 2 × 2"], update);
  const relu = make("input", { type: "checkbox", onchange: update });
  const weights = FILTERS["vertical edges"].map((weight, i) =>
    make("input", {
      type: "number",
      step: "any",
      value: weight,
      "aria-label": `weight in row ${1 + Math.floor(i / 3)}, column ${1 + (i % 3)}`,
      oninput: () => {
        filter.value = OWN;
        update();
      },
    }),
  );
  const button = (text, onclick) => make("button", { type: "button", onclick }, text);
  const said = make("p", { role: "status", class: "said" });
  const before = make("div", {
    role: "application",
    "aria-label": "Picture. The arrow keys move the window.",
  });
  const after = make("div", { role: "application", "aria-label": "Output. The arrow keys move the window." });
  const last = make("div");
  let at = 0;
  let shown = Infinity;
  let layers;
  let tensors;

  function restart() {
    at = 0;
    shown = Infinity;
    update();
  }

  function update() {
    const values = PICTURES[picture.value];
    const size = [values.length, values[0].length];
    const convolution = layer("conv", 3, Number(stride.value), padding.value === "same", size, {
      arrays: [Float32Array.from(weights, (input) => Number(input.value) || 0)],
    });
    layers = [
      convolution,
      { kind: "same", activation: relu.checked ? "relu" : "linear", shape: convolution.shape },
    ];
    if (pooling.value !== "none") layers.push(layer("pool", 2, 2, false, convolution.shape, { take: "max" }));
    tensors = forward({ input: [...size, 1], layers }, Float32Array.from(values.flat()));
    draw();
  }

  function draw() {
    const [, output] = tensors,
      [convolution] = layers;
    const [top, left] = convolution.padding,
      [height, width] = tensors[0].shape,
      columns = output.shape[1];
    const row = Math.floor(at / columns);
    const column = at % columns;
    // The picture, with the zeros around it that padding adds.
    const [high, wide] = [0, 1].map((i) =>
      Math.max(
        (output.shape[i] - 1) * convolution.stride[i] + 3,
        tensors[0].shape[i] + convolution.padding[i],
      ),
    );
    const outside = (i, j) => i < top || j < left || i >= top + height || j >= left + width;
    const padded = Array.from({ length: high }, (_, i) =>
      Array.from({ length: wide }, (_, j) =>
        outside(i, j) ? 0 : tensors[0].data[(i - top) * width + j - left],
      ),
    );
    const [y, x] = [row * convolution.stride[0], column * convolution.stride[1]];
    before.replaceChildren(
      grid("Picture", padded, {
        padded: outside,
        marked: (i, j) => i >= y && i < y + 3 && j >= x && j < x + 3,
      }),
    );
    const later = (i, j) => i * columns + j > Math.max(shown, at);
    const here = (i, j) => i === row && j === column;
    after.replaceChildren(grid("Output", table(output), { hidden: later, marked: here }));
    const pool = layers[2];
    const names = [relu.checked && "ReLU", pool && "pooling"].filter(Boolean);
    const wait = pool
      ? (i, j) => windowAt(pool, i, j, convolution.shape).some(([y, x]) => later(y, x))
      : later;
    const now = pool ? (i, j) => windowAt(pool, i, j, convolution.shape).some(([y, x]) => here(y, x)) : here;
    last.replaceChildren(
      ...(names.length
        ? [grid(`After ${names.join(" and ")}`, table(tensors.at(-1)), { hidden: wait, marked: now })]
        : []),
    );
    const products = Array.from(convolution.arrays[0], (weight, i) => {
      const value = padded[y + Math.floor(i / 3)][x + (i % 3)];
      return `${number(value)} × ${term(weight)}`;
    });
    const result = number(output.data[at]);
    said.textContent = `Row ${row + 1}, column ${column + 1}: ${products.join(" + ")} = ${result}`;
  }

  const move = (row, column) => {
    at = row * layers[0].shape[1] + column;
    setAfter(row, column);
    setBefore(row, column);
    draw();
  };
  const step = (by) => {
    const count = layers[0].shape[0] * layers[0].shape[1];
    if (shown === Infinity) [at, shown] = by > 0 ? [-1, 0] : [at, at]; // the first step clears the output
    at = (at + by + count) % count;
    shown = at;
    draw();
  };
  const positions = () => layers[0].shape;
  const setAfter = choosePosition(after, positions, move, { area: () => after.querySelector("tbody") });
  const setBefore = choosePosition(before, positions, move, { area: () => before.querySelector("tbody") });

  place.replaceChildren(
    make(
      "div",
      { class: "choices" },
      picture.parentNode,
      filter.parentNode,
      padding.parentNode,
      stride.parentNode,
      make("label", {}, relu, " ReLU"),
      pooling.parentNode,
    ),
    make(
      "div",
      { class: "stages" },
      before,
      make("fieldset", { class: "weights" }, make("legend", {}, "Filter"), ...weights),
      after,
      last,
    ),
    make(
      "div",
      { class: "choices" },
      button("One step back", () => step(-1)),
      button("One step", () => step(1)),
      button("All at once", restart),
    ),
    said,
  );
  place.classList.add("touch");
  restart();

  function select(name, options, onchange) {
    const element = make("select", { onchange }, ...options.map((option) => make("option", {}, option)));
    make("label", {}, `${name} `, element);
    return element;
  }
}

document.querySelectorAll(".convolution-to-touch").forEach(attach);
