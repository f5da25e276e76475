// The models on offer, and what is known of how each tuned one was trained.

import { json, list } from './api.js';

let models = [];
const trainings = new Map();

export const all = () => models;
export const isTuned = (id) => id.startsWith('ft:');
export const bases = () => models.filter((model) => !isTuned(model.id));

/** Newest first, checkpoints behind whole models. */
export function tuned() {
  const isCheckpoint = (id) => Number(id.includes(':ckpt-step-'));
  return models
    .filter((model) => isTuned(model.id))
    .sort((a, b) => isCheckpoint(a.id) - isCheckpoint(b.id) || b.created - a.created);
}

export async function load() {
  models = (await json('v1/models')).data;
}

/** The base of a tuned model: `ft:BASE:...`. */
export const baseOf = (id) => (isTuned(id) ? id.split(':')[1] : id);

/** A tuned model's name without what all of them share. */
export function shortName(id) {
  if (!isTuned(id)) return id;
  const [, base, , suffix, unique, ...rest] = id.split(':');
  return [suffix || base, unique, ...rest].join(' · ');
}

/**
 * How a model was trained: `{ system, systemShare, template, file }`, or null where nothing is known of it.
 *
 * The system prompt and the template are read off the training file itself, as the server's report on it tells them.
 */
export function trainingOf(id) {
  if (!isTuned(id)) return Promise.resolve(null);
  if (!trainings.has(id)) {
    const found = find(id).catch((error) => {
      trainings.delete(id);
      throw error;
    });
    trainings.set(id, found);
  }
  return trainings.get(id);
}

async function find(id) {
  const whole = id.replace(/:ckpt-step-\d+$/, '');
  const jobs = await list('v1/fine_tuning/jobs');
  const job = jobs.find((job) => job.fine_tuned_model === whole);
  if (!job?.training_file) return null;
  try {
    const report = await json(`v1/files/${job.training_file}/report`);
    return { file: job.training_file, ...read(report) };
  } catch (error) {
    // The file may have been deleted since.
    if (error.status === 404) return null;
    throw error;
  }
}

function read({ examples, system_prompts: prompts, answers }) {
  const first = prompts.at(0) ?? null;
  const most = Object.entries(answers).sort((a, b) => b[1] - a[1])[0];
  return {
    system: first?.text ?? null,
    systemShare: first === null ? 0 : first.examples / Math.max(examples, 1),
    template: most === undefined ? 'any' : most[0],
  };
}
