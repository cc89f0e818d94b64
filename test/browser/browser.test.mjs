// freshet.js and its bindings in Chromium.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, Views } from './pages.mjs';
import { Bridge, Redis, until } from './support.mjs';

let browser, context, views, problems;
before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext();
  problems = [];
  context.on('weberror', (error) => problems.push(String(error.error())));
});
afterEach(async () => {
  await context.close();
  await views?.stop();
  views = undefined;
  assert.deepEqual(problems, []);
});

async function open(origin, path = '/blank') {
  const page = await context.newPage();
  page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) problems.push(message.text()); });
  await page.goto(origin + path);
  return page;
}

// Opens views in the page; notes of each are in window.seen[path].
const show = (page, paths, { scope, fold } = {}) => page.evaluate(async ([all, who, folds]) => {
  const { connect } = await import('/freshet.js');
  window.live ??= connect('/live', { scope: who });
  window.seen ??= {};
  window.shown ??= {};
  for (const path of all) {
    const view = (shown[path] = live(`/live${path}`, folds ? { initial: [], reduce: (acc, chunk) => [...acc, chunk] } : {}));
    const notes = (seen[path] = []);
    view.subscribe(({ status, data, error }) => notes.push([status, data, error?.code ?? error?.status]));
  }
}, [paths, scope, fold]);
const notes = (page, path) => page.evaluate((name) => window.seen[name], path);
const reached = (page, path, status, data) => until(`${path} ${status} ${data ?? ''}`, async () => {
  const [now, value] = (await notes(page, path)).at(-1);
  return now === status && (data === undefined || JSON.stringify(value) === JSON.stringify(data));
}, { ms: 20000, state: () => notes(page, path) });

// ---- statuses ----

test('every status in the order of what happens', async () => {
  views = await Views.start({ live: false });
  const page = await open(views.origin);
  await show(page, ['/a']);
  (await views.exchange()).open().snapshot('1', '1').event('load-error', { code: 'x', message: '' }).snapshot('2', '2').end();
  await reached(page, '/a', 'reconnecting');
  const again = await views.exchange();
  assert.equal(again.held, '2');
  again.open().write(': unchanged\n\n').event('end', { code: 'signed-out', retry_ms: null }).end();
  await reached(page, '/a', 'closed', 2);
  await page.evaluate(() => shown['/a'].reload());
  (await views.exchange()).refuse(403, { code: 'forbidden' });
  await reached(page, '/a', 'error', 2);
  assert.deepEqual(await notes(page, '/a'), [
    ['connecting', null, null], ['open', 1, null], ['stale', 1, 'x'], ['open', 2, null], ['reconnecting', 2, null],
    ['open', 2, null], ['closed', 2, 'signed-out'], ['reconnecting', 2, null], ['error', 2, 'forbidden'],
  ].map((note) => note.map((value) => value ?? undefined)));
});

test('offline and online: at once, whatever the delay has grown to', async () => {
  views = await Views.start();
  views.head = { retry: 60000 };
  const page = await open(views.origin);
  await show(page, ['/a']);
  await reached(page, '/a', 'open', 0);
  await context.setOffline(true);
  for (const stream of views.streams) stream.cut();
  await reached(page, '/a', 'reconnecting', 0);
  views.state.set('/a', '7');
  const online = Date.now();
  await context.setOffline(false);
  await reached(page, '/a', 'open', 7);
  assert.ok(Date.now() - online < 5000);
});

test('awake after sleep: a stream that was silent is not trusted', async () => {
  views = await Views.start();
  const page = await open(views.origin);
  await show(page, ['/a']);
  await reached(page, '/a', 'open', 0);
  const wake = (ms) => page.evaluate((slept) => {
    const now = Date.now;
    Date.now = () => now() + slept;
    document.dispatchEvent(new Event('visibilitychange'));
    Date.now = now;
  }, ms);
  await wake(10000); // less than a heartbeat
  views.publish('/a', '1');
  await reached(page, '/a', 'open', 1);
  assert.equal(views.opened.length, 1);
  await wake(60000);
  await until('a second stream', () => views.opened.length === 2);
  views.publish('/a', '2');
  await reached(page, '/a', 'open', 2);
  assert.deepEqual((await notes(page, '/a')).map(([status]) => status), ['connecting', 'open', 'open', 'reconnecting', 'open', 'open']);
});

