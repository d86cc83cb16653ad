// Teaching: the same pictures for two networks, the lecture's with a new last layer, and a small one from
// scratch.

import { forward, gradients, update } from "./backward.js";
import { seeded, shuffled } from "./random.js";
import { head, smallNetwork } from "./small.js";
import { MOMENTUM, evaluate } from "./training.js";

// What was chosen for each network by trying a few values on the drawn examples.
export const EPOCHS = { transfer: 40, scratch: 40 };
const RATES = { transfer: 0.03, scratch: 0.01 };
const FILTERS = 8;
const LENGTH = 3; // to which features are scaled on average
const BATCH = 8;

/** Cut the lecture's network before its last layer: what is left turns a picture into features. */
export function featureExtractor({ input, layers }) {
  return {
    input,
    layers: layers.slice(
      0,
      layers.findLastIndex((layer) => layer.kind === "dense"),
    ),
  };
}
export const featuresOf = (extractor, pixels) => forward(extractor, pixels).at(-1).data;

/** Every fourth picture of a class is held out: the networks do not train on it. */
export const isHeldOut = (position) => position % 4 === 3;

/** Split the inputs of each class into those to train on and those to hold out, with their labels. */
function split(classes) {
  const sets = { training: { pictures: [], labels: [] }, heldOut: { pictures: [], labels: [] } };
  classes.forEach((inputs, label) =>
    inputs.forEach((input, position) => {
      const set = isHeldOut(position) ? sets.heldOut : sets.training;
      set.pictures.push(input);
      set.labels.push(label);
    }),
  );
  return sets;
}

/** Prepare a new softmax layer for the features of the pictures, a list for each class. */
export function beginTransfer(classes, seed = 1) {
  const random = seeded(seed);
  // How large features are is an accident of the lecture's training: scale them, so that one rate suits all.
  const lengths = classes.flat().map((x) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0)));
  const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
  const factor = LENGTH / (mean || 1);
  const network = head(
    { features: classes.flat()[0].length, classes: classes.length, scale: factor },
    random,
  );
  return { kind: "transfer", network, random, epoch: 0, ...split(classes) };
}

/** Prepare a small network that knows nothing yet, for the pictures themselves. */
export function beginScratch(classes, input, seed = 1) {
  const random = seeded(seed);
  const network = smallNetwork({ input, filters: FILTERS, classes: classes.length }, random);
  return { kind: "scratch", network, random, epoch: 0, ...split(classes) };
}

/** Train for one epoch; return the mean loss of its batches. */
export function trainEpoch(student) {
  const { pictures, labels } = student.training;
  const order = shuffled(pictures.length, student.random);
  let loss = 0;
  while (order.length > 0) {
    const batch = order.splice(0, BATCH);
    const inputs = batch.map((i) => pictures[i]);
    const targets = batch.map((i) => labels[i]);
    loss += (batch.length / pictures.length) * gradients(student.network, inputs, targets, student.random);
    update(student.network, RATES[student.kind], MOMENTUM);
  }
  student.epoch++;
  return loss;
}

/** Measure on the pictures that were held out: how many there are, and how many are right. */
export function check(student) {
  const { pictures, labels } = student.heldOut;
  if (labels.length === 0) return { count: 0, right: 0 };
  return {
    count: pictures.length,
    right: Math.round(evaluate(student.network, student.heldOut).accuracy * pictures.length),
  };
}
