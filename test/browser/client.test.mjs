// freshet.js against a scripted server: transitions, folds, reconnects, several views on a stream.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect } from '../../lib/browser/freshet.js';
import { Script, record, until } from './support.mjs';

const v1 = '1111111111111111', v2 = '2222222222222222', v3 = '3333333333333333';
const a = '/a', b = '/b', c = '/c';
let script, connected, live, open;

beforeEach(async () => {
  script = await Script.start();
  connected = connect(`${script.origin}/live`);
  open = [];
  live = (path, options) => {
    const view = connected(`${script.origin}/live${path}`, options);
    open.push(view);
    return view;
  };
  live.share = connected.share;
});
afterEach(async () => {
  open.forEach((view) => view.close());
  await script.stop();
});

// ---- one view ----

test('connecting, open, and the newest replaces', async () => {
  const seen = record(live('/counter'));
  const stream = (await script.exchange()).open();
  assert.equal(stream.path, '/live/counter');
  assert.equal(stream.held, '');
  assert.deepEqual(seen.statuses(), ['connecting']);
  stream.snapshot(v1, '1').snapshot(v2, '2');
  await seen.reached('open', 2);
  assert.deepEqual(seen.notes, [
    { status: 'connecting', data: undefined, error: undefined },
    { status: 'open', data: 1, error: undefined },
    { status: 'open', data: 2, error: undefined },
  ]);
});

test('reduce folds each snapshot from initial, equal ones too; reload begins anew', async () => {
  const view = live('/counter', { initial: [], reduce: (acc, chunk) => [...acc, chunk] });
  const seen = record(view);
  assert.deepEqual(view.data, []);
  const first = (await script.exchange()).open().snapshot(v1, '1').snapshot(v2, '2').snapshot(v2, '2');
  await seen.reached('open', [1, 2, 2]);
  view.reload();
  assert.equal(view.status, 'reconnecting');
  assert.deepEqual(view.data, [1, 2, 2], 'kept until the new one is here');
  const second = (await script.exchange()).open();
  assert.equal(second.held, '', 'asks for the whole state');
  assert.equal(first.closed, false, 'the stream before stays until the first event');
  second.snapshot(v2, '2');
  await seen.reached('open', [2]);
  await until('the stream before is closed', () => first.closed);
});

test('fallback until something has come, text as it is', async () => {
  const view = live('/counter', { as: 'text', fallback: 'wait', initial: 'no' });
  assert.equal(view.data, 'wait');
  (await script.exchange()).open().snapshot(v1, '"x"\n');
  await record(view).reached('open', '"x"\n');
});

// contract 5.3
test('a lost link: the data is kept, the version is held, unchanged is not sent nor folded', async () => {
  const view = live('/counter', { initial: 0, reduce: (acc, chunk) => acc + chunk });
  const seen = record(view);
  (await script.exchange()).open().snapshot(v1, '5').end();
  await seen.reached('reconnecting', 5);
  const again = await script.exchange();
  assert.equal(again.held, v1);
  again.open();
  assert.equal(view.status, 'reconnecting');
  again.write(': unchanged\n\n');
  await seen.reached('open', 5);
  again.snapshot(v2, '1');
  await seen.reached('open', 6);
  assert.deepEqual(seen.statuses(), ['connecting', 'open', 'reconnecting', 'open', 'open']);
});

