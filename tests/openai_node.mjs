// A whole fine-tuning job, its pauses, uploads and answers, through the official Node SDK.
//
//   node openai_node.mjs BASE_URL        with the npm package `openai` beside it; tests/openai_node.sh does that

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const jobs = client.fineTuning.jobs;

const pairs = Array.from({ length: 12 }, (_, index) => [`What is behind ${index}?`, `Behind ${index} is ${index + 1}.`]);
const rows = pairs
  .map(([question, answer]) =>
    JSON.stringify({
      messages: [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ],
    }),
  )
  .join("\n");

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function until(id, ...states) {
  for (;;) {
    const job = await jobs.retrieve(id);
    if (states.includes(job.status)) return job;
    assert(!["succeeded", "failed", "cancelled"].includes(job.status), JSON.stringify(job));
    await sleep(50);
  }
}

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

const upload = async (name) => (await client.files.create({ file: await toFile(Buffer.from(rows), name), purpose: "fine-tune" })).id;

async function files() {
  const id = await upload("rows.jsonl");
  assert.equal(await (await client.files.content(id)).text(), rows);
  assert((await all(client.files.list({ purpose: "fine-tune", order: "asc", limit: 1 }))).some((file) => file.id === id));
  assert.equal((await client.files.delete(id)).deleted, true);
  await assert.rejects(client.files.retrieve(id), OpenAI.NotFoundError);
}

async function uploads() {
  const content = Buffer.from(rows);
  const request = { filename: "parts.jsonl", purpose: "fine-tune", mime_type: "text/jsonl" };
  const created = await client.uploads.create({ bytes: content.length, ...request });
  const part_ids = [];
  for (const piece of [content.subarray(0, 500), content.subarray(500)]) {
    part_ids.push((await client.uploads.parts.create(created.id, { data: await toFile(piece, "part") })).id);
  }
  const md5 = createHash("md5").update(content).digest("hex");
  const done = await client.uploads.complete(created.id, { part_ids, md5 });
  assert.equal(done.status, "completed");
  assert.equal(await (await client.files.content(done.file.id)).text(), rows);
  const other = await client.uploads.create({ bytes: 3, ...request });
  assert.equal((await client.uploads.cancel(other.id)).status, "cancelled");
}

async function job(model) {
  const training_file = await upload("train.jsonl");
  const validation_file = await upload("valid.jsonl");
  const method = { type: "supervised", supervised: { hyperparameters: { n_epochs: 2, batch_size: 4 } } };
  const created = await jobs.create({ model, training_file, validation_file, seed: 7, suffix: "node", method, metadata: { kind: "node" } });
  const done = await until(created.id, "succeeded");
  assert.match(done.fine_tuned_model, /^ft:.*:node:/);
  const events = await all(jobs.listEvents(created.id, { limit: 5 }));
  const losses = events.filter((event) => event.data?.train_loss !== undefined);
  assert.equal(losses.length, 6);
  assert.equal(new Set(events.map((event) => event.id)).size, events.length);
  const checkpoints = await all(jobs.checkpoints.list(created.id, { limit: 1 }));
  assert.deepEqual(checkpoints.map((one) => one.step_number), [6, 3]);
  const results = Buffer.from(await (await client.files.content(done.result_files[0])).text(), "base64").toString();
  assert.equal(results.split("\n")[0], "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy");
  assert.deepEqual((await all(jobs.list({ metadata: { kind: "node" } }))).map((one) => one.id), [created.id]);
  return [done.fine_tuned_model, checkpoints[1].fine_tuned_model_checkpoint, training_file];
}

async function pauses(model, training_file) {
  const long = await jobs.create({ model, training_file, hyperparameters: { n_epochs: 50, batch_size: 1 } });
  await until(long.id, "running");
  await jobs.pause(long.id);
  await until(long.id, "paused");
  await jobs.resume(long.id);
  await until(long.id, "running");
  assert.equal((await jobs.cancel(long.id)).status, "cancelled");
  await assert.rejects(jobs.cancel(long.id), OpenAI.BadRequestError);
}

async function preferences(model) {
  const said = (content) => [{ role: "assistant", content }];
  const lines = pairs.map(([question, answer]) =>
    JSON.stringify({
      input: { messages: [{ role: "user", content: question }], tools: [] },
      preferred_output: said(answer),
      non_preferred_output: said("I do not know."),
    }),
  );
  const file = await toFile(Buffer.from(lines.join("\n")), "pairs.jsonl");
  const training_file = (await client.files.create({ file, purpose: "fine-tune" })).id;
  const method = { type: "dpo", dpo: { hyperparameters: { beta: 0.2, n_epochs: 2, batch_size: 4, learning_rate_multiplier: 20 } } };
  const done = await until((await jobs.create({ model, training_file, seed: 7, method })).id, "succeeded");
  assert.equal(done.method.dpo.hyperparameters.beta, 0.2);
  const [last] = (await all(jobs.listEvents(done.id))).filter((event) => event.data?.train_loss !== undefined);
  assert(last.data.train_reward_margin > 0, JSON.stringify(last));
  return done.fine_tuned_model;
}

async function chat(model) {
  const request = { model, messages: [{ role: "user", content: pairs[0][0] }], max_tokens: 16, temperature: 0, seed: 3 };
  const whole = await client.chat.completions.create(request);
  let text = "";
  let usage;
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.total_tokens, whole.usage.total_tokens);
  const broken = client.chat.completions.create({ ...request, temperature: 3 });
  await assert.rejects(broken, (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
}

const [base] = await all(client.models.list());
await files();
await uploads();
const [tuned, checkpoint, file] = await job(base.id);
for (const model of [base.id, tuned, checkpoint, await preferences(tuned)]) await chat(model);
await pauses(base.id, file);
assert.equal((await client.models.delete(tuned)).deleted, true);
await assert.rejects(client.models.retrieve(tuned), OpenAI.NotFoundError);
console.log("the OpenAI Node SDK is served");
