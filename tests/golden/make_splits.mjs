// Makes splits.json: answers, and how the page splits each into reasoning and response. The tests of the crate
// `template` hold its own splitter to the same, so that the two never differ.
//
//   node tests/golden/make_splits.mjs      from the project's root

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MADE_UP = 160;
const TEMPLATES = ['headed', 'think', 'plain', 'any'];
const BY_HAND = [
  '## Thinking\n\nWhy.\n\n- so\n\n## Final Response\n\nWhat.\n',
  '\n# THINKING\nWhy.\n##final response:\r\nWhat.',
  '## Thinking: Why.\n**Final Response:** What.',
  '## Thinking\n\n## Final Response\n\nWhat.',
  '## Thinking\n\nWhy and',
  '## Thinking\n\nWhy.\n\n## Final Re',
  '## Thinking\n\nWhy.\n\n## Final Response',
  '## Thin',
  '  It is a cold.\n\nRest.\n',
  'Thinking\n\n## Treatment\n\n* Rest',
  '',
  ' \n\u00a0\u3000\u0085',
  '\ufeff## Thinking\nWhy.',
  'Let us see.\n\n## Final Response\n\nWhat.',
  'Sure.\n\n## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.',
  '## Thinking\na\n## Thinking\nb\n## Final Response\nc\n## Final Response\nd\n## Thinking',
  '## 思考\n\n发热。\n\n## 最终回答\n\n休息。',
  '＃＃　思考过程：发热。\n**最终答案：** 休息。',
  '## 思考\n\n发热。\n\n## 最终',
  '## 思考过\n## 思考一下',
  '<think>\nWhy.\n</think>\n\nWhat.\n',
  '<THINK>Why, p < 0.05.</Think>What.',
  'Why.\n</think>\nWhat.',
  'Sure. <think>Why <think> so.</think>What </think> is <think>.',
  '<think></think>What.',
  '<think>Why, so</thi',
  '<thin',
  'What, if p <',
  '<think>\nWhy.\n## Thinking\n</think>\nWhat.',
  '## Thinking\nWhy.\n## Final Response\n<think>What.</think>',
  '## Thinking\nWhy.\n</think>\nWhat.\n## Final Response',
  '## Final Response: <',
  '## Thin\u212aing\nthe Kelvin sign is no k',
  '## THİNKING\na dotted capital is no i',
  'a script: <script>alert(1)</script>\n## Final Response\n<img src=x onerror=alert(1)>',
];
const PARTS = [
  '## Thinking',
  '## Final Response',
  '**Final Response:**',
  '# FINAL',
  '## 思考',
  '最终回答',
  '<think>',
  '</think>',
  '<',
  '</thi',
  'nk>',
  '##',
  '\n',
  '\n\n',
  '\r\n',
  ' ',
  '**',
  ':',
  'fever',
  'é—漢',
  'response',
  '\u3000',
  '＊＊',
  '：',
];

// The page's modules stand in no package, by which Node would know them for modules.
const folder = mkdtempSync(join(tmpdir(), 'splits-'));
writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
for (const name of ['splitter.js', 'heading.js']) copyFileSync(join('crates/server/page', name), join(folder, name));
const { split } = await import(join(folder, 'splitter.js'));
rmSync(folder, { recursive: true });

let seed = 1;
const below = (limit) => {
  seed = (seed * 48271) % 2147483647;
  return seed % limit;
};
const madeUp = () => Array.from({ length: 3 + below(18) }, () => PARTS[below(PARTS.length)]).join('');
const pairs = [
  ...BY_HAND.flatMap((text) => TEMPLATES.map((template) => [template, text])),
  ...Array.from({ length: MADE_UP }, (_, index) => [TEMPLATES[index % TEMPLATES.length], madeUp()]),
];
const cases = pairs.map(([template, text]) => {
  const { reasoning, response, complete } = split(template, text);
  return JSON.stringify({ template, text, reasoning, response, complete });
});
writeFileSync('tests/golden/splits.json', `[\n${cases.join(',\n')}\n]\n`);
