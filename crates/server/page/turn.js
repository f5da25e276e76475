// A question and its answers on the page.

import { button, el } from './dom.js';
import { copy } from './save.js';
import { Answer, Splitter } from './splitter.js';
import { count, digits, span, words } from './words.js';
import { shortName } from './models.js';

const STATES = {
  streaming: 'Answering…',
  waiting: 'Waiting for the server',
  done: '',
  stopped: 'Stopped',
  cut: 'Cut off',
  failed: 'Not answered',
};

/** The element of a turn, and a view for each of its answers; `again(column)` asks one of them once more. */
export function turnView(turn, again) {
  const answers = turn.answers.map((answer, column) => new AnswerView(answer, () => again(column)));
  const root = el(
    'article',
    { class: `turn${answers.length > 1 ? ' beside' : ''}` },
    el(
      'div',
      { class: 'question' },
      el('h2', { class: 'unseen' }, 'Question'),
      el('p', { class: 'text' }, turn.question),
    ),
    el(
      'div',
      { class: 'answers' },
      answers.map((answer) => answer.root),
    ),
  );
  return { root, answers };
}

/** One answer: its reasoning folded, its response open, and how it ended. */
class AnswerView {
  #answer;
  #splitter;
  #parts;
  #drawn = false;
  #state = el('span', { class: 'state' });
  #summary = el('summary', {});
  #reasoning = el('div', { class: 'text' });
  #folded;
  #response = el('div', { class: 'response text' });
  #problem = el('p', { class: 'problem', hidden: true });
  #measures = el('span', { class: 'measures' });
  #again;
  #copy;

  constructor(answer, again) {
    this.#answer = answer;
    this.#folded = el('details', { class: 'reasoning', hidden: true }, this.#summary, this.#reasoning);
    this.#again = button('Ask again', again, { class: 'quiet', hidden: true });
    this.#copy = button('Copy', () => copy(this.#answer.text, this.#copy), { class: 'quiet', hidden: true });
    this.root = el(
      'div',
      { class: 'answer', role: 'group', 'aria-label': `Answer of ${answer.model}` },
      el('header', {}, el('h3', { title: answer.model }, shortName(answer.model)), this.#state),
      this.#folded,
      this.#response,
      this.#problem,
      el('footer', {}, this.#measures, this.#copy, this.#again),
    );
    this.begin();
    this.push(answer.text);
    if (answer.state !== 'streaming') this.end();
  }

  /** Makes room for an answer from its beginning. */
  begin() {
    this.#splitter = new Splitter(this.#answer.template);
    this.#parts = new Answer();
    this.#draw();
  }

  /** Takes more of the text; returns what of it belongs to the response. */
  push(text) {
    const pieces = this.#splitter.push(text);
    this.#parts.take(pieces);
    this.#drawSoon();
    return pieces
      .filter((piece) => piece.section !== 'reasoning')
      .map((piece) => piece.text)
      .join('');
  }

  /** Shows how the answer ended. */
  end() {
    this.#parts.take(this.#splitter.finish());
    this.#splitter = new Splitter('plain');
    this.#draw();
  }

  // Tokens come faster than a screen shows them.
  #drawSoon() {
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawn = false;
    const { reasoning, response } = this.#parts;
    const { state, finish, text, problem } = this.#answer;
    grow(this.#reasoning, reasoning ?? '');
    grow(this.#response, response);
    this.#folded.hidden = reasoning === null || reasoning === '';
    const under = state === 'streaming' && response === '';
    this.#folded.classList.toggle('under-way', under);
    this.#summary.textContent = `${under ? 'Reasoning…' : 'Reasoning'} · ${count(words(reasoning ?? ''), 'word')}`;
    this.root.dataset.state = state;
    this.#state.textContent = STATES[state];
    const why = problem ?? this.#without(finish, response);
    this.#problem.hidden = state === 'streaming' || why === null;
    this.#problem.textContent = why ?? '';
    this.#again.hidden = !['stopped', 'cut', 'failed'].includes(state);
    this.#copy.hidden = text === '' || state === 'streaming';
    this.#measures.textContent = measures(this.#answer);
  }

  #without(finish, response) {
    if (finish === 'length') return 'The answer is longer than the limit of tokens and ends there.';
    if (finish !== null && response === '') return 'The model ended without a response.';
    return null;
  }
}

/** Shows `text` in `node`, which mostly holds its beginning already, so that a selection in it stays. */
function grow(node, text) {
  const shown = node.firstChild;
  if (shown === null) {
    if (text !== '') node.append(text);
  } else if (text.startsWith(shown.data)) {
    if (text.length > shown.length) shown.appendData(text.slice(shown.length));
  } else {
    shown.data = text;
  }
}

function measures({ usage, seconds }) {
  if (usage === null || seconds === null) return '';
  const tokens = usage.completion_tokens;
  const pace = seconds > 0.2 ? ` · ${(tokens / seconds).toFixed(tokens / seconds < 10 ? 1 : 0)} tokens/s` : '';
  return `${count(usage.prompt_tokens, 'token')} in, ${digits(tokens)} out · ${span(seconds)}${pace}`;
}
