// Tabs that share streams, in Chromium.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchProfile, notes, reached, show, useBrowser } from './pages.mjs';
import { until } from './support.mjs';

const browser = useBrowser();
const { open, serve } = browser;

const five = ['/shared', '/a', '/b', '/c', '/d'];

// contract 5.8, 9.3
test('twenty tabs of five views: one stream, and ordinary requests are answered at once', async () => {
  const views = await serve();
  const pages = [];
  for (let nth = 0; nth < 20; nth++) {
    const page = await open(views.origin);
    pages.push(page);
    await show(page, ['/shared', ...[1, 2, 3, 4].map((view) => `/tab/${nth}/${view}`)], { scope: 'user-7' });
  }
  for (const [nth, page] of pages.entries()) {
    await reached(page, '/shared', 'open', 0);
    await reached(page, `/tab/${nth}/4`, 'open', 0);
  }
  assert.ok(views.streams.size <= 3, `${views.streams.size} streams for 81 views of 20 tabs`);
  const started = Date.now();
  const answers = await Promise.all(pages.map((page) => page.evaluate(() => fetch('/ask').then((response) => response.text()))));
  assert.ok(Date.now() - started < 3000, `${Date.now() - started} ms`);
  assert.equal(new Set(answers).size, 20);
  views.publish('/shared', '1');
  views.publish('/tab/13/2', '5');
  for (const page of pages) await reached(page, '/shared', 'open', 1);
  await reached(pages[13], '/tab/13/2', 'open', 5);

  // The tab with the streams goes: another takes over, with what all of them hold.
  const before = views.opened.length;
  await pages[0].close();
  await until('another tab has the streams', () => views.opened.length > before);
  await until('every view is wanted again', () => new Set([...views.streams].flatMap((stream) => stream.views.map(([view]) => view))).size === 77);
  views.publish('/shared', '2');
  for (const page of pages.slice(1)) await reached(page, '/shared', 'open', 2);
  views.publish('/tab/19/4', '8');
  await reached(pages[19], '/tab/19/4', 'open', 8);
  assert.ok(views.streams.size <= 3);
});

// contract 9.2
test('a tab that takes over tells what is held; nothing is folded twice', async () => {
  const views = await serve();
  const pages = [await open(views.origin), await open(views.origin), await open(views.origin)];
  for (const page of pages) {
    await show(page, five, { scope: 'u', fold: true });
    await reached(page, '/d', 'open', ['0'].map(Number));
  }
  views.publish('/shared', '1');
  for (const page of pages) await reached(page, '/shared', 'open', page === pages[0] ? [0, 1] : [0, 1]);
  const before = views.opened.length;
  await pages[0].close();
  const taken = await until('a new stream', () => views.opened.slice(before).find((stream) => stream.views.length === 5));
  for (const [view, held] of taken.views) assert.notEqual(held, '', view);
  views.publish('/shared', '2');
  for (const page of pages.slice(1)) await reached(page, '/shared', 'open', [0, 1, 2]);
});

test('a tab closed takes its own views along; a later tab is given what is held', async () => {
  const views = await serve();
  const first = await open(views.origin);
  await show(first, ['/a'], { scope: 'u' });
  await reached(first, '/a', 'open', 0);
  const second = await open(views.origin);
  await show(second, ['/a', '/b'], { scope: 'u' });
  await reached(second, '/b', 'open', 0);
  await reached(second, '/a', 'open', 0);
  const wanted = () => [...views.streams].flatMap((stream) => stream.views.map(([view]) => view)).sort();
  await until('both', () => wanted().join() === '/a,/b');
  await second.close();
  await until('one', () => wanted().join() === '/a');
  views.publish('/a', '1');
  await reached(first, '/a', 'open', 1);
});

test('reload in a tab without the stream', async () => {
  const views = await serve();
  const pages = [await open(views.origin), await open(views.origin)];
  for (const page of pages) {
    await show(page, ['/a'], { scope: 'u', fold: true });
    await reached(page, '/a', 'open', [0]);
  }
  views.publish('/a', '1');
  for (const page of pages) await reached(page, '/a', 'open', [0, 1]);
  const before = views.opened.length;
  await pages[1].evaluate(() => shown['/a'].reload());
  await reached(pages[1], '/a', 'open', [1]);
  assert.equal(views.opened.length, before + 1);
  assert.equal(views.opened.at(-1).held, '');
});

