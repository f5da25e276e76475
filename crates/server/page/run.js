// One run: how it stands, its learning curve, its events, and what can be done with it.

import { json, list } from './api.js';
import { confirm } from './confirm.js';
import { Curve } from './curve.js';
import { button, el, facts, row, table } from './dom.js';
import { EventLog } from './log.js';
import { poll } from './poll.js';
import { copy } from './save.js';
import { say } from './announce.js';
import { isMoving, isOver, mayPause, mayResume, nameOf, stateMark } from './state.js';
import { digits, span, time } from './words.js';

const QUICK_MS = 1_000;
const SLOW_MS = 10_000;

/** Fills `place` with the run `id` and keeps it true; `askModel(model)` goes to the conversation with a model. */
export function run(place, id, askModel) {
  const view = new RunView(id, askModel);
  place.append(view.root);
  const polling = poll(() => view.look());
  view.again = polling.now;
  return polling;
}

class RunView {
  #id;
  #askModel;
  #curve = new Curve();
  #log = new EventLog();
  #status = null;
  #head = el('div', { class: 'run-head' });
  #actions = el('div', { class: 'actions' });
  #progress = el('div', { class: 'run-progress' });
  #facts = el('div', {});
  #why = el('p', { class: 'problem', hidden: true });
  #checkpoints = el('div', {});
  #shown = {};

  constructor(id, askModel) {
    this.#id = id;
    this.#askModel = askModel;
    this.root = el(
      'div',
      {},
      el('p', {}, el('a', { href: '#/runs', class: 'back' }, '‹ All runs')),
      this.#head,
      this.#actions,
      this.#why,
      this.#progress,
      this.#curve.root,
      el('section', { class: 'card' }, el('h2', {}, 'Facts'), this.#facts),
      this.#checkpoints,
      el('section', { class: 'card' }, el('h2', {}, 'Events'), this.#log.root),
    );
  }

  async look() {
    const path = `v1/fine_tuning/jobs/${this.#id}`;
    // In this order: what happens in between is in the events of the next look, never lost behind a final state.
    const job = await json(path).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    });
    if (job === null) {
      this.root.replaceChildren(el('p', {}, 'There is no such run.'), el('a', { href: '#/runs' }, 'All runs'));
      return null;
    }
    const news = await this.#log.fetch(`${path}/events`);
    this.#curve.add(news);
    this.#draw(job);
    const checkpoints = await list(`${path}/checkpoints`);
    this.#once('checkpoints', checkpoints, () =>
      this.#checkpoints.replaceChildren(...this.#checkpointTable(checkpoints)),
    );
    if (isOver(job)) return null;
    return isMoving(job) ? QUICK_MS : SLOW_MS;
  }

  #draw(job) {
    if (this.#status !== null && this.#status !== job.status) say(`${nameOf(job)}: ${stateMark(job).textContent}`);
    this.#status = job.status;
    this.#once('head', [job.status, job.user_provided_suffix], () => {
      this.#head.replaceChildren(el('h1', { tabindex: '-1' }, nameOf(job)), stateMark(job));
    });
    this.#once('actions', [job.status, job.fine_tuned_model], () => this.#drawActions(job));
    this.#why.textContent = job.error?.message ?? '';
    this.#why.hidden = this.#why.textContent === '';
    this.#drawProgress(job);
    this.#once('facts', job, () => this.#facts.replaceChildren(jobFacts(job)));
  }

  /** Draws a part only when it says something new, so that focus and selection in it stay. */
  #once(part, said, draw) {
    const text = JSON.stringify(said);
    if (this.#shown[part] === text) return;
    this.#shown[part] = text;
    draw();
  }

  #drawProgress(job) {
    const { step, total_steps: total } = this.#curve.latest ?? {};
    const rest = job.estimated_finish ? job.estimated_finish - Date.now() / 1000 : 0;
    this.#progress.hidden = !total || isOver(job);
    if (this.#progress.hidden) return;
    const left = rest > 0 && job.status === 'running' ? ` · about ${span(rest)} left` : '';
    this.#progress.replaceChildren(
      el('progress', { max: total, value: step, 'aria-label': 'Progress' }),
      el('span', {}, `Step ${digits(step)} of ${digits(total)}${left}`),
    );
  }

  #drawActions(job) {
    const name = nameOf(job);
    const had = this.#actions.contains(document.activeElement);
    const ask = (model) => button('Ask this model', () => this.#askModel(model), { class: 'primary' });
    this.#actions.replaceChildren(
      ...[
        job.fine_tuned_model ? ask(job.fine_tuned_model) : null,
        mayPause(job) &&
          this.#action('Pause', 'pause', {
            title: `Pause ${name}?`,
            text: 'Training stops behind its current step and goes on from there when you resume it. Other runs may begin meanwhile.',
          }),
        mayResume(job) &&
          this.#action('Resume', 'resume', {
            title: `Resume ${name}?`,
            text: 'Training goes on behind the step where it stopped, as soon as its turn comes.',
          }),
        !isOver(job) &&
          this.#action('Cancel run', 'cancel', {
            title: `Cancel ${name}?`,
            text: 'The run ends for good. Checkpoints that it made stay; what it learned since the last one is lost.',
            danger: true,
          }),
        job.training_file ? el('a', { href: `#/data/${job.training_file}`, class: 'button' }, 'Training data') : null,
      ].filter(Boolean),
    );
    if (had) this.#head.querySelector('h1').focus();
  }

  #action(text, verb, question) {
    const act = async () => {
      if (!(await confirm({ ...question, action: text }))) return;
      try {
        this.#draw(await json(`v1/fine_tuning/jobs/${this.#id}/${verb}`, { method: 'POST' }));
      } catch (error) {
        say(error.message);
        this.#actions.append(el('p', { class: 'problem' }, error.message));
      }
      this.again();
    };
    return button(text, act, question.danger ? { class: 'danger' } : {});
  }

  #checkpointTable(checkpoints) {
    if (checkpoints.length === 0) return [];
    const loss = (value) => (typeof value === 'number' ? value.toFixed(3) : '–');
    const rows = checkpoints.map(({ step_number: step, fine_tuned_model_checkpoint: model, metrics = {} }) => {
      const label = { class: 'quiet', 'aria-label': `Ask it: the checkpoint of step ${step}` };
      const ask = button('Ask it', () => this.#askModel(model), label);
      return row(digits(step), [loss(metrics.train_loss), loss(metrics.full_valid_loss ?? metrics.valid_loss), ask]);
    });
    const found = table(['Step', 'Training loss', 'Validation loss', ''], rows);
    return [el('section', { class: 'card' }, el('h2', {}, 'Checkpoints'), found)];
  }
}

function jobFacts(job) {
  const { n_epochs: epochs, batch_size: batch, learning_rate_multiplier: rate } = job.hyperparameters ?? {};
  const model = job.fine_tuned_model;
  const copyable =
    model &&
    el(
      'span',
      {},
      el('code', {}, model),
      ' ',
      button('Copy', (event) => copy(model, event.currentTarget), { class: 'quiet' }),
    );
  return facts([
    ['Model', copyable],
    ['Started from', job.model],
    ['Epochs', epochs],
    ['Batch size', batch],
    ['Learning rate', rate === undefined ? null : `${rate} × the default`],
    ['Seed', job.seed],
    ['Tokens trained on', job.trained_tokens && digits(job.trained_tokens)],
    ['Created', time(job.created_at)],
    ['Ended', job.finished_at && `${time(job.finished_at)}, after ${span(job.finished_at - job.created_at)}`],
    ['Job', el('code', {}, job.id)],
  ]);
}
