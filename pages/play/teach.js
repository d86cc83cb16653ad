// The page "Teach it your own classes": the reader's pictures, two networks that learn them, and what they
// predict.

import { advise } from "./advice.js";
import { onPicture } from "./arrive.js";
import { startCamera } from "./camera.js";
import { drawChart, makeChart } from "./chart.js";
import { makeClass } from "./classes.js";
import { flawedExamples, goodExamples, newExamples } from "./examples.js";
import { blank, makePad } from "./pad.js";
import { madeWith, make, percent, row, style } from "./parts.js";
import { readFile } from "./picture.js";
import { seeded } from "./random.js";
import { fromText, toText } from "./storage.js";
import { EPOCHS } from "./teaching.js";

const FEWEST = 2;
const MOST = 5; // classes
const TESTED = 20; // new drawings of each class, to see what was learned
const WAIT = 300; // milliseconds after the last change until training begins
const NETWORKS = { transfer: "the lecture's network", scratch: "from scratch" };
const STYLES = { transfer: "training", scratch: "validation" };

// What there is: the classes, how they were before the last removal, and how far each network has learned.
const state = {
  classes: [],
  before: null,
  taught: [],
  students: {},
  worker: null,
  camera: null,
  drawing: null,
  found: {},
  job: 0,
  pad: null,
};
globalThis.teach = state; // for the tests and the benchmark

const button = (text, onclick) => make("button", { type: "button", onclick }, text);
const said = make("p", { role: "status", class: "said" });
const advice = make("p", { role: "status", class: "advice" });
const list = make("div", { class: "classes" });
const charts = { loss: makeChart(), accuracy: makeChart() };
const result = make("p", { class: "result" });
const answers = make("tbody");
const pad = makePad({
  colour: "black",
  width: 2,
  painted: () => {
    stopCamera();
    predict();
  },
});
state.pad = pad;
const camera = button("Use the camera", () => (state.camera ? stopCamera() : useCamera()));
const another = button("A new drawing", () => showDrawing());
const addClass = button("Add a class", () => {
  if (state.classes.length >= MOST) return say(`The page teaches at most ${MOST} classes: remove one first.`);
  add(`class ${state.classes.length + 1}`);
  return changed();
});
const undo = button("Undo", () => restore(state.before));

const random = seeded(Date.now()); // for drawings that no network has seen
const say = (sentence) => (said.textContent = sentence);

// The classes.

function add(name, pictures = []) {
  const entry = makeClass(name, pictures, {
    shown: () => pad.pixels.slice(),
    changed,
    renamed,
    say,
    remember,
    remove: () => {
      if (state.classes.length <= FEWEST)
        return say("Two classes are the fewest that can be told apart: rename this one instead.");
      remember();
      state.classes = state.classes.filter((other) => other !== entry);
      say(`The class "${entry.name}" was removed: Undo brings it back.`);
      changed();
      return addClass.focus();
    },
  });
  state.classes.push(entry);
}

const snapshot = () => state.classes.map(({ name, pictures }) => ({ name, pictures: [...pictures] }));
function remember() {
  state.before = snapshot();
}

/** Put other classes in place of those that are there. */
function restore(classes) {
  if (!classes) return;
  remember();
  state.classes = [];
  classes.forEach(({ name, pictures }) => add(name, pictures));
  changed();
}

/** After a class got another name, show it wherever the old one stands. */
function renamed() {
  advice.textContent = advise(state.classes);
  drawAnswers(state.found);
}

let waiting;
/** Show the classes as they are, and begin to teach them. */
function changed() {
  const elements = state.classes.map((entry) => entry.element);
  // An element that is put in its place again would lose the keyboard's focus, so only what changed is moved.
  Array.from(list.children).forEach((old) => elements.includes(old) || old.remove());
  elements.forEach((element) => list.contains(element) || list.append(element));
  state.classes.forEach((entry) => entry.refresh());
  undo.disabled = !state.before;
  advice.textContent = advise(state.classes);
  clearTimeout(waiting);
  waiting = setTimeout(teach, WAIT);
}

// Teaching.

function teach() {
  state.taught = state.classes.filter((entry) => entry.pictures.length > 0);
  state.students = { transfer: { points: [] }, scratch: { points: [] } };
  if (state.taught.length < FEWEST) send({ action: "forget" });
  else send({ action: "teach", job: ++state.job, classes: state.taught.map((entry) => entry.pictures) });
  draw();
  predict();
}

function send(message) {
  state.worker ??= startWorker();
  state.worker.postMessage(message);
}

