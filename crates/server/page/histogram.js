// How many examples have how many tokens.

import { el, svg } from './dom.js';
import { ticks } from './scale.js';
import { count, digits } from './words.js';

const HEIGHT = 200;
const EDGE = { left: 44, right: 14, top: 12, bottom: 34 };

/** A figure of the bins of `part`; `limit` is marked where it lies within them. */
export function histogram(title, part, limit) {
  // Drawn about as wide as it is shown, so that its texts are as large as others.
  const across = Math.min(480, innerWidth - 60);
  const { width, counts, beyond } = part.bins;
  const end = width * counts.length;
  const highest = ticks(0, Math.max(...counts, 1), 4);
  const x = (value) => EDGE.left + (value / end) * (across - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - (value / highest.at(-1)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const bars = counts.map((number, index) => {
    const [left, right] = [x(index * width), x((index + 1) * width)];
    const bar = svg('rect', {
      x: left + 0.5,
      width: Math.max(right - left - 1, 1),
      y: y(number),
      height: HEIGHT - EDGE.bottom - y(number),
    });
    bar.append(
      svg(
        'title',
        {},
        `${digits(index * width)} to ${digits((index + 1) * width - 1)} tokens: ${count(number, 'example')}`,
      ),
    );
    return bar;
  });
  const drawing = svg(
    'svg',
    {
      viewBox: `0 0 ${across} ${HEIGHT}`,
      role: 'img',
      'aria-label': `Histogram of ${title.toLowerCase()}: median ${digits(part.median)}, longest ${digits(part.max)} tokens.`,
    },
    highest
      .filter(Number.isInteger)
      .flatMap((value) => [
        svg('line', { x1: EDGE.left, x2: across - EDGE.right, y1: y(value), y2: y(value), class: 'grid' }),
        svg('text', { x: EDGE.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, digits(value)),
      ]),
    svg('g', { 'data-kind': 'bars' }, bars),
    ticks(0, end, 6)
      .filter((value) => value <= end)
      .map((value) =>
        svg('text', { x: x(value), y: HEIGHT - EDGE.bottom + 18, 'text-anchor': 'middle' }, digits(value)),
      ),
    limit !== null && limit < end
      ? svg('line', { class: 'limit', x1: x(limit), x2: x(limit), y1: EDGE.top, y2: HEIGHT - EDGE.bottom })
      : null,
    svg('text', { x: across - EDGE.right, y: HEIGHT - 2, 'text-anchor': 'end', class: 'axis' }, 'tokens'),
  );
  const more =
    beyond > 0 ? el('p', { class: 'note' }, `${count(beyond, 'example')} beyond ${digits(end)} tokens.`) : null;
  return el('figure', { class: 'chart' }, el('figcaption', {}, title), drawing, more);
}
