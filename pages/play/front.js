// The front page: a guess what the network says of a drawing, then its five most probable classes, which
// follow the brush. The weights come after the page has been painted.

import { drawAnswers } from "./answers.js";
import { gallery } from "./gallery.js";
import { forward, load, loadWeights } from "./network.js";
import { makePad } from "./pad.js";
import { make, row, style } from "./parts.js";
import { shrink } from "./picture.js";
import { draw } from "./samples.js";

const FOLDER = new URL("network/", import.meta.url);
const FIRST = "apple";
const GUESSES = ["apple", "orange", "sweet pepper", "something else"];
const OTHERS = ["tree", "rocket", "house", "clock", "cloud", "sunflower"];

const state = { network: null, tensors: null, guess: null, shown: false };
globalThis.front = state; // for the tests

const place = document.querySelector("#front");
const part = (name) => place.querySelector(`.${name}`);
const answers = part("answers").tBodies[0];
const said = part("said");
const drawing = (name) => shrink(draw(name), 256, 256);
const pad = makePad({ colour: "yellow", width: 8, painted: show });

let loading = null;
/** Load the network once; after a failure, the next attempt begins anew. */
const network = () =>
  (loading ??= load(FOLDER)
    .then(async (network) => {
      await loadWeights(network, FOLDER);
      state.network = network;
    })
    .catch((error) => {
      loading = null;
      said.textContent = error.message;
    }));

/** Show what the network says of the picture as it is. */
async function show() {
  state.shown = true;
  if (!state.network) said.textContent = "Loading the network …";
  await network();
  if (!state.network) return;
  state.tensors = forward(state.network, pad.pixels);
  const [first] = drawAnswers(answers, state.network, state.tensors.at(-1)).split(", ");
  part("guesses").hidden = true;
  part("tools").hidden = false;
  const guess = state.guess ? ` You said ${state.guess}.` : "";
  said.textContent = `It says ${first}.${guess} Now paint on the picture.`;
}

function guess(name) {
  state.guess = name;
  show();
}

function choose(pixels) {
  state.guess = null;
  pad.show(pixels);
  show();
}

style();
pad.show(drawing(FIRST));
part("frame").replaceWith(pad.frame);
part("guesses").append(
  ...GUESSES.map((name) => make("button", { type: "button", onclick: () => guess(name) }, name)),
);
part("tools").append(row(...pad.tools));
const pictures = OTHERS.map((name) => ({ name: `drawing: ${name}`, pixels: drawing(name), sentence: "" }));
part("others").append(gallery("Or another drawing", pictures, choose));
said.textContent = "";

const begin = () => setTimeout(network, 200);
if (document.readyState === "complete") begin();
else addEventListener("load", begin);