function startWorker() {
  const worker = new Worker(new URL("teach-worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.job && data.job !== state.job) return; // of a training that another one has replaced
    received[data.about](data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    state.worker = null; // the next change starts another one
    asked = false;
    say(
      `The browser ended the training${event.message ? ` (${event.message})` : ""}:` +
        " your pictures are kept, and the next change begins it again.",
    );
  };
  return worker;
}

const received = {
  epoch({ kind, epoch, loss, right, count, seconds }) {
    const student = state.students[kind];
    student.points.push({ epoch, loss, accuracy: count ? right / count : null });
    Object.assign(student, { right, count, seconds });
    draw();
    if (epoch % 5 === 0 || epoch === EPOCHS[kind]) predict();
  },
  done() {
    say(`Taught. ${result.textContent}`);
    const names = state.taught.map((entry) => entry.name);
    const drawn = state.drawing && newExamples(state.drawing, TESTED, random);
    if (drawn && String(names) === String(drawn.map(({ name }) => name))) {
      send({ action: "test", job: state.job, classes: drawn.map(({ pictures }) => pictures) });
    }
  },
  test({ transfer, scratch, count }) {
    const where = state.drawing === "flawed" ? ", each on the background of the other class" : "";
    result.textContent +=
      ` Of ${count} new drawings${where}, the lecture's network gets ${transfer} right,` +
      ` and the network from scratch ${scratch}.`;
    if (said.textContent.startsWith("Taught")) say(`Taught. ${result.textContent}`);
  },
  prediction(found) {
    asked = false;
    state.found = found;
    drawAnswers(found);
    if (askAgain) predict();
  },
  failure({ sentence }) {
    asked = false;
    say(sentence);
  },
};

let asked = false;
let askAgain = false;
/** Ask for a prediction; while one is on its way, only the last picture is asked for again. */
function predict() {
  askAgain = asked;
  if (asked || !pad.pixels) return;
  asked = true;
  send({ action: "predict", pixels: pad.pixels });
}

function draw() {
  const line = (kind, what) => ({
    name: kind === "transfer" ? "lecture's" : "scratch",
    style: STYLES[kind],
    points: state.students[kind].points.filter((p) => p[what] !== null).map((p) => [p.epoch, p[what]]),
  });
  const axes = { steps: Math.max(...Object.values(EPOCHS)), unit: "epoch" };
  const lines = (what) => Object.keys(NETWORKS).map((kind) => line(kind, what));
  drawChart(charts.loss, {
    ...axes,
    title: "Training loss",
    lines: lines("loss"),
    ticks: [0, 0.5, 1, 1.5],
    says: (value) => String(Number(value.toFixed(2))),
  });
  drawChart(charts.accuracy, {
    ...axes,
    title: "Held-out accuracy",
    lines: lines("accuracy"),
    ticks: [0, 0.5, 1],
    says: percent,
  });
  const results = Object.entries(state.students).filter(([, student]) => student.points.length > 0);
  result.textContent =
    results
      .map(([kind, { right, count, seconds }]) => {
        const score = count ? `${right} of ${count} held-out pictures right` : "trained, no picture held out,";
        const name =
          kind === "transfer" ? "The lecture's network with a new last layer" : "the network from scratch";
        return `${name}: ${score} after ${seconds.toFixed(1)} seconds`;
      })
      .join("; ") + (results.length ? "." : "");
}

function drawAnswers(found) {
  const { transfer, scratch } = found;
  if (!transfer || transfer.length !== state.taught.length) return answers.replaceChildren();
  const cell = (share) =>
    make("td", {}, percent(share), make("span", { class: "bar", style: `width:${100 * share}%` }));
  return answers.replaceChildren(
    ...state.taught.map((entry, i) =>
      make("tr", {}, make("th", { scope: "row" }, entry.name), cell(transfer[i]), cell(scratch[i])),
    ),
  );
}

// The picture in hand.

function show(pixels, sentence) {
  pad.show(pixels);
  say(sentence);
  predict();
}

function stopCamera(sentence = "The camera is off.") {
  if (!state.camera) return;
  state.camera();
  state.camera = null;
  camera.textContent = "Use the camera";
  say(sentence);
}

let asking = false; // for the reader's permission
async function useCamera() {
  if (asking) return;
  asking = true;
  try {
    state.camera = await startCamera((pixels) => {
      pad.show(pixels);
      predict();
    }, stopCamera);
    camera.textContent = "Stop the camera";
    say("The camera is on: point it at something, then add the picture to a class.");
    rest();
  } catch (error) {
    say(error.message);
  }
  asking = false;
}

/** Turn the camera off while nobody sees the page. */
function rest() {
  if (document.hidden)
    stopCamera("The camera was turned off because the tab was hidden: you can turn it on again.");
}
document.addEventListener("visibilitychange", rest);

let latest = 0;
/** Show a picture from a file; whatever loads slower than a later one is passed over. */
async function showFile(file) {
  if (!file) return;
  const own = ++latest;
  try {
    const { pixels, sentence } = await readFile(file);
    if (own !== latest) return;
    stopCamera();
    show(pixels, sentence);
  } catch (error) {
    say(error.message);
  }
}

/** Show a new drawing; with the flawed examples, on the background of the other class. */
function showDrawing(hint = "") {
  stopCamera();
  const drawn = newExamples(state.drawing, 1, random);
  const i = Math.floor(random() * drawn.length);
  const other = drawn[(i + 1) % drawn.length].name;
  const where = state.drawing === "flawed" ? `, on the background of the class "${other}"` : "";
  show(drawn[i].pictures[0], `A new drawing: ${drawn[i].name}${where}.${hint}`);
}

function useExamples(kind) {
  const had = state.classes.some(({ pictures }) => pictures.length > 0);
  restore(kind === "flawed" ? flawedExamples() : goodExamples());
  state.drawing = kind;
  another.hidden = false;
  showDrawing(had ? " Undo brings back the pictures that were here." : "");
}

// Files of a whole set.

function download() {
  const address = URL.createObjectURL(new Blob([toText(snapshot())], { type: "application/json" }));
  make("a", { href: address, download: "my-classes.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function open(file) {
  if (!file) return;
  try {
    restore(fromText(await file.text(), file.name));
    say(`${file.name} was opened: Undo brings back what was here.`);
  } catch (error) {
    say(error.message);
  }
}

/** Make a button of an input for files. */
function fileButton(text, accept, take) {
  const input = make("input", {
    type: "file",
    accept,
    onchange: () => take(input.files[0]).then(() => (input.value = "")),
  });
  return make("label", { class: "file" }, text, input);
}

function attach(place) {
  style();
  const column = (text) => make("th", { scope: "col" }, text);
  const figure = (caption, content) => make("figure", {}, make("figcaption", {}, caption), content);
  another.hidden = true;
  place.replaceChildren(
    row(
      button("Take drawn examples", () => useExamples("good")),
      button("Take examples with a flaw", () => useExamples("flawed")),
      undo,
    ),
    said,
    make(
      "div",
      { class: "stages" },
      pad.frame,
      make(
        "div",
        { class: "beside" },
        make(
          "table",
          { class: "answers" },
          make("caption", {}, "What the networks predict for this picture"),
          make("thead", {}, make("tr", {}, column("class"), ...Object.values(NETWORKS).map(column))),
          answers,
        ),
        make(
          "p",
          {},
          "Paint, film, drop or paste a picture, or open one." +
            " Then add it to a class, or see what the networks predict.",
        ),
      ),
    ),
    row(...pad.tools),
    row(
      camera,
      fileButton("Open a picture", "image/*", showFile),
      button("Blank", () => {
        stopCamera();
        show(blank(), "A blank picture to draw on.");
      }),
      another,
    ),
    list,
    row(addClass),
    advice,
    make(
      "div",
      { class: "pair" },
      figure("Training loss", charts.loss),
      figure("Accuracy on held-out pictures", charts.accuracy),
    ),
    result,
    row(
      button("Download the pictures", download),
      fileButton("Open a download", ".json,application/json", open),
    ),
  );
  place.classList.add("touch", "teach");
  onPicture(showFile, say);
  pad.show(blank());
  ["class 1", "class 2"].forEach((name) => add(name));
  changed();
  say("Take the drawn examples, or add pictures of your own to two classes.");
  showMeasured(place);
}

async function showMeasured(place) {
  const measured = await fetch(new URL("network/learning.json", import.meta.url))
    .then((answer) => answer.json())
    .catch(() => null);
  if (!measured?.teaching) return;
  const { seconds, good, flawed } = measured.teaching;
  place.append(
    make(
      "p",
      {},
      "Measured: three drawn classes with ten pictures each are taught to the lecture's network in" +
        ` ${seconds.transfer} seconds; after ${seconds.scratch} seconds, the one from scratch has learned` +
        ` them, too. Of ${good.count} new drawings, the first gets ${percent(good.transfer)} right and the` +
        ` second ${percent(good.scratch)}. Taught with the flawed examples and tested on ${flawed.count}` +
        ` drawings on the background of the other class, ${percent(flawed.transfer)} and` +
        ` ${percent(flawed.scratch)} (${madeWith(measured)}).`,
    ),
  );
}

attach(document.querySelector("#teach"));
