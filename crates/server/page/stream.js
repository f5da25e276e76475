// Answers that arrive piece by piece: server-sent events over fetch.

import { answered, Refused, request } from './api.js';

/** The stream ended before the answer did. */
export class Cut extends Error {
  constructor() {
    super('the answer broke off');
  }
}

/** Takes text as it arrives and returns the data of each event that is whole. */
export class EventReader {
  #line = '';
  #data = [];
  #afterReturn = false;

  push(text) {
    const events = [];
    for (const letter of text.match(/[^\r\n]+|\r|\n/g) ?? []) {
      if (letter === '\n' && this.#afterReturn) {
        this.#afterReturn = false;
        continue;
      }
      this.#afterReturn = letter === '\r';
      if (letter === '\n' || letter === '\r') this.#endLine(events);
      else this.#line += letter;
    }
    return events;
  }

  #endLine(events) {
    const line = this.#line;
    this.#line = '';
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
    } else if (line.startsWith('data:')) {
      this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
    }
  }
}

/**
 * Asks for a completion; yields `{ text }` as it arrives, `{ finish }` and `{ usage }`.
 *
 * Throws `Refused` for an error in the stream, and `Cut` where it ends without a reason to end and `[DONE]`.
 */
export async function* completion(body, signal) {
  const asked = { ...body, stream: true, stream_options: { include_usage: true } };
  const response = await request('v1/chat/completions', { method: 'POST', body: asked, signal });
  let finished = false;
  for await (const data of events(response.body, signal)) {
    if (data === '[DONE]') {
      if (!finished) throw new Cut();
      return;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(200, chunk.error);
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) yield { text: choice.delta.content };
    if (choice?.finish_reason) {
      finished = true;
      yield { finish: choice.finish_reason };
    }
    if (chunk.usage) yield { usage: chunk.usage };
  }
  throw new Cut();
}

async function* events(body, signal) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parts = new EventReader();
  try {
    for (;;) {
      const { done, value } = await answered(reader.read());
      if (done) return;
      yield* parts.push(decoder.decode(value, { stream: true }));
      signal?.throwIfAborted();
    }
  } finally {
    // Whoever stops reading stops the generation too.
    reader.cancel().catch(() => {});
  }
}
