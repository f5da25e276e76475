// A conversation: its turns, what of it each model is shown, and its forms outside of the page.
//
// It lives in this tab: a reload brings it back, closing the tab ends it.

import { split } from './splitter.js';

const KEY = 'medtune.conversation';
const NOTE = 'For research only, not for clinical use: never for diagnosis, treatment or any other clinical decision.';

let turns = restored();

export const all = () => turns;

/** Adds a question, to be answered by each of `answers`, as in `{ model, system, template }`. */
export function add(question, sampling, answers) {
  const turn = {
    question,
    asked_at: new Date().toISOString(),
    sampling,
    answers: answers.map((answer) => ({
      ...answer,
      state: 'streaming',
      text: '',
      finish: null,
      usage: null,
      seconds: null,
    })),
  };
  turns.push(turn);
  keep();
  return turn;
}

export function clear() {
  turns = [];
  keep();
}

/** Makes what is there now outlast a reload. */
export function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(turns));
  } catch {
    // More than the browser keeps; the page still has it.
  }
}

function restored() {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
  } catch {
    return [];
  }
  for (const answer of kept.flatMap((turn) => turn.answers)) {
    if (answer.state === 'streaming' || answer.state === 'waiting') {
      answer.state = 'cut';
      answer.problem = 'The page was reloaded while this answer arrived.';
    }
  }
  return kept;
}

/** What the model of `column` is shown for `turn`: each model has its own answers behind it. */
export function messages(turn, column) {
  const said = [];
  const { system } = turn.answers[column];
  if (system) said.push({ role: 'system', content: system });
  for (const earlier of turns.slice(0, turns.indexOf(turn))) {
    const answer = earlier.answers[column] ?? earlier.answers[0];
    if (answer.text.trim() === '') continue;
    said.push({ role: 'user', content: earlier.question }, { role: 'assistant', content: answer.text });
  }
  said.push({ role: 'user', content: turn.question });
  return said;
}

export function asJson() {
  const parts = ({ template, text, ...answer }) => {
    const { reasoning, response } = split(template, text);
    return { ...answer, reasoning, response, text };
  };
  const whole = {
    version: 1,
    note: NOTE,
    saved_at: new Date().toISOString(),
    turns: turns.map((turn) => ({ ...turn, answers: turn.answers.map(parts) })),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

export function asMarkdown() {
  const lines = ['# Conversation', '', `> ${NOTE}`, ''];
  for (const turn of turns) {
    lines.push('## Question', '', turn.question, '');
    for (const answer of turn.answers) lines.push(...answerLines(answer));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function answerLines(answer) {
  const { reasoning, response } = split(answer.template, answer.text);
  const lines = [`## Answer of \`${answer.model}\``, ''];
  if (reasoning) lines.push('### Reasoning', '', reasoning, '', '### Response', '');
  lines.push(response || '(no response was reached)', '');
  if (answer.state !== 'done') lines.push(`(${answer.problem ?? answer.state})`, '');
  return lines;
}