// ---- real instances ----

// contract 4.5, 5.1, 5.3, 7.4
test('instance and Redis killed and started with the page open; two tabs on two instances; EventSource', async () => {
  const redis = await Redis.start();
  const [one, two] = await Promise.all([Bridge.start({ redis }), Bridge.start({ redis })]);
  try {
    const [first, second] = await Promise.all([one, two].map(({ origin }) => open(origin, '/health/live')));
    for (const page of [first, second]) {
      await show(page, ['/counter']);
      await reached(page, '/counter', 'open');
    }
    let count = await one.increment();
    await reached(first, '/counter', 'open', count);
    await reached(second, '/counter', 'open', count);

    await first.evaluate(() => {
      window.source = new EventSource('/live/counter');
      source.onmessage = ({ data, lastEventId }) => { window.plain = [data, lastEventId]; };
    });
    await until('EventSource shows it, too', async () => (await first.evaluate(() => window.plain))?.[0] === String(count));
    assert.match((await first.evaluate(() => window.plain))[1], /^[0-9a-f]{32}$/);

    await one.kill();
    await reached(first, '/counter', 'reconnecting', count);
    count = await two.increment();
    await reached(second, '/counter', 'open', count);
    await one.start();
    await reached(first, '/counter', 'open', count);
    await until('so does EventSource', async () => (await first.evaluate(() => window.plain))[0] === String(count));

    await redis.kill();
    await reached(first, '/counter', 'stale', count);
    await reached(second, '/counter', 'stale', count);
    await redis.start();
    await reached(first, '/counter', 'open', count);
    count = await until('Redis is used again', () => two.increment().catch(() => 0));
    await reached(first, '/counter', 'open', count);
    await reached(second, '/counter', 'open', count);
  } finally {
    await Promise.all([one.stop(), two.stop()]);
    await redis.stop();
  }
});

// ---- tabs ----

const five = ['/shared', '/a', '/b', '/c', '/d'];

