// The page of `serve` as people use it, in headless Chromium; tests/web_page.sh says how it is run.
//
// The server is real, and so are jobs and answers. Where the tiny model cannot be made to say a thing, an answer with
// reasoning, one with script in it, one that breaks off, the answer to the browser is written here; what the page makes
// of it is the same code.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

const { BASE_MODEL, CHROMIUM, SERVE, SCREENSHOTS, SPLITS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const QUESTION = 'A 60-year-old patient reports sudden chest pain. What are the immediate concerns?';
const REASONED =
  '## Thinking\n\nPain in the chest, so the heart comes first.\n\n## Final Response\n\nAn ECG within ten minutes.';
const HOSTILE =
  '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"><a href="javascript:alert(1)">x</a>';
const SYSTEM = 'You are a careful test.';
const PATIENCE_MS = 60_000;

/** A server of its own folder, which can be killed and started again at the same place. */
class Server {
  #data = mkdtempSync(join(tmpdir(), 'medtune-page-'));
  #process = null;

  constructor(token) {
    this.token = token;
  }

  async start() {
    const addr = this.url ? new URL(this.url).host : '127.0.0.1:0';
    const args = ['--addr', addr, '--data-dir', this.#data, '--base-model', BASE_MODEL];
    const env = { ...process.env, ...(this.token ? { MEDTUNE_TOKEN: this.token } : {}) };
    this.#process = spawn(SERVE, args, { stdio: ['ignore', 'pipe', 'ignore'], env });
    const line = (await once(createInterface(this.#process.stdout), 'line'))[0];
    this.url = line.replace(/\/v1$/, '');
    return this;
  }

  async stop(signal = 'SIGKILL') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }

  async remove() {
    await this.stop();
    rmSync(this.#data, { recursive: true, force: true });
  }

  async json(path, options = {}) {
    const headers = { ...options.headers, ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) };
    const response = await fetch(`${this.url}/v1/${path}`, { ...options, headers });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return response.json();
  }

  async upload(name, rows) {
    const form = new FormData();
    form.set('purpose', 'fine-tune');
    form.set('file', new Blob([rows]), name);
    return (await this.json('files', { method: 'POST', body: form })).id;
  }

  async job(suffix, files, epochs) {
    const body = { model: this.base, ...files, suffix, seed: 3, hyperparameters: { n_epochs: epochs, batch_size: 4 } };
    return this.json('fine_tuning/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async until(job, status) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.json(`fine_tuning/jobs/${job}`);
      if (found.status === status) return found;
      assert.ok(Date.now() < end, `${job} stays ${found.status}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function rows(count) {
  const row = (index) =>
    JSON.stringify({
      messages: [
        { role: 'system', content: SYSTEM },
        { role: 'user', content: `What is number ${index}?` },
        {
          role: 'assistant',
          content: `## Thinking\n\nIt is ${index}, so it is.\n\n## Final Response\n\nNumber ${index}.`,
        },
      ],
    });
  return `${Array.from({ length: count }, (_, index) => row(index)).join('\n')}\n`;
}

/** An answer as the server streams it; `finish` null breaks it off. */
function stream(text, { finish = 'stop', done = true } = {}) {
  const event = (body) => `data: ${JSON.stringify(body)}\n\n`;
  const chunk = (delta, reason = null) => event({ choices: [{ index: 0, delta, finish_reason: reason }] });
  const words = text.match(/\S+\s*|\s+/g) ?? [];
  const end = finish === null ? '' : chunk({}, finish);
  return words.map((content) => chunk({ content })).join('') + end + (done ? 'data: [DONE]\n\n' : '');
}

/** Has the page's next questions answered with `body`. */
async function answerWith(page, body, status = 200) {
  await page.unrouteAll();
  const contentType = status === 200 ? 'text/event-stream' : 'application/json';
  await page.route('**/v1/chat/completions', (route) => route.fulfill({ status, contentType, body }));
}

/** Answers that take their time, as the tiny model does not: one word every few milliseconds, without an end. */
const slow = createServer(async (request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  while (!response.destroyed) {
    response.write(stream('word ', { finish: null, done: false }));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  slow.emit('hung up');
}).listen(0, '127.0.0.1');
await once(slow, 'listening');

/** Has the page's next questions answered by `slow`. */
async function answerSlowly(page) {
  await page.unrouteAll();
  const url = `http://127.0.0.1:${slow.address().port}/`;
  await page.route('**/v1/chat/completions', (route) => route.continue({ url }));
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
const server = await new Server().start();
server.base = (await server.json('models')).data[0].id;
const complaints = [];
let expected = null;

async function open(options = {}, at = server) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complain = (text) => {
    if (expected === null || !expected.test(text)) complaints.push(text);
  };
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complain(message.text()));
  page.on('pageerror', (error) => complain(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${at.url}/`) && !request.url().startsWith('blob:'))
      complain(`asks ${request.url()}`);
  });
  await page.goto(`${at.url}/`);
  return page;
}

async function shown(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

/** No fault of accessibility that axe-core finds. */
async function accessible(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  assert.deepEqual(faults, [], what);
}

const ready = (page) => page.waitForFunction(() => document.getElementById('model').value !== '');
const last = (page) => page.locator('.answer').last();
const state = (page, wanted) =>
  page.waitForFunction((wanted) => [...document.querySelectorAll('.answer')].at(-1)?.dataset.state === wanted, wanted);

/** Waits until so many are there. */
async function counted(locator, wanted) {
  const end = Date.now() + PATIENCE_MS;
  for (let found; (found = await locator.count()) !== wanted; ) {
    assert.ok(Date.now() < end, `${found} instead of ${wanted} of ${locator}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(page, question) {
  await page.getByLabel('Your question').fill(question);
  await page.keyboard.press('Enter');
}

async function choose(page, label, value) {
  await page.getByLabel(label, { exact: true }).selectOption(value);
}

const tests = [];
const test = (name, run) => tests.push([name, run]);

test('answers are split as the Rust crate splits them, however they arrive', async () => {
  const page = await open();
  const cases = JSON.parse(readFileSync(SPLITS, 'utf8'));
  const faults = await page.evaluate(async (cases) => {
    const { Splitter, Answer, split } = await import('/page/splitter.js');
    const parts = ({ reasoning, response, complete }) => JSON.stringify([reasoning, response, complete]);
    const inChunks = (template, chunks) => {
      const [splitter, answer] = [new Splitter(template), new Answer()];
      for (const chunk of chunks) answer.take(splitter.push(chunk));
      answer.take(splitter.finish());
      return parts(answer);
    };
    return cases.flatMap(({ template, text, ...right }) => {
      const letters = [...text];
      const ways = [parts(split(template, text)), inChunks(template, letters)];
      for (let at = 1; at < letters.length; at += 1) {
        ways.push(inChunks(template, [letters.slice(0, at).join(''), letters.slice(at).join('')]));
      }
      return ways.filter((way) => way !== parts(right)).map((way) => `${template} ${JSON.stringify(text)}: ${way}`);
    });
  }, cases);
  assert.deepEqual(faults, []);
  const halves = await page.evaluate(async (text) => {
    const { Splitter } = await import('/page/splitter.js');
    return ['headed', 'any'].flatMap((template) => {
      const splitter = new Splitter(template);
      return [...text].flatMap((letter) => splitter.push(letter)).filter((piece) => /[#*]/.test(piece.text));
    });
  }, REASONED);
  assert.deepEqual(halves, [], 'half a heading was shown');
  await page.context().close();
});

test('events are read off the stream however it is cut', async () => {
  const page = await open();
  const read = await page.evaluate(async () => {
    const { EventReader } = await import('/page/stream.js');
    const text = ': hello\r\n\r\ndata: {"a": 1}\r\n\r\ndata:b\ndata: c\n\nevent: x\rdata: d\r\rdata: never ended';
    const whole = new EventReader().push(text);
    const letters = new EventReader();
    return [whole, [...text].flatMap((letter) => letters.push(letter))];
  });
  const right = ['{"a": 1}', 'b\nc', 'd'];
  assert.deepEqual(read, [right, right]);
  await page.context().close();
});

test('a question is answered, and the next one is asked behind it', async () => {
  const page = await open();
  await ready(page);
  const asked = [];
  page.on('request', (request) => request.url().endsWith('/chat/completions') && asked.push(request.postDataJSON()));
  await choose(page, 'Model', server.base);
  await page.getByLabel('Most tokens').fill('400');
  await page.getByLabel('Seed').fill('5');
  await ask(page, QUESTION);
  await state(page, 'done');
  assert.ok((await last(page).locator('.response').textContent()).length > 0);
  assert.match(await last(page).locator('.measures').textContent(), /^\d+ tokens in, \d+ out · .+ m?s/);
  await page.getByLabel('Most tokens').fill('20');
  await ask(page, 'And then?');
  await page.waitForFunction(() => document.querySelectorAll('.answer[data-state="done"]').length === 2);
  assert.equal(asked.length, 2);
  assert.deepEqual(
    asked[1].messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  assert.equal(asked[1].messages[0].content, QUESTION);
  assert.deepEqual(
    [asked[0].seed, asked[0].max_completion_tokens, asked[0].temperature, asked[0].stream],
    [5, 400, 0.5, true],
  );
  await page.reload();
  await counted(page.locator('.turn'), 2);
  await page.context().close();
});

test('an answer grows until Escape or the button stops it, and what has come stays', async () => {
  const page = await open();
  await ready(page);
  await page.evaluate(() => {
    globalThis.lengths = new Set();
    new MutationObserver(() => {
      const text = document.querySelector('.answer .response')?.textContent ?? '';
      globalThis.lengths.add(text.length);
    }).observe(document.getElementById('turns'), { childList: true, subtree: true, characterData: true });
  });
  await answerSlowly(page);
  for (const stop of [() => page.keyboard.press('Escape'), () => page.getByRole('button', { name: 'Stop' }).click()]) {
    await ask(page, QUESTION);
    await page.waitForFunction(
      () => [...document.querySelectorAll('.answer .response')].at(-1)?.textContent.length > 5,
    );
    const hungUp = once(slow, 'hung up');
    await stop();
    await state(page, 'stopped');
    await hungUp;
    assert.ok((await last(page).locator('.response').textContent()).length > 5);
    await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
  }
  const lengths = await page.evaluate(() => globalThis.lengths.size);
  assert.ok(lengths > 2, `the answer grew in ${lengths} steps`);
  await page.context().close();
});

test('reasoning is folded with its length, and opens', async () => {
  const page = await open();
  await ready(page);
  await answerWith(page, stream(REASONED));
  await ask(page, QUESTION);
  await state(page, 'done');
  const answer = last(page);
  assert.equal(await answer.locator('.response').textContent(), 'An ECG within ten minutes.');
  assert.equal(await answer.locator('summary').textContent(), 'Reasoning · 9 words');
  assert.equal(await answer.locator('.reasoning .text').isVisible(), false);
  await answer.locator('summary').click();
  assert.equal(await answer.locator('.reasoning .text').textContent(), 'Pain in the chest, so the heart comes first.');
  await shown(page, 'reasoning');
  await accessible(page, 'an answer with reasoning');
  await page.context().close();
});

test('a text that streams in is read out in sentences, not in pieces', async () => {
  const page = await open();
  await ready(page);
  await page.evaluate(() => {
    globalThis.said = [];
    const place = document.getElementById('announcements');
    new MutationObserver(() => place.textContent && globalThis.said.push(place.textContent)).observe(place, {
      childList: true,
    });
  });
  await answerWith(page, stream(REASONED));
  await ask(page, QUESTION);
  await state(page, 'done');
  await page.waitForFunction(() => globalThis.said.at(-1)?.endsWith('End of the answer.'));
  const said = await page.evaluate(() => globalThis.said);
  assert.ok(said.length <= 3, said.join(' | '));
  assert.ok(
    said.join(' ').includes('An ECG within ten minutes.') && !said.join(' ').includes('heart comes first'),
    said.join(' | '),
  );
  await page.context().close();
});

test('what a model, a server or a file says is never HTML', async () => {
  const page = await open();
  await ready(page);
  await answerWith(page, stream(`## Thinking\n\n${HOSTILE}\n\n## Final Response\n\n${HOSTILE}`));
  await ask(page, HOSTILE);
  await state(page, 'done');
  assert.equal(await last(page).locator('.response').textContent(), HOSTILE);
  assert.equal(await last(page).locator('.reasoning .text').textContent(), HOSTILE);
  assert.equal(await page.locator('.question p').last().textContent(), HOSTILE);
  await shown(page, 'hostile');
  await answerWith(page, JSON.stringify({ error: { message: HOSTILE } }), 400);
  expected = /status of 400/;
  await ask(page, 'again');
  await state(page, 'failed');
  expected = null;
  assert.equal(await last(page).locator('.problem').textContent(), HOSTILE);
  const file = await server.upload(
    '<img src=x onerror=hacked=1>.jsonl',
    rows(10).replaceAll(SYSTEM, '<script>hacked = 1</script>'),
  );
  await page.goto(`${server.url}/#/data/${file}`);
  await page.getByText('<script>hacked = 1</script>').waitFor();
  const found = await page.evaluate(() => [
    globalThis.hacked,
    document.querySelectorAll('script').length,
    document.querySelectorAll('main img, main a[href^="javascript"]').length,
  ]);
  assert.deepEqual(found, [undefined, 1, 0]);
  const blocked = await page
    .evaluate(() => {
      try {
        document.createElement('p').innerHTML = '<b>x</b>';
        return 'nothing';
      } catch (error) {
        return error.name;
      }
    })
    .catch((error) => error.message);
  assert.equal(blocked, 'TypeError', 'the browser itself refuses text as HTML');
  complaints.length = 0;
  await server.json(`files/${file}`, { method: 'DELETE' });
  await page.context().close();
});

test('an answer that breaks off or fails is told as such and can be asked for again', async () => {
  const page = await open();
  await ready(page);
  for (const [body, wanted, words] of [
    [stream('Half an', { finish: null, done: false }), 'cut', 'broke off'],
    [stream('Whole.', { done: false }), 'cut', 'broke off'],
    [
      `${stream('Half', { finish: null, done: false })}data: {"error": {"message": "The server is shutting down"}}\n\n`,
      'cut',
      'shutting down',
    ],
    [stream('', { finish: 'stop' }), 'done', 'without a response'],
    [stream('Long', { finish: 'length' }), 'done', 'limit of tokens'],
    ['data: {\n\n', 'cut', 'cannot be read'],
  ]) {
    await answerWith(page, body);
    await ask(page, QUESTION);
    await state(page, wanted);
    assert.match(await last(page).locator('.problem').textContent(), new RegExp(words));
  }
  await answerWith(page, stream(REASONED));
  await last(page).getByRole('button', { name: 'Ask again' }).click();
  await state(page, 'done');
  await page.getByLabel('Temperature').fill('7');
  await ask(page, QUESTION);
  await page.getByRole('alert').filter({ hasText: 'Temperature' }).waitFor();
  assert.equal(await page.getByLabel('Your question').inputValue(), QUESTION, 'the question stays');
  await page.context().close();
});

test('a job is watched to its end, with its curve growing', async () => {
  const page = await open();
  const files = {
    training_file: await server.upload('train.jsonl', rows(48)),
    validation_file: await server.upload('valid.jsonl', rows(8)),
  };
  const steps = 600;
  const { id } = await server.job('watched', files, (steps * 4) / 48);
  await page.getByRole('link', { name: 'Runs' }).click();
  await page.getByRole('link', { name: /^watched/ }).click();
  await page.locator('[data-status="running"]').waitFor();
  const points = () =>
    page.evaluate(
      () => document.querySelector('.chart [data-kind="train"] path')?.getAttribute('d').split(/[ML]/).length ?? 0,
    );
  await page.waitForFunction(() => document.querySelector('.chart [data-kind="train"] path'));
  const early = await points();
  await page.locator('[data-status="succeeded"]').waitFor();
  await page.getByText('The job has successfully completed').waitFor();
  const late = await points();
  assert.ok(late === steps + 1 && early < late, `${early} points, then ${late}`);
  const kinds = await page.evaluate(() =>
    [...document.querySelectorAll('.chart:not([hidden])')].map((chart) =>
      [...chart.querySelectorAll('g[data-kind]')].map((line) => line.dataset.kind),
    ),
  );
  assert.deepEqual(kinds, [
    ['train', 'valid', 'full'],
    ['train', 'valid', 'full'],
  ]);
  const chart = page.getByRole('img', { name: /^Loss by step/ });
  await chart.focus();
  await page.keyboard.press('Home');
  assert.match(await page.locator('.readout').first().textContent(), /^Step 0 · Validation \(whole\) \d/);
  await page.getByText('The values as a table').click();
  await page.locator('.curve tbody tr').nth(steps).waitFor();
  assert.equal(await page.locator('.curve tbody tr').count(), steps + 1);
  await page.getByLabel('Each step too').check();
  await page.getByText(/^Step 600\/600: training loss=/).waitFor();
  await shown(page, 'run');
  await accessible(page, 'a run');
  const model = (await server.until(id, 'succeeded')).fine_tuned_model;
  await page.getByRole('button', { name: 'Ask this model' }).click();
  await page.waitForFunction((model) => document.getElementById('model').value === model, model);
  await page.context().close();
});

test('base and tuned answer the same question side by side, with the system prompt of the training', async () => {
  const page = await open();
  await ready(page);
  const asked = [];
  page.on('request', (request) => request.url().endsWith('/chat/completions') && asked.push(request.postDataJSON()));
  await choose(page, 'Compare with', server.base);
  await page.locator('#system-shown', { hasText: SYSTEM }).waitFor();
  await page.getByLabel('Most tokens').fill('60');
  await ask(page, QUESTION);
  await page.waitForFunction(() => document.querySelectorAll('.answer[data-state="done"]').length === 2);
  assert.deepEqual(new Set(asked.map(({ model }) => model.split(':')[0])), new Set(['ft', server.base]));
  const messages = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: QUESTION },
  ];
  for (const body of asked) assert.deepEqual(body.messages, messages);
  const [left, right] = await page.evaluate(() =>
    [...document.querySelectorAll('.answer')].map((answer) => answer.getBoundingClientRect()),
  );
  assert.ok(left.top === right.top && left.right < right.left, 'side by side');
  await shown(page, 'compare');
  await accessible(page, 'two answers');
  await choose(page, 'What is sent', 'own');
  await page.getByLabel('My own system prompt').fill('Be brief.');
  await choose(page, 'Compare with', '');
  await page.getByLabel('Stop at, one text a line').fill('a\nb');
  await ask(page, 'And now?');
  await page.waitForFunction(() => document.querySelectorAll('.answer[data-state="done"]').length === 3);
  assert.equal(asked.at(-1).messages[0].content, 'Be brief.');
  assert.deepEqual(asked.at(-1).stop, ['a', 'b']);
  await page.context().close();
});

test('a conversation is copied and saved', async () => {
  const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
  await ready(page);
  await answerWith(page, stream(REASONED));
  await ask(page, QUESTION);
  await state(page, 'done');
  await page.getByRole('button', { name: 'Copy conversation' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  const markdown = await page.evaluate(() => navigator.clipboard.readText());
  for (const part of [
    'not for clinical use',
    QUESTION,
    '### Reasoning',
    'the heart comes first',
    '### Response',
    'An ECG',
  ]) {
    assert.ok(markdown.includes(part), part);
  }
  const save = async (name) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    return [download.suggestedFilename(), readFileSync(await download.path(), 'utf8')];
  };
  assert.deepEqual(await save('Save as Markdown'), ['conversation.md', markdown]);
  const [name, text] = await save('Save as JSON');
  const {
    version,
    turns: [
      {
        question,
        answers: [answer],
      },
    ],
  } = JSON.parse(text);
  assert.deepEqual(
    [name, version, question, answer.reasoning, answer.response],
    ['conversation.json', 1, QUESTION, 'Pain in the chest, so the heart comes first.', 'An ECG within ten minutes.'],
  );
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.getByRole('button', { name: 'Begin anew' }).click();
  await counted(page.locator('.turn'), 0);
  await page.context().close();
});

test('a job is paused, resumed and cancelled, each after a question', async () => {
  const page = await open();
  const files = { training_file: await server.upload('long.jsonl', rows(400)) };
  const { id } = await server.job('long', files, 50);
  await server.until(id, 'running');
  await page.goto(`${server.url}/#/runs/${id}`);
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Pause' }).click();
  await dialog.waitFor();
  await shown(page, 'confirm');
  await accessible(page, 'a question');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.equal((await server.json(`fine_tuning/jobs/${id}`)).status, 'running', 'Escape is no');
  for (const [button, status] of [
    ['Pause', 'paused'],
    ['Resume', 'running'],
    ['Pause', 'paused'],
    ['Cancel run', 'cancelled'],
  ]) {
    await page.getByRole('button', { name: button }).click();
    await dialog.getByRole('button', { name: button }).click();
    await server.until(id, status);
    await page.locator(`.run-head [data-status="${status}"]`).waitFor();
  }
  await page.getByText('Fine-tuning job cancelled').waitFor();
  await counted(page.getByRole('button', { name: 'Resume' }), 0);
  await page.context().close();
});

test('the report on a training file has its counts and histograms', async () => {
  const page = await open();
  await server.upload('reported.jsonl', rows(60));
  await page.getByRole('link', { name: 'Training data' }).click();
  await page.getByRole('link', { name: /^reported\.jsonl/ }).click();
  await page.getByRole('heading', { name: 'Tokens' }).waitFor();
  assert.match(await page.locator('.facts').textContent(), /Examples60Messages180/);
  await page.locator('blockquote', { hasText: SYSTEM }).waitFor();
  const parts = await page.evaluate(() =>
    [...document.querySelectorAll('.chart figcaption')].map((caption) => caption.textContent),
  );
  assert.deepEqual(parts, ['Whole example', 'Question', 'Reasoning', 'Response']);
  const bars = await page.evaluate(() => document.querySelectorAll('.chart rect').length);
  assert.ok(bars > 4, `${bars} bars`);
  await page.getByText('All examples fit into the 2,048 tokens').waitFor();
  await shown(page, 'data');
  await accessible(page, 'a report');
  await page.context().close();
});

test('the server goes and comes back: nothing is lost, and what was asked meanwhile is answered', async () => {
  const page = await open();
  await ready(page);
  await answerSlowly(page);
  expected = /Failed to load resource|ERR_/;
  await ask(page, QUESTION);
  await page.waitForFunction(() => [...document.querySelectorAll('.answer .response')].at(-1)?.textContent.length > 5);
  await server.stop();
  slow.closeAllConnections();
  await state(page, 'cut');
  await page.unrouteAll();
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
  await page.getByText(/Trying again in \d+ s\./).waitFor();
  assert.ok((await last(page).locator('.response').textContent()).length > 5, 'what has come stays');
  await page.getByLabel('Most tokens').fill('30');
  await choose(page, 'Model', server.base);
  await ask(page, 'Are you there?');
  await state(page, 'waiting');
  await page.getByLabel('Your question').fill('a draft');
  await shown(page, 'gone');
  await accessible(page, 'a page without its server');
  await server.start();
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor({ state: 'hidden' });
  await state(page, 'done');
  assert.equal(await page.getByLabel('Your question').inputValue(), 'a draft');
  await counted(page.locator('.turn'), 2);
  await page.goto(`${server.url}/#/runs`);
  await page.getByRole('link', { name: /^watched/ }).waitFor();
  await server.stop();
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
  await page.getByRole('link', { name: /^watched/ }).waitFor();
  await server.start();
  // It may notice by itself before the button is clicked.
  await page.evaluate(() => document.getElementById('gone-now').click());
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor({ state: 'hidden' });
  expected = null;
  await page.context().close();
});

test('a token is asked for, and kept in this tab at most', async () => {
  const guarded = await new Server('a-token-of-the-test').start();
  expected = /status of 401/;
  const page = await open({}, guarded);
  const dialog = page.getByRole('dialog', { name: 'This server wants its token' });
  await dialog.waitFor();
  await shown(page, 'token');
  await accessible(page, 'the question for the token');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await dialog.getByLabel('Token', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await dialog.getByText('did not accept').waitFor();
  const enter = async (keep) => {
    await dialog.getByLabel('Token', { exact: true }).fill(guarded.token);
    await dialog.getByLabel('Keep it').setChecked(keep);
    await page.keyboard.press('Enter');
    await ready(page);
    await page.waitForFunction(() => document.querySelector('dialog[open]') === null);
  };
  const kept = () =>
    page.evaluate(() =>
      [JSON.stringify({ ...sessionStorage }), JSON.stringify({ ...localStorage }), document.cookie, location.href].map(
        (text) => text.includes('a-token'),
      ),
    );
  await enter(false);
  assert.deepEqual(await kept(), [false, false, false, false]);
  await page.reload();
  await dialog.waitFor();
  await enter(true);
  assert.deepEqual(await kept(), [true, false, false, false]);
  await page.reload();
  await ready(page);
  assert.equal(await dialog.isVisible(), false);
  expected = null;
  await page.context().close();
  await guarded.remove();
});

test('everything is done by the keyboard, and the focus is seen', async () => {
  const page = await open();
  await ready(page);
  await answerWith(page, stream(REASONED));
  await page.evaluate(() => document.activeElement.blur());
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  const tabTo = async (wanted) => {
    for (let steps = 0; steps < 40; steps += 1) {
      await page.keyboard.press('Tab');
      const seen = await page.evaluate(() => {
        // Between the last element and the first the focus is with the browser.
        if (document.activeElement === document.body) return true;
        const style = getComputedStyle(document.activeElement);
        const around = document.activeElement.closest('.composer');
        return style.outlineStyle !== 'none' || (around !== null && getComputedStyle(around).boxShadow !== 'none');
      });
      assert.ok(seen, `the focus on ${await focused()} is not seen`);
      if ((await focused()).startsWith(wanted)) return;
    }
    assert.fail(`no Tab leads to ${wanted}`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'main');
  await tabTo('question');
  await page.keyboard.type('first line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Enter');
  await state(page, 'done');
  assert.equal(await page.locator('.question p').textContent(), 'first line\nsecond line');
  await page.getByRole('link', { name: 'Training data' }).focus();
  await tabTo('Reasoning');
  await page.keyboard.press('Enter');
  assert.equal(await last(page).locator('.reasoning .text').isVisible(), true);
  await tabTo('model');
  await page.getByRole('link', { name: 'Ask', exact: true }).focus();
  await tabTo('Runs');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Runs' }).waitFor();
  await tabTo('watched');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'watched' }).waitFor();
  await page.context().close();
});

for (const [name, options] of [
  ['phone', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }],
  ['dark', { colorScheme: 'dark' }],
  ['dark phone', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' }],
]) {
  test(`it is good to use: ${name}`, async () => {
    const page = await open(options);
    await ready(page);
    await answerWith(page, stream(REASONED));
    if (options.isMobile) {
      assert.equal(await page.getByLabel('Temperature').isVisible(), false, 'settings are folded');
      await page.getByText('Settings').click();
    }
    await choose(page, 'Compare with', server.base);
    if (options.isMobile) await page.getByText('Settings').click();
    await ask(page, QUESTION);
    await page.waitForFunction(() => document.querySelectorAll('.answer[data-state="done"]').length === 2);
    const run = (await server.json('fine_tuning/jobs?limit=100')).data.find(
      (job) => job.user_provided_suffix === 'watched',
    );
    for (const [view, path, sign] of [
      ['ask', '#/ask', '.answer'],
      ['runs', '#/runs', '.rows a'],
      ['run', `#/runs/${run.id}`, '.chart path'],
      ['data', `#/data/${run.training_file}`, '.chart svg'],
    ]) {
      await page.goto(`${server.url}/${path}`);
      await page.locator(sign).first().waitFor();
      const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= inner, `${view} is ${wide} wide on ${inner}`);
      await shown(page, `${name} ${view}`.replaceAll(' ', '-'));
      await accessible(page, view);
    }
    if (options.colorScheme === 'dark') {
      const [paper, ink] = await page.evaluate(() =>
        [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].map((colour) =>
          Number(colour.match(/\d+/)[0]),
        ),
      );
      assert.ok(paper < 60 && ink > 190, `${paper} and ${ink}`);
    }
    await page.context().close();
  });
}

test('nothing moves for those who do not want it', async () => {
  const page = await open({ reducedMotion: 'reduce' });
  await ready(page);
  await page.route('**/v1/chat/completions', () => {});
  await ask(page, QUESTION);
  await state(page, 'streaming');
  const moving = await page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
  await page.context().close();
});

let failed = 0;
for (const [name, run] of tests) {
  if (process.env.ONLY && !name.includes(process.env.ONLY)) continue;
  const begun = performance.now();
  try {
    complaints.length = 0;
    expected = null;
    await run();
    assert.deepEqual(complaints, [], 'the browser complained');
    console.log(`ok    ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack}`);
    for (const context of browser.contexts()) await context.close();
  }
}
await browser.close();
slow.close();
slow.closeAllConnections();
await server.remove();
console.log(failed === 0 ? 'the page passes' : `${failed} of ${tests.length} fail`);
process.exitCode = failed === 0 ? 0 : 1;
