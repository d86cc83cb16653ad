// What the network says of a picture: the most probable classes as bars, and softmax as a formula with its
// numbers.

import { calibrate } from "./network.js";
import { make, number, spoken } from "./parts.js";

const SHOWN = 5;
const percent = (share) => `${(100 * share).toFixed(1)}%`;

/** Return the classes from the most to the least probable. */
const ranked = (probabilities) =>
  Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);

/** Divide the scores by the temperature, if one was fitted, and exponentiate: what softmax compares. */
const probabilitiesOf = ({ temperature }, { data, scores }) =>
  temperature ? calibrate(scores, temperature) : Array.from(data);

/** Draw the rows of the table, and return the first three as text. */
export function drawAnswers(body, network, output) {
  const probabilities = probabilitiesOf(network, output);
  const best = ranked(probabilities).slice(0, SHOWN);
  body.replaceChildren(
    ...best.map((i) => {
      const bar = make("span", { class: "bar", style: `width:${100 * probabilities[i]}%` });
      return make(
        "tr",
        {},
        make("th", { scope: "row" }, spoken(network.names[i])),
        make("td", {}, percent(probabilities[i]), bar),
      );
    }),
  );
  return best
    .slice(0, 3)
    .map((i) => `${spoken(network.names[i])} ${percent(probabilities[i])}`)
    .join(", ");
}

/** Write softmax for the most probable class: its exponential, divided by the sum of all. */
export function drawFormula(place, network, output) {
  const temperature = network.temperature ?? 1;
  const best = ranked(probabilitiesOf(network, output));
  // Only differences of scores count; with the largest subtracted, as in the code, the numbers are handy.
  const exponents = best.map((i) => (output.scores[i] - output.scores[best[0]]) / temperature);
  const total = exponents.map((exponent) => Math.exp(exponent)).reduce((a, b) => a + b);
  const power = (i) => make("span", {}, "e", make("sup", {}, number(exponents[i])));
  const name = spoken(network.names[best[0]]);
  const scores = best.slice(0, 3).map((i) => `${spoken(network.names[i])} ${number(output.scores[i])}`);
  const factor = number(temperature);
  const divided = network.temperature ? ` and the rest is divided by the temperature, ${factor}` : "";
  const others = `${best.length - 3} more`;
  place.replaceChildren(
    make(
      "p",
      {},
      `The last layer gives each class a score: ${scores.join(", ")} and so on. Only differences count,` +
        ` so the largest score is subtracted from all of them${divided}. The exponentials, divided by` +
        " their sum, are the probabilities:",
    ),
    make(
      "p",
      { class: "formula" },
      `p(${name}) = `, power(0), " / (", power(0), " + ", power(1), " + ", power(2),
      ` + ${others}) = 1 / ${total.toFixed(3)} = ${percent(1 / total)}`,
    ),
  );
}
