// Pictures to choose from, as one strip of radio buttons for each kind.

import { get } from "./network.js";
import { make, paintPicture, spoken } from "./parts.js";
import { SIZE } from "./picture.js";

const BYTES = SIZE * SIZE * 3;

/**
 * Make the choice among pictures of one kind; `choose` gets the pixels and the sentence of the chosen
 * one.
 */
export function gallery(title, pictures, choose) {
  const options = pictures.map(({ name, pixels, sentence }) => {
    const small = make("canvas", { width: SIZE, height: SIZE });
    paintPicture(small, pixels);
    const input = make("input", {
      type: "radio",
      name: "sample",
      "aria-label": name,
      onchange: () => choose(pixels, sentence),
    });
    return make("label", { class: "map" }, input, small);
  });
  return make("fieldset", {}, make("legend", {}, title), make("div", { class: "maps samples" }, ...options));
}

/** The first test images: the network has not seen them in training, and it gets many of them wrong. */
export async function testImages(network, labels, folder) {
  const bytes = new Uint8Array(await get("samples.bin", folder, (answer) => answer.arrayBuffer()));
  if (bytes.length !== labels.length * BYTES) {
    throw new Error(
      `The test images arrived incomplete (${bytes.length} bytes): reload the page to see them.`,
    );
  }
  return labels.map((label, i) => {
    const name = spoken(network.names[label]);
    const pixels = Float32Array.from(bytes.subarray(i * BYTES, (i + 1) * BYTES));
    return { name: `test image ${i}: ${name}`, pixels, sentence: `Test image ${i}, labelled ${name}.` };
  });
}
