// The lecture's network in the page: its description, its weights, and its calibrated probabilities.
//
// network.json describes the layers and weights.bin holds the numbers; tools/pages/play.py writes both from
// the recorded run. How the layers compute is in backward.js.

import { softmax } from "./backward.js";

export { forward, softmax } from "./backward.js";
export { windowAt } from "./windows.js";

/** Temperature scaling: divide the scores by a number that was fitted on the validation images. */
export const calibrate = (scores, temperature) => softmax(Array.from(scores, (score) => score / temperature));

/** Load the description of the network from a folder. */
export async function load(folder) {
  return get("network.json", folder, (answer) => answer.json());
}

/** Load the weights, and check that they are those of the description. */
export async function loadWeights(network, folder) {
  const bytes = await get("weights.bin", folder, (answer) => answer.arrayBuffer());
  const wrong = (what) =>
    new Error(`The weights that arrived are ${what}, so the network cannot run: reload the page.`);
  if (bytes.byteLength !== network.bytes) {
    throw wrong(`incomplete (${bytes.byteLength} of ${network.bytes} bytes)`);
  }
  if (globalThis.crypto?.subtle) {
    // absent over plain http, except from one's own machine
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (sha256 !== network.sha256) throw wrong("not those of the recorded run (another SHA-256)");
  }
  const integers = new Int16Array(bytes);
  for (const layer of network.layers) {
    layer.arrays = layer.weights.map(({ start, shape, scale }) => {
      const stored = integers.subarray(start, start + shape.reduce((a, b) => a * b));
      return Float32Array.from(stored, (integer) => integer * scale);
    });
  }
}

/** Load a file of the network's folder and read it; whatever goes wrong becomes one sentence. */
export async function get(name, folder, read) {
  try {
    const answer = await fetch(new URL(name, folder));
    if (!answer.ok) throw new Error(answer.statusText);
    return await read(answer);
  } catch {
    throw new Error(`The network did not arrive (${name}): check the connection and reload the page.`);
  }
}
