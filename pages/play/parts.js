// What the page `play` and the convolution to touch are put together from: elements, pictures, grids, and
// moves.

/** Make an element with attributes, properties that begin with "on", and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element[name] = value;
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Make a row of things to choose or press. */
export const row = (...children) => make("div", { class: "choices" }, ...children);

/** Load the style sheet once, from beside this file, wherever the site is. */
export function style() {
  const href = new URL("play.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`))
    document.head.append(make("link", { rel: "stylesheet", href }));
}

/** Say with what a recorded measurement was made, and when. */
export const madeWith = ({ browser, machine, finished, commit }) =>
  `${browser} on an ${machine.processor} with ${machine.cores} cores, ${finished}, commit ${commit.slice(0, 7)}`;

export const percent = (share) => `${(100 * share).toFixed(0)}%`;
export const spoken = (name) => name.replaceAll("_", " ");
/** Write a number with at most two decimals, and as a term of a sum or product. */
export const number = (value) => String(Number(value.toFixed(2)) || 0).replace("-", "−");
export const term = (value) => (number(value).startsWith("−") ? `(${number(value)})` : number(value));

/** Paint RGB pixels from 0 to 255 on a canvas of their size. */
export function paintPicture(canvas, pixels) {
  paint(canvas, (i, colour) => pixels[3 * i + colour]);
}

/**
 * Paint a filter of the first convolution in colour: grey for 0, and as bright or dark as its largest
 * weight.
 */
export function paintFilter(canvas, weights, filters, filter) {
  const own = weights.filter((_, i) => i % filters === filter); // position by position, red, green and blue
  const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 1e-9);
  paint(canvas, (i, colour) => 127.5 * (1 + own[3 * i + colour] / largest));
}

/** Paint one feature map in greys, from its smallest number in black to its largest in white. */
export function paintMap(canvas, { data, shape }, channel) {
  const { low, range } = extent(data, channel, shape[2]);
  paint(canvas, (i) => (255 * (data[i * shape[2] + channel] - low)) / range);
}

/** Return the smallest number of a channel, and how far the largest is from it (1 if all are equal). */
function extent(data, channel, channels) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = channel; i < data.length; i += channels) {
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  return { low, range: high - low || 1 };
}

function paint(canvas, value) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    for (let colour = 0; colour < 3; colour++) image.data[4 * i + colour] = value(i, colour);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * Make a table of rows of numbers on greys; three functions of row and column say which cells are
 * special.
 */
export function grid(
  caption,
  values,
  { marked = () => false, padded = () => false, hidden = () => false } = {},
) {
  const low = Math.min(...values.flat(), 0);
  const high = Math.max(...values.flat(), low + 1e-9);
  const cell = (value, row, column) => {
    if (hidden(row, column)) return make("td");
    const grey = Math.round((255 * (value - low)) / (high - low));
    const classes = [marked(row, column) && "marked", padded(row, column) && "padded"]
      .filter(Boolean)
      .join(" ");
    const style = `background:rgb(${grey},${grey},${grey});color:${grey < 118 ? "#fff" : "#000"}`;
    return make("td", { class: classes, style }, number(value));
  };
  const rows = values.map((row, i) => make("tr", {}, ...row.map((value, j) => cell(value, i, j))));
  return make("table", { class: "numbers" }, make("caption", {}, caption), make("tbody", {}, ...rows));
}

const STEPS = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  " ": [0, 0],
  Enter: [0, 0],
};

/**
 * Let a position on an element be chosen by mouse, finger and arrow keys.
 *
 * size() gives rows and columns; act(row, column, pressed) is called with what was chosen. With drag,
 * every position under a pressed pointer counts, and the space bar presses where the keys have led.
 */
export function choosePosition(element, size, act, { drag = false, area = () => element } = {}) {
  let at = [0, 0];
  const go = (row, column, pressed) => {
    const [rows, columns] = size();
    at = [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(columns - 1, column))];
    act(...at, pressed);
  };
  const point = (event) => {
    const [rows, columns] = size();
    const place = area().getBoundingClientRect();
    const row = Math.floor(((event.clientY - place.top) / place.height) * rows);
    const column = Math.floor(((event.clientX - place.left) / place.width) * columns);
    go(row, column, true);
  };
  element.tabIndex = 0;
  element.style.touchAction = drag ? "none" : "manipulation";
  element.addEventListener("pointerdown", (event) => {
    if (drag) element.setPointerCapture(event.pointerId);
    point(event);
  });
  if (drag) element.addEventListener("pointermove", (event) => event.buttons && point(event));
  element.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // in the slides, these keys would turn the page
    go(at[0] + step[0], at[1] + step[1], step[0] === step[1]);
  });
  return (row, column) => (at = [row, column]);
}
