// A question before something that cannot be undone, or is dear to undo.

import { byId } from './dom.js';

/** Whether the person agrees; Escape and "Back" are no. */
export function confirm({ title, text, action, danger = false }) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  const yes = byId('confirm-yes');
  yes.textContent = action;
  yes.classList.toggle('danger', danger);
  dialog.returnValue = '';
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    yes.onclick = () => dialog.close('yes');
    byId('confirm-no').onclick = () => dialog.close('no');
    dialog.onclose = () => resolve(dialog.returnValue === 'yes');
  });
}