test('nothing yet and the link lost: still connecting', async () => {
  const seen = record(live('/counter'));
  (await script.exchange()).open().cut();
  (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  assert.deepEqual(seen.statuses(), ['connecting', 'open']);
});

// contract 4.5, 5.5
test('load-error: stale with the data kept, cleared by the next snapshot', async () => {
  const seen = record(live('/counter'));
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  stream.event('load-error', { code: 'store-down', message: 'no' });
  await seen.reached('stale', 1);
  stream.snapshot(v1, '1');
  await seen.reached('open', 1);
  assert.deepEqual(seen.notes[2].error, { code: 'store-down', message: 'no' });
  assert.equal(seen.notes[3].error, undefined);
});

test('stale stays in the error when the link is lost; what is held being current clears it', async () => {
  const seen = record(live('/counter'));
  const stream = (await script.exchange()).open().snapshot(v1, '1').event('load-error', { code: 'x', message: '' });
  await seen.reached('stale', 1);
  stream.end();
  await seen.reached('reconnecting', 1);
  assert.equal(seen.notes.at(-1).error.code, 'x');
  (await script.exchange()).open().write(': unchanged\n\n');
  await seen.reached('open', 1);
  assert.equal(seen.notes.at(-1).error, undefined);
});

test('a failed first load shows the errorFallback, then the fallback goes with the first snapshot', async () => {
  const view = live('/counter', { fallback: 'wait', errorFallback: ({ code }) => `failed: ${code}` });
  const seen = record(view);
  const stream = (await script.exchange()).open().event('load-error', { code: 'x', message: '' });
  await seen.reached('stale', 'failed: x');
  stream.snapshot(v1, '1');
  await seen.reached('open', 1);
});

// contract 5.5
test('an end without retry: closed with its code, no further request; reload() opens again', async () => {
  const view = live('/counter');
  const seen = record(view);
  (await script.exchange()).open().snapshot(v1, '1').event('end', { code: 'signed-out', retry_ms: null }).end();
  await seen.reached('closed', 1);
  assert.equal(view.error.code, 'signed-out');
  await new Promise((done) => setTimeout(done, 400)); // longer than the delay before the next try
  assert.equal(script.exchanges.length, 1);
  view.reload();
  (await script.exchange()).open().snapshot(v2, '2');
  await seen.reached('open', 2);
  assert.deepEqual(seen.statuses(), ['connecting', 'open', 'closed', 'reconnecting', 'open']);
});

// contract 5.2, 6.4
test('an end with retry_ms: back after that time', async () => {
  const seen = record(live('/counter'));
  (await script.exchange()).open({ retry: 20000 }).snapshot(v1, '1').event('end', { code: 'going-away', retry_ms: 300 }).end();
  await seen.reached('reconnecting', 1);
  const started = Date.now();
  assert.equal(seen.notes.at(-1).error.code, 'going-away');
  (await script.exchange()).open().write(': unchanged\n\n');
  const waited = Date.now() - started;
  assert.ok(waited >= 250 && waited < 5000, `${waited} ms`);
  await seen.reached('open', 1);
});

// contract 5.1
test('refused: error with status and code, the errorFallback, no further request', async () => {
  const view = live('/counter', { errorFallback: ({ status }) => status });
  const seen = record(view);
  (await script.exchange()).refuse(403, { code: 'forbidden' });
  await seen.reached('error', 403);
  assert.deepEqual(view.error, { code: 'forbidden', status: 403 });
  await new Promise((done) => setTimeout(done, 1200)); // longer than the first delay
  assert.equal(script.exchanges.length, 1);
  assert.deepEqual(seen.statuses(), ['connecting', 'error']);
  view.reload();
  (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
});

test('refused after data was shown: the errorFallback, and without one the data', async () => {
  const plain = live('/counter'), told = live('/counter', { errorFallback: () => 'gone' });
  const seen = record(plain);
  (await script.exchange()).open({ retry: 60 }).snapshot(v1, '1').end();
  (await script.exchange()).refuse(404, { code: 'not-found' });
  await seen.reached('error', 1);
  assert.equal(told.data, 'gone');
});

const answerWith = (status, type, body = '', headers = {}) => ({ response }) => {
  response.writeHead(status, { ...(type && { 'content-type': type }), ...headers });
  response.end(status === 204 ? undefined : body);
};
const html = 'text/html; charset=utf-8', json = 'application/json';

// contract 5.1: only JSON with a code is freshet's own refusal.
for (const [name, answer, status, code = 'refused'] of [
  ['a 404 page of a deploy', answerWith(404, html, '<h1>Not Found</h1>'), 404],
  ['a 403 page of a firewall', answerWith(403, html, '{"code":"forbidden"}'), 403],
  ['an offline worker\'s page', answerWith(200, html, '<!doctype html>'), 200],
  ['no content', answerWith(204), 204],
  ['JSON of a gateway', answerWith(404, json, '{"message":"no Route matched"}'), 404],
  ['JSON whose code is a number', answerWith(400, json, '{"code":404}'), 400],
  ['JSON that is null', answerWith(400, json, 'null'), 400],
  ['JSON that is none', answerWith(401, json, '{"code":'), 401],
  ['no type at all', answerWith(400, undefined, '{"code":"x"}'), 400],
  ['a URL too long for somebody', answerWith(414, json, '{"code":"x"}'), 414, 'x'],
  ['a head too large', answerWith(431, html), 431],
  ['too many requests', answerWith(429, json, '{"code":"slow"}'), 429, 'slow'],
  ['a proxy without anybody behind', answerWith(502, html), 502, null],
]) {
  // contract 9.1
  test(`an answer that is not freshet's is tried again: ${name}`, async () => {
    const view = live('/counter', { errorFallback: ({ status: shown }) => `trouble ${shown}` });
    const seen = record(view);
    (await script.exchange()).open({ retry: 60 }).end();
    answer(await script.exchange());
    await until('the page is told', () => view.error);
    assert.deepEqual(view.error, code === null ? { status } : { code, status });
    assert.equal(view.status, 'connecting');
    assert.equal(view.data, `trouble ${status}`);
    (await script.exchange()).open().snapshot(v1, '1');
    await seen.reached('open', 1);
    assert.equal(view.error, undefined);
  });
}

// contract 9.1
test('a redirect to a page to sign in is tried again, and the page is told where it led', async () => {
  const view = live('/counter');
  const seen = record(view);
  answerWith(302, undefined, '', { location: '/login' })(await script.exchange());
  const login = await script.exchange();
  assert.equal(login.path, '/login');
  answerWith(200, html, 'Who are you?')(login);
  await until('the page is told', () => view.error);
  assert.deepEqual(view.error, { code: 'refused', status: 200, location: `${script.origin}/login` });
  (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
});

// contract 9.1
test('foreign answers are asked again slowly: delays double, and the page is told once', async () => {
  const seen = record(live('/counter'));
  (await script.exchange()).open({ retry: 100 }).snapshot(v1, '1').end();
  await seen.reached('reconnecting');
  const delays = [];
  for (let at = Date.now(); delays.length < 4;) {
    const exchange = await script.exchange();
    delays.push(Date.now() - at);
    at = Date.now();
    answerWith(404, html, 'gone')(exchange);
  }
  delays.forEach((delay, nth) => assert.ok(delay >= 100 * 2 ** nth - 5, `${delays}`));
  await until('the error', () => seen.notes.at(-1).error);
  assert.deepEqual(seen.statuses(), ['connecting', 'open', 'reconnecting', 'reconnecting']);
});

// contract 9.1
test('what is told about coming back and can\'t be true does not make it come back without a pause', async () => {
  live('/counter');
  const first = await script.exchange();
  first.open({ retry: 20000 }).write('retry: -5\n\nretry: soon\n\n').snapshot(v1, '1').end();
  await new Promise((done) => setTimeout(done, 300));
  assert.equal(script.exchanges.length, 1, 'the time before stands');
  for (const wait of ['-5', 'Wed, 21 Oct 2015 07:28:00 GMT', '0']) {
    const view = connect(`${script.origin}/live`)(`${script.origin}/live/${encodeURIComponent(wait)}`);
    open.push(view);
    answerWith(503, html, '', { 'retry-after': wait })(await script.exchange());
    await until('it is told', () => view.error?.status === 503);
  }
  const asked = script.exchanges.length;
  await new Promise((done) => setTimeout(done, 500)); // less than the first delay, a second
  assert.equal(script.exchanges.length, asked);
});

test('an event of a newer server, and one that can\'t be read, are passed over', async () => {
  const view = live('/counter');
  const seen = record(view);
  const stream = (await script.exchange()).open().write('event: news\ndata: {\n\n').write('event: load-error\ndata: {\n\n')
    .write('event: end\ndata: null\n\n').write('event: gap\n\n').snapshot(v1, '1');
  await seen.reached('open', 1);
  assert.equal(stream.closed, false);
  assert.deepEqual(seen.statuses(), ['connecting', 'open']);
  assert.equal(script.exchanges.length, 1);
});

test('a request without an answer is given up, also where there are no heartbeats', async () => {
  live('/counter');
  (await script.exchange()).open({ heartbeat: 200 }).end();
  const silent = await script.exchange();
  const asked = Date.now();
  (await script.exchange()).open();
  assert.ok(Date.now() - asked >= 495, 'not before 2.5 heartbeats');
  assert.equal(silent.closed, true);
});

// contract 5.2
test('503 with Retry-After is temporary; 5xx is tried again; so is a connection that breaks', async () => {
  const seen = record(live('/counter'));
  (await script.exchange()).refuse(503, { code: 'draining' }, { 'retry-after': '1' });
  await until('the status is told', () => seen.notes.at(-1).error?.status === 503);
  const started = Date.now();
  const second = await script.exchange();
  assert.ok(Date.now() - started > 900, 'not before');
  second.refuse(502, {});
  (await script.exchange()).cut();
  (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  assert.deepEqual([...new Set(seen.statuses())], ['connecting', 'open']);
  assert.equal(seen.notes.at(-1).error, undefined);
});

// contract 5.4, 9.1
test('delays grow, are jittered, and begin small again after a success', async () => {
  const seen = record(live('/counter'));
  (await script.exchange()).open({ retry: 100 }).snapshot(v1, '1').end();
  await seen.reached('reconnecting');
  const delays = [];
  for (let at = Date.now(); delays.length < 5;) {
    const exchange = await script.exchange();
    delays.push(Date.now() - at);
    at = Date.now();
    exchange.cut();
  }
  delays.forEach((delay, nth) => {
    const full = 100 * 2 ** nth;
    assert.ok(delay >= full - 5, `${delays}`);
    assert.ok(delay <= full * 1.5 + 1000, `${delays}`);
  });
  (await script.exchange()).open({ retry: 100 }).snapshot(v2, '2').end();
  const started = Date.now();
  await script.exchange();
  assert.ok(Date.now() - started < 1000);
});

// contract 5.4
test('a silent stream is given up after 2.5 heartbeats; heartbeats keep it', async () => {
  const seen = record(live('/counter'));
  const stream = (await script.exchange()).open({ heartbeat: 200 }).snapshot(v1, '1');
  await seen.reached('open');
  for (let beat = 0; beat < 8; beat++) {
    await new Promise((done) => setTimeout(done, 100));
    stream.write(': \n\n');
  }
  assert.equal(stream.closed, false);
  const silent = Date.now();
  await seen.reached('reconnecting');
  assert.ok(Date.now() - silent > 400, 'not before 2.5 heartbeats');
  await until('the silent stream is closed', () => stream.closed);
  assert.equal((await script.exchange()).held, v1);
});

// contract 5.11
test('where nothing comes behind a head, streams are asked for without gzip from then on', async () => {
  live('/counter');
  (await script.exchange()).open({ heartbeat: 200 }).end();
  const kept = await script.exchange();
  assert.doesNotMatch(kept.request.headers.accept, /gzip/);
  kept.response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  const plain = await script.exchange();
  assert.equal(kept.closed, true);
  assert.match(plain.request.headers.accept, /^text\/event-stream;.*gzip=0$/);
  plain.open({ heartbeat: 200 }).end();
  assert.match((await script.exchange()).request.headers.accept, /;gzip=0$/);
});

test('without heartbeats nothing is given up', async () => {
  const seen = record(live('/counter'));
  const stream = (await script.exchange()).open({ heartbeat: 100 });
  stream.write(': freshet 1 heartbeat=0\n\n').snapshot(v1, '1');
  await seen.reached('open');
  await new Promise((done) => setTimeout(done, 1000));
  assert.equal(stream.closed, false);
});

test('close(): the stream ends at once, nothing more comes', async () => {
  const view = live('/counter');
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open');
  view.close();
  assert.equal(view.status, 'closed');
  assert.equal(view.error, undefined);
  assert.equal(view.data, 1);
  await until('the stream is closed', () => stream.closed);
  assert.deepEqual(seen.statuses(), ['connecting', 'open', 'closed']);
});

test('what is no JSON and a fold that throws: stale until the next good snapshot', async () => {
  const view = live('/counter', { initial: 0, reduce: (acc, chunk) => acc + chunk.n });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '{"n":1}').snapshot(v2, '{"n":');
  await seen.reached('stale', 1);
  assert.equal(view.error.code, 'bad-data');
  stream.snapshot(v3, 'null');
  await until('the second', () => seen.notes.length === 4);
  assert.equal(view.status, 'stale');
  stream.snapshot(v1, '{"n":2}');
  await seen.reached('open', 3);
});

// contract 9.5
test('a callback that throws hurts nobody else', async (t) => {
  const told = t.mock?.method(console, 'error', () => {});
  const view = live('/counter');
  view.subscribe(({ status }) => { if (status === 'open') throw new Error('mine'); });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  stream.snapshot(v2, '2');
  await seen.reached('open', 2);
  assert.equal(script.exchanges.length, 1);
  if (told) assert.equal(told.mock.callCount(), 2);
});

// contract 9.5
test('errorFallback, gap and a first call that throw hurt nobody else', async (t) => {
  const told = t.mock.method(console, 'error', () => {});
  const fail = () => { throw new Error('mine'); };
  const view = live('/counter', { errorFallback: fail, gap: fail });
  view.subscribe(fail);
  const seen = record(view);
  const stream = (await script.exchange()).open().event('load-error', { code: 'x', message: '' });
  await seen.reached('stale');
  stream.event('gap', { lost: 1 }).snapshot(v1, '1');
  await seen.reached('open', 1);
  assert.equal(stream.closed, false);
  assert.equal(told.mock.callCount(), 5, 'three calls of the callback, errorFallback, gap');
});

// contract 9.5
test('closed, reloaded, opened and subscribed to within a callback', async () => {
  const others = [];
  const view = live('/counter', { initial: [], reduce: (acc, chunk) => [...acc, chunk] });
  const late = [];
  view.subscribe(({ status, data }) => {
    if (status !== 'open' || others.length > 0) return;
    others.push(live('/counter', { initial: [], reduce: (acc, chunk) => [...acc, chunk] }));
    view.subscribe((now) => late.push(now.status));
    view.close();
    assert.deepEqual(data, [1]);
  });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await until('the other has it', () => others[0]?.status === 'open');
  stream.snapshot(v2, '2');
  await until('the other goes on', () => others[0].data.length === 2);
  assert.deepEqual(others[0].data, [1, 2], 'what led to it is folded once');
  assert.equal(view.status, 'closed');
  assert.deepEqual(view.data, [1]);
  assert.equal(seen.statuses().at(-1), 'closed');
  assert.deepEqual([...new Set(late)], ['open', 'closed']);
  assert.equal(script.exchanges.length, 1);
  others[0].reload();
  (await script.exchange()).open().snapshot(v2, '2');
  await until('reloaded', () => others[0].data.length === 1);
});

// contract 9.2
test('a reload of one view is not folded a second time by another of the same path', async () => {
  const options = { initial: 0, reduce: (acc, chunk) => acc + chunk };
  const first = live('/counter', options), second = live('/counter', options);
  const seen = record(second);
  (await script.exchange()).open().snapshot(v1, '1').snapshot(v2, '2');
  await seen.reached('open', 3);
  first.reload();
  (await script.exchange()).open().snapshot(v2, '2').snapshot(v3, '5');
  await seen.reached('open', 8);
  assert.equal(first.data, 7);
});

// contract 9.5
test('thousands of views come and go: nothing of them stays, one request is out', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const stays = record(live(a));
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await stays.reached('open', 1);
  let gone;
  for (let round = 0; round < 50; round++) {
    const views = [];
    for (let nth = 0; nth < 100; nth++) views.push(connected(`${script.origin}/live/n/${round}/${nth}`));
    for (const view of views) view.subscribe(() => {});
    gone ??= new WeakRef(views[0]);
    for (const view of views) view.close();
    await new Promise((done) => setImmediate(done));
  }
  await until('they are collected', () => {
    collect();
    return gone.deref() === undefined;
  });
  stream.snapshot(v2, '2');
  await stays.reached('open', 2);
  assert.equal(script.exchanges.length, 1);
  assert.equal(stream.closed, false);
});

test('a callback that left is not called', async () => {
  const view = live('/counter');
  const notes = [];
  const leave = view.subscribe(() => notes.push(view.status));
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await until('open', () => view.status === 'open');
  leave();
  stream.snapshot(v2, '2');
  await until('the second', () => view.data === 2);
  assert.deepEqual(notes, ['connecting', 'open']);
});

// contract 5.5
test('messages: no version is held, each is folded, gaps are told', async () => {
  const gaps = [];
  const seen = record(live('/chat', { initial: [], reduce: (acc, one) => [...acc, one], gap: (lost) => gaps.push(lost) }));
  const stream = (await script.exchange()).open().write('data: 1\n\ndata: 1\n\n').event('gap', { lost: 3 }).event('gap', { lost: null });
  await seen.reached('open', [1, 1]);
  await until('both gaps', () => gaps.length === 2);
  assert.deepEqual(gaps, [3, null]);
  stream.end();
  assert.equal((await script.exchange()).held, '');
});

test('paths: below the mount only, segments in their one form, the query as it is', async () => {
  assert.throws(() => live('x'), TypeError);
  assert.throws(() => live('/../other'), TypeError);
  assert.throws(() => live('/board/%zz'), URIError);
  live('/board/a%2fb%7Ec d?x=1&y=%20#hash');
  assert.equal((await script.exchange()).request.url, '/live/board/a%2Fb~c%20d?x=1&y=%20');
});

test('a fetch of the page\'s own', async () => {
  const mine = connect(`${script.origin}/live`, { fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: 'x' } }) });
  const view = mine(`${script.origin}/live/counter`);
  open.push(view);
  assert.equal((await script.exchange()).request.headers.authorization, 'x');
});

