// A browser, and a server with pages, the scripts, and views that follow a state: the wire of contract 5.8.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { client, Script } from './support.mjs';

export const launch = () => chromium.launch({
  executablePath: execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim(),
  args: ['--no-sandbox'], // tests may run as root
});

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

// Pages and scripts; `pages` are of the test's own.
function serveFile({ path, response }, pages) {
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
    head['content-security-policy'] = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'";
  }
  response.writeHead(200, head);
  response.end(body);
  return true;
}

const versionOf = (view, text) => createHash('sha256').update(view).update(text).digest('hex').slice(0, 16);

export class Views extends Script {
  static async start({ pages = {}, live = true } = {}) {
    const views = await super.start((exchange) => views?.answer(exchange));
    Object.assign(views, { pages, live, state: new Map(), streams: new Set(), opened: [], asked: 0 });
    return views;
  }

  answer(exchange) {
    const { path, response } = exchange;
    if (serveFile(exchange, this.pages)) return true;
    if (path === '/ask') {
      response.end(`answer ${++this.asked}`);
      return true;
    }
    if (!this.live || !path.startsWith('/live')) return false;
    exchange.single = exchange.views.length === 0;
    if (exchange.single) exchange.views = [[path.slice(5), exchange.held]];
    this.opened.push(exchange);
    this.streams.add(exchange);
    response.on('close', () => this.streams.delete(exchange));
    exchange.open(this.head);
    for (const [view, held] of exchange.views) this.show(exchange, view, held);
    return true;
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
