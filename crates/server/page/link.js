// Whether the server answers. When it does not, the page says so and asks again at growing intervals, and what the page
// holds stays as it is.

import { byId } from './dom.js';

const HEALTH = new URL('../health', import.meta.url);
const LOOK_EVERY_MS = 10_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

const backAgain = new EventTarget();
let gone = false;
let wait = FIRST_WAIT_MS;
let timer = null;

export const isGone = () => gone;

/** Calls `listener` whenever the server is back, until the returned function is called. */
export function onBack(listener) {
  backAgain.addEventListener('back', listener);
  return () => backAgain.removeEventListener('back', listener);
}

/** Tells what the latest request met. */
export function seen(answered) {
  if (answered === !gone) return;
  gone = !answered;
  byId('gone').hidden = answered;
  document.body.dataset.link = answered ? 'up' : 'gone';
  byId('link').textContent = answered ? 'connected' : 'not connected';
  wait = FIRST_WAIT_MS;
  clearInterval(timer);
  if (answered) {
    backAgain.dispatchEvent(new Event('back'));
    timer = setTimeout(look, LOOK_EVERY_MS);
  } else {
    countDown();
  }
}

export function watch() {
  byId('gone-now').addEventListener('click', look);
  // A laptop that wakes up, or a tab that is looked at again, need not wait.
  addEventListener('online', look);
  document.addEventListener('visibilitychange', () => document.hidden || look());
  timer = setTimeout(look, LOOK_EVERY_MS);
}

async function look() {
  clearInterval(timer);
  const answered = await isThere();
  if (answered === gone) {
    seen(answered);
    return;
  }
  if (answered) {
    timer = setTimeout(look, LOOK_EVERY_MS);
    return;
  }
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  countDown();
}

async function isThere() {
  try {
    return (await fetch(HEALTH, { cache: 'no-store', signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

function countDown() {
  clearInterval(timer);
  let left = Math.round(wait / 1000);
  const tell = () => {
    byId('gone-wait').textContent = left > 0 ? `Trying again in ${left} s.` : 'Trying again…';
  };
  tell();
  timer = setInterval(() => {
    left -= 1;
    tell();
    if (left <= 0) look();
  }, 1_000);
}