test('credentials go with each request, and only when they were given', async () => {
  const asked = [];
  const ask = (url, init) => {
    asked.push(init.credentials);
    return fetch(url, init);
  };
  for (const credentials of ['include', undefined]) {
    open.push(connect(`${script.origin}/live/`, { credentials, fetch: ask })(`${script.origin}/live/counter`));
    (await script.exchange()).open();
  }
  assert.deepEqual(asked, ['include', undefined]);
});

// ---- differences ----

// contract 5.10
test('a difference to what is held is shown as the whole it makes', async () => {
  const view = live('/counter', { as: 'text', initial: [], reduce: (acc, chunk) => [...acc, chunk] });
  const seen = record(view);
  const stream = (await script.exchange()).open();
  assert.match(stream.request.headers.accept, /^text\/event-stream;differences=1$/);
  stream.snapshot(v1, 'one 😀 two\nthree');
  stream.difference(v2, v1, [[0, 4], '日\n', [4, 11]]).difference(v3, v2, [[11, 13], [0, 4]]).difference(v3, v3, [[0, 6]]);
  const told = ['one 😀 two\nthree', 'one 日\n😀 two\n', 'o\none ', 'o\none '];
  await seen.reached('open', told);
  stream.end();
  assert.equal((await script.exchange()).held, v3);
});

