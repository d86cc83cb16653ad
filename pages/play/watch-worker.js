// Trains in the background, so that the page stays smooth, and reports what there is to see.

import { forward } from "./backward.js";
import { EVERY, STEPS, begin, evaluate, sample, step } from "./training.js";

const REPORT = 100; // milliseconds between two reports

let run = null; // the run as it stands
let number = 0; // which one it is, for the page
let running = false;
let turn = 0; // the call of `go` that trains; an earlier one ends when it sees another number
let end = STEPS;
let shown = 0; // which validation picture's feature maps the page shows
let points = []; // measured since the last report
let spent = { steps: 0, since: 0 };

const actions = {
  begin({ settings, number: own }) {
    running = false;
    turn++;
    number = own;
    run = begin(settings);
    end = STEPS;
    points = [];
    measure();
    report();
  },
  async go() {
    if (running) return;
    running = true;
    const own = ++turn;
    if (run.step >= end) end += STEPS;
    spent = { steps: 0, since: performance.now() };
    while (running && own === turn && run.step < end) {
      const next = performance.now() + REPORT;
      while (running && run.step < end && performance.now() < next) advance();
      report();
      await new Promise((resolve) => setTimeout(resolve)); // messages are read here
    }
    if (own !== turn) return;
    const ended = running || Number.isNaN(run.loss); // and not paused
    running = false;
    report(ended);
  },
  pause() {
    running = false;
  },
  step() {
    if (run.step >= end) end += STEPS;
    advance();
    if (run.step % EVERY !== 0) measure();
    report();
  },
  show({ picture }) {
    shown = picture;
    report();
  },
};

function advance() {
  run.loss = step(run);
  spent.steps++;
  if (run.step % EVERY === 0 || Number.isNaN(run.loss)) measure();
  if (Number.isNaN(run.loss)) running = false;
}

/** Measure on training and validation pictures in the same way: at inference, without dropout. */
function measure() {
  const training = evaluate(run.network, sample(run.training));
  run.measured = evaluate(run.network, run.validation);
  const { loss, accuracy } = run.measured;
  points.push({ step: run.step, training: [training.loss, training.accuracy], validation: [loss, accuracy] });
}

function report(ended = false) {
  const tensors = forward(run.network, run.validation.pictures[shown]);
  const seconds = (performance.now() - spent.since) / 1000;
  postMessage({
    number,
    step: run.step,
    end,
    ended,
    running,
    diverged: Number.isNaN(run.loss),
    points,
    perSecond: running && seconds > 0.3 ? spent.steps / seconds : null,
    predicted: run.measured.predicted,
    probabilities: Array.from(tensors.at(-1).data),
    // The feature maps of each convolution, and the weights of the first one.
    maps: tensors
      .slice(1)
      .filter((_, i) => run.network.layers[i].kind === "conv")
      .map(({ data, shape }) => ({ data, shape })),
    filters: run.network.layers.find((layer) => layer.kind === "conv").arrays[0],
  });
  points = [];
}

onmessage = ({ data }) => actions[data.action](data);
