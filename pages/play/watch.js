// The page "Watch a network learn": settings, a run in a worker, and what can be seen of it.

import { drawChart, makeChart } from "./chart.js";
import { CLASSES, SIDE } from "./patterns.js";
import { madeWith, make, paintFilter, paintMap, paintPicture, percent, row, style } from "./parts.js";
import { SETTINGS, STEPS, describe, validationPictures } from "./training.js";

const MISTAKES = 12; // shown at most
const validation = validationPictures();
const still = matchMedia("(prefers-reduced-motion: reduce)");
const loss = (value) => value.toFixed(2);

// What there is: the runs, the last of them being trained, how many were begun, the last report of the worker,
// and what the next one is to be called.
const state = {
  runs: [],
  begun: 0,
  report: null,
  running: false,
  slept: false,
  awaited: null,
  picture: 0,
  drawn: 0,
  worker: null,
};
globalThis.watch = state; // for the tests and the benchmark

const button = (text, onclick) => make("button", { type: "button", onclick }, text);
const said = make("p", { role: "status", class: "said" });
const progress = make("p", { class: "pace" });
const start = button("Start", () => (state.running ? pause() : go()));
const charts = { loss: makeChart(), accuracy: makeChart() };
const filters = make("div", { class: "maps still" });
const picture = make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": "No image yet" });
const prediction = make("p");
const maps = make("div");
const mistakes = make("div", { class: "maps still" });
const runs = make("tbody");
const choices = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, { choices, first }]) => {
    const options = choices.map((value) =>
      make("option", { value, selected: value === first }, String(value)),
    );
    return [name, make("select", { onchange: restart, "data-setting": name }, ...options)];
  }),
);

const current = () => state.runs.at(-1);
const send = (action, rest = {}) => state.worker?.postMessage({ action, ...rest });

/** Begin a new run with the settings as they are; earlier runs stay in the table. */
function restart() {
  const chosen = Object.entries(choices).map(([name, select]) => [name, Number(select.value)]);
  if (state.runs.length > 0 && current().points.length <= 1) state.runs.pop(); // nothing was seen of it
  state.runs.push({ number: (current()?.number ?? 0) + 1, settings: Object.fromEntries(chosen), points: [] });
  const goesOn = state.running;
  state.drawn = 0;
  state.awaited = null;
  state.worker ??= startWorker();
  progress.textContent = `Step 0 of ${STEPS}`;
  send("begin", { settings: current().settings, number: ++state.begun });
  said.textContent = `Run ${current().number}: ${describe(current().settings)}.`;
  if (goesOn) send("go");
}

/** Choose the settings that the page opened with, and begin a run with them. */
function reset() {
  Object.entries(choices).forEach(([name, select]) => (select.value = SETTINGS[name].first));
  restart();
}

