// A picture to paint on: the 32 x 32 pixels that the network sees, a brush, and its choices.

import { choosePosition, make, paintPicture } from "./parts.js";
import { SIZE } from "./picture.js";

const BRUSHES = {
  "grey, to cover a part": "#808080",
  black: "#000000",
  white: "#ffffff",
  red: "#d02020",
  orange: "#f08a10",
  yellow: "#f8d010",
  green: "#308030",
  blue: "#3070d0",
  brown: "#704020",
};
const WIDTHS = [2, 4, 8, 12];

/** Place an element of the frame over some of its pixels. */
export function placeOver(element, { top, left, height, width }, size = SIZE) {
  const percentages = Object.entries({ top, left, height, width }).map(
    ([side, n]) => `${side}:${(100 * n) / size}%`,
  );
  element.style.cssText = percentages.join(";");
}

/** Make a pad; `painted` is called when a stroke has changed its pixels. */
export function makePad({ colour, width, painted }) {
  const canvas = make("canvas", {
    width: SIZE,
    height: SIZE,
    class: "picture",
    role: "application",
    "aria-label": "The picture, 32 by 32 pixels. The arrow keys move the brush, the space bar paints.",
  });
  const cursor = make("div", { class: "cursor", "aria-hidden": "true" });
  const brush = make("select", {}, ...Object.keys(BRUSHES).map((name) => make("option", {}, name)));
  const widths = make(
    "select",
    { onchange: () => paintAt(...at, false) },
    ...WIDTHS.map((n) => make("option", { value: n }, `${n} pixels`)),
  );
  let at = [SIZE / 2, SIZE / 2];

  const pad = {
    pixels: null,
    frame: make("div", { class: "frame" }, canvas, cursor),
    tools: [make("label", {}, "Brush ", brush), make("label", {}, "Width ", widths)],
    show(pixels) {
      pad.pixels = pixels.slice();
      paintPicture(canvas, pad.pixels);
    },
    choose(name, n) {
      brush.value = name;
      widths.value = n;
      paintAt(...at, false);
    },
  };

  function paintAt(row, column, pressed) {
    at = [row, column];
    const radius = widths.value / 2;
    placeOver(cursor, {
      top: row + 0.5 - radius,
      left: column + 0.5 - radius,
      height: 2 * radius,
      width: 2 * radius,
    });
    if (!pressed || !pad.pixels) return;
    const rgb = [1, 3, 5].map((i) => parseInt(BRUSHES[brush.value].slice(i, i + 2), 16));
    for (let i = 0; i < SIZE * SIZE; i++) {
      const distance = Math.hypot(Math.floor(i / SIZE) - row, (i % SIZE) - column);
      if (distance < radius) pad.pixels.set(rgb, 3 * i);
    }
    paintPicture(canvas, pad.pixels);
    painted();
  }

  choosePosition(canvas, () => [SIZE, SIZE], paintAt, { drag: true })(...at);
  pad.choose(colour, width);
  return pad;
}

/** Return the pixels of an empty picture. */
export const blank = () => new Float32Array(SIZE * SIZE * 3).fill(255);
