// Who is asked, with which system prompt, and how the answer is drawn.

import { byId, el } from './dom.js';
import * as models from './models.js';

const KEY = 'medtune.settings';
const FIELDS = ['model', 'compare', 'system-kind', 'system-own', 'temperature', 'top-p', 'max-tokens', 'seed', 'stops'];
/** As the tool `ask` has them. */
const DEFAULTS = { temperature: '0.5', 'top-p': '', 'max-tokens': '1500', seed: '', stops: '' };

let wished = {};
let shown = 0;

export async function start() {
  try {
    wished = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
  } catch {
    wished = {};
  }
  for (const [name, value] of Object.entries({ ...DEFAULTS, ...wished })) {
    if (!['model', 'compare'].includes(name) && FIELDS.includes(name)) byId(name).value = value;
  }
  byId('settings').addEventListener('change', changed);
  byId('settings').addEventListener('submit', (event) => event.preventDefault());
  byId('sampling-reset').addEventListener('click', () => {
    for (const [name, value] of Object.entries(DEFAULTS)) byId(name).value = value;
    changed();
  });
  const wide = matchMedia('(min-width: 62rem)');
  const fold = () => {
    byId('settings-fold').open = wide.matches;
  };
  wide.addEventListener('change', fold);
  fold();
  await refresh();
}

/** Looks which models there are now, and keeps the choice where it can. */
export async function refresh() {
  await models.load();
  const ids = models.all().map((model) => model.id);
  const choice = (id) => (ids.includes(id) ? id : null);
  const fallback = models.tuned().at(0)?.id ?? models.bases().at(0)?.id ?? '';
  const model = choice(wished.model) ?? fallback;
  fill(byId('model'), model);
  fill(byId('compare'), choice(wished.compare) ?? '', 'No comparison');
  await showSystem();
}

/** Chooses `id` as the model that is asked. */
export async function choose(id) {
  wished.model = id;
  await refresh();
  changed();
}

function fill(select, chosen, nobody) {
  const options = (found) =>
    found.map((model) => el('option', { value: model.id, title: model.id }, models.shortName(model.id)));
  const group = (label, found) => (found.length > 0 ? el('optgroup', { label }, options(found)) : null);
  const nodes = [group('Tuned here', models.tuned()), group('Base', models.bases())].filter((node) => node !== null);
  if (nobody !== undefined) nodes.unshift(el('option', { value: '' }, nobody));
  select.replaceChildren(...nodes);
  select.value = chosen;
}

function changed() {
  wished = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value]));
  sessionStorage.setItem(KEY, JSON.stringify(wished));
  showSystem();
}

/** Shows the system prompt that is going to be sent. */
async function showSystem() {
  const turn = ++shown;
  const kind = byId('system-kind').value;
  byId('system-own').hidden = kind !== 'own';
  const asked = [byId('model').value, byId('compare').value].filter((id) => id !== '');
  byId('settings-who').textContent = `· ${asked.map(models.shortName).join(' and ')}`;
  const place = byId('system-shown');
  place.hidden = kind !== 'trained';
  const subject = trainedOne();
  let text = 'None of these models was trained here, so that no system prompt is sent.';
  let training = null;
  try {
    training = subject === null ? null : await models.trainingOf(subject);
    if (subject !== null) text = 'Nothing is known of the training, so that no system prompt is sent.';
  } catch {
    text = 'How the model was trained could not be looked up; it is tried again when you ask.';
  }
  if (turn !== shown) return;
  if (training !== null) text = training.system ?? 'The model was trained without a system prompt; none is sent.';
  place.textContent = text;
  const partly = training !== null && training.system !== null && training.systemShare < 1;
  byId('system-note').hidden = kind !== 'trained' || !partly;
  byId('system-note').textContent = partly
    ? `The commonest of several: ${Math.round(training.systemShare * 100)} % of the examples have it.`
    : '';
}

/** The tuned one of the models that are asked, whose training counts for both. */
function trainedOne() {
  return [byId('model').value, byId('compare').value].find(models.isTuned) ?? null;
}

/** What a question asked now is asked with: `{ sampling, answers }`; throws an `Error` that names a wrong field. */
export async function asked() {
  const sampling = readSampling();
  const ids = [byId('model').value, byId('compare').value].filter((id) => id !== '');
  if (ids.length === 0) throw new Error('No model is there to be asked.');
  const system = await systemPrompt();
  const answers = ids.map(async (model) => ({
    model,
    system,
    template: (await models.trainingOf(model))?.template ?? 'any',
  }));
  return { sampling, answers: await Promise.all(answers) };
}

async function systemPrompt() {
  const kind = byId('system-kind').value;
  if (kind === 'none') return null;
  if (kind === 'own') return byId('system-own').value.trim() || null;
  const subject = trainedOne();
  return subject === null ? null : ((await models.trainingOf(subject))?.system ?? null);
}

function readSampling() {
  const sampling = {};
  const number = (field, name) => {
    const { value, validity, labels } = byId(field);
    if (!validity.valid) {
      byId(field).focus();
      throw new Error(`${labels[0].textContent}: ${byId(field).validationMessage}`);
    }
    if (value !== '') sampling[name] = Number(value);
  };
  number('temperature', 'temperature');
  number('top-p', 'top_p');
  number('max-tokens', 'max_completion_tokens');
  number('seed', 'seed');
  const stops = byId('stops')
    .value.split('\n')
    .filter((line) => line !== '');
  if (stops.length > 4) throw new Error('Stop at: there may be four of them at most.');
  if (stops.length > 0) sampling.stop = stops;
  return sampling;
}
