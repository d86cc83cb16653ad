// Pictures drawn by code, so that something is there to choose even without the data set.
// Each is a list of shapes on a square of 100 x 100, painted from back to front.

const disc = (x, y, radius, fill) => ({ path: (c) => c.arc(x, y, radius, 0, 7), fill });
const oval = (x, y, wide, high, fill) => ({ path: (c) => c.ellipse(x, y, wide, high, 0, 0, 7), fill });
const box = (x, y, wide, high, fill) => ({ path: (c) => c.rect(x, y, wide, high), fill });
const shape = (points, fill) => ({ path: (c) => points.forEach(([x, y]) => c.lineTo(x, y)), fill });
/** Colours from top to bottom, or from a light spot outwards. */
const down =
  (...colours) =>
  (c) =>
    stops(c.createLinearGradient(0, 0, 0, 100), colours);
const round =
  (x, y, radius, ...colours) =>
  (c) =>
    stops(c.createRadialGradient(x - radius / 3, y - radius / 3, 1, x, y, radius), colours);
const stops = (gradient, colours) => {
  colours.forEach((colour, i) => gradient.addColorStop(i / (colours.length - 1), colour));
  return gradient;
};
const ring = (count, draw) => Array.from({ length: count }, (_, i) => draw((i * 2 * Math.PI) / count)).flat();
const all = (fill) => box(0, 0, 100, 100, fill);

export const DRAWINGS = {
  apple: [
    all("#fff"),
    disc(38, 56, 28, round(38, 56, 30, "#ff8a70", "#d01818", "#8a0808")),
    disc(60, 56, 29, round(58, 54, 32, "#ff7a60", "#d01818", "#8a0808")),
    shape([[48, 34], [54, 12], [58, 13], [53, 35]], "#5a3a1a"),
    oval(68, 20, 13, 6, "#4a9a30"),
  ],
  orange: [
    all("#fff"),
    disc(50, 52, 38, round(50, 52, 42, "#ffc060", "#f58a10", "#c86000")),
    disc(52, 22, 3, "#5a6a20"),
  ],
  bottle: [
    all("#f4f4f0"),
    box(43, 6, 14, 14, "#303030"),
    shape([[43, 20], [57, 20], [58, 34], [68, 46], [68, 96], [32, 96], [32, 46], [42, 34]], "#1f6a38"),
    box(38, 46, 5, 46, "#5fae78"),
    box(32, 58, 36, 22, "#efe6c8"),
  ],
  clock: [
    all("#d8d2c4"),
    disc(50, 50, 42, "#5a3a20"),
    disc(50, 50, 36, "#fafaf5"),
    ...ring(12, (a) => disc(50 + 30 * Math.cos(a), 50 + 30 * Math.sin(a), 2.5, "#222")),
    shape([[48, 52], [50, 24], [52, 52]], "#111"),
    shape([[50, 48], [70, 60], [49, 52]], "#111"),
  ],
  cloud: [
    all(down("#2f74c8", "#7db4ea")),
    oval(52, 60, 40, 16, "#e8eef5"),
    disc(34, 50, 17, "#f6f9fc"),
    disc(54, 42, 22, "#fff"),
    disc(72, 54, 14, "#f2f6fa"),
  ],
  house: [
    all(down("#8fc4f0", "#d8ecfa")),
    box(0, 76, 100, 24, "#5c9a44"),
    box(22, 44, 56, 40, "#e9dcc0"),
    shape([[14, 46], [50, 16], [86, 46]], "#9a3a2a"),
    box(44, 62, 13, 22, "#5a3a20"),
    box(28, 54, 11, 11, "#35506a"),
    box(62, 54, 11, 11, "#35506a"),
  ],
  mountain: [
    all(down("#5a9ae0", "#cfe4f6")),
    shape([[-5, 92], [38, 22], [82, 92]], "#6a7484"),
    shape([[40, 92], [74, 40], [110, 92]], "#56606e"),
    shape([[38, 22], [27, 41], [36, 38], [42, 44], [50, 41]], "#fff"),
    box(0, 86, 100, 14, "#4a6a48"),
  ],
  road: [
    all(down("#88bbe8", "#d6e6f2")),
    box(0, 45, 100, 55, "#7a9a52"),
    shape([[46, 45], [54, 45], [92, 100], [8, 100]], "#5e5e62"),
    shape([[49.4, 48], [50.6, 48], [51.5, 60], [48.5, 60]], "#f4f4e8"),
    shape([[48, 68], [52, 68], [53.5, 88], [46.5, 88]], "#f4f4e8"),
  ],
  rocket: [
    all(down("#16264a", "#5a86c0")),
    shape([[50, 6], [60, 28], [60, 72], [40, 72], [40, 28]], "#f0f0f0"),
    shape([[40, 54], [30, 78], [40, 74]], "#c02a20"),
    shape([[60, 54], [70, 78], [60, 74]], "#c02a20"),
    disc(50, 36, 5, "#2a4a7a"),
    shape([[42, 73], [58, 73], [50, 98]], "#ffb020"),
  ],
  sea: [
    all(down("#9cc8ec", "#dcecf6", "#2a6a9a", "#1a4a78", "#123a60")),
    ...Array.from({ length: 9 }, (_, i) => oval((i * 37) % 100, 56 + i * 5, 14, 0.9, "#8ab8d8")),
  ],
  sunflower: [
    all(down("#6aa8dc", "#4a8a3a")),
    ...ring(18, (a) => oval(50 + 30 * Math.cos(a), 46 + 30 * Math.sin(a), 9, 9, "#f8c810")),
    ...ring(18, (a) => disc(50 + 22 * Math.cos(a + 0.17), 46 + 22 * Math.sin(a + 0.17), 7, "#eaa808")),
    disc(50, 46, 19, round(50, 46, 20, "#7a4a1a", "#4a2a0c")),
  ],
  tree: [
    all(down("#9cc8ec", "#e0eef8")),
    box(0, 84, 100, 16, "#6a9a48"),
    box(45, 56, 10, 32, "#5a4028"),
    disc(50, 36, 25, "#3a6a2a"),
    disc(32, 46, 16, "#33602a"),
    disc(68, 46, 16, "#2c5624"),
    disc(44, 30, 13, "#4c7e36"),
  ],
};

/** Draw one of them on a canvas of its own. */
export function draw(name, size = 256) {
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = canvas.getContext("2d");
  context.scale(size / 100, size / 100);
  for (const { path, fill } of DRAWINGS[name]) {
    context.beginPath();
    path(context);
    context.fillStyle = typeof fill === "function" ? fill(context) : fill;
    context.fill();
  }
  return canvas;
}
