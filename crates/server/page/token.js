// The server's token: asked for when the server wants it, kept in memory, and for this tab on request.

import { byId } from './dom.js';

const KEY = 'medtune.token';
let token = sessionStorage.getItem(KEY);
let asking = null;

/** The header that carries the token, if there is one. */
export const authorization = () => (token === null ? {} : { authorization: `Bearer ${token}` });

/** Forgets the token `refused`, unless another one was given meanwhile, and asks for a new one. */
export function ask(refused) {
  if (authorization().authorization !== refused) return Promise.resolve();
  asking ??= askOnce(refused !== undefined).finally(() => {
    asking = null;
  });
  return asking;
}

function askOnce(wasRefused) {
  token = null;
  sessionStorage.removeItem(KEY);
  const dialog = byId('token');
  const field = byId('token-text');
  const form = byId('token-form');
  byId('token-refused').hidden = !wasRefused;
  field.value = '';
  dialog.showModal();
  return new Promise((resolve) => {
    // Nothing works without the token, so that Escape does not close this one for long.
    dialog.onclose = () => token ?? dialog.showModal();
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text === '') return;
      token = text;
      field.value = '';
      if (byId('token-keep').checked) sessionStorage.setItem(KEY, text);
      dialog.close();
      resolve();
    };
  });
}
