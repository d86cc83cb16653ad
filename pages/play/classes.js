// One of the reader's classes: its name, its pictures, and the ways to add and remove them.

import { NO_FILE } from "./arrive.js";
import { make, paintPicture } from "./parts.js";
import { SIZE, readFile } from "./picture.js";
import { isHeldOut } from "./teaching.js";

let pictures = 0; // how many there have been; each gets a number of its own

/** Give a picture its number, unless it has one already. */
const numbered = (picture) => (picture.id ? picture : { id: ++pictures, pixels: picture });

/**
 * Make a class and its element.
 *
 * `shown` gives the picture in hand, `changed` is called after each change, `renamed` after another name,
 * `remember` before a removal, `say` tells the reader what happened, and `remove` removes the class itself.
 */
export function makeClass(name, own, { shown, changed, renamed, say, remember, remove }) {
  const entry = { name, pictures: own.map(numbered), refresh };
  const input = make("input", {
    type: "text",
    value: name,
    maxlength: 30,
    "aria-label": "Name of the class",
    oninput: () => {
      entry.name = input.value.trim() || name;
      refresh();
      renamed();
    },
  });
  const add = make(
    "button",
    {
      type: "button",
      onclick: () => {
        entry.pictures.push(numbered(shown()));
        say(`Picture ${entry.pictures.length} of "${entry.name}" was added.`);
        changed();
      },
    },
    "Add the picture",
  );
  const files = make("input", {
    type: "file",
    accept: "image/*",
    multiple: true,
    onchange: async () => {
      await addFiles([...files.files]);
      files.value = "";
    },
  });
  const end = make("button", { type: "button", onclick: remove }, "Remove class");
  const thumbs = make("div", { class: "thumbs" });
  const count = make("p", { class: "pace" });
  entry.element = make(
    "section",
    { class: "class" },
    make("div", { class: "choices" }, input, add, make("label", { class: "file" }, "Add files", files), end),
    thumbs,
    count,
  );
  entry.element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation(); // elsewhere on the page, a picture is only shown
    if (event.dataTransfer.files.length === 0) say(NO_FILE);
    else addFiles([...event.dataTransfer.files]);
  });

  async function addFiles(chosen) {
    let added = 0;
    const failed = [];
    for (const file of chosen) {
      try {
        const { pixels } = await readFile(file);
        entry.pictures.push(numbered(pixels));
        added++;
      } catch (error) {
        failed.push(error.message);
      }
    }
    if (added > 0) changed();
    const more = failed.length > 1 ? ` ${failed.length - 1} more could not be read either.` : "";
    say(
      failed.length
        ? `${failed[0]}${more}`
        : `${added} ${added === 1 ? "picture was" : "pictures were"} added to "${entry.name}".`,
    );
  }

  /** Name the buttons after the class, so that they can be told apart without seeing where they stand. */
  function label() {
    entry.element.setAttribute("aria-label", entry.name);
    add.setAttribute("aria-label", `Add the picture to ${entry.name}`);
    files.setAttribute("aria-label", `Add files to ${entry.name}`);
    end.setAttribute("aria-label", `Remove class ${entry.name}`);
  }

  function refresh() {
    label();
    thumbs.replaceChildren(
      ...entry.pictures.map((picture, i) => {
        const canvas = make("canvas", { width: SIZE, height: SIZE });
        paintPicture(canvas, picture.pixels);
        const what = isHeldOut(i) ? "held-out picture" : "picture";
        return make(
          "button",
          {
            type: "button",
            class: isHeldOut(i) ? "held-out" : "",
            "aria-label": `Remove ${what} ${i + 1} of ${entry.name}`,
            title: `Remove ${what} ${i + 1}`,
            onclick: () => removePicture(i),
          },
          canvas,
        );
      }),
    );
    const heldOut = entry.pictures.filter((_, i) => isHeldOut(i)).length;
    const total = entry.pictures.length;
    count.textContent = total === 1 ? "1 picture" : `${total} pictures`;
    if (heldOut > 0) count.textContent += `, ${heldOut} of them held out (dashed)`;
  }

  function removePicture(i) {
    remember();
    entry.pictures.splice(i, 1);
    say(`Picture ${i + 1} of "${entry.name}" was removed: Undo brings it back.`);
    changed();
    (thumbs.children[Math.min(i, entry.pictures.length - 1)] ?? add).focus();
  }
  return entry;
}