test('a link that is lost is shown in every tab, and so is a refusal', async () => {
  const views = await serve({ live: false });
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, ['/a'], { scope: 'u' });
  const stream = (await views.exchange()).open({ retry: 300 }).snapshot('1', '1');
  await reached(first, '/a', 'open', 1);
  await show(second, ['/a'], { scope: 'u' });
  await reached(second, '/a', 'open', 1);
  stream.cut();
  for (const page of [first, second]) await reached(page, '/a', 'reconnecting', 1);
  (await views.exchange()).refuse(403, { code: 'forbidden' });
  for (const page of [first, second]) await reached(page, '/a', 'error', 1);
  assert.deepEqual((await notes(second, '/a')).at(-1), ['error', 1, 'forbidden']);
});

test('a tab that comes after a refusal has it asked for again, for all', async () => {
  const views = await serve({ live: false });
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, ['/a'], { scope: 'u' });
  (await views.exchange()).refuse(401, { code: 'sign-in' });
  await reached(first, '/a', 'error');
  await show(second, ['/a'], { scope: 'u' });
  (await views.exchange()).open().snapshot('1', '1');
  for (const page of [first, second]) await reached(page, '/a', 'open', 1);
  assert.equal(views.exchanges.length, 2);
});

test('another scope ends the part of this tab in the shared stream', async () => {
  const views = await serve();
  const first = await open(views.origin), second = await open(views.origin);
  for (const page of [first, second]) {
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
  }
  assert.equal(views.streams.size, 1);
  await first.evaluate(() => live.share('u'));
  await first.evaluate(() => live.share('v'));
  await until('a stream for each', () => views.streams.size === 2);
  await reached(first, '/a', 'open', 0);
  assert.deepEqual((await notes(first, '/a')).map(([status, data]) => [status, data]), [['connecting', undefined], ['open', 0], ['connecting', undefined], ['open', 0]]);
  views.publish('/a', '1');
  for (const page of [first, second]) await reached(page, '/a', 'open', 1);
  await first.evaluate(() => live.share('u'));
  await until('one stream again', () => views.streams.size === 1);
  views.publish('/a', '2');
  for (const page of [first, second]) await reached(page, '/a', 'open', 2);
});

// contract 9.3
test('a tab that hangs with the streams is replaced', async () => {
  const views = await serve();
  views.beat();
  const first = await open(views.origin), second = await open(views.origin);
  for (const page of [first, second]) {
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
  }
  const before = views.opened.length;
  await second.evaluate(() => new Promise((heard) => {
    new BroadcastChannel(`freshet ${location.origin}/live u `).onmessage = ({ data }) => data.wait === 300 && heard();
  }));
  const hung = first.evaluate(() => {
    for (const end = Date.now() + 5000; Date.now() < end;);
  });
  await until('the other tab has a stream', () => views.opened.length > before, { ms: 4500 });
  views.publish('/a', '1');
  await reached(second, '/a', 'open', 1);
  await hung;
  await reached(first, '/a', 'open', 1);
  await until('one stream', () => views.streams.size === 1);
});

test('without scope, or where there are no locks, each tab has its own stream', async () => {
  const views = await serve();
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, five);
  await second.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  await show(second, five, { scope: 'u' });
  for (const page of [first, second]) await reached(page, '/d', 'open', 0);
  assert.equal(views.streams.size, 2);
});


// ---- pages that leave and come back ----

const leave = (page) => page.goto(`${new URL(page.url()).origin}/blank?away`);
async function comeBack(page) {
  await page.goBack({ waitUntil: 'commit' });
  assert.notEqual(await page.evaluate(() => window.seen), undefined, 'it is the page that left, out of the cache');
}
const wanted = (views) => [...views.streams].flatMap((stream) => stream.views.map(([view]) => view)).sort().join();

// contract 9.3
test('the tab with the streams follows a link: another has them at once, and keeps them when it comes back', async () => {
  const views = await serve();
  const first = await open(views.origin), second = await open(views.origin), third = await open(views.origin);
  await show(first, ['/a', '/own'], { scope: 'u', fold: true });
  await reached(first, '/own', 'open', [0]);
  for (const page of [second, third]) {
    await show(page, ['/a'], { scope: 'u', fold: true });
    await reached(page, '/a', 'open', [0]);
  }
  await leave(first);
  const left = Date.now();
  await until('another has a stream, of its own views', () => wanted(views) === '/a');
  assert.ok(Date.now() - left < 2000, 'it did not have to find out');
  views.publish('/a', '1');
  for (const page of [second, third]) await reached(page, '/a', 'open', [0, 1]);
  const opened = views.opened.length;
  await comeBack(first);
  await reached(first, '/a', 'open', [0, 1]);
  await reached(first, '/own', 'open', [0]);
  assert.ok((await notes(first, '/a')).some(([status]) => status === 'reconnecting'), 'it did not say open while it was away');
  assert.ok(views.opened.slice(opened).every((stream) => stream.views.some(([view]) => view === '/own')), 'only to have /own, too');
  await until('one stream', () => views.streams.size === 1);
  views.publish('/a', '2');
  for (const page of [first, second, third]) await reached(page, '/a', 'open', [0, 1, 2]);
});

