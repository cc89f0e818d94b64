// <freshet-view> in Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useBrowser } from './pages.mjs';
import { until } from './support.mjs';

const browser = useBrowser();
const { open, serve } = browser;

test('freshet-view: templates, lists, paths, changes of src, what is inside until it comes', async () => {
  const views = await serve({ pages: {
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
  const views = await serve({ pages: {
    '/page': '<!doctype html><meta name="freshet-scope" content="user-7"><script type="module" src="/freshet-view.js"></script><freshet-view src="/live/a"></freshet-view>',
  } });
  for (let nth = 0; nth < 3; nth++) {
    await (await open(views.origin, '/page')).waitForSelector('freshet-view[data-status=open]');
  }
  assert.equal(views.streams.size, 1);
});


// ---- every order of things ----

const script = '<!doctype html><meta charset="utf-8"><script type="module" src="/freshet-view.js"></script>';
const template = '<template><b data-text="name"></b></template>';

// What stands in an element, without its templates.
const inside = (page, selector = 'freshet-view') => page.evaluate((which) => [...document.querySelector(which).childNodes]
  .filter(({ localName }) => localName !== 'template').map((node) => node.outerHTML ?? node.textContent).join('').trim(), selector);
const becomes = (page, expected, selector) => until(`${selector ?? ''} ${expected}`, async () => (await inside(page, selector)) === expected,
  { state: () => inside(page, selector) });
const statusOf = (page, selector = 'freshet-view') => page.getAttribute(selector, 'data-status');

// contract 9.6
test('src set after insertion, removed, set again, and to what is not below the mount', async () => {
  const views = await serve({ pages: { '/page': `${script}<freshet-view>wait</freshet-view><p>` } });
  views.state.set('/a', '"A"');
  views.state.set('/b', '"B"');
  const page = await open(views.origin, '/page');
  const set = (src) => page.evaluate((to) => {
    const element = document.querySelector('freshet-view');
    if (to === null) element.removeAttribute('src');
    else element.setAttribute('src', to);
    return element.textContent; // at once
  }, src);
  assert.equal(await statusOf(page), null);
  await set('/live/a');
  await becomes(page, '"A"');
  assert.equal(await statusOf(page), 'open');
  assert.equal(await page.getAttribute('freshet-view', 'data-filled'), '');
  assert.equal(await set(null), 'wait', 'nothing stays');
  assert.deepEqual([await statusOf(page), await page.getAttribute('freshet-view', 'data-filled')], [null, null]);
  await until('the view is given up', () => views.streams.size === 0);
  await set('/live/b');
  await becomes(page, '"B"');
  const listen = page.waitForEvent('console', (message) => message.type() === 'error');
  assert.equal(await set('/other'), 'wait');
  await listen;
  assert.equal(await statusOf(page), 'error');
  browser.problems.length = 0;
  await set('/live/a');
  await becomes(page, '"A"');
  await page.evaluate(() => document.querySelector('freshet-view').setAttribute('src', '/live/a'));
  assert.equal(await inside(page), '"A"', 'the same again is no change');
});

// contract 9.6
test('changed to a view that is refused: the data of the one before goes at once', async () => {
  const views = await serve({ live: false, pages: { '/page': `${script}<freshet-view src="/live/mine">${template}wait</freshet-view><p>` } });
  const page = await open(views.origin, '/page');
  (await views.exchange()).open().snapshot('1', '{"name":"secret"}');
  await becomes(page, '<b data-text="name">secret</b>');
  assert.equal(await page.evaluate(() => {
    document.querySelector('freshet-view').setAttribute('src', '/live/theirs');
    return document.querySelector('freshet-view').textContent;
  }), 'wait');
  (await views.exchange()).refuse(403, { code: 'forbidden' });
  await until('refused', async () => (await statusOf(page)) === 'error');
  assert.equal(await inside(page), 'wait');
  assert.doesNotMatch(await page.content(), /secret/);
});

// contract 9.6
test('shared as somebody else: what the one before was shown goes at once', async () => {
  const views = await serve({ live: false, pages: { '/page': `${script}<freshet-view src="/live/mine">wait</freshet-view><p>` } });
  const page = await open(views.origin, '/page');
  (await views.exchange()).open().snapshot('1', 'secret');
  await becomes(page, 'secret');
  assert.equal(await page.evaluate(async () => {
    const { live } = await import('/freshet.js');
    live.share('somebody else');
    return document.querySelector('freshet-view').textContent;
  }), 'wait');
  (await views.exchange()).open().snapshot('2', 'theirs');
  await becomes(page, 'theirs');
});

// contract 9.6
test('parsed while the data is already there: the template counts, nothing else is ever shown', async () => {
  let rest;
  const views = await serve();
  views.state.set('/a', '{"name":"N"}');
  views.state.set('/text', 'T');
  const serveViews = views.serve;
  views.serve = (exchange) => {
    if (exchange.path !== '/page') return serveViews(exchange);
    exchange.response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    // An async script runs while the page is parsed; the padding gets the parser going.
    exchange.response.write(`<!doctype html><script async type="module" src="/freshet-view.js"></script><!--${'x'.repeat(4000)}-->
      <main><freshet-view id="text" src="/live/text">text</freshet-view><freshet-view id="board" src="/live/a">wai`);
    rest = exchange.response;
    return true;
  };
  const page = await browser.context.newPage();
  browser.listen(page);
  await page.goto(`${views.origin}/page`, { waitUntil: 'commit' });
  await until('the views are open', () => page.evaluate(() => document.querySelectorAll('freshet-view[data-status=open]').length === 2));
  assert.equal(await inside(page, '#board'), 'wai');
  await becomes(page, 'T', '#text'); // something follows it
  rest.write('t<template><i></i>');
  await until('the template begins', () => page.evaluate(() => document.querySelector('#board template') !== null));
  assert.equal(await inside(page, '#board'), 'wait');
  rest.write('<b data-text="name"></b></template> still</freshet-view><p>');
  await becomes(page, '<i></i><b data-text="name">N</b>', '#board');
  rest.write('more');
  views.publish('/a', '{"name":"M"}');
  await becomes(page, '<i></i><b data-text="name">M</b>', '#board');
  rest.end('</main>');
  await page.waitForLoadState();
  await page.evaluate(() => document.querySelector('#board').removeAttribute('src'));
  assert.equal(await inside(page, '#board'), 'wait still', 'what the author wrote is whole');
});

// contract 9.6
test('the last thing of a page, and a template that a script adds', async () => {
  const views = await serve({ pages: { '/page': `${script}<freshet-view src="/live/a">wait` } });
  views.state.set('/a', '{"name":"N"}');
  const page = await open(views.origin, '/page');
  await becomes(page, '{"name":"N"}');
  await page.evaluate(() => {
    const made = document.createElement('template');
    document.querySelector('freshet-view').append(made);
    made.content.append(document.createElement('b'));
    made.content.firstChild.dataset.text = 'name';
  });
  await becomes(page, '<b data-text="name">N</b>');
});

// contract 9.6
test('moved: nothing is asked for again, nothing flickers; taken out: nothing stays; put back: it goes on', async () => {
  const views = await serve({ pages: { '/page': `${script}<freshet-view src="/live/a">wait</freshet-view><section></section>` } });
  const page = await open(views.origin, '/page');
  await becomes(page, '0');
  const seen = await page.evaluate(async () => {
    const element = document.querySelector('freshet-view'), notes = [];
    const observer = new MutationObserver((records) => records.forEach(({ target }) => notes.push(`${target.textContent} ${target.dataset.status}`)));
    observer.observe(element, { childList: true, attributes: true });
    document.querySelector('section').append(element);
    notes.push(element.textContent);
    await new Promise((done) => setTimeout(done, 200));
    return notes;
  });
  assert.deepEqual(seen, ['0']);
  assert.equal(views.opened.length, 1);
  views.publish('/a', '1');
  await becomes(page, '1');
  await page.evaluate(() => {
    window.kept = document.querySelector('freshet-view');
    kept.remove();
  });
  await until('the view is given up', () => views.streams.size === 0);
  assert.equal(await page.evaluate(() => kept.textContent), 'wait');
  await page.evaluate(() => document.querySelector('section').append(kept));
  await becomes(page, '1');
});

// contract 9.6
test('cloned with what it shows: the clone has only what its own view gives it', async () => {
  const views = await serve({ pages: { '/page': `${script}<freshet-view id="one" src="/live/a">${template}wait</freshet-view><section></section>` } });
  views.state.set('/a', '{"name":"secret"}');
  views.state.set('/b', '{"name":"B"}');
  const page = await open(views.origin, '/page');
  await becomes(page, '<b data-text="name">secret</b>');
  assert.doesNotMatch(await page.evaluate(() => {
    window.clone = document.querySelector('freshet-view').cloneNode(true);
    clone.id = 'two';
    clone.setAttribute('src', '/live/b');
    document.querySelector('section').append(clone);
    return clone.textContent;
  }), /secret/);
  await becomes(page, '<b data-text="name">B</b>', '#two');
  assert.equal(await inside(page, '#one'), '<b data-text="name">secret</b>');
  await page.evaluate(() => {
    const same = document.querySelector('#one').cloneNode(true);
    same.id = 'three';
    document.querySelector('section').append(same);
  });
  await becomes(page, '<b data-text="name">secret</b>', '#three');
  await page.evaluate(() => document.querySelectorAll('freshet-view').forEach((element) => element.removeAttribute('src')));
  assert.deepEqual([await inside(page, '#one'), await inside(page, '#two'), await inside(page, '#three')], ['wait', '', '']);
});

// contract 9.6
test('several templates, one after the other; more items than a call takes arguments; what is no JSON', async () => {
  const each = '<template><i data-each="items" data-text="."></i></template>';
  const views = await serve({ pages: { '/page': `${script}<freshet-view src="/live/a">${template}${each}</freshet-view><p>` } });
  views.state.set('/a', '{"name":"N","items":[1,2]}');
  const page = await open(views.origin, '/page');
  await becomes(page, '<b data-text="name">N</b><i data-text=".">1</i><i data-text=".">2</i>');
  views.publish('/a', JSON.stringify({ name: 'M', items: Array.from({ length: 200000 }, (_, nth) => nth) }));
  await until('all of them', () => page.evaluate(() => document.querySelectorAll('i').length === 200000));
  assert.equal(await page.locator('template').count(), 2);
  views.publish('/a', '{"name":"K","items":[]}');
  await becomes(page, '<b data-text="name">K</b>');
  const listen = page.waitForEvent('console', (message) => message.type() === 'error');
  views.publish('/a', '{"name":');
  await listen;
  assert.equal(await inside(page), '<b data-text="name">K</b>', 'what was shown stays');
  assert.equal(await statusOf(page), 'stale');
  browser.problems.length = 0;
});

// contract 9.6
test('in the page before it is defined, in every way that markup gets there', async () => {
  const views = await serve({ pages: { '/page': '<!doctype html><freshet-view id="one" src="/live/a">wait</freshet-view><section></section>' } });
  const page = await open(views.origin, '/page');
  await page.evaluate(async () => {
    const section = document.querySelector('section');
    const made = document.createElement('freshet-view');
    made.setAttribute('src', '/live/b');
    section.append(made, document.querySelector('#one').cloneNode(true));
    await import('/freshet-view.js');
    const late = document.createElement('freshet-view');
    section.append(late);
    late.setAttribute('mount', '/live/c');
    late.setAttribute('src', '/live/c/d'); // one by one
  });
  await until('all are open', async () => (await page.locator('freshet-view[data-status=open]').count()) === 4);
  assert.equal(await page.evaluate(() => document.body.textContent.trim()), '0000');
});

// contract 9.6
test('a mount of another origin, with cookies', async () => {
  const other = await serve(), cookies = [];
  other.cors = true;
  other.onstream = ({ request }) => cookies.push(request.headers.cookie);
  const views = await serve({ pages: {
    '/page': `${script}<freshet-view mount="${other.origin}/live" src="${other.origin}/live/a" credentials="include">wait</freshet-view><p>`,
  }, connectTo: other.origin });
  await browser.context.addCookies([{ name: 'session', value: 's7', url: other.origin }]);
  const page = await open(views.origin, '/page');
  await becomes(page, '0');
  for (const stream of other.streams) stream.cut(); // and again, with what is held
  await until('a second stream', () => cookies.length === 2);
  await until('open again', async () => (await statusOf(page)) === 'open');
  assert.deepEqual(cookies, ['session=s7', 'session=s7']);
});
