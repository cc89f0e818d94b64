// A browser, and a server with pages, the scripts, and views that follow a state: the wire of contract 5.8.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { client, Script, until } from './support.mjs';

const options = () => ({
  executablePath: execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim(),
  args: ['--no-sandbox'], // tests may run as root
  ignoreDefaultArgs: ['--disable-back-forward-cache'], // as people's browsers have it
});

export const launch = () => chromium.launch(options());

// A context in a profile of its own, which has such settings.
export const launchProfile = (folder) => chromium.launchPersistentContext(folder, options());

// A browser for the tests of a file. Each has a context, and a server if it asks for one; what a page throws or
// complains of fails it.
export function useBrowser() {
  const here = {
    async open(origin, path = '/blank') {
      const page = await here.context.newPage();
      here.listen(page);
      await page.goto(origin + path);
      return page;
    },
    listen(page) {
      page.on('console', (message) => {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) here.problems.push(message.text());
      });
    },
    async serve(options) {
      const views = await Views.start(options);
      here.servers.push(views);
      return views;
    },
  };
  before(async () => { here.browser = await launch(); });
  after(() => here.browser.close());
  beforeEach(async () => {
    Object.assign(here, { context: await here.browser.newContext(), problems: [], servers: [] });
    here.context.on('weberror', (error) => here.problems.push(String(error.error())));
  });
  afterEach(async () => {
    await here.context.close();
    await Promise.all(here.servers.map((server) => server.stop()));
    assert.deepEqual(here.problems, []);
  });
  return here;
}

// Opens views in the page; notes of each are in window.seen[path].
export const show = (page, paths, { scope, fold } = {}) => page.evaluate(async ([all, who, folds]) => {
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
export const notes = (page, path) => page.evaluate((name) => window.seen[name], path);
export const reached = (page, path, status, data) => until(`${path} ${status} ${data ?? ''}`, async () => {
  const [now, value] = (await notes(page, path)).at(-1);
  return now === status && (data === undefined || JSON.stringify(value) === JSON.stringify(data));
}, { ms: 20000, state: () => notes(page, path) });

const modules = fileURLToPath(new URL('node_modules', import.meta.url));
const types = { js: 'text/javascript', html: 'text/html; charset=utf-8' };

// React comes as CommonJS; this does what a bundler does.
function bundleReact() {
  const files = new Map();
  const find = (id, from) => {
    const [name, part] = id.split('/');
    const file = id[0] === '.' ? join(from, '..', id)
      : createRequire(join(modules, name, 'package.json')).resolve(part ? `./${part}.js` : '.');
    if (!file.includes('development') && !files.has(file)) {
      files.set(file, '');
      files.set(file, readFileSync(file, 'utf8').replace(/\brequire\(["']([^"']+)["']\)/g,
        (_, wanted) => `load(${JSON.stringify(find(wanted, file))})`));
    }
    return file;
  };
  const exported = { react: find('react'), client: find('react-dom/client') };
  return `const process = { env: { NODE_ENV: 'production' } }, made = {}, files = {
${[...files].map(([file, text]) => `${JSON.stringify(file)}(module, exports) {\n${text}\n}`).join(',\n')} };
function load(file) {
  if (!made[file]) files[file](made[file] = { exports: {} }, made[file].exports);
  return made[file].exports;
}
export const react = load(${JSON.stringify(exported.react)}), client = load(${JSON.stringify(exported.client)});`;
}
const reactFiles = {
  '/react-bundle.js': bundleReact,
  '/react.js': () => "import { react } from '/react-bundle.js'; export const { createElement, useEffect, useState } = react;",
  '/react-dom-client.js': () => "import { client } from '/react-bundle.js'; export const { createRoot } = client;",
};

const blank = '<!doctype html><meta charset="utf-8"><title>blank</title>';

// Pages and scripts; `pages` are of the test's own, which may connect to `connectTo` beside their own origin.
function serveFile({ path, response }, { pages, connectTo }) {
  const file = path.startsWith('/node_modules/') ? join(modules, path.slice(13))
    : path.startsWith('/examples/') ? join(client, path) : join(client, path.slice(1));
  let body = pages[path];
  if (path === '/blank') body = blank;
  else if (reactFiles[path]) body = reactFiles[path]();
  else if (body === undefined && /\.(js|html)$/.test(path) && existsSync(file)) body = readFileSync(file);
  if (body === undefined) return false;
  const type = types[path.split('.').pop()] ?? types.html;
  const head = { 'content-type': type };
  // No inline script and no text that becomes one; the import maps of two examples are inline.
  if (type === types.html && !/examples\/p?react/.test(path)) {
    head['content-security-policy'] = `default-src 'none'; script-src 'self'; connect-src 'self' ${connectTo}; require-trusted-types-for 'script'`;
  }
  response.writeHead(200, head);
  response.end(body);
  return true;
}

// contract 5.9
function allow({ request, response }) {
  response.setHeader('access-control-allow-origin', request.headers.origin);
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-headers', 'last-event-id');
  response.setHeader('vary', 'origin');
}

const versionOf = (view, text) => createHash('sha256').update(view).update(text).digest('hex').slice(0, 16);

export class Views extends Script {
  static async start({ pages = {}, live = true, connectTo = '' } = {}) {
    const views = await super.start((exchange) => views?.answer(exchange));
    Object.assign(views, { pages, live, connectTo, state: new Map(), streams: new Set(), opened: [], asked: 0 });
    return views;
  }

  answer(exchange) {
    const { path, response } = exchange;
    if (serveFile(exchange, this)) return true;
    if (path === '/ask') {
      response.end(`answer ${++this.asked}`);
      return true;
    }
    if (!this.live || !path.startsWith('/live')) return false;
    if (this.cors) allow(exchange);
    if (exchange.request.method === 'OPTIONS') {
      response.end();
      return true;
    }
    this.onstream?.(exchange);
    exchange.single = exchange.views.length === 0;
    if (exchange.single) exchange.views = [[path.slice(5), exchange.held]];
    this.opened.push(exchange);
    this.streams.add(exchange);
    response.on('close', () => this.streams.delete(exchange));
    exchange.open(this.head);
    for (const [view, held] of exchange.views) this.show(exchange, view, held);
    return true;
  }

  // Heartbeats come often, so that a test need not wait long for what misses them.
  beat() {
    this.head = { heartbeat: 300 };
    this.beats = setInterval(() => this.streams.forEach((stream) => stream.write(': \n\n')), 150);
  }

  stop() {
    clearInterval(this.beats);
    return super.stop();
  }

  show(exchange, view, held) {
    if (!this.state.has(view)) this.state.set(view, '0');
    const text = this.state.get(view);
    const version = versionOf(view, text);
    if (!exchange.single) exchange.frame(view, version, held === version ? undefined : text);
    else if (held === version) exchange.write(': unchanged\n\n');
    else exchange.snapshot(version, text);
  }

  publish(view, text) {
    this.state.set(view, text);
    for (const exchange of this.streams) {
      if (exchange.views.some(([name]) => name === view)) this.show(exchange, view, '');
    }
  }
}