test('on a stream of several views each has its own', async () => {
  const [first, second] = [a, b].map((path) => record(live(path)));
  const stream = (await script.exchange()).open();
  assert.match(stream.request.headers.accept, /;differences=1$/);
  stream.frame(a, v1, '[1,2]').frame(b, v1, '"b"').frameDifference(a, v2, v1, [[0, 3], '3', [4, 5]]);
  await first.reached('open', [1, 3]);
  stream.frameDifference(b, v2, v1, ['"', [1, 2], 'c"']);
  await second.reached('open', 'bc');
  assert.deepEqual(first.notes.at(-1).data, [1, 3]);
});

// contract 5.10: any doubt has the whole sent
for (const [name, send] of [
  ['to another version', (stream) => stream.difference(v3, v2, [[0, 1]])],
  ['that is no JSON', (stream) => stream.write(`id: ${v2}\nevent: difference\ndata: ${v1}\ndata: [[0,1]\n\n`)],
  ['without pieces', (stream) => stream.write(`id: ${v2}\nevent: difference\ndata: ${v1}\n\n`)],
  ['of something else', (stream) => stream.difference(v2, v1, [7])],
]) {
  test(`a difference ${name}: what is shown stays, and the whole is asked for`, async () => {
    const view = live('/counter');
    const seen = record(view);
    const stream = (await script.exchange()).open().snapshot(v1, '10');
    await seen.reached('open', 10);
    send(stream);
    const whole = await script.exchange();
    assert.equal(whole.held, '');
    assert.deepEqual([view.status, view.data], ['reconnecting', 10]);
    whole.open().snapshot(v3, '30').difference(v1, v3, ['4', [1, 2]]);
    await seen.reached('open', 40);
    assert.deepEqual(seen.notes.map(({ data }) => data).filter((data, at, all) => data !== all[at - 1]), [10, 30, 40]);
  });
}

