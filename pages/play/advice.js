// What can be wrong with the reader's pictures, said before it is learned: each fault is one sentence.

import { SIZE } from "./picture.js";

const ALIKE = 12; // mean difference of two pixels, of 255, below which pictures look the same

const difference = (a, b) => a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;

/** Return the pixels along the rim of a picture, where mostly its background is. */
function rim(pixels) {
  return pixels.filter((_, i) => {
    const column = Math.floor(i / 3) % SIZE;
    const row = Math.floor(i / 3 / SIZE);
    return Math.min(row, column, SIZE - 1 - row, SIZE - 1 - column) < 2;
  });
}

const allAlike = (pictures) => pictures.every((picture) => difference(picture, pictures[0]) < ALIKE);

/** Return the sentence that matters most about some classes, or an empty text. */
export function advise(classes) {
  const filled = classes.filter(({ pictures }) => pictures.length > 0);
  const empty = classes.filter(({ pictures }) => pictures.length === 0).map(({ name }) => `"${name}"`);
  const have = empty.length > 1 ? "have" : "has";
  if (filled.length < 2)
    return `Training needs pictures in at least two classes: ${empty.join(" and ")} ${have} none yet.`;
  const all = filled.flatMap(({ pictures }) => pictures.map(({ pixels }) => pixels));
  if (allAlike(all))
    return "All pictures look the same, so nothing tells the classes apart: add different ones.";
  if (empty.length > 0)
    return `${empty.join(" and ")} ${have} no picture yet: without one, training leaves a class out.`;

  const flat = filled.filter(
    ({ pictures }) => pictures.length > 1 && allAlike(pictures.map(({ pixels }) => rim(pixels))),
  );
  const rims = filled.map(({ pictures }) => rim(pictures[0].pixels));
  if (flat.length > 0 && !allAlike(rims)) {
    return (
      `All pictures of "${flat[0].name}" have nearly the same background, and other classes have another:` +
      " the networks may learn the background instead of the object, so add pictures on other backgrounds."
    );
  }
  const short = filled.find(({ pictures }) => pictures.length < 4);
  if (short)
    return (
      `"${short.name}" has fewer than four pictures, so none of them is held out:` +
      " add some, and the accuracy can be measured."
    );
  return "";
}
