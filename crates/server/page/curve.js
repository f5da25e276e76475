// The learning curve: loss and accuracy of training and validation by step, drawn while they come.

import { Chart } from './chart.js';
import { el, row, table, wide } from './dom.js';
import { digits, percent } from './words.js';

/** Beyond these a table becomes slow, and nobody reads on. */
const MOST_ROWS = 2000;

const lines = (train, valid, full) => [
  { name: 'Training (batch)', field: train, kind: 'train' },
  { name: 'Validation (part)', field: valid, kind: 'valid' },
  { name: 'Validation (whole)', field: full, kind: 'full' },
];

const CHARTS = [
  {
    title: 'Loss',
    format: (value) => value.toFixed(3),
    lines: lines('train_loss', 'valid_loss', 'full_valid_loss'),
  },
  {
    title: 'Token accuracy',
    format: percent,
    most: 1,
    lines: lines('train_mean_token_accuracy', 'valid_mean_token_accuracy', 'full_valid_mean_token_accuracy'),
  },
  {
    // Of jobs on preferences, which have no accuracy of tokens.
    title: 'Pairs with the preferred answer ahead',
    format: percent,
    most: 1,
    lines: lines('train_reward_accuracy', 'valid_reward_accuracy', 'full_valid_reward_accuracy'),
  },
];

export class Curve {
  /** By step: after a restart a step may be told again. */
  #steps = new Map();
  #charts = CHARTS.map((shape) => new Chart(shape));
  #table = el('div', {});
  #folded = el('details', { on: { toggle: () => this.#drawTable() } });

  constructor() {
    const charts = this.#charts.map((chart) => chart.root);
    this.#folded.append(el('summary', {}, 'The values as a table'), this.#table);
    this.root = el(
      'section',
      { class: 'card curve', hidden: true },
      el('h2', {}, 'Learning curve'),
      el('div', { class: 'charts' }, charts),
      this.#folded,
    );
  }

  /** The latest step's metrics. */
  get latest() {
    return [...this.#steps.values()].at(-1);
  }

  /** Takes events; those without metrics are not for the curve. */
  add(events) {
    const metrics = events.filter((event) => event.type === 'metrics' && typeof event.data?.step === 'number');
    if (metrics.length === 0) return;
    for (const { data } of metrics) this.#steps.set(data.step, { ...this.#steps.get(data.step), ...data });
    this.#steps = new Map([...this.#steps].sort(([a], [b]) => a - b));
    this.root.hidden = false;
    const steps = [...this.#steps.values()];
    for (const chart of this.#charts) chart.draw(steps);
    this.#drawTable();
  }

  #drawTable() {
    if (!this.#folded.open) return;
    const steps = [...this.#steps.values()].reverse().slice(0, MOST_ROWS);
    const is = (step, field) => typeof step[field] === 'number';
    const columns = CHARTS.flatMap(({ title, format, lines }) =>
      lines
        .filter(({ field }) => steps.some((step) => is(step, field)))
        .map(({ name, field }) => ({ head: `${title}: ${name.toLowerCase()}`, field, format })),
    );
    const rows = steps.map((step) => {
      const cells = columns.map(({ field, format }) => (is(step, field) ? format(step[field]) : ''));
      return row(digits(step.step), cells);
    });
    const values = table(['Step', ...columns.map(({ head }) => head)], rows);
    this.#table.replaceChildren(wide('Values of the learning curve', values));
  }
}
