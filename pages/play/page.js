// The page "Play with it": choose a picture, see what the network makes of it, follow the way through its
// layers.

import { drawAnswers, drawFormula } from "./answers.js";
import { onPicture } from "./arrive.js";
import { gallery, testImages } from "./gallery.js";
import { listMaps, redrawMaps } from "./maps.js";
import { forward, load, loadWeights } from "./network.js";
import { blank, makePad, placeOver } from "./pad.js";
import { madeWith, make, row, spoken, style } from "./parts.js";
import { readFile, shrink } from "./picture.js";
import { DRAWINGS, draw } from "./samples.js";

const FOLDER = new URL("network/", import.meta.url);
const FIRST = "tree"; // the drawing that the page opens with

// What there is: the network, the picture as chosen and as it is now, what each layer gave, and what is
// looked at.
const state = { network: null, original: null, pixels: null, tensors: null, focus: null, frames: 0 };
globalThis.play = state; // for the tests and the benchmark

const button = (text, onclick) => make("button", { type: "button", onclick }, text);
const said = make("p", { role: "status", class: "said" });
const field = make("div", { class: "cursor field", "aria-hidden": "true" });
const pad = makePad({ colour: "grey, to cover a part", width: 8, painted });
const answers = make("tbody");
const formula = make("div");
const names = make("p");
const way = make("div", { class: "way" });

let latest = 0; // the number of the last choice: whatever loads slower than a later one is passed over
let loading = null;

async function begin() {
  state.network ??= await load(FOLDER);
  await loadWeights(state.network, FOLDER);
}

/** Begin with a picture: load the weights if they are not there yet, and run the network. */
async function choose(pixels, sentence) {
  const own = ++latest;
  state.original = pixels;
  state.pixels = pixels.slice();
  pad.show(pixels);
  try {
    say(`${sentence} Loading the network …`);
    await (loading ??= begin());
  } catch (error) {
    loading = null; // the next picture tries again
    if (own === latest) say(error.message);
    return;
  }
  if (own !== latest) return;
  state.sentence = sentence;
  run();
  listMaps(way, state, showField);
}

async function takeFile(file) {
  if (!file) return;
  const own = ++latest;
  try {
    const { pixels, sentence } = await readFile(file);
    if (own !== latest) return; // something else was chosen while the file was read
    clearChoice();
    await choose(pixels, sentence);
  } catch (error) {
    if (own === latest) say(error.message);
  }
}

function clearChoice() {
  document.querySelectorAll("input[name=sample]:checked").forEach((input) => (input.checked = false));
}

let speaking;
/** Say a sentence; when many follow each other, only the last. */
function say(sentence, wait = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (said.textContent = sentence), wait);
}

/** Compute, and show what came out. */
function run() {
  state.tensors = forward(state.network, state.pixels);
  state.frames++;
  const best = drawAnswers(answers, state.network, state.tensors.at(-1));
  drawFormula(formula, state.network, state.tensors.at(-1));
  say(`${state.sentence} The network says: ${best}.`, 300);
  redrawMaps(way, state, showField);
}

let waiting = false;
/** After a stroke, run before the next frame, once, however often the picture has changed. */
function painted() {
  state.pixels = pad.pixels;
  state.sentence = "The picture was painted on.";
  if (waiting || !state.tensors) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    run();
  });
}

/** Frame the part of the picture on which the number that is looked at depends. */
const showField = (area) => placeOver(field, area);

function beginBlank() {
  clearChoice();
  pad.choose("black", 2);
  choose(blank(), "A blank picture.");
}

async function start(place) {
  style();
  const file = make("input", {
    type: "file",
    accept: "image/*",
    onchange: () => takeFile(file.files[0]).then(() => (file.value = "")),
  });
  const restore = button(
    "Restore the picture",
    () => state.original && choose(state.original, "The picture as it was."),
  );
  const column = (text) => make("th", { scope: "col" }, text);
  const probability = column("probability");
  const galleries = make("div", {}, gallery("Drawings", drawings(), choose));
  pad.frame.append(field);
  place.replaceChildren(
    make(
      "div",
      { class: "stages" },
      pad.frame,
      make(
        "div",
        { class: "beside" },
        make(
          "table",
          { class: "answers one" },
          make("caption", {}, "The five most probable classes"),
          make("thead", {}, make("tr", {}, column("class"), probability)),
          answers,
        ),
        make("details", {}, make("summary", {}, "How softmax computes the first of them"), formula),
        make("details", {}, make("summary", {}, "The 100 names, of which the network must give one"), names),
      ),
    ),
    row(...pad.tools, restore),
    said,
    galleries,
    row(
      make("label", { class: "file" }, "Your own picture or photograph", file),
      button("Blank picture to draw on", beginBlank),
      make("span", {}, "You can also drop a picture on this page, or paste one."),
    ),
    make("h3", {}, "The way through the network"),
    make(
      "p",
      {},
      "The feature maps of each layer, the largest mean first. Choose a map, then a position on it:" +
        " the frame in the picture shows what this number depends on.",
    ),
    way,
  );
  place.classList.add("touch");
  onPicture(takeFile, say);
  try {
    state.network = await load(FOLDER);
  } catch (error) {
    say(error.message);
    return;
  }
  const { samples, temperature, measured } = state.network;
  names.textContent = state.network.names.map(spoken).join(", ");
  if (temperature) probability.textContent = "calibrated probability";
  if (measured) place.append(make("p", {}, speed(measured)));
  if (!state.original) place.querySelector(`[aria-label='drawing: ${FIRST}']`).click();
  if (samples.length > 0) await addTestImages(galleries, samples);
}

async function addTestImages(galleries, samples) {
  try {
    galleries.append(gallery("Test images", await testImages(state.network, samples, FOLDER), choose));
  } catch (error) {
    galleries.append(make("p", { role: "status" }, error.message)); // the drawings work without them
  }
}

const drawings = () =>
  Object.keys(DRAWINGS).map((name) => ({
    name: `drawing: ${name}`,
    pixels: shrink(draw(name), 256, 256),
    sentence: `A drawing: ${name}.`,
  }));

function speed(measured) {
  const { browser_ms, keras_ms, ratio } = measured;
  return (
    `Measured: a forward pass took ${browser_ms} ms in the browser and ${keras_ms} ms in Keras,` +
    ` a ratio of ${ratio} (${madeWith(measured)}).`
  );
}

start(document.querySelector("#play"));
