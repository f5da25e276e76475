// What a screen reader is told of a text that streams in: whole sentences, and not more often than one can listen.

import { byId } from './dom.js';

const BREATH_MS = 2_500;
const SENTENCE = /[^.!?。！？\n]*[.!?。！？\n]+\s*/g;

/** Says one thing. */
export function say(text) {
  const place = byId('announcements');
  place.textContent = '';
  // A change that follows at once would be taken for none.
  setTimeout(() => {
    place.textContent = text;
  }, 50);
}

/** Reads out a text as it arrives. */
export class Reader {
  #waiting = '';
  #spoken = 0;

  push(text) {
    this.#waiting += text;
    if (performance.now() - this.#spoken < BREATH_MS) return;
    const sentences = this.#waiting.match(SENTENCE)?.join('') ?? '';
    if (sentences.trim() === '') return;
    this.#waiting = this.#waiting.slice(sentences.length);
    this.#spoken = performance.now();
    say(sentences);
  }

  end(closing) {
    say(`${this.#waiting.trim()} ${closing}`.trim());
    this.#waiting = '';
  }
}
