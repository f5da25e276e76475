// Splitting an answer into reasoning and response while it arrives, so that no half heading or tag is ever shown: the
// rules of the Rust crate `template`, splitter.rs and tag.rs.

import { isHalf, judge, lower, trimEnd, trimStart } from './heading.js';

const TAGS = [
  ['<think>', 'open'],
  ['</think>', 'close'],
];

/** What each template marks the border by; `any` takes up whatever an answer holds. */
const MARKS = {
  headed: { headings: true, tags: false },
  think: { headings: false, tags: true },
  plain: { headings: false, tags: false },
  any: { headings: true, tags: true },
};

/** Takes chunks and returns pieces `{ section: 'unmarked' | 'reasoning' | 'response', text }`. */
export class Splitter {
  #marks;
  #section = 'unmarked';
  /** The beginning of a line that may yet turn out to be a heading. */
  #held = '';
  /** Whether the rest of the current line is known to be text. */
  #insideLine = false;
  /** White space that is text only if more text follows in the section. */
  #space = '';
  #started = false;
  /** The beginning of what may turn out to be a tag; `#held` stands before it. */
  #heldTag = '';
  #pieces = [];

  constructor(template) {
    this.#marks = MARKS[template] ?? MARKS.any;
  }

  push(chunk) {
    if (!this.#marks.tags) {
      this.#pushText(chunk);
      return this.#taken();
    }
    let rest = this.#heldTag + chunk;
    this.#heldTag = '';
    while (rest !== '') {
      const part = this.#section === 'response' ? { text: rest.length } : firstPart(rest);
      if (part === 'open') {
        this.#heldTag = rest;
        break;
      }
      const length = part.text ?? part.length;
      if (part.tag) this.#pushTag(part.tag, rest.slice(0, length));
      else this.#pushText(rest.slice(0, length));
      rest = rest.slice(length);
    }
    return this.#taken();
  }

  /** Ends the text and returns what was still held back; a half heading or tag at the very end is dropped. */
  finish() {
    const heading = typeof this.#judge(this.#held, true) === 'object';
    if (this.#heldTag === '' && isHalf(this.#held) && !heading) return this.#taken();
    this.#endLine();
    if (this.#section === 'response') this.#emit(this.#heldTag);
    this.#heldTag = '';
    return this.#taken();
  }

  #taken() {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #endLine() {
    const held = this.#held;
    this.#held = '';
    const verdict = this.#judge(held, true);
    if (typeof verdict === 'object') {
      this.#open(verdict.section);
      this.#emit(held.slice(verdict.at));
    } else {
      this.#emit(held);
    }
  }

  #pushTag(tag, text) {
    this.#endLine();
    if (tag === 'open' && this.#section === 'unmarked') this.#open('reasoning');
    else if (tag === 'close' && this.#section !== 'response') this.#open('response');
    else {
      this.#emit(text);
      this.#insideLine = true;
      return;
    }
    this.#insideLine = false;
  }

  #pushText(text) {
    for (const part of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) this.#pushPart(part);
  }

  /** Takes a part that holds no newline but perhaps one at its end. */
  #pushPart(part) {
    const ended = part.endsWith('\n');
    if (this.#insideLine || !this.#marks.headings || this.#section === 'response') {
      this.#emit(part);
      this.#insideLine = !ended;
      return;
    }
    this.#held += part;
    const held = this.#held;
    const verdict = this.#judge(held.endsWith('\n') ? held.slice(0, -1) : held, ended);
    if (verdict === 'open') return;
    this.#held = '';
    if (verdict === 'text') {
      this.#emit(held);
    } else {
      this.#open(verdict.section);
      this.#emit(held.slice(verdict.at));
    }
    this.#insideLine = !ended;
  }

  /** As `judge`, but the heading of the section that is open already is text. */
  #judge(line, ended) {
    const verdict = judge(line, ended);
    return verdict.section === 'reasoning' && this.#section === 'reasoning' ? 'text' : verdict;
  }

  #open(section) {
    this.#section = section;
    this.#started = false;
    this.#space = '';
    // The empty piece says that the section was opened, even if nothing follows in it.
    this.#pieces.push({ section, text: '' });
  }

  /** Emits text of the current section, without white space at the section's ends. */
  #emit(whole) {
    const text = this.#started ? whole : trimStart(whole);
    const body = trimEnd(text);
    if (body === '') {
      this.#space += text;
      return;
    }
    this.#started = true;
    const shown = this.#space + body;
    this.#space = text.slice(body.length);
    const last = this.#pieces.at(-1);
    if (last?.section === this.#section) last.text += shown;
    else this.#pieces.push({ section: this.#section, text: shown });
  }
}

/** What the beginning of `text`, which is not empty, is known to be: text, a tag, or open. */
function firstPart(text) {
  const at = text.indexOf('<');
  if (at !== 0) return { text: at < 0 ? text.length : at };
  const start = lower(text.slice(0, '</think>'.length));
  for (const [spelling, tag] of TAGS) {
    if (start.startsWith(spelling)) return { tag, length: spelling.length };
  }
  return TAGS.some(([spelling]) => spelling.startsWith(lower(text))) ? 'open' : { text: 1 };
}

/** An answer as far as its pieces go: reasoning (null where there is none), response, and whether one was reached. */
export class Answer {
  #halves = { unmarked: '', reasoning: null, response: null };

  take(pieces) {
    for (const { section, text } of pieces) this.#halves[section] = (this.#halves[section] ?? '') + text;
  }

  get reasoning() {
    const { unmarked, reasoning, response } = this.#halves;
    if (reasoning === null && response === null) return null;
    return [unmarked, reasoning ?? ''].filter((half) => half !== '').join('\n\n');
  }

  get response() {
    const { unmarked, reasoning, response } = this.#halves;
    return reasoning === null && response === null ? unmarked : (response ?? '');
  }

  get complete() {
    return this.response !== '';
  }
}

/** Splits a whole text. */
export function split(template, text) {
  const splitter = new Splitter(template);
  const answer = new Answer();
  answer.take(splitter.push(text));
  answer.take(splitter.finish());
  return answer;
}
