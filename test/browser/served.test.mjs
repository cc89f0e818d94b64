// What the library serves: size, names, headers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Bridge, read, served } from './support.mjs';

let bridge;
before(async () => { bridge = await Bridge.start(); });
after(() => bridge.stop());

const version = JSON.parse(read('package.json')).version;
const ask = (path, init) => fetch(bridge.origin + path, init);

test('freshet.js as served is under 7 KB compressed: the source without its comments', async () => {
  const text = await (await ask('/freshet.js')).text();
  const size = gzipSync(text, { level: 9 }).length;
  assert.ok(size < 7168, `${size} bytes`);
  assert.equal(text, served('freshet.js'));
  assert.doesNotMatch(text, /^[ \t]|^\/[/*]|\n\n/m);
  const { connect, live, parser } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  assert.deepEqual([connect, live, parser].map((each) => typeof each), ['function', 'function', 'function']);
});

test('what is left out is no part of a string', () => {
  // A template literal over several lines would lose its indentation.
  for (const name of ['freshet.js', 'freshet-view.js', 'use-live.js']) {
    for (const line of read(name).toString().split('\n')) {
      if (!line.trimStart().startsWith('//')) assert.equal(line.split('`').length % 2, 1, `${name}: ${line}`);
    }
  }
});

test('no script imports anything but freshet.js, makes HTML or evaluates text', () => {
  for (const name of ['freshet.js', 'freshet-view.js', 'use-live.js']) {
    const text = String(read(name));
    const imports = [...text.matchAll(/^import .* from '(.*)';$/gm)].map(([, from]) => from);
    assert.deepEqual(imports, name === 'freshet.js' ? [] : ['./freshet.js'], name);
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|import\(|require\(/, name);
  }
});

test('a name that contains the version is kept for a year, and its imports have the version, too', async () => {
  for (const name of ['freshet', 'freshet-view', 'use-live']) {
    const response = await ask(`/${name}-${version}.js`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    const expected = served(`${name}.js`).replace("'./freshet.js'", `'./freshet-${version}.js'`);
    assert.equal(await response.text(), expected);
  }
  assert.equal((await ask('/freshet-0.0.9.js')).status, 404);
});

test('a plain name is asked for again each time', async () => {
  for (const name of ['freshet.js', 'freshet-view.js', 'use-live.js']) {
    const response = await ask(`/${name}`);
    const { headers } = response;
    assert.equal(response.status, 200);
    assert.equal(headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(headers.get('cache-control'), 'no-cache');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(await response.text(), served(name));
    const etag = headers.get('etag');
    assert.match(etag, /^"[0-9a-f]{16}"$/);
    for (const held of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await ask(`/${name}`, { headers: { 'if-none-match': held } });
      assert.equal(again.status, 304, held);
      assert.equal(again.headers.get('etag'), etag);
      assert.equal(await again.text(), '');
    }
    assert.equal((await ask(`/${name}`, { headers: { 'if-none-match': '"0123456789abcdef"' } })).status, 200);
  }
});

test('HEAD has the head alone; other methods are refused; other paths go on', async () => {
  const head = await ask('/freshet.js', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(+head.headers.get('content-length'), Buffer.byteLength(served('freshet.js')));
  assert.equal(await head.text(), '');
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const refused = await ask('/freshet.js', { method });
    assert.equal(refused.status, 405, method);
    assert.equal(refused.headers.get('allow'), 'GET, HEAD');
  }
  for (const path of ['/freshet.js/', '/x/freshet.js', '/freshet.jsx', '/freshet.j']) assert.equal((await ask(path)).status, 404, path);
  assert.equal((await ask('/')).status, 200);
});

test('package.json: the version of the library, the files it names', () => {
  const manifest = JSON.parse(read('package.json'));
  const header = String(read('../../include/freshet/version.h'));
  const numbers = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`VERSION_${part} (\\d+)`).exec(header)[1]);
  assert.equal(manifest.version, numbers.join('.'));
  assert.equal(manifest.dependencies, undefined);
  for (const entry of Object.values(manifest.exports)) {
    for (const file of Object.values(typeof entry === 'string' ? { entry } : entry)) assert.ok(read(file).length > 0, file);
  }
});