test('a difference to what the stream before has brought meanwhile is not folded twice', async () => {
  const view = live(a, { initial: [], reduce: (acc, chunk) => [...acc, chunk] });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '10');
  await seen.reached('open', [10]);
  const beside = record(live(b));
  const next = (await script.exchange()).open();
  stream.difference(v2, v1, ['2', [1, 2]]);
  await seen.reached('open', [10, 20]);
  next.frameDifference(a, v2, v1, ['2', [1, 2]]).frame(b, v1, '1');
  await beside.reached('open', 1);
  assert.deepEqual([view.status, view.data], ['open', [10, 20]]);
  next.frameDifference(a, v3, v2, ['3', [1, 2]]);
  await seen.reached('open', [10, 20, 30]);
});

// ---- rendered on the server ----

// As freshet_once_html() makes it.
const rendered = (path, version, text) => (
  { dataset: { initial: script.origin + path, version }, textContent: JSON.stringify(text) });
const onPage = async (make, call) => {
  const elements = make();
  globalThis.document = { baseURI: script.origin, querySelectorAll: () => elements };
  try {
    await call();
  } finally {
    delete globalThis.document;
  }
};

// contract 9.7
test('what was rendered is shown at once, folded once, and gone on from', () => onPage(
  () => [rendered('/live/other', v3, '9'), rendered('/elsewhere/a', v3, '9'), rendered('/live/a', v1, '1')],
  async () => {
    const view = live(a, { initial: [], reduce: (acc, chunk) => [...acc, chunk] });
    const seen = record(view);
    assert.deepEqual([view.status, view.data], ['connecting', [1]]);
    const stream = (await script.exchange()).open();
    assert.equal(stream.held, v1);
    stream.write(': unchanged\n\n');
    await seen.reached('open', [1]);
    stream.snapshot(v2, '2');
    await seen.reached('open', [1, 2]);
    assert.deepEqual(seen.statuses(), ['connecting', 'open', 'open']);
  },
));