// contract 9.3
test('a tab without the streams follows a link: its views are given up, and wanted again when it comes back', async () => {
  const views = await serve();
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, ['/a'], { scope: 'u' });
  await reached(first, '/a', 'open', 0);
  await show(second, ['/a', '/b'], { scope: 'u' });
  await reached(second, '/b', 'open', 0);
  await leave(second);
  await until('/b is given up', () => wanted(views) === '/a');
  views.publish('/a', '1');
  views.state.set('/b', '1');
  await reached(first, '/a', 'open', 1);
  await comeBack(second);
  for (const path of ['/a', '/b']) await reached(second, path, 'open', 1);
  await until('one stream', () => views.streams.size === 1);
});

// contract 9.3
test('all tabs leave and come back', async () => {
  const views = await serve();
  const pages = [await open(views.origin), await open(views.origin)];
  for (const page of pages) {
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
  }
  for (const page of pages) await leave(page);
  await until('no stream is left', () => views.streams.size === 0);
  views.state.set('/a', '1');
  for (const page of pages) await comeBack(page);
  for (const page of pages) await reached(page, '/a', 'open', 1);
  await until('one stream', () => views.streams.size === 1);
});

// contract 9.3
test('a page that shares with nobody gives its stream up, too, and asks with what it holds', async () => {
  const views = await serve();
  const page = await open(views.origin);
  await show(page, ['/a'], { fold: true });
  await reached(page, '/a', 'open', [0]);
  await leave(page);
  await until('no stream is left', () => views.streams.size === 0);
  await comeBack(page);
  await reached(page, '/a', 'open', [0]);
  assert.notEqual(views.opened.at(-1).held, '');
  assert.deepEqual((await notes(page, '/a')).map(([status]) => status), ['connecting', 'open', 'reconnecting', 'open']);
  views.publish('/a', '1');
  await reached(page, '/a', 'open', [0, 1]);
});

// contract 9.3
test('a frozen tab hands the streams on, and is shown the newest when it is resumed', async () => {
  const views = await serve();
  const pages = [await open(views.origin), await open(views.origin)];
  for (const page of pages) {
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
  }
  // Only what is hidden can be frozen, and nothing is hidden in a browser without a screen: the events alone.
  const say = (event) => pages[0].evaluate((type) => document.dispatchEvent(new Event(type)), event);
  const opened = views.opened.length;
  await say('freeze');
  await until('another has a stream', () => views.opened.length > opened && views.streams.size === 1);
  views.publish('/a', '1');
  await reached(pages[1], '/a', 'open', 1);
  assert.deepEqual((await notes(pages[0], '/a')).at(-1).slice(0, 2), ['reconnecting', 0]);
  await say('resume');
  await reached(pages[0], '/a', 'open', 1);
  assert.equal(views.streams.size, 1);
});

// ---- tabs that hang ----

const hang = (page, ms) => page.evaluate((time) => {
  for (const end = Date.now() + time; Date.now() < end;);
}, ms);

// contract 9.3
test('a tab that comes while the one with the streams hangs helps itself; in the end there is one stream', async () => {
  const views = await serve();
  const first = await open(views.origin);
  await show(first, ['/a'], { scope: 'u', fold: true });
  await reached(first, '/a', 'open', [0]);
  const second = await open(views.origin);
  const hung = hang(first, 25000);
  await show(second, ['/a'], { scope: 'u', fold: true });
  await reached(second, '/a', 'open', [0]);
  views.publish('/a', '1');
  await reached(second, '/a', 'open', [0, 1]);
  await hung;
  await reached(first, '/a', 'open', [0, 1]);
  await until('one stream', () => views.streams.size === 1);
  views.publish('/a', '2');
  for (const page of [first, second]) await reached(page, '/a', 'open', [0, 1, 2]);
});

