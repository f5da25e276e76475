// The list of runs.

import { json, list } from './api.js';
import { el } from './dom.js';
import { poll } from './poll.js';
import { isMoving, nameOf, stateMark } from './state.js';
import { baseOf } from './models.js';
import { digits, span, time } from './words.js';

const QUICK_MS = 2_000;
const SLOW_MS = 10_000;

/** Fills `place` with the list and keeps it true; returns what ends that. */
export function runs(place) {
  const rows = el('ul', { class: 'rows', 'aria-label': 'Runs' });
  const empty = el(
    'div',
    { class: 'empty', hidden: true },
    el('p', {}, 'No model has been trained here yet.'),
    el('p', {}, 'Prepare records and train on them from a terminal:'),
    el(
      'pre',
      {},
      `prepare-data --download\nOPENAI_BASE_URL=${new URL('../v1', import.meta.url).href} OPENAI_API_KEY=any run-finetuning`,
    ),
  );
  place.append(el('h1', { tabindex: '-1' }, 'Runs'), rows, empty);
  let before = '';
  return poll(async () => {
    const jobs = await list('v1/fine_tuning/jobs');
    const steps = await Promise.all(jobs.map(stepOf));
    empty.hidden = jobs.length > 0;
    // Rows that say the same as before stay, and so does the focus on them.
    const now = JSON.stringify([jobs, steps]);
    if (now !== before)
      replace(
        rows,
        jobs.map((job, index) => row(job, steps[index])),
      );
    before = now;
    return jobs.some(isMoving) ? QUICK_MS : SLOW_MS;
  });
}

/** Puts `nodes` in place of what `list` has, and the focus where it was. */
function replace(list, nodes) {
  const at = [...list.children].findIndex((row) => row.contains(document.activeElement));
  list.replaceChildren(...nodes);
  if (at >= 0) list.children[at]?.querySelector('a')?.focus();
}

/** The latest step of a job that trains, and of how many. */
async function stepOf(job) {
  if (job.status !== 'running' && job.status !== 'pausing') return null;
  const events = (await json(`v1/fine_tuning/jobs/${job.id}/events?limit=10`)).data;
  return events.find((event) => event.type === 'metrics')?.data ?? null;
}

function row(job, step) {
  const parts = [`from ${baseOf(job.model)}`, time(job.created_at)];
  if (job.finished_at) parts.push(`took ${span(job.finished_at - job.created_at)}`);
  if (step?.total_steps) parts.push(`step ${digits(step.step)} of ${digits(step.total_steps)}`);
  return el(
    'li',
    {},
    el(
      'a',
      { href: `#/runs/${job.id}` },
      el('span', { class: 'name' }, nameOf(job)),
      stateMark(job),
      el('span', { class: 'more' }, parts.join(' · ')),
    ),
    step?.total_steps
      ? el('progress', { max: step.total_steps, value: step.step, 'aria-label': `Progress of ${nameOf(job)}` })
      : null,
  );
}