/** Start the worker that trains all runs, one after the other. */
function startWorker() {
  const worker = new Worker(new URL("watch-worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => data.number === state.begun && receive(data); // of no earlier run
  worker.onerror = (event) => {
    event.preventDefault();
    setRunning(false);
    worker.terminate();
    state.worker = null;
    const reason = event.message ? ` (${event.message})` : "";
    said.textContent = `Training stopped because the browser ended it${reason}: press "Start again".`;
  };
  return worker;
}

function setRunning(running) {
  state.running = running;
  start.textContent = running ? "Pause" : "Start";
}

function go() {
  setRunning(true);
  state.awaited = null;
  said.textContent = `Run ${current().number} is training.`;
  if (!state.worker) restart();
  else send("go");
}

function pause() {
  setRunning(false);
  state.awaited = "Paused";
  send("pause");
}

function receive(report) {
  state.report = report;
  current().points.push(...report.points);
  current().step = report.step;
  current().speed = report.perSecond ?? current().speed;
  current().perfectAt ??= report.points.find(({ training }) => training[1] === 1)?.step;
  if (report.ended) setRunning(false);
  if (report.ended || (state.awaited && !report.running)) {
    summarise(report.ended ? "Done" : state.awaited);
    state.awaited = null;
  }
  // Whoever prefers little motion sees a new state once in a second, and when training rests.
  const now = performance.now();
  if (still.matches && state.running && now - state.drawn < 1000) return;
  state.drawn = now;
  draw();
}

function oneStep() {
  if (state.running) return pause();
  if (!state.worker) restart();
  state.awaited = "Stopped";
  return send("step");
}

function summarise(what) {
  const last = current().points.at(-1);
  if (!last) return;
  if (state.report.diverged) {
    said.textContent = "The loss is no longer a number, so training stopped: choose a smaller learning rate.";
    return;
  }
  said.textContent = `${what} at step ${state.report.step}: ${["training", "validation"]
    .map((set) => `${set} loss ${loss(last[set][0])}, accuracy ${percent(last[set][1])}`)
    .join("; ")}.`;
}

function draw() {
  const { step, end, filters: weights, probabilities, predicted } = state.report;
  const { speed: perSecond } = current();
  const speed = perSecond ? `, ${Math.round(perSecond)} steps per second on this machine` : "";
  progress.textContent = `Step ${step} of ${end}${speed}`;
  drawCurves(end);
  const count = current().settings.filters;
  paintAll(
    filters,
    count,
    3,
    (canvas, i) => paintFilter(canvas, weights, count, i),
    (i) => `filter ${i}`,
  );

  const label = validation.labels[state.picture];
  paintPicture(picture, validation.pictures[state.picture]);
  picture.setAttribute("aria-label", `Validation image ${state.picture}: ${CLASSES[label].name}`);
  const best = probabilities.indexOf(Math.max(...probabilities));
  const predictedName = `${CLASSES[best].name}, ${percent(probabilities[best])}`;
  prediction.textContent = `Label: ${CLASSES[label].name}. Prediction: ${predictedName}.`;
  drawMaps();
  drawMistakes(predicted);
  drawRuns();
}

function drawCurves(end) {
  const before = state.runs.at(-2);
  const curve = (run, set, i) =>
    (run?.points ?? []).filter(({ step }) => step <= end).map((point) => [point.step, point[set][i]]);
  const lines = (i) => [
    { name: "run before", style: "before", points: curve(before, "validation", i) },
    { name: "training", style: "training", points: curve(current(), "training", i) },
    { name: "validation", style: "validation", points: curve(current(), "validation", i) },
  ];
  drawChart(charts.loss, {
    title: "Loss",
    lines: lines(0),
    steps: end,
    ticks: [0, 1, 2, 3],
    says: (value) => String(Number(value.toFixed(2))),
  });
  drawChart(charts.accuracy, {
    title: "Accuracy",
    lines: lines(1),
    steps: end,
    ticks: [0, 0.25, 0.5, 0.75, 1],
    says: percent,
  });
}

function drawMaps() {
  state.report.maps.forEach(({ data, shape }, i) => {
    const place = maps.children[i] ?? maps.appendChild(make("div", { class: "maps still" }));
    paintAll(
      place,
      shape[2],
      shape[0],
      (canvas, map) => paintMap(canvas, { data, shape }, map),
      (map) => `map ${map} of convolution ${i + 1}`,
    );
  });
}

/** Paint small canvases in a row, and keep those that are there. */
function paintAll(place, count, side, paint, name) {
  while (place.children.length > count) place.lastChild.remove();
  for (let i = 0; i < count; i++) {
    const canvas =
      place.children[i] ??
      place.appendChild(make("canvas", { width: side, height: side, role: "img", "aria-label": name(i) }));
    paint(canvas, i);
  }
}

function drawMistakes(predicted) {
  const wrong = predicted
    .map((label, i) => [i, label])
    .filter(([i, label]) => label !== validation.labels[i]);
  const shown = wrong.slice(0, MISTAKES).map(([i, label]) => {
    const canvas = make("canvas", { width: SIDE, height: SIDE });
    paintPicture(canvas, validation.pictures[i]);
    const names = `${CLASSES[validation.labels[i]].name}, taken for ${CLASSES[label].name}`;
    return make("figure", {}, canvas, make("figcaption", {}, names));
  });
  const rest = wrong.length > MISTAKES ? [make("p", {}, `and ${wrong.length - MISTAKES} more`)] : [];
  mistakes.replaceChildren(
    ...(wrong.length ? [...shown, ...rest] : [make("p", {}, "None of the 100 validation images.")]),
  );
}

function drawRuns() {
  const cell = ([value, accuracy]) => make("td", {}, `${percent(accuracy)}, loss ${loss(value)}`);
  const seen = state.runs.filter(({ points }) => points.length > 0);
  runs.replaceChildren(
    ...seen
      .reverse()
      .map(({ number, settings, points, step, perfectAt, speed }) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, `${number}: ${describe(settings)}`),
          make("td", {}, String(step)),
          cell(points.at(-1).training),
          cell(points.at(-1).validation),
          make("td", {}, perfectAt === undefined ? "–" : `step ${perfectAt}`),
          make("td", {}, speed ? String(Math.round(speed)) : "–"),
        ),
      ),
  );
}

