// Images that need no download: the stand-in of helpers/stand_in.py, drawn in the browser, ten of its
// classes.

const RGB = { blue: [40, 90, 230], green: [40, 190, 70] };
// A name, a pattern, and its frequency. Each comes in both colours, so colour alone cannot tell the classes
// apart.
const PATTERNS = [
  ["checks", "checks", 2],
  ["rays", "rays", 2],
  ["rings", "rings", 1],
  ["wide stripes", "stripes", 1],
  ["narrow stripes", "stripes", 2],
];

export const SIDE = 16; // pixels
export const CLASSES = PATTERNS.flatMap(([name, pattern, frequency]) =>
  Object.keys(RGB).map((colour) => ({
    name: `${colour} ${name}`,
    pattern,
    frequency,
    colour,
  })),
);

// The sign of a wave says where a pattern is bright; (u, v) is the position, shifted and turned.
const WAVES = {
  checks: (f, u, v) => Math.sin(f * u) * Math.sin(f * v),
  rays: (f, u, v) => Math.sin((1 + f / Math.PI) * Math.atan2(v, u)),
  rings: (f, u, v) => Math.sin(2 * f * Math.hypot(u, v)),
  stripes: (f, u) => Math.sin(2 * f * u),
};

/** Draw one image: side x side x 3 numbers from 0 to 255. Its shift, turn, light and noise are random. */
export function drawPattern({ pattern, frequency, colour }, side, random) {
  const [shiftX, shiftY, turn] = [0, 1, 2].map(() => random() * 0.6 - 0.3);
  const light = 0.7 + 0.3 * random();
  const pixels = new Float32Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = (2 * column) / (side - 1) - 1 - shiftX;
      const y = (2 * row) / (side - 1) - 1 - shiftY;
      const u = x * Math.cos(turn) + y * Math.sin(turn);
      const v = y * Math.cos(turn) - x * Math.sin(turn);
      const bright = WAVES[pattern](Math.PI * frequency, u, v) > 0;
      RGB[colour].forEach((full, channel) => {
        const value = (bright ? light * full : 0) + 60 * random();
        pixels[(row * side + column) * 3 + channel] = Math.min(value, 255);
      });
    }
  }
  return pixels;
}