test('the newest replaces what was rendered, and a difference fits it', () => onPage(
  () => [rendered('/live/a', v1, '"a <b>"'), rendered('/live/b', v1, '10')],
  async () => {
    const views = [live(a), live(b)];
    const seen = views.map(record);
    assert.deepEqual(views.map(({ data }) => data), ['a <b>', 10]);
    const stream = (await script.exchange()).open();
    assert.deepEqual(stream.views, [[a, v1], [b, v1]]);
    stream.frameDifference(a, v2, v1, [[0, 3], [6, 7]]).frame(b, v2, '20');
    await Promise.all([seen[0].reached('open', 'a '), seen[1].reached('open', 20)]);
  },
));

test('it is taken once; without an answer the view is reconnecting with the error', () => onPage(
  () => [rendered('/live/a', v1, '1')],
  async () => {
    const view = live(a);
    (await script.exchange()).refuse(503, { code: 'not-now' });
    await record(view).reached('reconnecting', 1);
    assert.equal(view.error.code, 'not-now');
    view.close();
    await new Promise(setImmediate); // given up
    const later = live(a);
    assert.deepEqual([later.status, later.data], ['connecting', undefined]);
    await until('asked without', async () => (await script.exchange()).open().snapshot(v2, '2').held === '');
    await record(later).reached('open', 2);
  },
));

test('an element that nobody can read is left alone', () => onPage(
  () => [{ ...rendered('/live/a', v1, '1'), textContent: '{' }, { ...rendered('/live/a', v1, '1'), textContent: '1' },
    rendered('/live/a', undefined, '1'), { dataset: { initial: 'http://[' }, textContent: '1' }],
  async () => {
    const view = live(a);
    assert.equal(view.data, undefined);
    (await script.exchange()).open().snapshot(v2, '2');
    await record(view).reached('open', 2);
  },
));

// ---- several views on one stream ----

async function two() {
  const first = live(a), second = live(b);
  const seen = [record(first), record(second)];
  const stream = (await script.exchange()).open();
  return { first, second, seen, stream };
}

// contract 5.8
test('views of one tick share a request; each frame reaches its own', async () => {
  const { seen, stream } = await two();
  assert.equal(stream.path, '/live');
  assert.deepEqual(stream.views, [[a, ''], [b, '']]);
  stream.frame(a, v1, '1').frame(b, v2, '{"x":\n2}').frame('/unknown', v1, '9').frame(a, v3, '3');
  await seen[0].reached('open', 3);
  await seen[1].reached('open', { x: 2 });
  assert.deepEqual(seen[0].statuses(), ['connecting', 'open', 'open']);
  assert.deepEqual(seen[1].statuses(), ['connecting', 'open']);
  assert.equal(script.exchanges.length, 1);
});

// contract 5.8, 9.2
test('a view that comes later: a new stream with what is held, the old one until the first event', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  const third = record(live(c));
  const next = await script.exchange();
  assert.deepEqual(next.views, [[a, v1], [b, v1], [c, '']]);
  next.open();
  stream.frame(a, v2, '2');
  await seen[0].reached('open', 2);
  assert.equal(stream.closed, false);
  next.frame(a, v2, '2').frame(b, v1).frame(c, v3, '3');
  await third.reached('open', 3);
  await until('the old stream is closed', () => stream.closed);
  // What both streams sent is folded once; nobody saw a break.
  assert.deepEqual(seen[0].statuses(), ['connecting', 'open', 'open']);
  assert.deepEqual(seen[1].statuses(), ['connecting', 'open']);
});

// contract 5.8
test('a view that leaves: the others go on', async () => {
  const { first, seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  first.close();
  const next = await script.exchange();
  assert.equal(next.path, '/live/b');
  assert.equal(next.held, v1);
  next.open().write(': unchanged\n\n');
  await until('the old stream is closed', () => stream.closed);
  next.snapshot(v2, '2');
  await seen[1].reached('open', 2);
  assert.deepEqual(seen[1].statuses(), ['connecting', 'open', 'open']);
});

test('changes while a request is out wait for its answer: at most one more', async () => {
  live(a);
  const first = await script.exchange();
  live(b);
  await new Promise((done) => setTimeout(done, 50));
  live(c);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(script.exchanges.length, 1);
  first.open();
  const second = await script.exchange();
  assert.deepEqual(second.views.map(([view]) => view), [a, b, c]);
  second.open().frame(a, v1, '1');
  await until('the first is closed', () => first.closed);
  assert.equal(script.exchanges.length, 2);
});

test('the new stream fails: the old one goes on, and it is tried again', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  const third = record(live(c));
  (await script.exchange()).cut();
  stream.frame(a, v2, '2');
  await seen[0].reached('open', 2);
  (await script.exchange()).open().frame(c, v3, '3');
  await third.reached('open', 3);
  assert.deepEqual(seen[1].statuses(), ['connecting', 'open']);
});

