// What the browser tests share: a scripted event-stream server, processes, waiting.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const client = join(root, 'lib/browser');

// The condition's value when it is true; an error with `what` and the state if that takes too long.
export async function until(what, condition, { ms = 10000, state } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${state ? `; ${JSON.stringify(await state())}` : ''}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

// One request that a test answers.
class Exchange {
  constructor(request, response) {
    this.request = request;
    this.response = response;
    this.closed = false;
    response.on('close', () => { this.closed = true; });
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    this.path = pathname;
    this.held = request.headers['last-event-id'] ?? '';
    this.views = searchParams.getAll('v').map((text) => {
      const at = text.lastIndexOf('~');
      return [text.slice(0, at), text.slice(at + 1)];
    });
  }

  open({ heartbeat = 15000, retry = 100, headers = {} } = {}) {
    this.response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', ...headers });
    return this.write(`: freshet 1 heartbeat=${heartbeat}\nretry: ${retry}\n\n`);
  }

  write(text) {
    this.response.write(text);
    return this;
  }

  event(type, data) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    return this.write(`event: ${type}\n${text.split('\n').map((line) => `data: ${line}\n`).join('')}\n`);
  }

  // A snapshot of a stream for one view.
  snapshot(version, text) {
    return this.write(`id: ${version}\n${text.split('\n').map((line) => `data: ${line}\n`).join('')}\n`);
  }

  // A snapshot of a view among several; without text: what the client holds is current.
  frame(view, version, text) {
    return this.event(view, text === undefined ? version : `${version}\n${text}`);
  }

  // What is different from the state of the version `from`: of a stream for one view, and of a view among several.
  difference(version, from, pieces) {
    return this.write(`id: ${version}\nevent: difference\ndata: ${from}\ndata: ${JSON.stringify(pieces)}\n\n`);
  }

  frameDifference(view, version, from, pieces) {
    return this.event(view, `${version} ${from}\n${JSON.stringify(pieces)}`);
  }

  refuse(status, body, headers = {}) {
    this.response.writeHead(status, { 'content-type': 'application/json', ...headers });
    this.response.end(JSON.stringify(body));
  }

  end() {
    this.response.end();
  }

  cut() {
    this.request.socket.destroy();
  }
}

// `serve(exchange)` true: answered; what is left waits for exchange().
export class Script {
  static async start(serve = () => false) {
    const script = new this();
    script.serve = serve;
    script.waiting = [];
    script.exchanges = [];
    script.server = createServer((request, response) => {
      const exchange = new Exchange(request, response);
      if (script.serve(exchange)) return;
      script.exchanges.push(exchange);
      script.waiting.push(exchange);
    });
    await script.listen(0);
    return script;
  }

  async listen(port = this.port) {
    await new Promise((done, fail) => this.server.once('error', fail).listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
  }

  // The next request in order of arrival.
  async exchange() {
    await until('a request', () => this.waiting.length > 0);
    return this.waiting.shift();
  }

  async stop() {
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    await closed;
  }
}

// ---- processes ----

export async function stopProcess(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await gone;
}

const temporary = () => mkdtempSync(join(tmpdir(), 'freshet-'));

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// A redis-server that keeps its state over kill() and start().
export class Redis {
  static async start() {
    const redis = new Redis();
    redis.dir = temporary();
    redis.port = await freePort();
    await redis.start();
    return redis;
  }

  async start() {
    this.child = spawn('redis-server', ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.dir, '--save', '',
      '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: 'ignore' });
    await until('redis answers', () => this.answers());
  }

  answers() {
    return new Promise((done) => {
      const socket = connectSocket(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.on('data', (data) => { socket.destroy(); done(String(data).startsWith('+PONG')); });
      socket.on('error', () => done(false));
    });
  }

  kill() {
    return stopProcess(this.child, 'SIGKILL');
  }

  async stop() {
    await this.kill();
    rmSync(this.dir, { recursive: true });
  }
}

const build = process.env.FRESHET_BUILD ?? join(root, 'build');

// A freshet-bridge; `redis` may be absent.
export class Bridge {
  static async start({ redis, config, port = 0 } = {}) {
    const bridge = new Bridge();
    Object.assign(bridge, { redis, config });
    await bridge.start(port);
    return bridge;
  }

  async start(port = this.port) {
    const options = ['--listen', `127.0.0.1:${port}`, '--threads', '2', '--log-level', 'error'];
    if (this.config) options.push('--config', this.config);
    if (this.redis) options.push('--redis', `redis://127.0.0.1:${this.redis.port}`);
    this.child = spawn(join(build, 'bridge/freshet-bridge'), options, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    let failure;
    this.child.stdout.on('data', (data) => { out += data; });
    this.child.on('error', (error) => { failure = error; });
    const [, origin] = await until('the bridge listens', () => {
      if (failure || this.child.exitCode !== null) throw failure ?? new Error(`freshet-bridge left with ${this.child.exitCode}`);
      return /listening on (\S+)/.exec(out);
    });
    this.origin = origin;
    this.port = +new URL(origin).port;
  }

  async increment() {
    const response = await fetch(`${this.origin}/counter/increment`, { method: 'POST' });
    return (await response.json()).count;
  }

  kill() {
    return stopProcess(this.child, 'SIGKILL');
  }

  stop() {
    return stopProcess(this.child, 'SIGTERM');
  }
}

// ---- views ----

// Notes each change of a view.
export function record(view) {
  const notes = [];
  view.subscribe(({ status, data, error }) => notes.push({ status, data, error }));
  return {
    notes,
    statuses: () => notes.map(({ status }) => status),
    reached: (status, data) => until(`${status} ${data ?? ''}`, () =>
      view.status === status && (data === undefined || JSON.stringify(view.data) === JSON.stringify(data)), { state: () => notes }),
  };
}

export const read = (name) => readFileSync(join(client, name));

// As the library serves it: without lines that are only a comment, indentation and empty lines.
export const served = (name) => read(name).toString().split('\n').map((line) => line.trimStart())
  .filter((line) => line !== '' && !line.startsWith('//')).map((line) => `${line}\n`).join('');
