// The way through the network: the feature maps of each layer, and one of them in large.

import { areaOf, explain } from "./explain.js";
import { choosePosition, make, number, paintMap } from "./parts.js";

const FIRST = 10; // maps of a layer that are shown before all of them are asked for
const KINDS = { conv: "Convolution", pool: "Pooling" };

const detail = make("div", {
  class: "detail",
  role: "group",
  "aria-label": "How one number of the map is computed",
});

/**
 * List the feature maps of each convolution and pooling, the largest mean first; the chosen one stays
 * chosen.
 */
export function listMaps(way, state, showField) {
  const counts = { conv: 0, pool: 0 };
  const lists = [];
  state.network.layers.forEach((layer, index) => {
    if (!(layer.kind in KINDS) || layer.shape.length < 3) return;
    const [rows, columns, count] = layer.shape;
    const title = `${KINDS[layer.kind]} ${++counts[layer.kind]}: ${count} maps of ${rows} × ${columns}`;
    lists.push(listOf(way, state, showField, index, title));
  });
  way.replaceChildren(...lists);
  const { index, map } = state.focus ?? {};
  const chosen = way.querySelector(`input[value="${index} ${map}"]`) ?? way.querySelector("input");
  chosen.checked = true;
  look(way, state, showField, ...chosen.value.split(" ").map(Number));
}

function listOf(way, state, showField, index, title) {
  const [rows, columns, count] = state.network.layers[index].shape;
  const tensor = state.tensors[index + 1];
  const means = new Float32Array(count);
  tensor.data.forEach((value, i) => (means[i % count] += value / (rows * columns)));
  const order = Array.from(means.keys()).sort((a, b) => means[b] - means[a]);
  const first = order.slice(0, FIRST);
  const { focus } = state;
  if (focus?.index === index && !first.includes(focus.map)) first.push(focus.map);
  const others = order.filter((map) => !first.includes(map));

  const option = (map) => {
    const picture = make("canvas", {
      width: columns,
      height: rows,
      "data-layer": index + 1,
      "data-map": map,
    });
    paintMap(picture, tensor, map);
    const input = make("input", {
      type: "radio",
      name: "map",
      value: `${index} ${map}`,
      "aria-label": `map ${map}, mean ${number(means[map])}`,
      onchange: () => look(way, state, showField, index, map),
    });
    return make("label", { class: "map" }, input, picture, make("span", {}, String(map)));
  };
  const maps = make("div", { class: "maps" }, ...first.map(option));
  const more = make(
    "button",
    {
      type: "button",
      onclick: () => {
        more.remove();
        const added = others.map(option);
        maps.append(...added);
        added[0].querySelector("input").focus();
      },
    },
    `Show all ${count} maps`,
  );
  return make("fieldset", {}, make("legend", {}, title), maps, ...(others.length > 0 ? [more] : []));
}

/** Look at one map in large, below its layer. */
function look(way, state, showField, index, map) {
  const {
    name,
    shape: [rows, columns],
  } = state.network.layers[index];
  const old = state.focus?.index === index ? state.focus : { row: rows >> 1, column: columns >> 1 };
  state.focus = { index, map, row: old.row, column: old.column };
  const large = make("canvas", {
    width: columns,
    height: rows,
    role: "application",
    "data-layer": index + 1,
    "data-map": map,
    "aria-label": `Map ${map} of ${name}. The arrow keys choose a position.`,
  });
  paintMap(large, state.tensors[index + 1], map);
  const chosen = (row, column) => {
    Object.assign(state.focus, { row, column });
    drawDetail(state, showField);
  };
  choosePosition(large, () => [rows, columns], chosen)(old.row, old.column);
  const spot = make("div", { class: "cursor", "aria-hidden": "true" });
  detail.replaceChildren(
    make("div", { class: "frame" }, large, spot),
    make("div", { class: "sum", role: "status" }),
  );
  way.querySelector(`input[value="${index} ${map}"]`).closest("fieldset").append(detail);
  drawDetail(state, showField);
}

/** Paint all maps anew, for another picture, in the order in which they stand. */
export function redrawMaps(way, state, showField) {
  way.querySelectorAll("canvas[data-map]").forEach((canvas) => {
    paintMap(canvas, state.tensors[canvas.dataset.layer], Number(canvas.dataset.map));
  });
  if (state.focus && detail.isConnected) drawDetail(state, showField);
}

function drawDetail(state, showField) {
  const { index, row, column } = state.focus;
  const [rows, columns] = state.network.layers[index].shape;
  detail.querySelector(".sum").replaceChildren(...explain(state));
  const spot = detail.querySelector(".cursor");
  const share = (n, of) => `${(100 * n) / of}%`;
  Object.assign(spot.style, {
    top: share(row, rows),
    left: share(column, columns),
    height: share(1, rows),
    width: share(1, columns),
  });
  showField(areaOf(state));
}
