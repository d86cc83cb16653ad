// One training run of a small network: the pictures, the weights, and what is measured on the way.

import { crossEntropy, forward, gradients, update } from "./backward.js";
import { CLASSES, SIDE, drawPattern } from "./patterns.js";
import { seeded, shuffled } from "./random.js";
import { smallNetwork } from "./small.js";

export const MOMENTUM = 0.9;
export const STEPS = 400; // the length of a run
export const EVERY = 20; // steps between two measurements
export const VALIDATION = 100; // pictures

// What can be set, its choices, and the one to begin with.
export const SETTINGS = {
  rate: { label: "Learning rate", choices: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], first: 0.01 },
  batch: { label: "Batch size", choices: [4, 8, 16, 32, 64], first: 16 },
  filters: { label: "Filters", choices: [2, 4, 8, 16, 32], first: 8 },
  images: { label: "Training images", choices: [20, 50, 100, 200, 500, 1000], first: 100 },
  dropout: { label: "Dropout", choices: [0, 0.25, 0.5, 0.75], first: 0 },
  seed: { label: "Seed", choices: [1, 2, 3, 4, 5], first: 1 },
};

/** Return the settings to begin with, some of them changed. */
export function settings(changed = {}) {
  const first = Object.entries(SETTINGS).map(([name, setting]) => [name, setting.first]);
  return { ...Object.fromEntries(first), ...changed };
}

/** Name the settings in which a run differs from those to begin with. */
export function describe(chosen) {
  const first = settings();
  const changed = Object.keys(SETTINGS).filter((name) => chosen[name] !== first[name]);
  return (
    changed.map((name) => `${SETTINGS[name].label.toLowerCase()} ${chosen[name]}`).join(", ") || "as it opens"
  );
}

/** The pictures of every run that are kept for validation. */
export const validationPictures = () => drawPictures(VALIDATION, 2);

/** Draw labelled pictures, as many of each class. The same seed gives the same pictures. */
export function drawPictures(count, seed) {
  const random = seeded(seed);
  const labels = Array.from({ length: count }, (_, i) => i % CLASSES.length);
  return { labels, pictures: labels.map((label) => drawPattern(CLASSES[label], SIDE, random)) };
}

/** Prepare a run: settings are rate, batch, filters, images, dropout and seed. */
export function begin(settings) {
  const random = seeded(settings.seed);
  const network = smallNetwork(
    {
      input: [SIDE, SIDE, 3],
      filters: settings.filters,
      classes: CLASSES.length,
      rate: settings.dropout,
    },
    random,
  );
  // All runs share these pictures, so what differs between two runs is only what you have set.
  return {
    settings,
    network,
    random,
    step: 0,
    waiting: [],
    training: drawPictures(settings.images, 1),
    validation: validationPictures(),
  };
}

/** Train on one batch. Every picture comes once before any comes again: that is an epoch. */
export function step(run) {
  const { pictures, labels } = run.training;
  if (run.waiting.length === 0) run.waiting = shuffled(pictures.length, run.random);
  const batch = run.waiting.splice(0, run.settings.batch);
  const loss = gradients(
    run.network,
    batch.map((i) => pictures[i]),
    batch.map((i) => labels[i]),
    run.random,
  );
  update(run.network, run.settings.rate, MOMENTUM);
  run.step++;
  return loss;
}

/** The pictures of a set that are measured: at most 100. */
export const sample = ({ pictures, labels }) => ({
  pictures: pictures.slice(0, VALIDATION),
  labels: labels.slice(0, VALIDATION),
});

/** Measure mean loss and accuracy at inference, without dropout, and list what was predicted. */
export function evaluate(network, { pictures, labels }) {
  const outputs = pictures.map((pixels) => forward(network, pixels).at(-1).data);
  const predicted = outputs.map((probabilities) => probabilities.indexOf(Math.max(...probabilities)));
  const losses = outputs.map((probabilities, i) => crossEntropy(probabilities, labels[i]));
  const right = predicted.filter((label, i) => label === labels[i]);
  return {
    loss: losses.reduce((a, b) => a + b, 0) / labels.length,
    accuracy: right.length / labels.length,
    predicted,
  };
}