// contract 9.3
test('a tab that takes the lead back each time, and tells nothing, is left alone', async () => {
  const views = await serve();
  views.beat();
  const other = await open(views.origin), page = await open(views.origin);
  await other.evaluate(() => {
    const take = () => navigator.locks.request(`freshet ${location.origin}/live u `, { steal: true }, () => new Promise(() => {}))
      .catch(() => setTimeout(take, 300));
    take();
  });
  await show(page, ['/a'], { scope: 'u' });
  await until('it was taken from this one', async () => (await notes(page, '/a')).some(([status]) => status === 'reconnecting'), { ms: 20000 });
  await until('each has its own', () => other.evaluate((room) => navigator.locks.query()
    .then(({ held, pending }) => held.length + pending.length === 1 && held[0].name === room), `freshet ${views.origin}/live u `), { ms: 30000 });
  await reached(page, '/a', 'open', 0);
  views.publish('/a', '1');
  await reached(page, '/a', 'open', 1);
});

// contract 9.2
test('a tab that waits says so: open is only said of what the tab with the streams says is the newest', async () => {
  const views = await serve({ live: false });
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, ['/a'], { scope: 'u' });
  (await views.exchange()).open({ retry: 60 }).snapshot('1', '1').end();
  await reached(first, '/a', 'reconnecting', 1);
  const waiting = await views.exchange();
  await show(second, ['/a'], { scope: 'u' });
  await until('it is told what is known', async () => (await notes(second, '/a')).at(-1)[1] === 1);
  assert.deepEqual((await notes(second, '/a')).map(([status]) => status), ['connecting', 'reconnecting']);
  waiting.open().write(': unchanged\n\n');
  for (const page of [first, second]) await reached(page, '/a', 'open', 1);
  // The next in line has to ask for itself before it says so again.
  await first.close();
  const taken = await views.exchange();
  await reached(second, '/a', 'reconnecting', 1);
  assert.equal(taken.held, '1');
  taken.open();
  await new Promise((done) => setTimeout(done, 100));
  assert.equal((await notes(second, '/a')).at(-1)[0], 'reconnecting');
  taken.write(': unchanged\n\n');
  await reached(second, '/a', 'open', 1);
});

// contract 9.1
test('a tab that looks again has the one with the streams try at once', async () => {
  const views = await serve({ live: false });
  const first = await open(views.origin), second = await open(views.origin);
  for (const page of [first, second]) await show(page, ['/a'], { scope: 'u' });
  (await views.exchange()).open({ retry: 60000 }).snapshot('1', '1').end();
  for (const page of [first, second]) await reached(page, '/a', 'reconnecting', 1);
  await second.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  (await views.exchange()).open().snapshot('2', '2');
  for (const page of [first, second]) await reached(page, '/a', 'open', 2);
});

// ---- no locks, no channels ----

for (const [name, refuse] of [
  ['locks are refused', () => { navigator.locks && (navigator.locks.request = () => Promise.reject(new DOMException('no', 'SecurityError'))); }],
  ['locks throw', () => { navigator.locks && (navigator.locks.request = () => { throw new DOMException('no', 'SecurityError'); }); }],
  ['channels throw', () => { globalThis.BroadcastChannel = class { constructor() { throw new DOMException('no', 'SecurityError'); } }; }],
  ['locks never answer', () => { navigator.locks && (navigator.locks.request = () => new Promise(() => {})); }],
]) {
  // contract 9.3
  test(`${name}: a stream of its own, and nothing is thrown`, async () => {
    const views = await serve();
    await browser.context.addInitScript(refuse);
    const pages = [await open(views.origin), await open(views.origin)];
    for (const page of pages) await show(page, ['/a', '/b'], { scope: 'u' });
    for (const page of pages) await reached(page, '/b', 'open', 0);
    assert.equal(views.streams.size, 2);
    await leave(pages[0]);
    await comeBack(pages[0]);
    views.publish('/a', '1');
    for (const page of pages) await reached(page, '/a', 'open', 1);
  });
}

// contract 9.3
test('the user has the browser keep nothing of sites: a stream of its own', async () => {
  const views = await serve();
  const folder = mkdtempSync(join(tmpdir(), 'freshet-profile-'));
  mkdirSync(join(folder, 'Default'));
  writeFileSync(join(folder, 'Default/Preferences'), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
  const context = await launchProfile(folder);
  try {
    context.on('weberror', (error) => browser.problems.push(String(error.error())));
    const page = await context.newPage();
    await page.goto(`${views.origin}/blank`);
    assert.equal(await page.evaluate(() => navigator.locks.request('x', () => 'given').catch(({ name }) => name)), 'SecurityError');
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
    views.publish('/a', '1');
    await reached(page, '/a', 'open', 1);
  } finally {
    await context.close();
    rmSync(folder, { recursive: true });
  }
});
