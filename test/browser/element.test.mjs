// <freshet-view> in Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useBrowser } from './pages.mjs';
import { until } from './support.mjs';

const { open, serve } = useBrowser();

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

