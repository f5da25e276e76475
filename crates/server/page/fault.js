// What goes wrong is said in one place; a server that is away has a place of its own.

import { Gone } from './api.js';
import { byId } from './dom.js';

export function tell(error) {
  if (error instanceof Gone || error?.name === 'AbortError') return;
  byId('fault-text').textContent = error?.message ?? 'Something went wrong on this page.';
  byId('fault').hidden = false;
}

/** Also says what nobody waited for. */
export function watch() {
  addEventListener('unhandledrejection', (event) => tell(event.reason));
  addEventListener('error', (event) => tell(event.error));
  byId('fault-close').addEventListener('click', () => {
    byId('fault').hidden = true;
  });
}
