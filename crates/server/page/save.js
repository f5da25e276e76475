// Text to the clipboard and into files of the person's own.

import { el } from './dom.js';
import { say } from './announce.js';

/** Copies `text` and says so on the button that asked for it. */
export async function copy(text, button) {
  const done = await write(text);
  const before = button.textContent;
  button.textContent = done ? 'Copied' : 'Copying is not allowed here';
  say(button.textContent);
  setTimeout(() => {
    button.textContent = before;
  }, 1_500);
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeByField(text);
  }
}

/** The way that is left where the page comes over plain HTTP from another machine. */
function writeByField(text) {
  const before = document.activeElement;
  const field = el('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  before?.focus();
  return done;
}

/** Hands `text` over as a file to keep. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
