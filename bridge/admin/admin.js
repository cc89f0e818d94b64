// Looks at the instances by streams of freshet's own, and publishes.
import { connect } from './freshet.js';

const at = (id) => document.getElementById(id);
const silentAfterMs = 5000;
const mostShown = 64 * 1024; // characters of events

// ---- signing in: the token gets a cookie for the streams; it stays in this tab for publishing ----

const authorization = () => ({ authorization: `Bearer ${sessionStorage.getItem('token')}` });

async function signIn() {
  const answer = await fetch('/admin/session', { method: 'POST', headers: authorization() });
  if (answer.ok) {
    at('instance').textContent = (await answer.json()).instance;
    at('sign-in').hidden = true;
    at('signed-in').hidden = false;
    look();
    return;
  }
  sessionStorage.removeItem('token');
  at('sign-in').hidden = false;
  at('sign-in-note').textContent = answer.status === 401 ? 'That is not the token.' : `Something is wrong: ${answer.status}.`;
}

at('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', at('token').value);
  at('token').value = '';
  signIn();
});

// ---- instances ----

const columns = ['bus', 'streams', 'topics', 'loads', 'loads_running', 'loads_failed', 'publishes', 'pushed', 'refused', 'denied',
  'errors'];
const rows = new Map(); // by instance: its row, and when it was heard

function showInstance(told) {
  if (!told?.instance) return;
  let row = rows.get(told.instance)?.row;
  if (!row) {
    row = document.createElement('tr');
    for (let i = 0; i <= columns.length; i++) row.insertCell();
    rows.set(told.instance, { row });
    const sorted = [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry.row);
    at('instances').replaceChildren(...sorted);
  }
  rows.get(told.instance).heard = performance.now();
  row.className = '';
  row.cells[0].textContent = told.instance + (told.draining ? ' (draining)' : '');
  columns.forEach((name, i) => { row.cells[i + 1].textContent = told[name]; });
  row.cells[1].className = told.bus === 'down' ? 'bad' : '';
}

function dimSilent() {
  for (const { row, heard } of rows.values()) row.classList.toggle('gone', performance.now() - heard > silentAfterMs);
}

function look() {
  const live = connect('/live');
  live('/live/admin/instances', { initial: null, reduce: (_, told) => { showInstance(told); return told; } }).subscribe(() => {});
  live('/live/admin/state').subscribe(({ data }) => {
    showInstance(data);
    if (data?.dump) at('state').textContent = data.dump;
  });
  setInterval(dimSilent, 1000);
}

// ---- the events of one stream ----

let watching = null;

function append(text) {
  const frames = at('frames'), follows = frames.scrollTop + frames.clientHeight >= frames.scrollHeight - 8;
  frames.textContent = (frames.textContent + text).slice(-mostShown);
  if (follows) frames.scrollTop = frames.scrollHeight;
}

async function watch(path, signal) {
  const answer = await fetch(`/live/${path}`, { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal });
  append(`${answer.status} ${answer.headers.get('content-type')}\n\n`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) append(piece.value);
  append('\n(the stream has ended)\n');
}

at('watch').addEventListener('submit', (event) => {
  event.preventDefault();
  watching?.abort();
  watching = new AbortController();
  at('frames').textContent = '';
  at('close').disabled = false;
  watch(at('path').value, watching.signal).catch((error) => append(`\n(${error.name === 'AbortError' ? 'closed' : error.message})\n`));
});
at('close').addEventListener('click', () => {
  watching?.abort();
  at('close').disabled = true;
});

// ---- publishing ----

function readMessage() {
  const text = at('message').value.trim();
  return text === '' ? {} : { message: JSON.parse(text) };
}

async function publish() {
  const body = JSON.stringify({ topic: at('topic').value.trim(), ...readMessage() });
  const answer = await fetch('/admin/publish', { method: 'POST', headers: { ...authorization(), 'content-type': 'application/json' }, body });
  const said = await answer.json();
  if (!answer.ok) return `${said.field ?? ''} ${said.error}`.trim();
  const [{ topic, receivers }] = said.published;
  return receivers < 0 ? `${topic}: accepted` : `${topic}: ${receivers} instance${receivers === 1 ? '' : 's'} heard it`;
}

at('publish').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    at('published').textContent = await publish();
  } catch (error) {
    at('published').textContent = error instanceof SyntaxError ? `The message has to be JSON: ${error.message}` : String(error.message);
  }
});

if (sessionStorage.getItem('token')) signIn();
else at('sign-in').hidden = false;
