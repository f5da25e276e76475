// Recognising a heading in a line, whole or still arriving: the rules of the Rust crate `template`, heading.rs. The
// cases in tests/golden/splits.json hold both to the same answers.

/** Headings by the words that name them, lower-case, one space between words, and the section that each opens. */
const NAMES = [
  ['thinking', 'reasoning'],
  ['思考', 'reasoning'],
  ['思考过程', 'reasoning'],
  ['final response', 'response'],
  ['最终回答', 'response'],
  ['最终答案', 'response'],
];

// White space as Unicode and Rust have it; JavaScript's own \s counts a byte order mark and lacks U+0085.
const SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING = new RegExp(`^[${SPACE}]+`, 'u');
const TRAILING = new RegExp(`[${SPACE}]+$`, 'u');
const RUN = new RegExp(`[${SPACE}]+`, 'gu');
const MARKS = /^[#*_＃＊]+/u;
const MARKS_AND_SPACE = new RegExp(`^[#*_＃＊${SPACE}]+`, 'u');

export const trimStart = (text) => text.replace(LEADING, '');

// Not by one expression with `+$`, whose time grows with the square of a text full of spaces.
export function trimEnd(text) {
  let end = text.length;
  while (end > 0 && TRAILING.test(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

// Only the letters A to Z: others may change their length.
export const lower = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/**
 * Judges the beginning of a line, without its newline; `ended` says that no more of it follows.
 *
 * The verdict is 'text', 'open' (it may still become a heading), or `{ section, at }`: a heading, what is left of the
 * line from there on is text.
 */
export function judge(line, ended) {
  const name = line.replace(MARKS_AND_SPACE, '');
  const marks = line.slice(0, line.length - name.length);
  if (name === '') return ended ? 'text' : 'open';
  if (!/[#＃]|\*\*|＊＊/u.test(marks)) return 'text';
  let open = false;
  for (const [words, section] of NAMES) {
    const rest = afterName(name, words);
    if (rest === null) {
      open ||= isBeginning(name, words);
      continue;
    }
    // One name may be the beginning of another.
    const verdict = judgeTail(line, rest, ended, section);
    if (verdict !== 'text') return verdict;
  }
  return open && !ended ? 'open' : 'text';
}

/** Whether the end of a text, judged text only because the text ended, is the beginning of a heading. */
export function isHalf(line) {
  return /[#*＃＊]/u.test(line) && judge(line, false) === 'open';
}

/** What follows the name in `text`, where any run of white space stands for one space; null where it is not there. */
function afterName(text, name) {
  let rest = text;
  for (const [index, word] of name.split(' ').entries()) {
    if (index > 0) {
      const trimmed = trimStart(rest);
      if (trimmed.length === rest.length) return null;
      rest = trimmed;
    }
    if (lower(rest.slice(0, word.length)) !== word) return null;
    rest = rest.slice(word.length);
  }
  return rest;
}

function isBeginning(text, name) {
  return name.startsWith(trimStart(lower(text.replace(RUN, ' '))));
}

/** Judges what follows a name: closing marks, a colon, closing marks, then text only after a colon. */
function judgeTail(line, tail, ended, section) {
  let rest = tail.replace(MARKS_AND_SPACE, '');
  const colon = rest.startsWith(':') || rest.startsWith('：');
  if (colon) rest = trimStart(rest.slice(1).replace(MARKS, ''));
  const heading = { section, at: line.length - rest.length };
  if (rest === '') return ended ? heading : 'open';
  return colon ? heading : 'text';
}
