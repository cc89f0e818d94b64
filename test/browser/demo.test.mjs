// bridge/demo as it is, in a browser: both instances on one page, and its buttons (issue 4).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './pages.mjs';
import { root, until } from './support.mjs';

let browser, context, demo, page, urls;
let out = '';
const problems = [];

before(async () => {
  demo = spawn(join(root, 'bridge/demo'), [], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data) => { out += data; });
  browser = await launch();
  context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.on('weberror', (error) => problems.push(String(error.error())));
  urls = await until('the demo shows two URLs', () => {
    assert.equal(demo.exitCode, null, out);
    const found = [...out.matchAll(/^ {4}[AB] +(\S+)$/gm)].map(([, url]) => new URL(url));
    return found.length === 2 && found;
  }, { ms: 300000, state: () => out });
  page = await context.newPage();
  page.on('console', (message) => { if (/Content Security|Refused to|Uncaught|CORS/.test(message.text())) problems.push(message.text()); });
  await page.goto(urls[0].href);
});
after(async () => {
  await browser?.close();
  if (demo.exitCode === null) {
    const gone = new Promise((done) => demo.once('exit', done));
    demo.kill('SIGINT');
    await gone;
  }
});

const pane = (nth) => page.locator('.pane').nth(nth);
const text = (nth, selector) => pane(nth).locator(selector).innerText();
const shows = (nth, selector, expected) => until(`${selector} of pane ${nth}: ${expected}`, async () => {
  const shown = await text(nth, selector);
  return typeof expected === 'string' ? shown === expected : expected.test(shown);
}, { ms: 20000, state: () => text(nth, selector) });
const both = (selector, expected) => Promise.all([shows(0, selector, expected), shows(1, selector, expected)]);
const button = (what) => page.locator(`.switch[data-what=${what}] button`);
const press = async (what, label) => {
  await until(`${what} can be told to ${label}`, async () => (await button(what).innerText()) === label && button(what).isEnabled(), { ms: 20000 });
  await button(what).click();
};

test('both instances, live, each with its own streams', async () => {
  assert.equal(await page.locator('.pane').count(), 2);
  await shows(0, '.instance', `${urls[0].host} this page`);
  await shows(1, '.instance', `${urls[1].host} other instance`);
  await both('.status-text', 'live');
  for (const nth of [0, 1]) await shows(nth, '.served', urls[nth].host);
});

test('what is done on either shows on both, with the time it took', async () => {
  await both('.count', '0');
  await pane(0).locator('.increment').click();
  await both('.count', '1');
  await shows(0, '.counter-note', /^From your click to this screen: [0-9.]+ ms\.$/);
  await shows(1, '.counter-note', /^On this screen after [0-9.]+ ms\.$/);
  await pane(1).locator('.increment').click();
  await both('.count', '2');
  await shows(1, '.counter-note', /^From your click to this screen: [0-9.]+ ms\.$/);
  for (const nth of [0, 1]) assert.equal(await pane(nth).locator('.plot rect').count(), 2);
  await both('.loads', /^1\.[0-9]{2}$/);
});

test('the board: added on the other instance, dragged from one pane to the other', async () => {
  await pane(1).locator('.add input').fill('walk');
  await pane(1).locator('.add button').click();
  await both('[data-column=todo] ul', /walk/);
  await pane(0).locator('.task').dragTo(pane(1).locator('[data-column=done]'));
  await both('[data-column=done] ul', /walk/);
  await both('[data-column=todo] ul', 'Nothing here');
});

test('Redis is stopped and started by the buttons: the last good state, then healed', async () => {
  await press('redis', 'Stop');
  await both('.status-text', 'last good state');
  await both('.count', '2');
  await pane(0).locator('.increment').click();
  await shows(0, '.problem', 'Not done: the store did not answer.');
  await press('redis', 'Start');
  await both('.status-text', /^healed after [0-9.]+ s$/);
  await until('no problem is shown', async () => !(await page.locator('.pane .problem:visible').count()));
});

test('an instance is stopped and started by the buttons: reconnecting, then healed; the other goes on', async () => {
  const before = Number(await text(0, '.count'));
  await press('instance', 'Stop');
  await shows(1, '.status-text', 'reconnecting');
  await pane(0).locator('.increment').click();
  await shows(0, '.count', String(before + 1));
  assert.equal(await text(1, '.count'), String(before));
  await press('instance', 'Start');
  await shows(1, '.status-text', /^healed after [0-9.]+ s$/);
  await shows(1, '.count', String(before + 1));
});

test('without the token there are no buttons; with a wrong one they do nothing', async () => {
  const other = await context.newPage();
  await other.goto(urls[0].origin);
  await until('both panes', async () => (await other.locator('.pane').count()) === 2);
  assert.equal(await other.locator('#demo').isVisible(), false);
  await other.goto('about:blank');
  await other.goto(`${urls[0].origin}/#demo=${'0'.repeat(32)}`);
  await until('the reason', async () => (await other.locator('#demo-note').innerText()) === 'These buttons belong to a demo that has ended.');
  assert.equal(await other.locator('.switch button:enabled').count(), 0);
  await other.close();
});

test('a phone: nothing is wider than the screen', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
});

test('nothing was against the policy of the page, nothing thrown', () => assert.deepEqual(problems, []));
