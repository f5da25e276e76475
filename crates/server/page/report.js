// A training file as numbers: examples, tokens by half, what the system prompts are, what does not fit.

import { el, facts, row, table, wide } from './dom.js';
import { histogram } from './histogram.js';
import { bytes, count, digits, percent, time } from './words.js';

const PARTS = [
  ['whole', 'Whole example'],
  ['question', 'Question'],
  ['reasoning', 'Reasoning'],
  ['response', 'Response'],
];
const SHAPES = {
  headed: '“## Thinking” and “## Final Response”',
  think: '<think> tags',
  plain: 'no mark between reasoning and response',
};

/** The elements that show the report on `file`. */
export function report(file, found) {
  return [
    el('section', { class: 'card' }, el('h2', {}, 'What it holds'), facts(general(file, found))),
    ...(found.tokens ? tokens(found.tokens, found.examples) : []),
    prompts(found),
  ];
}

function general(file, { kind, examples, messages, answers, named_messages: named }) {
  const shapes = Object.entries(answers).filter(([, number]) => number > 0);
  const shape = shapes
    .map(([name, number]) => (shapes.length === 1 ? SHAPES[name] : `${SHAPES[name]}: ${digits(number)}`))
    .join('; ');
  return [
    ['Examples', digits(examples)],
    ['Messages', digits(messages)],
    ['Each is', kind === 'preferences' ? 'two answers to one prompt; what follows is of the preferred one' : null],
    ['Answers are marked by', shape],
    [
      'Messages with a speaker’s name',
      named > 0 ? `${digits(named)}, which the model’s template has no place for` : null,
    ],
    ['Size', bytes(file.bytes)],
    ['Uploaded', time(file.created_at)],
    ['File', el('code', {}, file.id)],
  ];
}

function tokens({ model, limit, cut, trained, parts }, examples) {
  const there = PARTS.filter(([name]) => parts[name].total > 0);
  const rows = there.map(([name, title]) => {
    const { total, median, p95, max } = parts[name];
    return row(title, [total, median, p95, max].map(digits));
  });
  const found = table(['', 'Together', 'Median', '95 % up to', 'Longest'], rows);
  const charts = there.map(([name, title]) => histogram(title, parts[name], name === 'whole' ? limit : null));
  const how =
    `Counted by the tokenizer of ${model}. One epoch learns from ${count(trained, 'token')} of the answers. ` +
    'The whole holds the words of the chat template too.';
  return [
    el(
      'section',
      { class: 'card' },
      el('h2', {}, 'Tokens'),
      el('p', { class: 'note' }, how),
      wide('Tokens by part', found),
      el('p', cut === 0 ? {} : { class: 'problem' }, fit(limit, cut, examples)),
      el('div', { class: 'charts' }, charts),
    ),
  ];
}

/** Whether the examples fit into what is trained on. */
function fit(limit, cut, examples) {
  const most = `the ${digits(limit)} tokens that are trained on`;
  if (cut === 0) return `All examples fit into ${most}.`;
  const some = `${count(cut, 'example')} (${percent(cut / examples)})`;
  return cut === 1
    ? `${some} is longer than ${most}; its end is cut off.`
    : `${some} are longer than ${most}; their ends are cut off.`;
}

function prompts({ system_prompts: found, distinct_system_prompts: distinct, examples }) {
  const told = found.flatMap(({ text, examples: number }) => [
    el('p', { class: 'note' }, number === examples ? 'In every example:' : `In ${count(number, 'example')}:`),
    el('blockquote', { class: 'text' }, text),
  ]);
  const more = distinct - found.length;
  return el(
    'section',
    { class: 'card' },
    el('h2', {}, 'System prompt'),
    told.length > 0 ? told : el('p', {}, 'No example has one.'),
    more > 0 ? el('p', { class: 'note' }, `${count(more, 'more prompt')} of other words.`) : null,
  );
}
