// The demo page behind bridge/nginx.conf, on a port that nginx does not know of: as docker-compose.yml publishes it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './pages.mjs';
import { Bridge, freePort, Redis, root, stopProcess, until } from './support.mjs';

// The same file with the addresses of the containers replaced by those of the test.
class Nginx {
  static async start(bridges) {
    const nginx = new Nginx();
    nginx.dir = mkdtempSync(join(tmpdir(), 'freshet-'));
    nginx.port = await freePort();
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};\n`);
    let nth = 0;
    const text = readFileSync(join(root, 'bridge/nginx.conf'), 'utf8')
      .replace(/listen [^;]+;/, `listen 127.0.0.1:${nginx.port};`)
      .replace(/server bridge-\w:8080/g, () => `server 127.0.0.1:${bridges[nth++].port}`)
      .replace(/^pid .*$/m, 'pid pid; daemon off;')
      .replace(/^error_log .*$/m, 'error_log error.log;')
      .replace(/^http {$/m, `http {\n${temporary.join('')}`);
    assert.equal(nth, bridges.length);
    writeFileSync(join(nginx.dir, 'nginx.conf'), text);
    nginx.child = spawn('/usr/sbin/nginx', ['-p', nginx.dir, '-c', join(nginx.dir, 'nginx.conf'), '-e', join(nginx.dir, 'error.log')],
      { stdio: 'inherit' });
    await until('nginx serves', () => fetch(`http://127.0.0.1:${nginx.port}/health/live`).then(({ ok }) => ok, () => false));
    return nginx;
  }

  async stop() {
    await stopProcess(this.child, 'SIGTERM');
    rmSync(this.dir, { recursive: true });
  }
}

// Another port for the same.
async function publish(port) {
  const sockets = new Set();
  const server = createServer((outside) => {
    const inside = connect(port, '127.0.0.1');
    for (const [one, other] of [[outside, inside], [inside, outside]]) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => { sockets.delete(one); other.destroy(); }).pipe(other);
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { port: server.address().port, stop: () => { for (const socket of sockets) socket.destroy(); server.close(); } };
}

let browser, redis, bridges, nginx, outside, pages;
const answers = []; // of each page's requests to the mount
const problems = [];

before(async () => {
  redis = await Redis.start();
  [browser, ...bridges] = await Promise.all([launch(), Bridge.start({ redis }), Bridge.start({ redis })]);
  nginx = await Nginx.start(bridges);
  outside = await publish(nginx.port);
  // A context for each: tabs of one browser share a stream.
  pages = await Promise.all([0, 1].map(async (nth) => {
    const page = await (await browser.newContext()).newPage();
    answers.push([]);
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      const encoding = response.headers()['content-encoding'];
      if (pathname.startsWith('/live')) answers[nth].push(`${response.status()} ${pathname} ${encoding}`);
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure().errorText}`));
    await page.goto(`http://localhost:${outside.port}/`);
    return page;
  }));
});
after(async () => {
  await browser?.close();
  outside?.stop();
  await nginx?.stop();
  await Promise.all(bridges.map((bridge) => bridge.stop()));
  await redis.stop();
});

const shows = (page, selector, expected) => until(`${selector}: ${expected}`,
  async () => (await page.innerText(selector)).match(expected), { ms: 20000, state: () => page.innerText(selector) });

// contract 5.8
test('pages are live, and what is done on one shows on the other', async () => {
  for (const page of pages) await shows(page, '.status-text', /^live$/);
  await pages[0].click('.increment');
  await pages[1].fill('.add input', 'walk');
  await pages[1].click('.add button');
  for (const page of pages) {
    await shows(page, '.count', /^1$/);
    await shows(page, '[data-column=todo] ul', /walk/);
  }
});

// contract 5.8, 5.11
test('each has asked once, for both of its views, and has them in gzip', () =>
  assert.deepEqual(answers, [['200 /live gzip'], ['200 /live gzip']]));

test('nothing failed', () => assert.deepEqual(problems, []));
