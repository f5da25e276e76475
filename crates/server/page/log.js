// The events of a run: each fetched once, newest first on the page.

import { json } from './api.js';
import { el } from './dom.js';
import { clock } from './words.js';

const PAGE = 1000;
/** Beyond these a page becomes slow, and nobody reads on. */
const MOST_SHOWN = 500;

export class EventLog {
  #last = null;
  #entries = [];
  #list = el('ol', { class: 'log', tabindex: '0', 'aria-label': 'Events, newest first' });
  #steps = el('input', { type: 'checkbox', on: { change: () => this.#draw() } });
  #more = el('p', { class: 'note', hidden: true });

  constructor() {
    this.root = el('div', {}, el('label', { class: 'check' }, this.#steps, ' Each step too'), this.#list, this.#more);
  }

  /** Fetches what has happened since the last time; returns it, oldest first. */
  async fetch(path) {
    const news = [];
    let after = '';
    for (;;) {
      const { data, has_more: hasMore } = await json(`${path}?limit=${PAGE}${after}`);
      const known = data.findIndex((event) => event.id === this.#last);
      news.push(...(known < 0 ? data : data.slice(0, known)));
      if (known >= 0 || !hasMore || data.length === 0) break;
      after = `&after=${encodeURIComponent(data.at(-1).id)}`;
    }
    if (news.length > 0) {
      this.#last = news[0].id;
      this.#entries.unshift(...news);
      this.#draw();
    }
    return news.reverse();
  }

  #draw() {
    const wanted = this.#entries.filter((event) => this.#steps.checked || event.type !== 'metrics');
    this.#list.replaceChildren(...wanted.slice(0, MOST_SHOWN).map(entry));
    this.#more.hidden = wanted.length <= MOST_SHOWN;
    this.#more.textContent = `${wanted.length - MOST_SHOWN} earlier ones are not shown.`;
  }
}

function entry({ created_at: at, level, message }) {
  const grave = level === 'error' || level === 'warn';
  return el(
    'li',
    { 'data-level': level },
    el('time', {}, clock(at)),
    el('span', {}, grave ? el('strong', {}, `${level === 'warn' ? 'Warning' : 'Error'}: `) : null, message),
  );
}