test('the old stream is lost while the new one is on its way', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  live(c);
  const next = (await script.exchange()).open();
  stream.end();
  await seen[0].reached('reconnecting', 1);
  next.frame(a, v1).frame(b, v2, '2');
  await seen[0].reached('open', 1);
  await seen[1].reached('open', 2);
  assert.equal(script.exchanges.length, 2, 'no third request');
});

// contract 5.8
test('a refusal among accepted views', async () => {
  const { seen, stream } = await two();
  stream.event('end', { view: a, code: 'forbidden', status: 403, retry_ms: null }).frame(b, v1, '1');
  await seen[0].reached('error');
  await seen[1].reached('open', 1);
  assert.equal(seen[0].notes.at(-1).error.status, 403);
  stream.frame(b, v2, '2');
  await seen[1].reached('open', 2);
  assert.equal(script.exchanges.length, 1, 'the stream stays');
  stream.end();
  assert.equal((await script.exchange()).path, '/live/b', 'it is not asked for again');
});

// contract 5.8
test('an end of one view: closed, or asked for again after its time', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  stream.event('end', { view: a, code: 'busy', retry_ms: 200 });
  await seen[0].reached('reconnecting', 1);
  const next = (await script.exchange()).open();
  assert.deepEqual(next.views, [[b, v1], [a, v1]]);
  next.frame(a, v1).event('end', { view: b, code: 'done', retry_ms: null });
  await seen[1].reached('closed', 1);
  await seen[0].reached('open', 1);
  assert.equal(seen[1].notes.at(-1).error.code, 'done');
});

test('an end of the whole stream ends every view, or has all come back', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1').event('end', { code: 'going-away', retry_ms: 100 }).end();
  await seen[0].reached('reconnecting', 1);
  await seen[1].reached('reconnecting', 1);
  const next = (await script.exchange()).open();
  assert.deepEqual(next.views, [[a, v1], [b, v1]]);
  next.event('end', { code: 'max-age', retry_ms: null }).end();
  await seen[0].reached('closed', 1);
  await seen[1].reached('closed', 1);
});

test('a request for several that is refused refuses all of them', async () => {
  const first = record(live(a)), second = record(live(b));
  (await script.exchange()).refuse(401, { code: 'sign-in' });
  await first.reached('error');
  await second.reached('error');
  assert.deepEqual(second.notes.at(-1).error, { code: 'sign-in', status: 401 });
});

test('a refusal does not touch a view that came while it was on its way', async () => {
  const first = record(live(a));
  const exchange = await script.exchange();
  const second = record(live(b));
  await new Promise((done) => setTimeout(done, 20));
  exchange.refuse(404, { code: 'not-found' });
  await first.reached('error');
  const next = await script.exchange();
  if (next.views.length > 0) next.open().event('end', { view: a, code: 'not-found', status: 404, retry_ms: null }).frame(b, v1, '1');
  else next.open().snapshot(v1, '1');
  await second.reached('open', 1);
  assert.ok(!second.statuses().includes('error'));
});

