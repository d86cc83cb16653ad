// A set of classes as text, to be downloaded and opened again. Nothing is stored unless the reader asks for
// it.

import { SIZE } from "./picture.js";

const KIND = "classes of pictures, 32 x 32 pixels, RGB";
const BYTES = SIZE * SIZE * 3;

/** Write classes as text; a picture is its bytes in base 64. */
export function toText(classes) {
  const encode = ({ pixels }) => btoa(String.fromCharCode(...Uint8Array.from(pixels)));
  return JSON.stringify({
    kind: KIND,
    classes: classes.map(({ name, pictures }) => ({ name, pictures: pictures.map(encode) })),
  });
}

/** Read them; text of another kind is refused in one sentence. */
export function fromText(text, file) {
  const decode = (encoded) => {
    const pixels = Float32Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    if (pixels.length !== BYTES) throw new Error("another size");
    return pixels;
  };
  try {
    const { kind, classes } = JSON.parse(text);
    if (kind !== KIND || classes.length < 2 || classes.length > 5) throw new Error("another kind");
    return classes.map(({ name, pictures }) => ({
      name: String(name).slice(0, 30),
      pictures: pictures.map(decode),
    }));
  } catch {
    throw new Error(
      `${file} holds no pictures that were downloaded here: choose a file that this page has made.`,
    );
  }
}
