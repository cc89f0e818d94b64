// freshet.js against real instances with a real Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from '../../lib/browser/freshet.js';
import { Bridge, Redis, record, until } from './support.mjs';

let redis, one, two;
const open = [];
before(async () => {
  redis = await Redis.start();
  [one, two] = await Promise.all([Bridge.start({ redis }), Bridge.start({ redis })]);
});
after(async () => {
  open.forEach((view) => view.close());
  await Promise.all([one.stop(), two.stop()]);
  await redis.stop();
});

// Each has a connection of its own.
function live(bridge, path, options) {
  const view = connect(`${bridge.origin}/live`)(`${bridge.origin}/live${path}`, options);
  open.push(view);
  return view;
}

// contract 4.2
test('a change on one instance is shown by a view on the other', async () => {
  const seen = record(live(two, '/counter'));
  await seen.reached('open');
  const count = await one.increment();
  await seen.reached('open', count);
  assert.equal(seen.statuses()[0], 'connecting');
  assert.deepEqual([...new Set(seen.statuses())], ['connecting', 'open']);
});

test('fold and reload', async () => {
  const view = live(one, '/counter', { initial: [], reduce: (acc, count) => [...acc, count] });
  const seen = record(view);
  await seen.reached('open');
  const [begin] = view.data;
  await two.increment();
  await seen.reached('open', [begin, begin + 1]);
  await two.increment();
  await seen.reached('open', [begin, begin + 1, begin + 2]);
  view.reload();
  await seen.reached('open', [begin + 2]);
});

test('text, and a path with an encoded segment', async () => {
  const view = live(one, '/board/a%2fb%20c', { as: 'text' });
  await record(view).reached('open');
  assert.equal(JSON.parse(view.data).boardId, 'a/b c');
});

// contract 4.10
test('no such route: refused with 404', async () => {
  const view = live(one, '/nothing/here');
  await record(view).reached('error');
  assert.equal(view.error.status, 404);
});

// contract 5.3
test('an instance is killed and started again: data kept, nothing folded twice', async () => {
  const view = live(two, '/counter', { initial: [], reduce: (acc, count) => [...acc, count] });
  const seen = record(view);
  await seen.reached('open');
  const [begin] = view.data;
  await two.kill();
  await seen.reached('reconnecting', [begin]);
  await two.start();
  await seen.reached('open', [begin]);
  const count = await one.increment();
  await seen.reached('open', [begin, count]);
  assert.deepEqual(seen.statuses(), ['connecting', 'open', 'reconnecting', 'open', 'open']);
});

// contract 6.4
test('an instance is stopped: told to come back, and does', async () => {
  const seen = record(live(two, '/counter'));
  await seen.reached('open');
  await two.stop();
  await seen.reached('reconnecting');
  assert.equal(seen.notes.find(({ status }) => status === 'reconnecting').error?.code, 'going-away');
  await two.start();
  await seen.reached('open');
});

// contract 4.1, 4.5, 7.4
test('Redis is killed and started again: stale with the data kept, then open with the newest', async () => {
  const view = live(two, '/counter');
  const seen = record(view);
  await seen.reached('open');
  const before = view.data;
  await redis.kill();
  await until('stale', () => view.status === 'stale', { ms: 30000 });
  assert.equal(view.data, before);
  await redis.start();
  await until('open', () => view.status === 'open', { ms: 30000 });
  const count = await until('Redis is used again', () => one.increment().catch(() => 0));
  await seen.reached('open', count);
  assert.ok(!seen.statuses().includes('reconnecting'), 'the stream stayed');
});

// contract 5.10
test('a large board: what changes is sent as a difference, to one view and to each of several', async () => {
  const post = (path, body) => fetch(one.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const sent = async () => {
    const metrics = await (await fetch(`${two.origin}/metrics`)).text();
    return Object.fromEntries(['differences_pushed', 'differences_made', 'differences_saved_bytes'].map((name) =>
      [name, +new RegExp(`^freshet_${name}_total (\\d+)$`, 'm').exec(metrics)[1]]));
  };
  for (let i = 0; i < 100; i++) assert.equal((await post('/board/large/tasks', { title: `${i}: <b> ${'😀日本'.repeat(i % 40)}` })).status, 201);
  const alone = live(two, '/board/large', { as: 'text' });
  const several = connect(`${two.origin}/live`);
  const beside = ['/board/large', '/counter'].map((path) => several(`${two.origin}/live${path}`, { as: 'text' }));
  open.push(...beside);
  for (const view of [alone, ...beside]) await record(view).reached('open');
  const before = await sent();
  for (let id = 1; id <= 5; id++) {
    assert.equal((await post(`/board/large/tasks/${id}/move`, { to: 'done' })).status, 200);
    const whole = live(one, '/board/large', { as: 'text' });
    await record(whole).reached('open');
    await until('both show it', () => alone.data === whole.data && beside[0].data === whole.data);
    whole.close();
  }
  const after = await sent();
  // Of ten; the bus of a busy machine may be late once, and behind a load-error the whole goes.
  assert.ok(after.differences_pushed >= before.differences_pushed + 8, JSON.stringify([before, after]));
  assert.ok(after.differences_made <= before.differences_made + 5, 'once for both');
  assert.ok(after.differences_saved_bytes > before.differences_saved_bytes + 10000);
});


// contract 5.8
test('several views on one stream: each follows, a refused one hurts nobody, one more comes, one leaves', async () => {
  let requests = 0;
  const several = connect(`${one.origin}/live`, { fetch: (url, init) => {
    requests++;
    return fetch(url, init);
  } });
  const show = (path, options) => {
    const view = several(`${one.origin}/live${path}`, options);
    open.push(view);
    return { view, ...record(view) };
  };
  const post = (path, body) => fetch(two.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const titles = (board) => board.data.tasks.map(({ title }) => title);

  const counter = show('/counter');
  await counter.reached('open');
  const board = show('/board/a%2Fb'), nothing = show('/nothing/here');
  await board.reached('open');
  await nothing.reached('error');
  assert.equal(nothing.view.error.status, 404);
  assert.equal(requests, 2);
  // On a machine that is busy the bus may be late: 'stale' in between keeps the data too.
  assert.deepEqual(counter.statuses().filter((status) => status !== 'stale' && status !== 'open'), ['connecting'],
    'what a stream for one view brought is held on one for several');
  const count = await two.increment();
  await counter.reached('open', count);
  assert.equal((await post('/board/a%2Fb/tasks', { title: 'new\nline \u2028' })).status, 201);
  await until('the task', () => titles(board.view).includes('new\nline \u2028'));

  const other = show('/board/other');
  await other.reached('open');
  assert.equal(requests, 3);
  other.view.close();
  await until('the stream without it', () => requests === 4);
  const next = await two.increment();
  await counter.reached('open', next);
  assert.deepEqual(counter.statuses(), ['connecting', 'open', 'open', 'open'], 'nobody saw the changes of the set');

  await one.kill();
  await counter.reached('reconnecting', next);
  await board.reached('reconnecting');
  const away = await two.increment();
  await one.start();
  await counter.reached('open', away);
  await board.reached('open');
});
