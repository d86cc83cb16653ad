// A chart of lines over the steps of training. Its colours are those of the page, so both themes are served.

const WIDTH = 360;
const HEIGHT = 210;
const LEFT = 38;
const RIGHT = 84;
const TOP = 10;
const BOTTOM = 34; // room for the numbers, and for the names at the lines' ends

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Make an empty chart, to be given to `drawChart`. */
export function makeChart() {
  const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
  return svg("svg", { viewBox, class: "chart", role: "img", "aria-label": "No values yet." });
}

/**
 * Draw a chart anew.
 *
 * lines are { name, style, points }, where a point is [step, value] and the style is a class of play.css;
 * steps is where the axis ends, unit its name, ticks are the values at the horizontal lines, and says
 * writes such a value.
 */
export function drawChart(chart, { title, lines, steps, unit = "step", ticks, says }) {
  const lowest = ticks[0];
  const highest = ticks.at(-1);
  const across = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / steps;
  const down = (value) => {
    const inside = Math.min(Math.max(value, lowest), highest);
    return TOP + ((HEIGHT - TOP - BOTTOM) * (highest - inside)) / (highest - lowest);
  };
  const parts = ticks.flatMap((tick) => [
    svg("line", { x1: across(0), x2: across(steps), y1: down(tick), y2: down(tick), class: "rule" }),
    svg("text", { x: LEFT - 6, y: down(tick) + 4, "text-anchor": "end" }, says(tick)),
  ]);
  for (const step of [0, steps / 2, steps]) {
    parts.push(
      svg("text", { x: across(step), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(step)),
    );
  }
  parts.push(svg("text", { x: across(steps / 2), y: HEIGHT - 3, "text-anchor": "middle" }, unit));

  const shown = lines.filter(({ points }) => points.length > 0);
  for (const { style, points } of shown) {
    const path = points.map(([step, value]) => `${across(step).toFixed(1)},${down(value).toFixed(1)}`);
    parts.push(svg("polyline", { points: path.join(" "), class: `curve ${style}` }));
  }
  // The name of each line stands at its end; names that would touch are moved apart.
  const names = shown.map(({ name, style, points }) => ({
    name,
    style,
    end: points.at(-1),
    y: down(points.at(-1)[1]),
  }));
  names.sort((a, b) => a.y - b.y);
  names.forEach((label, i) => {
    if (i > 0) label.y = Math.max(label.y, names[i - 1].y + 14);
  });
  const over = Math.max(0, (names.at(-1)?.y ?? 0) - (HEIGHT - BOTTOM));
  for (const { name, style, end, y } of names) {
    parts.push(svg("text", { x: across(end[0]) + 5, y: y - over + 4, class: `name ${style}` }, name));
  }
  const summary = shown.map(({ name, points }) => `${name} ${says(points.at(-1)[1])}`).join(", ");
  chart.setAttribute("aria-label", `${title} by ${unit}. Last values: ${summary || "none yet"}.`);
  chart.replaceChildren(...parts);
}
