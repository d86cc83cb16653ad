// Computes features, trains both networks and predicts in the background, so that the page stays smooth.

import { forward } from "./backward.js";
import { load, loadWeights } from "./network.js";
import * as teaching from "./teaching.js";

const FOLDER = new URL("network/", import.meta.url);
const features = new Map(); // by the number of a picture: computed once, used for every training
let extractor = null;
let students = {};
let job = 0; // the training that counts; an earlier one that is still on its way ends

const rest = () => new Promise((resolve) => setTimeout(resolve)); // messages are read here

async function prepare() {
  if (extractor) return;
  const network = await load(FOLDER);
  await loadWeights(network, FOLDER);
  extractor = teaching.featureExtractor(network);
}

/** Return what both networks predict for a picture. */
function predictions(pixels) {
  const inputs = { transfer: teaching.featuresOf(extractor, pixels), scratch: pixels };
  const output = (kind) => Array.from(forward(students[kind].network, inputs[kind]).at(-1).data);
  return { transfer: output("transfer"), scratch: output("scratch") };
}

const actions = {
  async teach({ classes, job: own }) {
    const start = performance.now();
    job = own;
    await prepare();
    for (const { id, pixels } of classes.flat()) {
      if (!features.has(id)) features.set(id, teaching.featuresOf(extractor, pixels));
      await rest();
      if (own !== job) return;
    }
    const byClass = (input) => classes.map((pictures) => pictures.map(input));
    students = {
      transfer: teaching.beginTransfer(byClass(({ id }) => features.get(id))),
      scratch: teaching.beginScratch(
        byClass(({ pixels }) => pixels),
        extractor.input,
      ),
    };
    for (const student of Object.values(students)) {
      while (student.epoch < teaching.EPOCHS[student.kind]) {
        const loss = teaching.trainEpoch(student);
        const seconds = (performance.now() - start) / 1000;
        postMessage({
          about: "epoch",
          job,
          kind: student.kind,
          epoch: student.epoch,
          loss,
          seconds,
          ...teaching.check(student),
        });
        await rest();
        if (own !== job) return;
      }
    }
    postMessage({ about: "done", job });
  },

  predict({ pixels }) {
    postMessage({ about: "prediction", ...(students.transfer ? predictions(pixels) : {}) });
  },

  /** Count for how many new pictures, a list for each class, the prediction of each network is right. */
  async test({ classes, job: own }) {
    const right = { transfer: 0, scratch: 0 };
    for (const [label, pictures] of classes.entries()) {
      for (const pixels of pictures) {
        await rest();
        if (own !== job) return;
        const outputs = predictions(pixels);
        for (const kind of Object.keys(right)) {
          if (outputs[kind].indexOf(Math.max(...outputs[kind])) === label) right[kind]++;
        }
      }
    }
    postMessage({ about: "test", job, ...right, count: classes.flat().length });
  },

  forget() {
    job = 0;
    students = {};
  },
};

onmessage = async ({ data }) => {
  try {
    await actions[data.action](data);
  } catch (error) {
    postMessage({ about: "failure", sentence: error.message });
  }
};
