// The page of /admin, on two instances with one Redis (contract 10.8).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './pages.mjs';
import { Bridge, Redis, until } from './support.mjs';

const token = 'a-token-for-the-admin';
const folder = mkdtempSync(join(tmpdir(), 'freshet-admin-'));
const problems = [];
let browser, page, redis, one, two;

before(async () => {
  const config = join(folder, 'live.yaml');
  writeFileSync(config, `demo: true\nadmin: { token: ${token} }\nloaders: [{ route: 'chat/:room', messages: true }]\n`);
  redis = await Redis.start();
  [browser, one, two] = await Promise.all([launch(), Bridge.start({ redis, config }), Bridge.start({ redis, config })]);
  page = await (await browser.newContext()).newPage();
  page.on('console', (message) => { if (/Content Security|Refused|Uncaught/.test(message.text())) problems.push(message.text()); });
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(`${one.origin}/admin`);
});
after(async () => {
  await browser.close();
  await Promise.all([one.stop(), two.stop()]);
  await redis.stop();
  rmSync(folder, { recursive: true });
});

const shows = (selector, expected) => until(`${selector} ${expected}`, async () => expected.test(await page.innerText(selector)),
  { ms: 20000, state: () => page.innerText(selector) });

test('a wrong token shows nothing, the right one everything', async () => {
  await page.fill('#token', 'wrong');
  await page.click('#sign-in button');
  await shows('#sign-in-note', /That is not the token/);
  assert.equal(await page.isVisible('#signed-in'), false);
  await page.fill('#token', token);
  await page.click('#sign-in button');
  for (const bridge of [one, two]) await shows('#instances', new RegExp(new URL(bridge.origin).host));
  await shows('#state', /bus proved[^]*topic freshet-admin/);
  assert.equal(await page.isVisible('#sign-in'), false);
});

test('it stays signed in over a reload', async () => {
  await page.reload();
  await shows('#instances', new RegExp(new URL(two.origin).host));
});

test('the events of a stream, as they come; a hostile message is text', async () => {
  await page.fill('#path', 'chat/7');
  await page.click('#watch button >> nth=0');
  await shows('#frames', /200 text\/event-stream[^]*: freshet 1/);
  await page.fill('#topic', 'chat/7');
  await page.fill('#message', '{"text":"<img src=x onerror=problems()>"}');
  await page.click('#publish button');
  await shows('#published', /chat\/7: \d instances? heard it/);
  await shows('#frames', /data: {"text":"<img src=x onerror=problems\(\)>"}/);
  await page.click('#close');
  await shows('#frames', /\(closed\)/);
});

test('what is wrong with a publish is told', async () => {
  await page.fill('#message', 'no json');
  await page.click('#publish button');
  await shows('#published', /The message has to be JSON/);
  await page.fill('#message', '');
  await page.fill('#topic', 'a b');
  await page.click('#publish button');
  await shows('#published', /topic must be a topic such as order\/7/);
});

test('an instance that is gone is dim, and there again', async () => {
  const row = `#instances tr:has-text("${new URL(two.origin).host}")`;
  await two.kill();
  await until('it is dim', async () => (await page.getAttribute(row, 'class')) === 'gone', { ms: 20000 });
  await two.start();
  await until('it is not dim', async () => (await page.getAttribute(row, 'class')) === '', { ms: 20000 });
  assert.deepEqual(problems, []);
});