function showPicture(by) {
  state.picture = (state.picture + by + validation.pictures.length) % validation.pictures.length;
  send("show", { picture: state.picture });
}

// A hidden tab is slowed down or put to sleep by browsers: rest, and go on when it is seen again.
document.addEventListener("visibilitychange", () => {
  if (document.hidden && state.running) {
    pause();
    state.slept = true;
  } else if (!document.hidden && state.slept) {
    state.slept = false;
    go();
    said.textContent = `Training rested at step ${state.report.step} while the tab was hidden, and goes on.`;
  }
});

async function attach(place) {
  style();
  const names = ["Run", "Steps", "Training", "Validation", "Training at 100%", "Steps per second"];
  const heads = names.map((head) => make("th", { scope: "col" }, head));
  const figure = (caption, ...content) => make("figure", {}, make("figcaption", {}, caption), ...content);
  place.replaceChildren(
    make(
      "div",
      { class: "choices settings" },
      ...Object.entries(SETTINGS).map(([name, { label }]) => make("label", {}, label, choices[name])),
    ),
    row(
      start,
      button("One step", oneStep),
      button("Start again", restart),
      button("First settings", reset),
      progress,
    ),
    said,
    make("div", { class: "pair" }, figure("Loss", charts.loss), figure("Accuracy", charts.accuracy)),
    figure("The filters of the first convolution, 3 × 3 pixels in colour: grey is a weight of 0", filters),
    make(
      "div",
      { class: "maps-of-one" },
      figure(
        "A validation image and its feature maps",
        picture,
        prediction,
        row(
          button("Previous image", () => showPicture(-1)),
          button("Next image", () => showPicture(1)),
        ),
        maps,
      ),
    ),
    figure("Mistakes on validation images", mistakes),
    make(
      "div",
      { class: "wide", tabindex: "0", role: "group", "aria-label": "Your runs" },
      make(
        "table",
        { class: "runs" },
        make("caption", {}, "Your runs, the last one first"),
        make("thead", {}, make("tr", {}, ...heads)),
        runs,
      ),
    ),
  );
  place.classList.add("touch", "watch");
  restart();
  const measured = await fetch(new URL("network/learning.json", import.meta.url))
    .then((answer) => answer.json())
    .catch(() => null);
  if (measured) place.append(make("p", {}, sentence(measured)));
}

function sentence(measured) {
  const { steps_per_second: speed, keras_steps_per_second: keras, ratio } = measured;
  return (
    `Measured: ${speed} steps per second in the browser and ${keras} in Keras, a ratio of ${ratio}` +
    ` (${madeWith(measured)}; a run has ${STEPS} steps).`
  );
}

attach(document.querySelector("#watch"));
