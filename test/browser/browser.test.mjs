// freshet.js and its bindings in Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notes, reached, show, useBrowser } from './pages.mjs';
import { Bridge, Redis, until } from './support.mjs';

const browser = useBrowser();
const { open, serve } = browser;

// ---- statuses ----

test('every status in the order of what happens', async () => {
  const views = await serve({ live: false });
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

// contract 9.7, 5.10
test('a page that was rendered on the server: shown at once, gone on from, and a difference fits it', async () => {
  const text = JSON.stringify({ title: '</script><!-- 😀\u2028', rows: Array.from({ length: 3000 }, (_, i) => `row ${i} of many of them: ä日`) });
  const element = `<script type="application/json" data-initial="/live/a" data-version="1">${JSON.stringify(text).replaceAll('<', '\\u003c')}</script>`;
  const views = await serve({ live: false, pages: { '/rendered': `<!doctype html><meta charset="utf-8"><title>x</title>${element}` } });
  const page = await open(views.origin, '/rendered');
  await show(page, ['/a']);
  const stream = await views.exchange();
  assert.equal(stream.held, '1');
  await reached(page, '/a', 'connecting', JSON.parse(text));
  stream.open().write(': unchanged\n\n');
  await reached(page, '/a', 'open', JSON.parse(text));
  const at = text.indexOf('row 7 ');
  stream.difference('2', '1', [[0, at], 'changed 😀 ', [at + 6, text.length]]);
  await reached(page, '/a', 'open', JSON.parse(text.replace('row 7 ', 'changed 😀 ')));
});

// contract 9.1
test('offline and online: at once, whatever the delay has grown to', async () => {
  const views = await serve();
  views.head = { retry: 60000 };
  const page = await open(views.origin);
  await show(page, ['/a']);
  await reached(page, '/a', 'open', 0);
  await browser.context.setOffline(true);
  for (const stream of views.streams) stream.cut();
  await reached(page, '/a', 'reconnecting', 0);
  views.state.set('/a', '7');
  const online = Date.now();
  await browser.context.setOffline(false);
  await reached(page, '/a', 'open', 7);
  assert.ok(Date.now() - online < 5000);
});

// contract 9.1
test('awake after sleep: a stream that was silent is not trusted', async () => {
  const views = await serve();
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

test('a clock that is changed does no harm', async () => {
  const views = await serve();
  const page = await open(views.origin);
  await show(page, ['/a']);
  await reached(page, '/a', 'open', 0);
  for (const hours of [5, -5]) {
    const opened = views.opened.length;
    await page.evaluate((by) => {
      const now = Date.now;
      Date.now = () => now() + by * 3600000;
      document.dispatchEvent(new Event('visibilitychange'));
    }, hours);
    await until('at most asked again', () => views.opened.length === opened + 1 && views.streams.size === 1);
    views.publish('/a', String(hours));
    await reached(page, '/a', 'open', hours);
  }
});

// contract 9.2
test('a proxy that cuts each stream: what is shown stays, each state comes once', async () => {
  const views = await serve();
  views.head = { retry: 60 };
  const page = await open(views.origin);
  await show(page, ['/a', '/b'], { fold: true });
  const expected = [0];
  for (let round = 1; round <= 5; round++) {
    await reached(page, '/a', 'open', expected);
    for (const stream of views.streams) stream.cut();
    await until('asked again', () => views.opened.length === round + 1);
    views.publish('/a', String(round));
    expected.push(round);
  }
  await reached(page, '/a', 'open', expected);
  await reached(page, '/b', 'open', [0]);
});

// contract 5.1, 9.1: what a worker answers is not freshet's.
test('an offline worker that answers a page with 200: its views come back when it lets them through', async () => {
  const views = await serve({ pages: {
    '/worker.js': `let offline = false;
      addEventListener('install', (event) => event.waitUntil(skipWaiting()));
      addEventListener('activate', (event) => event.waitUntil(clients.claim()));
      addEventListener('message', ({ data }) => { offline = data; });
      addEventListener('fetch', (event) => {
        if (offline) event.respondWith(new Response('<h1>offline</h1>', { headers: { 'content-type': 'text/html' } }));
      });`,
  } });
  views.head = { retry: 60 };
  const context = await browser.browser.newContext({ bypassCSP: true });
  try {
    const page = await context.newPage();
    await page.goto(`${views.origin}/blank`);
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/worker.js');
      while (!navigator.serviceWorker.controller) await new Promise((done) => setTimeout(done, 5));
      window.say = (offline) => navigator.serviceWorker.controller.postMessage(offline);
    });
    await show(page, ['/a']);
    await reached(page, '/a', 'open', 0);
    await page.evaluate(() => say(true));
    for (const stream of views.streams) stream.cut();
    await until('the page is told', async () => (await notes(page, '/a')).at(-1)[2] === 'refused');
    assert.deepEqual(await page.evaluate(() => shown['/a'].error), { code: 'refused', status: 200 });
    await reached(page, '/a', 'reconnecting', 0);
    views.state.set('/a', '1');
    await page.evaluate(() => say(false));
    await reached(page, '/a', 'open', 1);
  } finally {
    await context.close();
  }
});

// ---- where it runs ----

test('in a worker, of a file and of a blob: the same, also shared with the page', async () => {
  const views = await serve();
  const script = (path) => `import { connect } from '${views.origin}/freshet.js';
    connect('/live', { scope: 'u' })('/live${path}').subscribe(({ status, data }) => postMessage([status, data]));`;
  views.pages['/worker.js'] = script('/a');
  const context = await browser.browser.newContext({ bypassCSP: true });
  try {
    const page = await context.newPage();
    await page.goto(`${views.origin}/blank`);
    await page.evaluate((text) => {
      window.said = {};
      const start = (name, url) => {
        new Worker(url, { type: 'module' }).onmessage = ({ data }) => { said[name] = data; };
      };
      start('file', '/worker.js');
      start('blob', URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
    }, script('/b'));
    const open = (path, data) => until(`${path} ${data}`, async () => (await page.evaluate((of) => String(said[of]), path)) === `open,${data}`,
      { state: () => page.evaluate(() => said) });
    await open('file', 0);
    await open('blob', 0);
    await show(page, ['/a'], { scope: 'u' });
    await reached(page, '/a', 'open', 0);
    await until('one stream for the three', () => views.streams.size === 1);
    views.publish('/a', '1');
    views.publish('/b', '2');
    await open('file', 1);
    await open('blob', 2);
    await reached(page, '/a', 'open', 1);
  } finally {
    await context.close();
  }
});

for (const [name, base, src] of [
  ['of the same origin', '/other/dir/', '../../live/a'],
  ['of another origin', 'https://static.invalid/x/', '/live/a'],
]) {
  test(`with <base> ${name}: /live is of the page's own host, other paths follow it`, async () => {
    const views = await serve();
    views.pages['/page'] = `<!doctype html><base href="${base}"><script type="module" src="${views.origin}/freshet-view.js"></script>
      <freshet-view src="${src}"></freshet-view><p>`;
    const page = await open(views.origin, '/page');
    await page.waitForSelector('freshet-view[data-status=open]');
    assert.equal(await page.evaluate(async (origin) => {
      const { live } = await import(`${origin}/freshet.js`);
      const view = live('/live/b');
      return new Promise((done) => { view.subscribe(({ status, data }) => status === 'open' && done(data)); });
    }, views.origin), 0);
  });
}

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

// contract 5.11
test('EventSource and freshet.js show each state of a board that goes out in gzip', async () => {
  const bridge = await Bridge.start();
  const add = async (title) => {
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(`${bridge.origin}/board/b1/tasks`, { method: 'POST', headers, body: JSON.stringify({ title }) });
    assert.equal(status, 201);
  };
  try {
    const titles = Array.from({ length: 60 }, (_, nth) => `Look at number ${nth * 7919} again, with care`);
    for (const title of titles) await add(title);
    const page = await open(bridge.origin, '/health/live');
    await show(page, ['/board/b1', '/counter']);
    await page.evaluate(() => {
      new EventSource('/live/board/b1').onmessage = ({ data }) => { window.plain = data; };
    });
    const shown = () => page.evaluate(() => [window.shown['/board/b1'].data, JSON.parse(window.plain ?? 'null')]
      .map((board) => board?.tasks.map(({ title }) => title)));
    for (const title of ['one more', 'and another 日本', 'the last']) {
      await add(title);
      titles.push(title);
      await until('both show it', async () => (await shown()).every((all) => all?.length === titles.length));
      assert.deepEqual(await shown(), [titles, titles]);
    }
    const metrics = await (await fetch(`${bridge.origin}/metrics`)).text();
    assert.match(metrics, /^freshet_streams_gzip_total 2$/m);
    assert.match(metrics, /^freshet_gzip_continued_total [3-9]$/m);
  } finally {
    await bridge.stop();
  }
});

// ---- what comes ----

const hostile = `</script><img src=x onerror="window.hit=1"><!--\u2028\u2029\0\u0085${'"\\</x>'.repeat(10)}`;

// contract 5.3
test('a hostile snapshot is shown as it is, also a megabyte of it', async () => {
  const long = hostile + 'x<b>é😀\u2028\0'.repeat(80000);
  assert.ok(Buffer.byteLength(long) > 1 << 20);
  const views = await serve({ pages: {
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

// ---- examples ----

const board = (title) => JSON.stringify({ boardId: 'demo', tasks: [{ id: '1', title, column: 'todo' }] });

for (const name of ['plain', 'element', 'preact', 'react']) {
  test(`the example ${name}.html follows`, async () => {
    const views = await serve();
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
