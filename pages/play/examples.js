// Drawn examples for the page "Teach it your own classes": objects whose colour, size, position and
// background vary.

import { shrink } from "./picture.js";
import { seeded } from "./random.js";

const SIDE = 128; // drawn in large, then shrunk like a photograph

const between = (random, low, high) => low + (high - low) * random();
const hue = (degrees, light = 50) => `hsl(${degrees}, 35%, ${light}%)`;

function polygon(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.fill();
}

function oval(context, x, y, wide, high) {
  context.beginPath();
  context.ellipse(x, y, wide, high, 0, 0, 2 * Math.PI);
  context.fill();
}

// Each object stands in a square from -50 to 50; its main colour is set already.
const OBJECTS = {
  tree(context, random) {
    const wide = between(random, 18, 30);
    const high = between(random, 20, 30);
    oval(context, 0, -15, wide, high);
    oval(context, -wide / 2, -5, wide / 1.6, high / 1.6);
    oval(context, wide / 2, -5, wide / 1.6, high / 1.6);
    context.fillStyle = hue(between(random, 15, 40), 28);
    context.fillRect(-5, 5, 10, 42);
  },
  house(context, random) {
    const wide = between(random, 26, 38);
    const high = between(random, 30, 44);
    context.fillRect(-wide, 45 - high, 2 * wide, high);
    context.fillStyle = hue(between(random, 0, 360), 35);
    polygon(context, [
      [-wide - 6, 45 - high],
      [0, between(random, -48, -25)],
      [wide + 6, 45 - high],
    ]);
    context.fillStyle = hue(between(random, 0, 360), 20);
    context.fillRect(between(random, -15, 5), 22, 12, 23);
  },
  fish(context, random) {
    const long = between(random, 25, 36);
    const high = between(random, 12, 22);
    if (random() < 0.5) context.scale(-1, 1); // swims to the left or to the right
    oval(context, -6, 0, long, high);
    polygon(context, [
      [long - 14, 0],
      [48, -high],
      [48, high],
    ]);
    context.fillStyle = "#fff";
    oval(context, -long + 6, -4, 5, 5);
    context.fillStyle = "#111";
    oval(context, -long + 6, -4, 2.5, 2.5);
  },
};

export const NAMES = Object.keys(OBJECTS);

/** Draw one object; with a background given as an angle of colour, the background does not vary. */
export function drawExample(object, random, background = null) {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  const ground = background ?? between(random, 0, 360);
  const sky = context.createLinearGradient(0, 0, 0, SIDE);
  sky.addColorStop(0, hue(ground, background === null ? between(random, 45, 90) : 60));
  sky.addColorStop(1, hue(ground, background === null ? between(random, 45, 90) : 70));
  context.fillStyle = sky;
  context.fillRect(0, 0, SIDE, SIDE);
  const scale = between(random, 0.7, 1.1);
  context.translate(SIDE / 2 + between(random, -12, 12), SIDE / 2 + between(random, -12, 12));
  context.rotate(between(random, -0.2, 0.2));
  context.scale(scale, scale);
  context.fillStyle = hue(between(random, 0, 360), between(random, 30, 60));
  OBJECTS[object](context, random);
  return shrink(canvas, SIDE, SIDE);
}

/** Three classes with ten pictures each, on backgrounds of all colours. */
export function goodExamples(seed = 1) {
  return newExamples("good", 10, seeded(seed));
}

/** The flawed set: two classes with three pictures each, every tree on blue and every house on green. */
export const FLAW = { tree: 215, house: 110 };
export function flawedExamples(seed = 1) {
  const random = seeded(seed);
  return Object.entries(FLAW).map(([name, ground]) => ({
    name,
    pictures: Array.from({ length: 3 }, () => drawExample(name, random, ground)),
  }));
}

/** Draw new examples, as many of each class; the flawed ones on the background of the other class. */
export function newExamples(kind, count, random) {
  const names = kind === "flawed" ? Object.keys(FLAW) : NAMES;
  return names.map((name, i) => {
    const ground = kind === "flawed" ? FLAW[names[(i + 1) % names.length]] : null;
    return { name, pictures: Array.from({ length: count }, () => drawExample(name, random, ground)) };
  });
}
