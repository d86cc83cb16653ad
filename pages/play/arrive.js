// Pictures that arrive on a page from elsewhere: pasted, or dropped anywhere on it.

export const NO_FILE = "What was dropped is not a file: save the picture on your machine, then drop the file.";
const NO_PICTURE = "There is no picture to paste: copy the picture itself, not its address or its name.";

/** Call `take` with each file that is pasted or dropped, and `say` with a sentence if there is none. */
export function onPicture(take, say) {
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file);
    else if (!event.target.closest?.("input, textarea")) say(NO_PICTURE); // there, text is welcome
  });
  addEventListener("dragover", (event) => event.preventDefault()); // or the browser would open the file
  addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file) take(file);
    else say(NO_FILE);
  });
}
