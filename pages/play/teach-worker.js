// Computes features, trains both networks and predicts in the background, so that the page stays smooth.

import { forward } from "./backward.js";
import { load, loadWeights } from "./network.js";
import * as teaching from "./teaching.js";

const FOLDER = new URL("network/", import.meta.url);
const features = new Map(); // by the number of a picture: computed once, used for every training
let extractor = null;
let students = {};
let job = 0; // the last one counts; an earlier one that is still on its way ends

const rest = () => new Promise((resolve) => setTimeout(resolve)); // messages are read here

async function prepare() {
  if (extractor) return;
  const network = await load(FOLDER);
  await loadWeights(network, FOLDER);
  extractor = teaching.featureExtractor(network);
}

const actions = {
  async teach({ classes }) {
    const own = ++job, start = performance.now();
    await prepare();
    for (const { id, pixels } of classes.flat()) {
      if (!features.has(id)) features.set(id, teaching.featuresOf(extractor, pixels));
      await rest();
      if (own !== job) return;
    }
    const byClass = (input) => classes.map((pictures) => pictures.map(input));
    students = {
      transfer: teaching.beginTransfer(byClass(({ id }) => features.get(id))),
      scratch: teaching.beginScratch(byClass(({ pixels }) => pixels), extractor.input),
    };
    for (const student of Object.values(students)) {
      while (student.epoch < teaching.EPOCHS[student.kind]) {
        const loss = teaching.trainEpoch(student);
        const seconds = (performance.now() - start) / 1000;
        postMessage({ about: "epoch", kind: student.kind, epoch: student.epoch, loss, seconds, ...teaching.check(student) });
        await rest();
        if (own !== job) return;
      }
    }
    postMessage({ about: "done" });
  },

  async predict({ pixels }) {
    if (!students.transfer) return postMessage({ about: "prediction" });
    const inputs = { transfer: teaching.featuresOf(extractor, pixels), scratch: pixels };
    const answer = (kind) => Array.from(forward(students[kind].network, inputs[kind]).at(-1).data);
    return postMessage({ about: "prediction", transfer: answer("transfer"), scratch: answer("scratch") });
  },

  forget() {
    job++;
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
