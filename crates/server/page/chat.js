// The conversation: asking, answers side by side while they arrive, stopping, keeping.

import { Gone, Refused } from './api.js';
import { Reader, say } from './announce.js';
import { confirm } from './confirm.js';
import * as conversation from './conversation.js';
import { byId } from './dom.js';
import { isGone, onBack } from './link.js';
import { shortName } from './models.js';
import { copy, save } from './save.js';
import * as settings from './settings.js';
import { completion, Cut } from './stream.js';
import { turnView } from './turn.js';

const DRAFT = 'medtune.draft';
const KEEP_EVERY_MS = 1_000;
const views = new Map();
/** What stops the answers under way. */
let running = null;

export function start() {
  const field = byId('question');
  field.value = sessionStorage.getItem(DRAFT) ?? '';
  field.addEventListener('input', () => {
    sessionStorage.setItem(DRAFT, field.value);
    fit(field);
  });
  field.addEventListener('keydown', (event) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask();
  });
  byId('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  byId('stop').addEventListener('click', stop);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && running !== null && document.querySelector('dialog[open]') === null) stop();
  });
  byId('copy-all').addEventListener('click', (event) => copy(conversation.asMarkdown(), event.currentTarget));
  byId('save-markdown').addEventListener('click', () =>
    save('conversation.md', 'text/markdown', conversation.asMarkdown()),
  );
  byId('save-json').addEventListener('click', () =>
    save('conversation.json', 'application/json', conversation.asJson()),
  );
  byId('new').addEventListener('click', startOver);
  onBack(askWaiting);
  conversation.all().forEach(show);
  fit(field);
  tidy();
}

async function ask() {
  const field = byId('question');
  const question = field.value.trim();
  if (question === '' || running !== null) return;
  complain('');
  await answering(async (signal) => {
    const { sampling, answers } = await settings.asked();
    if (signal.aborted) return;
    const turn = conversation.add(question, sampling, answers);
    field.value = '';
    sessionStorage.removeItem(DRAFT);
    fit(field);
    show(turn);
    tidy();
    views.get(turn).root.scrollIntoView({ block: 'start' });
    await Promise.all(turn.answers.map((_, column) => answer(turn, column, signal)));
  });
}

function show(turn) {
  const view = turnView(turn, (column) => again(turn, [column]));
  views.set(turn, view);
  byId('turns').append(view.root);
}

async function again(turn, columns) {
  if (running !== null) return;
  await answering((signal) => Promise.all(columns.map((column) => answer(turn, column, signal))));
}

/** Does `work`, which can be stopped meanwhile, and then what had to wait. */
async function answering(work) {
  running = new AbortController();
  tidy();
  try {
    await work(running.signal);
  } catch (error) {
    complain(error instanceof Gone ? 'The server does not answer. Your question stays here.' : error.message);
  } finally {
    running = null;
    tidy();
    conversation.keep();
  }
  if (!isGone()) await askWaiting();
}

/** Asks again what was asked while the server was away. */
async function askWaiting() {
  for (const turn of conversation.all()) {
    const columns = [...turn.answers.keys()].filter((column) => turn.answers[column].state === 'waiting');
    if (columns.length > 0) await again(turn, columns);
  }
}

/** Fills one answer until it ends, one way or the other. */
async function answer(turn, column, signal) {
  const view = views.get(turn).answers[column];
  const found = turn.answers[column];
  Object.assign(found, { state: 'streaming', text: '', finish: null, usage: null, seconds: null, problem: null });
  view.begin();
  // Two voices at a time cannot be followed; of two answers only the ends are told.
  const reader = turn.answers.length === 1 ? new Reader() : null;
  const begun = performance.now();
  let kept = begun;
  try {
    const body = { model: found.model, messages: conversation.messages(turn, column), ...turn.sampling };
    for await (const { text = '', finish, usage } of completion(body, signal)) {
      found.text += text;
      found.finish = finish ?? found.finish;
      found.usage = usage ?? found.usage;
      const spoken = view.push(text);
      reader?.push(spoken);
      if (performance.now() - kept > KEEP_EVERY_MS) {
        kept = performance.now();
        conversation.keep();
      }
    }
    found.state = 'done';
  } catch (error) {
    Object.assign(found, ending(error, found));
  }
  found.seconds = (performance.now() - begun) / 1000;
  view.end();
  const closing = found.state === 'done' ? 'End of the answer.' : (found.problem ?? 'Stopped.');
  if (reader === null) say(`${shortName(found.model)}: ${closing}`);
  else reader.end(closing);
}

function ending(error, { text }) {
  if (error.name === 'AbortError') return { state: 'stopped' };
  if (error instanceof Gone && text === '') {
    return { state: 'waiting', problem: 'The server does not answer. The question is asked as soon as it does.' };
  }
  if (error instanceof Gone || error instanceof Cut) {
    return { state: 'cut', problem: 'The connection broke off before the answer ended.' };
  }
  if (error instanceof Refused) return { state: text === '' ? 'failed' : 'cut', problem: error.message };
  return { state: 'cut', problem: 'The server sent what cannot be read.' };
}

function stop() {
  running?.abort();
}

async function startOver() {
  const agreed = await confirm({
    title: 'Begin a new conversation?',
    text: 'This one is not kept anywhere else. Save it first if you want it.',
    action: 'Begin anew',
  });
  if (!agreed) return;
  stop();
  conversation.clear();
  views.clear();
  byId('turns').replaceChildren();
  tidy();
  byId('question').focus();
}

/** Shows what can be done now. */
function tidy() {
  const busy = running !== null;
  byId('send').hidden = busy;
  byId('stop').hidden = !busy;
  const empty = conversation.all().length === 0;
  byId('welcome').hidden = !empty;
  byId('keeping').hidden = empty;
}

function complain(text) {
  byId('complaint').hidden = text === '';
  byId('complaint').textContent = text;
}

/** Lets a field be as high as its text, up to what the style allows. */
function fit(field) {
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight + 2}px`;
}
