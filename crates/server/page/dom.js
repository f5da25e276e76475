// Elements are made here, and never from text: what a model, a file or a server says only ever becomes a text node.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes, listeners under `on`, and children that are nodes or texts. */
export function el(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

/** The same for the elements of a drawing. */
export function svg(name, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

function dress(node, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) throw new TypeError(`${name} is no attribute here`);
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? '' : value);
  }
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** The element of the page with this id; one that is missing is a fault of ours. */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return node;
}

/** A button that does `action`. */
export function button(text, action, attributes = {}) {
  return el('button', { type: 'button', on: { click: action }, ...attributes }, text);
}

/** A list of names and values; values that are missing are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return el(
    'dl',
    { class: 'facts' },
    known.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
  );
}

/** A table with these texts over its columns; where there is none, the column speaks for itself. */
export function table(head, rows) {
  const cells = head.map((text) => (text === '' ? el('td') : el('th', { scope: 'col' }, text)));
  return el('table', {}, el('thead', {}, el('tr', {}, cells)), el('tbody', {}, rows));
}

/** A row of it, whose first cell names it. */
export function row(name, cells) {
  const nodes = cells.map((cell) => el('td', {}, cell));
  return el('tr', {}, el('th', { scope: 'row' }, name), nodes);
}

/** What may be wider than the page and then scrolls by itself, by the keyboard too. */
export function wide(label, content) {
  return el('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': label }, content);
}
