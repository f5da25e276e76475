// Requests to the server that this page came from, and to no other.

import { seen } from './link.js';
import * as token from './token.js';

const ROOT = new URL('../', import.meta.url);

/** The server refused, and says why. */
export class Refused extends Error {
  constructor(status, { message, code } = {}) {
    super(message ?? `the server answered with status ${status}`);
    this.status = status;
    this.code = code;
  }
}

/** There was no answer, or it broke off. */
export class Gone extends Error {
  constructor() {
    super('the server does not answer');
  }
}

/** Sends a request and returns the response, once the server accepts it; asks for the token where it wants one. */
export async function request(path, { method = 'GET', body, signal } = {}) {
  for (;;) {
    const authorization = token.authorization();
    const headers = { ...authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const response = await answered(
      fetch(new URL(path, ROOT), { method, headers, body: sent, signal, cache: 'no-store' }),
    );
    if (response.ok) return response;
    if (response.status === 401) {
      await token.ask(authorization.authorization);
      continue;
    }
    throw new Refused(response.status, (await response.json().catch(() => ({}))).error);
  }
}

/** A request whose answer is JSON. */
export async function json(path, options) {
  const response = await request(path, options);
  return answered(response.json());
}

/** All items of a list that comes in pages, up to `most` of them. */
export async function list(path, { limit = 100, most = 1000, signal } = {}) {
  const items = [];
  for (;;) {
    const after = items.length > 0 ? `&after=${encodeURIComponent(items.at(-1).id)}` : '';
    const joint = path.includes('?') ? '&' : '?';
    const page = await json(`${path}${joint}limit=${limit}${after}`, { signal });
    items.push(...page.data);
    if (!page.has_more || page.data.length === 0 || items.length >= most) return items;
  }
}

/** Waits for the network, and notes whether the server is there. */
export async function answered(promise) {
  try {
    const value = await promise;
    seen(true);
    return value;
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    seen(false);
    throw new Gone();
  }
}
