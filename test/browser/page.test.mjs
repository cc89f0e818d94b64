// The demo page of freshet-bridge, on two instances with one Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './pages.mjs';
import { Bridge, Redis, until } from './support.mjs';

let browser, context, redis, one, two, here, there;
const problems = [];

before(async () => {
  redis = await Redis.start();
  [browser, one, two] = await Promise.all([launch(), Bridge.start({ redis }), Bridge.start({ redis })]);
  context = await browser.newContext({ viewport: { width: 1100, height: 860 } });
  context.on('weberror', (error) => problems.push(String(error.error())));
  [here, there] = [await context.newPage(), await context.newPage()];
  for (const page of [here, there]) {
    page.on('console', (message) => { if (/Content Security|Refused|Uncaught/.test(message.text())) problems.push(message.text()); });
  }
  await here.goto(one.origin);
  await there.goto(two.origin);
});
after(async () => {
  await browser.close();
  await Promise.all([one.stop(), two.stop()]);
  await redis.stop();
});

const shows = (page, selector, expected) => until(`${selector} ${expected}`,
  async () => (typeof expected === 'string' ? (await page.innerText(selector)) === expected : expected.test(await page.innerText(selector))),
  { ms: 20000, state: () => page.innerText(selector) });

test('the counter on both', async () => {
  for (const page of [here, there]) await shows(page, '.count', '0');
  await here.click('.increment');
  for (const page of [here, there]) await shows(page, '.count', '1');
  await shows(here, '.counter-note', /^From your click to this screen: [0-9.]+ ms\.$/);
  await shows(there, '.counter-note', 'Changed by somebody else.');
  assert.equal(await here.locator('.plot rect').count(), 1);
  for (const page of [here, there]) await shows(page, '.status-text', 'live');
});

test('the board: added, moved by click and by drag; a hostile title is text', async () => {
  const title = '</p><img src=x onerror="problems()">';
  for (const text of [title, 'second']) {
    await here.fill('.add input', text);
    await here.click('.add button');
    await shows(there, '[data-column=todo] ul', new RegExp(text.slice(-6).replace(/[^a-z]/g, '.')));
  }
  assert.equal(await there.innerText('[data-column=todo] ul .task p >> nth=0'), title);
  await there.click('[data-column=todo] ul .task button:not(:disabled) >> nth=0');
  await shows(here, '[data-column=doing] .number', '1');
  await here.bringToFront();
  await here.dragAndDrop('[data-column=todo] ul .task', '[data-column=done]');
  for (const page of [here, there]) await shows(page, '[data-column=done] ul', /second/);
  await shows(here, '[data-column=todo] ul', 'Nothing here');
});

test('gauges: who serves, one load per publish, deliveries proved', async () => {
  await shows(here, '.served', new URL(one.origin).host);
  await shows(here, '.streams', '1');
  await here.click('.increment');
  await shows(here, '.loads', /^1\.[0-9]{2}$/);
  await shows(here, '.push', / ms$/);
  await shows(here, '.probe', /^[0-9.]+ s ago$/);
});

test('a second tab of the same instance is given its views by the first', async () => {
  const third = await context.newPage();
  await third.goto(one.origin);
  await shows(third, '.status-text', 'live');
  await shows(third, '.count', await here.innerText('.count'));
  await shows(third, '.served', 'shared with another tab');
  await shows(third, '.streams', '1');
  await third.close();
});

test('an instance is killed: reconnecting, then healed; the other goes on', async () => {
  await one.kill();
  await shows(here, '.status-text', 'reconnecting');
  await there.click('.increment');
  await shows(there, '.count', '3');
  await one.start();
  await shows(here, '.count', '3');
  await shows(here, '.status-text', /^healed after [0-9.]+ s$/);
});

test('Redis is killed: the last good state and why, then healed', async () => {
  await redis.kill();
  await shows(here, '.status-text', 'last good state');
  await shows(here, '.problem', /What you see is the last good state\.$/);
  assert.equal(await here.innerText('.count'), '3');
  await redis.start();
  await shows(here, '.status-text', /^healed after/);
  await until('no problem is shown', async () => !(await here.isVisible('.problem')));
});

test('nothing was against the policy of the page, nothing thrown', () => assert.deepEqual(problems, []));
