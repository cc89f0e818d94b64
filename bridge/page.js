import { connect } from './freshet.js';

// Two views on one stream, which all tabs of this browser share. freshet.js connects again by itself.

const boardId = 'demo';
const columns = ['todo', 'doing', 'done'];
const columnNames = { todo: 'To do', doing: 'Doing', done: 'Done' };
const gaugesMs = 2000;
const healedShownMs = 8000;
const plotBars = 40;
const byId = (id) => document.getElementById(id);

// ---- streams ----

// The instance that answered this tab's own stream; empty: another tab has it.
let served = '';
let newest = null;

const live = connect('live', {
  scope: 'demo',
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    newest = init.signal;
    served = response.headers.get('x-instance') ?? '';
    init.signal.addEventListener('abort', () => {
      if (newest === init.signal) served = '';
    });
    return response;
  },
});
const views = { counter: live('live/counter', { as: 'text' }), board: live(`live/board/${boardId}`) };

// ---- status ----

const statusTexts = { open: 'live', connecting: 'connecting', reconnecting: 'reconnecting', stale: 'last good state' };
let troubledSince = null;
let healedMs = null;
let healedTimer = 0;

// The worst of the two views is what the page is.
function showStatus() {
  const all = Object.values(views);
  const state = ['error', 'closed', 'reconnecting', 'connecting', 'stale', 'open'].find((name) => all.some((view) => view.status === name));
  if ((state === 'reconnecting' || state === 'stale') && troubledSince === null) troubledSince = performance.now();
  if (state === 'open' && troubledSince !== null) {
    healedMs = performance.now() - troubledSince;
    troubledSince = null;
    clearTimeout(healedTimer);
    healedTimer = setTimeout(() => {
      healedMs = null;
      showStatus();
    }, healedShownMs);
  }
  const healed = state === 'open' && healedMs !== null;
  byId('status').dataset.state = state;
  byId('status-text').textContent = healed ? `healed after ${seconds(healedMs)}` : statusTexts[state] ?? 'ended: reload the page';
  const { error } = all.find((view) => view.status === 'stale') ?? {};
  showProblem(error ? `${error.message || 'The newest state can’t be read at the moment.'} What you see is the last good state.` : '', 'stream');
}

function seconds(ms) {
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

// ---- problems ----

const problems = { stream: '', action: '' };

function showProblem(text, from) {
  problems[from] = text;
  const shown = problems.action || problems.stream;
  byId('problem').textContent = shown;
  byId('problem').hidden = shown === '';
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

// ---- changes ----

const pressed = {}; // of each view: when this tab changed it, until the stream shows it

// True: it was done. What it did is shown when the stream says so.
async function act(view, path, body) {
  let problem = 'The instance does not answer.';
  pressed[view] = performance.now();
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = parse(await response.text());
    if (response.ok) {
      showProblem('', 'action');
      return true;
    }
    problem = answer.field ? `Not done: ${answer.field} ${answer.error}.` : `Not done: ${answer.error}.`;
  } catch {
    // No answer at all: the text above says it.
  }
  delete pressed[view];
  showProblem(problem, 'action');
  return false;
}

// Milliseconds since this tab's own change, or null.
function settle(view) {
  const ms = pressed[view] === undefined ? null : performance.now() - pressed[view];
  delete pressed[view];
  if (ms !== null) showLatency(ms);
  return ms;
}

// ---- gauges ----

const times = [];
const svg = (name, attributes) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};
const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

function showLatency(ms) {
  times.push(ms);
  if (times.length > plotBars) times.shift();
  const sorted = [...times].sort((a, b) => a - b);
  byId('latency').textContent = `${milliseconds(ms)}, median ${milliseconds(sorted[sorted.length >> 1])}`;
  const step = 240 / plotBars;
  const highest = Math.max(20, ...times);
  byId('plot').replaceChildren(...times.map((time, nth) => {
    const height = Math.max(1.5, (time / highest) * 48);
    return svg('rect', { x: (plotBars - times.length + nth) * step + 1, y: 48 - height, width: step - 2, height, rx: 1 });
  }));
}

function readMetrics(text) {
  const values = {};
  for (const [, name, value] of text.matchAll(/^(freshet_\w+) (\S+)$/gm)) values[name.slice(8)] = Number(value);
  return values;
}

let first = null; // of this page and instance: ratios are of what happened since

function showGauges(now) {
  if (first === null || now.loads_total < first.loads_total) first = now;
  const since = (name) => now[name] - first[name];
  const publishes = Math.max(since('messages_total'), since('publishes_total'));
  const pushes = since('publish_to_push_seconds_count');
  byId('streams').textContent = now.streams;
  byId('loads').textContent = publishes > 0 ? (since('loads_total') / publishes).toFixed(2) : '–';
  byId('push').textContent = pushes > 0 ? milliseconds((since('publish_to_push_seconds_sum') / pushes) * 1000) : '–';
  byId('probe').textContent = now.bus_probe_age_ms < 0 ? 'not yet' : `${seconds(now.bus_probe_age_ms)} ago`;
  byId('probe').dataset.state = ['bad', 'wait', 'live'][now.bus_state];
}

