// The learning curve: loss and token accuracy of training and validation by step, drawn while they come.

import { el } from './dom.js';
import { Chart } from './chart.js';
import { digits } from './words.js';

const CHARTS = [
  {
    title: 'Loss',
    format: (value) => value.toFixed(3),
    lines: [
      { name: 'Training (batch)', field: 'train_loss', kind: 'train' },
      { name: 'Validation (part)', field: 'valid_loss', kind: 'valid' },
      { name: 'Validation (whole)', field: 'full_valid_loss', kind: 'full' },
    ],
  },
  {
    title: 'Token accuracy',
    format: (value) => `${(value * 100).toFixed(1)} %`,
    most: 1,
    lines: [
      { name: 'Training (batch)', field: 'train_mean_token_accuracy', kind: 'train' },
      { name: 'Validation (part)', field: 'valid_mean_token_accuracy', kind: 'valid' },
      { name: 'Validation (whole)', field: 'full_valid_mean_token_accuracy', kind: 'full' },
    ],
  },
];

export class Curve {
  /** By step: after a restart a step may be told again. */
  #steps = new Map();
  #charts = CHARTS.map((shape) => new Chart(shape));
  #table = el('tbody', {});
  #folded;

  constructor() {
    const head = [
      'Step',
      ...CHARTS.flatMap(({ title, lines }) => lines.map(({ name }) => `${title}: ${name.toLowerCase()}`)),
    ];
    const table = el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          head.map((text) => el('th', { scope: 'col' }, text)),
        ),
      ),
      this.#table,
    );
    this.#folded = el(
      'details',
      { on: { toggle: () => this.#drawTable() } },
      el('summary', {}, 'The values as a table'),
      el('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Values of the learning curve' }, table),
    );
    this.root = el(
      'section',
      { class: 'card curve', hidden: true },
      el('h2', {}, 'Learning curve'),
      el(
        'div',
        { class: 'charts' },
        this.#charts.map((chart) => chart.root),
      ),
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
    const rows = [...this.#steps.values()].reverse().map((step) => {
      const cells = CHARTS.flatMap(({ lines, format }) =>
        lines.map(({ field }) => (typeof step[field] === 'number' ? format(step[field]) : '')),
      );
      return el(
        'tr',
        {},
        el('th', { scope: 'row' }, digits(step.step)),
        cells.map((text) => el('td', {}, text)),
      );
    });
    this.#table.replaceChildren(...rows);
  }
}
