// The page: which of its views is shown, and what each needs.

import * as chat from './chat.js';
import * as data from './data.js';
import { byId } from './dom.js';
import * as fault from './fault.js';
import * as link from './link.js';
import { run } from './run.js';
import { runs } from './runs.js';
import * as settings from './settings.js';

const TITLES = { ask: 'Ask – medtune', runs: 'Runs – medtune', data: 'Training data – medtune' };
let leave = null;
let arrived = false;

fault.watch();
link.watch();
chat.start();
addEventListener('hashchange', show);
link.onBack(() => settings.refresh().catch(fault.tell));
byId('skip').addEventListener('click', (event) => {
  // The part of the address behind # names the view.
  event.preventDefault();
  byId('main').focus();
});
settings.start().catch(fault.tell);
show();

/** Shows the view that the address names. */
function show() {
  leave?.();
  leave = null;
  const [, wanted, id] = location.hash.split('/');
  const name = Object.hasOwn(TITLES, wanted ?? '') ? wanted : 'ask';
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.hash === `#/${name}`) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  byId('ask').hidden = name !== 'ask';
  const place = byId('view');
  place.hidden = name === 'ask';
  place.replaceChildren();
  document.title = TITLES[name];
  if (name === 'runs') leave = id ? run(place, id, askModel) : runs(place);
  if (name === 'data') leave = id ? data.file(place, id) : data.files(place);
  if (arrived) enter(name, place);
  arrived = true;
}

/** Who follows a link goes on at the new view's beginning. */
function enter(name, place) {
  if (name !== 'ask') {
    scrollTo(0, 0);
    place.focus();
    return;
  }
  settings.refresh().catch(fault.tell);
  byId('question').focus();
}

function askModel(model) {
  location.hash = '#/ask';
  settings.choose(model).catch(fault.tell);
}
