// The training files and what is in them.

import { json, list } from './api.js';
import { el } from './dom.js';
import * as models from './models.js';
import { poll } from './poll.js';
import { report } from './report.js';
import { bytes, time } from './words.js';

const LOOK_EVERY_MS = 10_000;

/** Fills `place` with the list of training files and keeps it true; returns what ends that. */
export function files(place) {
  const rows = el('ul', { class: 'rows', 'aria-label': 'Training files' });
  const empty = el('p', { class: 'empty', hidden: true }, 'No training file has been uploaded yet.');
  place.append(el('h1', {}, 'Training data'), rows, empty);
  let before = '';
  return poll(async () => {
    const found = await list('v1/files?purpose=fine-tune&order=desc', { limit: 1000, most: 5000 });
    const now = JSON.stringify(found);
    if (now !== before) rows.replaceChildren(...found.map(row));
    before = now;
    empty.hidden = found.length > 0;
    return LOOK_EVERY_MS;
  });
}

function row(file) {
  const more = [bytes(file.bytes), time(file.created_at)].join(' · ');
  return el(
    'li',
    {},
    el(
      'a',
      { href: `#/data/${file.id}` },
      el('span', { class: 'name' }, file.filename),
      el('span', { class: 'more' }, more),
    ),
  );
}

/** Fills `place` with the report on the file `id`; returns what ends the attempts. */
export function file(place, id) {
  const head = el('h1', {}, 'Training data');
  const body = el('div', {}, el('p', { class: 'note', role: 'status' }, 'Counting tokens…'));
  place.append(el('p', {}, el('a', { href: '#/data', class: 'back' }, '‹ All training data')), head, body);
  return poll(async () => {
    try {
      const [found] = await Promise.all([json(`v1/files/${id}`), models.load()]);
      head.textContent = found.filename;
      const model = encodeURIComponent(models.bases().at(0)?.id ?? '');
      body.replaceChildren(...report(found, await json(`v1/files/${id}/report?model=${model}`)));
    } catch (error) {
      // A refusal is an answer; without one the next look may have more luck.
      if (error.status === undefined) throw error;
      body.replaceChildren(el('p', { class: 'problem' }, error.message));
    }
    return null;
  });
}