async function readGauges() {
  if (!document.hidden) {
    byId('served').textContent = served || 'shared with another tab';
    try {
      showGauges(readMetrics(await (await fetch('metrics')).text()));
    } catch {
      for (const id of ['streams', 'loads', 'push', 'probe']) byId(id).textContent = '–';
    }
  }
  setTimeout(readGauges, gaugesMs);
}

// ---- counter ----

let count;

views.counter.subscribe(({ data, status }) => {
  showStatus();
  if (data === undefined || data === count) return;
  const changed = count !== undefined;
  count = data;
  byId('count').textContent = data;
  document.title = `${data} · freshet`;
  if (!changed) return;
  byId('count').classList.remove('changed');
  void byId('count').offsetWidth; // lets the animation start again
  byId('count').classList.add('changed');
  const ms = settle('counter');
  byId('counter-note').textContent = ms !== null ? `From your click to this screen: ${milliseconds(ms)}.`
    : status === 'open' ? 'Changed by somebody else.' : '';
});

byId('increment').addEventListener('click', () => act('counter', 'counter/increment', {}));

// ---- board ----

const items = new Map(); // by the task's id: kept from one snapshot to the next, so that a drag goes on

const move = (id, to) => act('board', `board/${boardId}/tasks/${id}/move`, { to });

function makeItem(id) {
  const item = document.createElement('li');
  const title = document.createElement('p');
  const buttons = [-1, 1].map((step) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = step < 0 ? '←' : '→';
    button.addEventListener('click', () => move(id, columns[columns.indexOf(items.get(id).column) + step]));
    return button;
  });
  item.className = 'task';
  item.draggable = true;
  item.append(title, ...buttons);
  item.addEventListener('dragstart', (event) => {
    event.dataTransfer.setData('text/x-freshet-task', id);
    event.dataTransfer.effectAllowed = 'move';
    item.classList.add('dragged');
  });
  item.addEventListener('dragend', () => item.classList.remove('dragged'));
  return { item, title, buttons, column: '' };
}

function showTask(task) {
  const id = String(task.id);
  if (!items.has(id)) items.set(id, makeItem(id));
  const shown = items.get(id);
  const moved = shown.column !== '' && shown.column !== task.column;
  shown.title.textContent = task.title;
  shown.column = task.column;
  shown.item.classList.toggle('moved', moved);
  shown.buttons.forEach((button, nth) => {
    const to = columns[columns.indexOf(task.column) + (nth === 0 ? -1 : 1)];
    button.disabled = to === undefined;
    button.ariaLabel = to === undefined ? 'Can’t be moved' : `Move ${task.title} to ${columnNames[to]}`;
  });
  return shown.item;
}

function emptyItem() {
  const item = document.createElement('li');
  item.className = 'empty';
  item.textContent = 'Nothing here';
  return item;
}

let board;

views.board.subscribe(({ data }) => {
  showStatus();
  if (data === undefined || data === board) return;
  const focused = document.activeElement;
  const changed = board !== undefined;
  board = data;
  for (const id of items.keys()) if (!data.tasks.some((task) => String(task.id) === id)) items.delete(id);
  for (const column of columns) {
    const shown = data.tasks.filter((task) => task.column === column).map(showTask);
    byId(column).replaceChildren(...(shown.length > 0 ? shown : [emptyItem()]));
    byId(`number-${column}`).textContent = shown.length > 0 ? String(shown.length) : '';
  }
  // Whoever works with the keyboard stays where they were.
  if (focused !== document.activeElement && focused.isConnected) focused.focus();
  if (changed) settle('board');
});

for (const place of document.querySelectorAll('.column')) {
  const isTask = (event) => event.dataTransfer.types.includes('text/x-freshet-task');
  place.addEventListener('dragover', (event) => {
    if (!isTask(event)) return;
    event.preventDefault();
    place.classList.add('over');
  });
  place.addEventListener('dragleave', (event) => {
    if (!place.contains(event.relatedTarget)) place.classList.remove('over');
  });
  place.addEventListener('drop', (event) => {
    const id = event.dataTransfer.getData('text/x-freshet-task');
    place.classList.remove('over');
    event.preventDefault();
    if (items.has(id) && items.get(id).column !== place.dataset.column) move(id, place.dataset.column);
  });
}

byId('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const input = byId('title');
  const title = input.value.trim();
  if (title !== '' && (await act('board', `board/${boardId}/tasks`, { title }))) input.value = '';
});

readGauges();
