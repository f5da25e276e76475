// Looking again, as long as somebody looks.

import { tell } from './fault.js';
import { isGone, onBack } from './link.js';

const AFTER_A_FAULT_MS = 10_000;

/**
 * Calls `look` at once and then whenever the milliseconds that it returned are over; null ends it.
 *
 * Nothing is asked while the page is hidden or the server is gone. The returned function ends it too; its `now` looks
 * at once.
 */
export function poll(look) {
  let timer = null;
  let ended = false;
  let looking = false;
  const turn = async () => {
    clearTimeout(timer);
    if (ended || looking || document.hidden) return;
    looking = true;
    const wait = await look().catch((error) => {
      tell(error);
      return AFTER_A_FAULT_MS;
    });
    looking = false;
    if (wait === null) end();
    else if (!ended && !isGone()) timer = setTimeout(turn, wait);
  };
  const forget = onBack(turn);
  document.addEventListener('visibilitychange', turn);
  const end = () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', turn);
    forget();
  };
  turn();
  return Object.assign(end, { now: turn });
}
