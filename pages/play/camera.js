// The camera, if there is one and the reader permits it. Its frames stay in the page.

import { shrink } from "./picture.js";

const PAUSE = 120; // milliseconds between two frames
const ELSE = "use files, paste or draw instead";
const LOST = "The camera was taken away: your pictures and the training are kept.";
const REASONS = {
  NotAllowedError: `The camera was refused: permit it in the browser's settings, or ${ELSE}.`,
  NotFoundError: `No camera was found: connect one, or ${ELSE}.`,
  NotReadableError: `The camera is in use by another program: close that, or ${ELSE}.`,
};

/**
 * Start the camera, and return a function that stops it.
 *
 * `seen` gets the pixels of each frame, and `lost` is called if the camera is taken away.
 */
export async function startCamera(seen, lost) {
  if (!navigator.mediaDevices) {
    throw new Error(`Browsers give the camera only to pages over https or from one's own machine: ${ELSE}.`);
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment" },
      audio: false,
    });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The camera does not work (${error.message}): ${ELSE}.`);
  }
  const video = Object.assign(document.createElement("video"), {
    srcObject: stream,
    muted: true,
    playsInline: true,
  });
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop()); // the light beside the camera goes out
  };
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", () => {
    stop();
    lost(LOST);
  });
  try {
    await video.play();
  } catch (error) {
    stop();
    throw new Error(`The camera does not work (${error.message}): ${ELSE}.`);
  }
  if (track.readyState === "ended") throw new Error(LOST); // while the film began
  timer = setInterval(() => {
    if (video.videoWidth > 0) seen(shrink(video, video.videoWidth, video.videoHeight));
  }, PAUSE);
  return stop;
}
