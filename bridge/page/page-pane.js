import { connect } from './freshet.js';

// What one instance shows: two views on one stream, which all tabs of this browser share. freshet.js connects again
// by itself.

const boardId = 'demo';
const columns = ['todo', 'doing', 'done'];
const columnNames = { todo: 'To do', doing: 'Doing', done: 'Done' };
const statusTexts = { open: 'live', connecting: 'connecting', reconnecting: 'reconnecting', stale: 'last good state' };
const statuses = ['error', 'closed', 'reconnecting', 'connecting', 'stale', 'open']; // the worst first
const gaugesMs = 2000;
const healedShownMs = 8000;
const plotBars = 40;

const seconds = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`);
const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
const svg = (name, attributes) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function readMetrics(text) {
  const values = {};
  for (const [, name, value] of text.matchAll(/^(freshet_\w+) (\S+)$/gm)) values[name.slice(8)] = Number(value);
  return values;
}

export class Pane {
  titles = false; // whether the tab's title is its count
  others = []; // panes of this page that show the same state

  #base;
  #root;
  #served = ''; // the instance that answered this tab's own stream; empty: another tab has it
  #views;
  #problems = { stream: '', action: '' };
  #pressed = {}; // of each view: when this page changed it, and on which pane, until the stream shows it
  #times = [];
  #first = null; // of this page and instance: ratios are of what happened since
  #count;
  #board;
  #items = new Map(); // by the task's id: kept from one snapshot to the next, so that a drag goes on
  #troubledSince = null;
  #healedMs = null;
  #healedTimer = 0;

  // `base`: the URL of the instance's root.
  constructor(base, place) {
    this.#base = base;
    this.#root = document.getElementById('pane').content.firstElementChild.cloneNode(true);
    place.append(this.#root);
    const live = this.#connect();
    this.#views = {
      counter: live(this.#url('live/counter'), { as: 'text' }),
      board: live(this.#url(`live/board/${boardId}`)),
    };
    this.#listen();
    this.#views.counter.subscribe((view) => this.#showCount(view));
    this.#views.board.subscribe((view) => this.#showBoard(view));
    this.#readGauges();
  }

  name(host, note) {
    const small = document.createElement('small');
    small.textContent = note;
    this.#part('instance').replaceChildren(host, ' ', small);
    this.#root.ariaLabel = `Instance ${host}`;
  }

  // What is down was asked to come back just now: healing counts from here.
  expect() {
    if (this.#troubledSince !== null) this.#troubledSince = performance.now();
  }

  #part(name) {
    return this.#root.querySelector(`.${name}`);
  }

  #url(path) {
    return new URL(path, this.#base).href;
  }

  #connect() {
    let newest = null;
    return connect(this.#url('live'), {
      scope: 'demo',
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        newest = init.signal;
        // Pages of another origin are not told who answered, but know whom they asked.
        this.#served = response.headers.get('x-instance') ?? this.#base.host;
        this.#part('served').textContent = this.#served;
        init.signal.addEventListener('abort', () => {
          if (newest === init.signal) this.#served = '';
        });
        return response;
      },
    });
  }

  // ---- status ----

  // The worst of the two views is what the pane is.
  #showStatus() {
    const all = Object.values(this.#views);
    const state = statuses.find((name) => all.some((view) => view.status === name));
    if ((state === 'reconnecting' || state === 'stale') && this.#troubledSince === null) this.#troubledSince = performance.now();
    if (state === 'open' && this.#troubledSince !== null) this.#heal();
    if (state !== 'open') this.#pressed = {};
    const healed = state === 'open' && this.#healedMs !== null;
    this.#part('status').dataset.state = state;
    this.#root.dataset.state = state;
    this.#part('status-text').textContent = healed ? `healed after ${seconds(this.#healedMs)}` : statusTexts[state] ?? 'ended: reload the page';
    const { error } = all.find((view) => view.status === 'stale') ?? {};
    this.#showProblem(error ? `${error.message || 'The newest state can’t be read at the moment.'} What you see is the last good state.` : '', 'stream');
  }

  #heal() {
    this.#healedMs = performance.now() - this.#troubledSince;
    this.#troubledSince = null;
    this.#showProblem('', 'action');
    clearTimeout(this.#healedTimer);
    this.#healedTimer = setTimeout(() => {
      this.#healedMs = null;
      this.#showStatus();
    }, healedShownMs);
  }

  #showProblem(text, from) {
    this.#problems[from] = text;
    const shown = this.#problems.action || this.#problems.stream;
    this.#part('problem').textContent = shown;
    this.#part('problem').hidden = shown === '';
  }

  // ---- changes ----

  #press(view, by) {
    if (this.#views[view].status === 'open') this.#pressed[view] = { at: performance.now(), by };
  }

  // True: it was done. What it did is shown when the streams say so.
  async #act(view, path, body) {
    let problem = 'The instance does not answer.';
    for (const pane of [this, ...this.others]) pane.#press(view, this);
    try {
      const response = await fetch(this.#url(path), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const answer = parse(await response.text());
      if (response.ok) {
        this.#showProblem('', 'action');
        return true;
      }
      problem = answer.field ? `Not done: ${answer.field} ${answer.error}.` : `Not done: ${answer.error}.`;
    } catch {
      // No answer at all: the text above says it.
    }
    for (const pane of [this, ...this.others]) delete pane.#pressed[view];
    this.#showProblem(problem, 'action');
    return false;
  }

  // How long this page's own change took, and where it was made; null: somebody else's.
  #settle(view) {
    const pressed = this.#pressed[view];
    delete this.#pressed[view];
    if (!pressed) return null;
    const ms = performance.now() - pressed.at;
    this.#showLatency(ms);
    return { ms, here: pressed.by === this };
  }

  // ---- gauges ----

  #showLatency(ms) {
    this.#times.push(ms);
    if (this.#times.length > plotBars) this.#times.shift();
    const times = this.#times;
    const sorted = [...times].sort((a, b) => a - b);
    this.#part('latency').textContent = `${milliseconds(ms)} (median ${milliseconds(sorted[sorted.length >> 1]).replace(' ms', '')})`;
    const step = 240 / plotBars;
    const highest = Math.max(20, ...times);
    this.#part('plot').replaceChildren(...times.map((time, nth) => {
      const height = Math.max(1.5, (time / highest) * 48);
      return svg('rect', { x: (plotBars - times.length + nth) * step + 1, y: 48 - height, width: step - 2, height, rx: 1 });
    }));
  }

  #showGauges(now) {
    if (this.#first === null || now.loads_total < this.#first.loads_total) this.#first = now;
    const since = (name) => now[name] - this.#first[name];
    const publishes = Math.max(since('messages_total'), since('publishes_total'));
    const pushes = since('publish_to_push_seconds_count');
    this.#part('streams').textContent = now.streams;
    this.#part('loads').textContent = publishes > 0 ? (since('loads_total') / publishes).toFixed(2) : '–';
    this.#part('push').textContent = pushes > 0 ? milliseconds((since('publish_to_push_seconds_sum') / pushes) * 1000) : '–';
    this.#part('probe').textContent = now.bus_probe_age_seconds < 0 ? 'not yet' : `${seconds(now.bus_probe_age_seconds * 1000)} ago`;
    this.#part('probe').dataset.state = ['bad', 'wait', 'live'][now.bus_state];
  }

  async #readGauges() {
    if (!document.hidden) {
      const open = this.#root.dataset.state === 'open' || this.#root.dataset.state === 'stale';
      this.#part('served').textContent = this.#served || (open ? 'shared with another tab' : '–');
      try {
        this.#showGauges(readMetrics(await (await fetch(this.#url('metrics'))).text()));
      } catch {
        for (const name of ['streams', 'loads', 'push', 'probe']) this.#part(name).textContent = '–';
      }
    }
    setTimeout(() => this.#readGauges(), gaugesMs);
  }

  // ---- counter ----

  #showCount({ data, status }) {
    this.#showStatus();
    if (data === undefined || data === this.#count) return;
    const changed = this.#count !== undefined;
    const shown = this.#part('count');
    this.#count = data;
    shown.textContent = data;
    if (this.titles) document.title = `${data} · freshet`;
    if (!changed) return;
    shown.classList.remove('changed');
    void shown.offsetWidth; // lets the animation start again
    shown.classList.add('changed');
    const own = this.#settle('counter');
    this.#part('counter-note').textContent = own === null ? (status === 'open' ? 'Changed by somebody else.' : '')
      : `${own.here ? 'From your click to this screen:' : 'On this screen after'} ${milliseconds(own.ms)}.`;
  }

  // ---- board ----

  #move(id, to) {
    return this.#act('board', `board/${boardId}/tasks/${id}/move`, { to });
  }

  #makeItem(id) {
    const item = document.createElement('li');
    const title = document.createElement('p');
    const buttons = [-1, 1].map((step) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = step < 0 ? '←' : '→';
      button.addEventListener('click', () => this.#move(id, columns[columns.indexOf(this.#items.get(id).column) + step]));
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

  #showTask(task) {
    const id = String(task.id);
    if (!this.#items.has(id)) this.#items.set(id, this.#makeItem(id));
    const shown = this.#items.get(id);
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

  #showBoard({ data }) {
    this.#showStatus();
    if (data === undefined || data === this.#board) return;
    const focused = document.activeElement;
    const changed = this.#board !== undefined;
    this.#board = data;
    for (const id of this.#items.keys()) if (!data.tasks.some((task) => String(task.id) === id)) this.#items.delete(id);
    for (const column of this.#root.querySelectorAll('.column')) {
      const shown = data.tasks.filter((task) => task.column === column.dataset.column).map((task) => this.#showTask(task));
      const empty = document.createElement('li');
      empty.className = 'empty';
      empty.textContent = 'Nothing here';
      column.querySelector('ul').replaceChildren(...(shown.length > 0 ? shown : [empty]));
      column.querySelector('.number').textContent = shown.length > 0 ? String(shown.length) : '';
    }
    // Whoever works with the keyboard stays where they were.
    if (focused !== document.activeElement && focused.isConnected) focused.focus();
    if (changed) this.#settle('board');
  }

  #take(place) {
    const isTask = (event) => event.dataTransfer.types.includes('text/x-freshet-task');
    place.addEventListener('dragover', (event) => {
      if (!isTask(event)) return;
      event.preventDefault();
      place.classList.add('over');
    });
    place.addEventListener('dragleave', (event) => {
      if (!place.contains(event.relatedTarget)) place.classList.remove('over');
    });
    // Also a task of the other pane: it is the same board, and this pane's instance moves it.
    place.addEventListener('drop', (event) => {
      const id = event.dataTransfer.getData('text/x-freshet-task');
      place.classList.remove('over');
      event.preventDefault();
      if (this.#items.has(id) && this.#items.get(id).column !== place.dataset.column) this.#move(id, place.dataset.column);
    });
  }

  #listen() {
    this.#part('increment').addEventListener('click', () => this.#act('counter', 'counter/increment', {}));
    for (const place of this.#root.querySelectorAll('.column')) this.#take(place);
    this.#part('add').addEventListener('submit', async (event) => {
      event.preventDefault();
      const input = event.target.elements.title;
      const title = input.value.trim();
      if (title === '' || !(await this.#act('board', `board/${boardId}/tasks`, { title }))) return;
      if (input.value.trim() === title) input.value = ''; // else the next one is being written
    });
  }
}
