// Lines over steps, as a drawing of the page's own.

import { el, svg } from './dom.js';
import { ticks } from './scale.js';
import { digits } from './words.js';

const USUAL_WIDTH = 480;
const HEIGHT = 260;
const EDGE = { left: 52, right: 14, top: 12, bottom: 34 };

export class Chart {
  #shape;
  #width = USUAL_WIDTH;
  #drawing = svg('svg', { role: 'img', tabindex: '0', height: HEIGHT });
  #readout = el('p', { class: 'readout' });
  #legend = el('ul', { class: 'legend' });
  #steps = [];
  #at = null;
  #x = null;

  constructor(shape) {
    this.#shape = shape;
    this.#drawing.addEventListener('pointermove', (event) => this.#point(event));
    this.#drawing.addEventListener('pointerleave', () => this.#show(null));
    this.#drawing.addEventListener('keydown', (event) => this.#key(event));
    this.#drawing.addEventListener('blur', () => this.#show(null));
    // Drawn as wide as it is shown, so that its texts are as large as others.
    new ResizeObserver(() => this.draw(this.#steps)).observe(this.#drawing);
    this.root = el(
      'figure',
      { class: 'chart' },
      el('figcaption', {}, shape.title),
      this.#drawing,
      this.#readout,
      this.#legend,
    );
  }

  /** Draws `steps`, which are in order. */
  draw(steps) {
    this.#steps = steps;
    this.#width = this.#drawing.clientWidth || USUAL_WIDTH;
    this.#drawing.setAttribute('viewBox', `0 0 ${this.#width} ${HEIGHT}`);
    const lines = this.#shape.lines.map((line) => ({ ...line, points: pointsOf(steps, line.field) }));
    const there = lines.filter((line) => line.points.length > 0);
    this.root.hidden = there.length === 0;
    if (this.root.hidden) return;
    const { x, y, xTicks, yTicks } = scales(this.#width, steps, there, this.#shape.most);
    this.#x = x;
    const percent = this.#shape.most === 1;
    this.#drawing.replaceChildren(
      grid(this.#width, { xTicks, yTicks, x, y, percent }),
      ...there.map((line) => drawLine(line, x, y)),
      svg('line', { class: 'cursor', y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: 'hidden' }),
    );
    this.#drawing.setAttribute('aria-label', this.#spoken(there));
    this.#legend.replaceChildren(...there.map(({ name, kind }) => el('li', { 'data-kind': kind }, name)));
    this.#show(this.#at);
  }

  #spoken(lines) {
    const { title, format } = this.#shape;
    const told = lines.map(
      ({ name, points }) =>
        `${name}: from ${format(points[0][1])} at step ${points[0][0]} to ${format(points.at(-1)[1])} at step ${points.at(-1)[0]}`,
    );
    return `${title} by step. ${told.join('. ')}.`;
  }

  #point(event) {
    const box = this.#drawing.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * this.#width;
    const distance = (index) => Math.abs(this.#x(this.#steps[index].step) - place);
    let nearest = 0;
    for (const index of this.#steps.keys()) if (distance(index) < distance(nearest)) nearest = index;
    this.#show(nearest);
  }

  #key(event) {
    const last = this.#steps.length - 1;
    const at = this.#at ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#show(Math.min(Math.max(to, 0), last));
  }

  /** Reads out the step at this place; null reads out the last one. */
  #show(at) {
    this.#at = at;
    const step = this.#steps[at ?? this.#steps.length - 1];
    const cursor = this.#drawing.querySelector('.cursor');
    if (step === undefined || cursor === null) return;
    cursor.setAttribute('visibility', at === null ? 'hidden' : 'visible');
    for (const end of ['x1', 'x2']) cursor.setAttribute(end, this.#x(step.step));
    const values = this.#shape.lines.filter(({ field }) => typeof step[field] === 'number');
    const told = values.map(({ name, field }) => `${name} ${this.#shape.format(step[field])}`);
    this.#readout.textContent = [`Step ${digits(step.step)}`, ...told].join(' · ');
  }
}

function pointsOf(steps, field) {
  return steps.filter((step) => Number.isFinite(step[field])).map((step) => [step.step, step[field]]);
}

function scales(width, steps, lines, most) {
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  // Not by Math.min(...values), which takes only so many arguments.
  const [least, greatest] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const last = Math.max(steps.at(-1).step, 1);
  // The whole way that is planned, as long as it is not far beyond what is done.
  const total = steps.at(-1).total_steps ?? last;
  const right = Math.max(last, Math.min(total, last * 4));
  const xTicks = ticks(0, right, 6).filter((tick) => tick <= right);
  const yTicks = ticks(most === undefined ? least : 0, most ?? greatest, 5);
  const [bottom, top] = [yTicks[0], yTicks.at(-1)];
  return {
    xTicks,
    yTicks,
    x: (step) => EDGE.left + (step / right) * (width - EDGE.left - EDGE.right),
    y: (value) => HEIGHT - EDGE.bottom - ((value - bottom) / (top - bottom)) * (HEIGHT - EDGE.top - EDGE.bottom),
  };
}

function grid(width, { xTicks, yTicks, x, y, percent }) {
  const label = (value) => (percent ? `${Math.round(value * 100)} %` : `${Number(value.toFixed(6))}`);
  const lines = yTicks.flatMap((value) => [
    svg('line', { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value), class: 'grid' }),
    svg('text', { x: EDGE.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, label(value)),
  ]);
  const places = xTicks.map((value) =>
    svg('text', { x: x(value), y: HEIGHT - EDGE.bottom + 18, 'text-anchor': 'middle' }, digits(value)),
  );
  const name = svg('text', { x: width - EDGE.right, y: HEIGHT - 2, 'text-anchor': 'end', class: 'axis' }, 'step');
  return svg('g', { 'aria-hidden': 'true' }, lines, places, name);
}

function drawLine({ kind, points }, x, y) {
  const path = thinned(points, x)
    .map(([step, value], index) => `${index === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`)
    .join('');
  // Many dots would hide the lines below them.
  const r = (kind === 'full' ? 4 : 2.5) / (points.length > 24 ? 2 : 1);
  const dots = kind === 'train' ? [] : points.map(([step, value]) => svg('circle', { cx: x(step), cy: y(value), r }));
  return svg('g', { 'data-kind': kind }, svg('path', { d: path }), dots);
}

/** Of many points the lowest and the highest in each place of the drawing, which look the same. */
function thinned(points, x) {
  if (points.length <= 2 * USUAL_WIDTH) return points;
  const places = Map.groupBy(points, ([step]) => Math.round(x(step)));
  return [...places.values()].flatMap((near) => {
    const low = near.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = near.reduce((a, b) => (b[1] > a[1] ? b : a));
    return low === high ? [low] : [low, high].sort(([a], [b]) => a - b);
  });
}