test('load-error and gap of one view are no matter of the others', async () => {
  const { seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1').event('load-error', { view: a, code: 'x', message: 'y' });
  await seen[0].reached('stale', 1);
  assert.equal(seen[1].notes.at(-1).status, 'open');
  stream.frame(a, v1);
  await seen[0].reached('open', 1);
});

// contract 5.8
test('messages among several views: no version, empty ones too', async () => {
  const gaps = [];
  const chat = record(live('/chat', { as: 'text', initial: [], reduce: (acc, one) => [...acc, one], gap: (lost) => gaps.push(lost) }));
  record(live(a));
  const stream = (await script.exchange()).open();
  stream.frame('/chat', '').frame('/chat', '', 'hi').frame('/chat', '', '').event('gap', { view: '/chat', lost: 2 }).frame('/chat', '', 'hi');
  await chat.reached('open', ['hi', '', 'hi']);
  assert.deepEqual(gaps, [2]);
});

test('two views of one path: one subscription, each its own fold; a later one is given what is held', async () => {
  const sum = record(live(a, { initial: 0, reduce: (acc, n) => acc + n }));
  const list = record(live(a, { initial: [], reduce: (acc, n) => [...acc, n] }));
  const stream = (await script.exchange()).open().snapshot(v1, '1').snapshot(v2, '2');
  await sum.reached('open', 3);
  await list.reached('open', [1, 2]);
  const late = record(live(a, { initial: [], reduce: (acc, n) => [...acc, n] }));
  assert.deepEqual(late.notes, [{ status: 'open', data: [2], error: undefined }]);
  stream.snapshot(v3, '3');
  await late.reached('open', [2, 3]);
  assert.equal(script.exchanges.length, 1);
});

test('a view closed and opened in one tick changes nothing', async () => {
  const { first, seen, stream } = await two();
  stream.frame(a, v1, '1').frame(b, v1, '1');
  await seen[1].reached('open', 1);
  first.close();
  const again = record(live(a));
  assert.equal(again.notes[0].data, 1);
  stream.frame(a, v2, '2');
  await again.reached('open', 2);
  assert.equal(script.exchanges.length, 1);
});

// contract 5.8
test('more than 64 views take a second stream', async () => {
  const seen = [];
  for (let nth = 0; nth < 70; nth++) seen.push(record(live(`/n/${nth}`)));
  const streams = [await script.exchange(), await script.exchange()];
  assert.deepEqual(streams.map(({ views }) => views.length).sort(), [6, 64]);
  for (const stream of streams) {
    stream.open();
    for (const [view] of stream.views) stream.frame(view, v1, JSON.stringify(view));
  }
  for (let nth = 0; nth < 70; nth++) await seen[nth].reached('open', `/n/${nth}`);
});

// contract 5.8, 9.4
test('views with long paths: several streams, no URL is long, and none is once versions are held', async () => {
  const held = '0123456789abcdef'.repeat(2);
  const seen = [];
  for (let nth = 0; nth < 64; nth++) seen.push(record(live(`/${'board/'.repeat(20)}${nth}`)));
  const answerAll = async () => {
    const asked = [];
    for (let views = 0; views < 64; views += asked.at(-1).views.length) asked.push((await script.exchange()));
    for (const stream of asked) {
      assert.ok(script.origin.length + stream.request.url.length <= 4096, `${stream.request.url.length} bytes`);
      stream.open();
      for (const [view, known] of stream.views) stream.frame(view, held, known === held ? undefined : '1');
    }
    for (const one of seen) await one.reached('open', 1);
    return asked;
  };
  const first = await answerAll();
  assert.ok(first.length <= 4, `${first.length} streams`);
  for (const stream of first) stream.end();
  for (const one of seen) await one.reached('reconnecting', 1);
  const again = await answerAll();
  assert.equal(again.length, first.length, 'they are split as before');
  assert.ok(again.every(({ views }) => views.every(([, known]) => known === held)));
});

for (const [status, limit] of [[414, 250], [431, 120]]) {
  // contract 5.8, 9.4
  test(`${status} splits the views until each request is taken, at once and for what comes later`, async () => {
    const seen = [];
    for (let nth = 0; nth < 20; nth++) seen.push(record(live(`/board/${nth}`)));
    script.serve = (exchange) => {
      if (exchange.request.url.length <= limit) return false;
      answerWith(status, html, 'no')(exchange);
      return true;
    };
    for (let views = 0; views < 20;) {
      const exchange = await script.exchange();
      exchange.open();
      if (exchange.views.length === 0) exchange.snapshot(v1, '1');
      for (const [view] of exchange.views) exchange.frame(view, v1, '1');
      views += exchange.views.length || 1;
    }
    for (const one of seen) await one.reached('open', 1);
    for (const one of seen) assert.deepEqual(one.statuses(), ['connecting', 'open'], 'nobody is told of it');
  });
}

// contract 9.4
test('a view that is too long by itself is tried again; it takes no other with it', async () => {
  const long = live(`/${'x'.repeat(3000)}`), short = live(a);
  const seen = record(short);
  script.serve = (exchange) => {
    if (exchange.request.url.length < 2000) return false;
    answerWith(414, html)(exchange);
    return true;
  };
  (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  await until('the other is told', () => long.error?.status === 414);
  assert.equal(long.status, 'connecting');
});

// contract 5.8, 9.2
test('what the stream before brought meanwhile is neither folded twice nor lost for "unchanged"', async () => {
  const view = live(a, { initial: [], reduce: (acc, chunk) => [...acc, chunk] });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', [1]);
  live(b);
  const next = (await script.exchange()).open();
  assert.deepEqual(next.views, [[a, v1], [b, '']]);
  stream.snapshot(v2, '2');
  await seen.reached('open', [1, 2]);
  next.frame(a, v1); // what it was asked with is current on the instance that answers
  const whole = await script.exchange();
  assert.deepEqual(whole.views, [[b, ''], [a, '']]);
  whole.open().frame(a, v2, '2').frame(a, v3, '3');
  await seen.reached('open', [1, 2, 3]);
});

test('a tilde and a query in a view', async () => {
  const tilde = record(live('/x~y?q=a~b'));
  record(live(a));
  const stream = (await script.exchange()).open();
  assert.deepEqual(stream.views[0], ['/x~y?q=a~b', '']);
  stream.frame('/x~y?q=a~b', v1, '1');
  await tilde.reached('open', 1);
});

test('another scope: every view begins anew without the data it had', async () => {
  const view = live('/counter', { fallback: 'none', initial: 0, reduce: (acc, n) => acc + n });
  const seen = record(view);
  const stream = (await script.exchange()).open().snapshot(v1, '1');
  await seen.reached('open', 1);
  live.share('someone-else');
  assert.equal(view.status, 'connecting');
  assert.equal(view.data, 'none');
  await until('the stream ends', () => stream.closed);
  const next = await script.exchange();
  assert.equal(next.held, '');
  next.open().snapshot(v2, '2');
  await seen.reached('open', 2);
});