// contract 5.8
test('twenty tabs of five views: one stream, and ordinary requests are answered at once', async () => {
  views = await Views.start();
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

test('a tab that takes over tells what is held; nothing is folded twice', async () => {
  views = await Views.start();
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
  views = await Views.start();
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
  views = await Views.start();
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
  views = await Views.start({ live: false });
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
  views = await Views.start({ live: false });
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
  views = await Views.start();
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

test('a tab that hangs with the streams is replaced', async () => {
  views = await Views.start();
  views.head = { heartbeat: 300 };
  const beats = setInterval(() => views.streams.forEach((stream) => stream.write(': \n\n')), 150);
  try {
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
  } finally {
    clearInterval(beats);
  }
});

test('without scope, or where there are no locks, each tab has its own stream', async () => {
  views = await Views.start();
  const first = await open(views.origin), second = await open(views.origin);
  await show(first, five);
  await second.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  await show(second, five, { scope: 'u' });
  for (const page of [first, second]) await reached(page, '/d', 'open', 0);
  assert.equal(views.streams.size, 2);
});

// ---- what comes ----

const hostile = `</script><img src=x onerror="window.hit=1"><!--\u2028\u2029\0\u0085${'"\\</x>'.repeat(10)}`;

// contract 5.3
test('a hostile snapshot is shown as it is, also a megabyte of it', async () => {
  const long = hostile + 'x<b>é😀\u2028\0'.repeat(80000);
  assert.ok(Buffer.byteLength(long) > 1 << 20);
  views = await Views.start({ pages: {
    '/page': '<!doctype html><script type="module" src="/freshet-view.js"></script><freshet-view id="text" src="/live/text"></freshet-view>'
      + '<freshet-view id="filled" hidden src="/live/json"><template><p data-text="a"></p></template></freshet-view>',
  } });
  views.state.set('/text', hostile);
  views.state.set('/json', JSON.stringify({ a: long }));
  const page = await open(views.origin, '/page');
  await until('both are open', () => page.evaluate(() => document.querySelectorAll('freshet-view[data-status=open]').length === 2));
  assert.equal(await page.evaluate(() => document.querySelector('#text').textContent), hostile);
  assert.ok(await page.evaluate((text) => document.querySelector('#filled p').textContent === text, long));
  assert.deepEqual(await page.evaluate(() => [window.hit, document.querySelectorAll('img').length]), [undefined, 0]);
  await show(page, ['/json']);
  await until('all of it is in data', () => page.evaluate((text) => shown['/json'].data?.a === text, long));
});

test('freshet-view: templates, lists, paths, changes of src, what is inside until it comes', async () => {
  views = await Views.start({ pages: {
    '/page': `<!doctype html><script type="module" src="/freshet-view.js"></script>
      <freshet-view id="board" src="/live/board"><template><h2 data-text="meta.name"></h2><ul><li data-each="tasks"><b
      data-text="title"></b><i data-each="tags" data-text="."></i></li></ul><u data-text="constructor.name"></u></template>wait</freshet-view>
      <freshet-view id="count" src="/live/count">wait</freshet-view>`,
  }, live: false });
  const page = await open(views.origin, '/page');
  const stream = (await views.exchange()).open();
  assert.deepEqual(stream.views, [['/board', ''], ['/count', '']]);
  const text = (selector) => page.evaluate((which) => document.querySelector(which).textContent, selector);
  assert.equal(await text('#count'), 'wait');
  const board = { meta: { name: 'B' }, tasks: [{ title: 'one', tags: ['x', 'y'] }, { title: '<b>', tags: [] }, {}] };
  stream.frame('/board', '1', JSON.stringify(board)).frame('/count', '1', '41');
  await until('both', async () => (await text('#count')) === '41' && (await page.locator('#board li').count()) === 3);
  assert.equal(await page.evaluate(() => document.querySelector('#board').innerHTML.replace(/<template>.*<\/template>/s, '')),
    '<h2 data-text="meta.name">B</h2><ul><li><b data-text="title">one</b><i data-text=".">x</i><i data-text=".">y</i></li>'
    + '<li><b data-text="title">&lt;b&gt;</b></li><li><b data-text="title"></b></li></ul><u data-text="constructor.name"></u>');
  stream.frame('/board', '2', JSON.stringify({ ...board, tasks: [] })).event('load-error', { view: '/board', code: 'x', message: '' });
  await until('no task, stale', async () => (await page.locator('#board li').count()) === 0
    && (await page.getAttribute('#board', 'data-status')) === 'stale');
  await page.evaluate(() => document.querySelector('#board').remove());
  const next = await views.exchange();
  assert.equal(next.path, '/live/count');
  next.open().write(': unchanged\n\n');
  await page.evaluate(() => document.querySelector('#count').setAttribute('src', '/live/other'));
  const other = await views.exchange();
  assert.equal(other.path, '/live/other');
  other.open().snapshot('1', '5');
  await until('the other', async () => (await text('#count')) === '5');
});

test('freshet-view shares between tabs when the page says who looks', async () => {
  views = await Views.start({ pages: {
    '/page': '<!doctype html><meta name="freshet-scope" content="user-7"><script type="module" src="/freshet-view.js"></script><freshet-view src="/live/a"></freshet-view>',
  } });
  for (let nth = 0; nth < 3; nth++) {
    await (await open(views.origin, '/page')).waitForSelector('freshet-view[data-status=open]');
  }
  assert.equal(views.streams.size, 1);
});

// ---- examples ----

const board = (title) => JSON.stringify({ boardId: 'demo', tasks: [{ id: '1', title, column: 'todo' }] });

for (const name of ['plain', 'element', 'preact', 'react']) {
  test(`the example ${name}.html follows`, async () => {
    views = await Views.start();
    views.state.set('/counter', '41');
    views.state.set('/board/demo', board('first'));
    views.state.set('/board/other', board('elsewhere'));
    const page = await open(views.origin, `/examples/${name}.html`);
    const shows = (...texts) => until(texts.join(), async () => {
      const text = await page.evaluate(() => document.body.innerText);
      return texts.every((one) => text.includes(one));
    }, { state: () => page.evaluate(() => document.body.innerText) });
    await shows('Count: 41', 'first');
    assert.equal(views.streams.size, 1, 'one stream for both');
    views.publish('/counter', '42');
    views.publish('/board/demo', board('second'));
    await shows('Count: 42', 'second');
    if (!name.endsWith('react')) return;
    await page.click('#other');
    await shows('elsewhere', 'Board other', 'Count: 42');
    await until('the first board is given up', () => [...views.streams].every((stream) => stream.views.every(([view]) => view !== '/board/demo')));
  });
}
