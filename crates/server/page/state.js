// The states of a job, in the words of the dialect and of the page.

import { el } from './dom.js';

const WORDS = {
  validating_files: 'Checking files',
  queued: 'Waiting',
  running: 'Training',
  pausing: 'Pausing',
  paused: 'Paused',
  succeeded: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

export const isOver = ({ status }) => ['succeeded', 'failed', 'cancelled'].includes(status);
export const isMoving = (job) => !isOver(job) && job.status !== 'paused';
export const mayPause = ({ status }) => ['validating_files', 'queued', 'running'].includes(status);
export const mayResume = ({ status }) => ['paused', 'pausing'].includes(status);

/** A mark with the state's name; its colour says nothing that the word does not. */
export function stateMark({ status }) {
  return el('span', { class: 'mark', 'data-status': status }, WORDS[status] ?? status);
}

/** What a person calls the job by. */
export const nameOf = (job) => job.user_provided_suffix ?? job.id;
