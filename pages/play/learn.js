// The front page: a small network learns at the press of a button, and its accuracy is drawn as it does.

import { drawChart, makeChart } from "./chart.js";
import { make, percent, style } from "./parts.js";
import { settings } from "./training.js";

const place = document.querySelector("#learn");
const said = place.querySelector(".said");
const chart = makeChart();
const start = make("button", { type: "button", onclick: learn }, "Watch it learn");
const state = { points: [], ended: false, begun: 0 };
globalThis.learning = state; // for the tests
let worker = null;

/** Train from the beginning; the button begins anew. */
function learn() {
  Object.assign(state, { points: [], ended: false, begun: state.begun + 1 });
  worker ??= startWorker();
  worker.postMessage({ action: "begin", settings: settings(), number: state.begun });
  worker.postMessage({ action: "go" });
  start.textContent = "Once more";
}

function startWorker() {
  const started = new Worker(new URL("watch-worker.js", import.meta.url), { type: "module" });
  started.onmessage = ({ data }) => data.number === state.begun && receive(data); // of no earlier run
  started.onerror = (event) => {
    event.preventDefault();
    started.terminate();
    worker = null; // the next press starts another one
    said.textContent = "Training stopped because the browser ended it: press the button again.";
  };
  return started;
}

function receive({ points, step, end, ended }) {
  state.points.push(...points);
  state.ended = ended;
  drawCurves(end);
  const { validation } = state.points.at(-1);
  const right = `${percent(validation[1])} of 100 new images right`;
  said.textContent = ended ? `Done after ${step} steps: ${right}.` : `Step ${step} of ${end}: ${right}.`;
}

function drawCurves(steps) {
  drawChart(chart, {
    title: "Accuracy",
    lines: ["training", "validation"].map((set) => ({
      name: set,
      style: set,
      points: state.points.map((point) => [point.step, point[set][1]]),
    })),
    steps,
    ticks: [0, 0.25, 0.5, 0.75, 1],
    says: percent,
  });
}

style();
said.textContent = "";
drawCurves(400);
place.querySelector(".chart-place").replaceChildren(chart);
place.querySelector(".button-place").replaceChildren(start);
