'use strict';

// Two streams: the counter and one board. The browser's EventSource connects again by itself; what comes first on
// each connection is the newest state, so nothing has to be asked for again.

const boardId = 'demo';
const columns = ['todo', 'doing', 'done'];
const columnNames = { todo: 'To do', doing: 'Doing', done: 'Done' };
const byId = (id) => document.getElementById(id);

// A browser opens at most six connections to a host. A tab that nobody looks at gives its two back after a while.
const hiddenPauseMs = 30000;

// ---- streams ----

class Stream {
  constructor(path, show) {
    this.path = path;
    this.show = show;
    this.state = 'connecting';
    this.trouble = '';
    this.open();
  }

  open() {
    this.source = new EventSource(this.path);
    this.source.onmessage = (event) => {
      this.trouble = '';
      this.enter('live');
      this.show(event.data);
    };
    // The connection stands; comments and unchanged state come without a message.
    this.source.onopen = () => {
      this.trouble = '';
      this.enter('live');
    };
    this.source.onerror = () => this.enter(this.source.readyState === EventSource.CLOSED ? 'ended' : 'reconnecting');
    this.source.addEventListener('load-error', (event) => {
      this.trouble = parse(event.data).message || 'The newest state can’t be read at the moment.';
      showStatus();
    });
    this.source.addEventListener('end', (event) => {
      if (parse(event.data).retry_ms === null) {
        this.source.close();
        this.enter('ended');
      }
    });
  }

  pause() {
    if (this.state === 'ended') return;
    this.source.close();
    this.enter('paused');
  }

  resume() {
    if (this.state !== 'paused') return;
    this.enter('connecting');
    this.open();
  }

  enter(state) {
    this.state = state;
    showStatus();
  }
}

function parse(text) {
  try {
    return JSON.parse(text) || {};
  } catch {
    return {};
  }
}

// The worst of the two streams is what the page is.
function showStatus() {
  if (streams.length < 2) return;
  const order = ['ended', 'reconnecting', 'connecting', 'paused', 'live'];
  const state = order.find((name) => streams.some((stream) => stream.state === name));
  const texts = { ended: 'ended: reload the page', paused: 'paused while hidden' };
  byId('status').dataset.state = state;
  byId('status-text').textContent = texts[state] || state;
  const trouble = streams.map((stream) => stream.trouble).find((text) => text !== '');
  showProblem(trouble ? `${trouble} What you see is the last good state.` : '', 'stream');
}

// ---- problems ----

const problems = { stream: '', action: '' };

function showProblem(text, from) {
  problems[from] = text;
  const shown = problems.action || problems.stream;
  byId('problem').textContent = shown;
  byId('problem').hidden = shown === '';
}

// The answer, or null after saying what was wrong.
async function post(path, body) {
  let problem = 'The instance does not answer.';
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = parse(await response.text());
    if (response.ok) {
      showProblem('', 'action');
      return answer;
    }
    problem = answer.field ? `Not done: ${answer.field} ${answer.error}.` : `Not done: ${answer.error}.`;
  } catch {
    // No answer at all: the text above says it.
  }
  showProblem(problem, 'action');
  return null;
}

// ---- counter ----

let count = null;
let pressed = null; // when the button was pressed, until the stream shows it

function showCount(text) {
  const output = byId('count');
  const changed = count !== null && count !== text;
  count = text;
  output.textContent = text;
  document.title = `${text} · freshet`;
  if (!changed) return;
  output.classList.remove('changed');
  void output.offsetWidth; // lets the animation start again
  output.classList.add('changed');
  const ms = pressed === null ? null : performance.now() - pressed;
  pressed = null;
  byId('counter-note').textContent =
    ms === null ? 'Changed by somebody else.' : `From your click to this screen: ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms.`;
}

byId('increment').addEventListener('click', async () => {
  pressed = performance.now();
  if ((await post('counter/increment', {})) === null) pressed = null;
});

// ---- board ----

function moveButton(task, step, arrow) {
  const to = columns[columns.indexOf(task.column) + step];
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = arrow;
  button.disabled = to === undefined;
  button.ariaLabel = to === undefined ? 'Can’t be moved' : `Move ${task.title} to ${columnNames[to]}`;
  button.dataset.key = `${task.id}${arrow}`;
  button.addEventListener('click', () => post(`board/${boardId}/tasks/${task.id}/move`, { to }));
  return button;
}

function taskItem(task) {
  const item = document.createElement('li');
  const title = document.createElement('p');
  item.className = 'task';
  title.textContent = task.title;
  item.append(title, moveButton(task, -1, '←'), moveButton(task, 1, '→'));
  return item;
}

function emptyItem() {
  const item = document.createElement('li');
  item.className = 'empty';
  item.textContent = 'Nothing here';
  return item;
}

function showBoard(text) {
  const tasks = parse(text).tasks || [];
  const focused = document.activeElement && document.activeElement.dataset.key;
  for (const column of columns) {
    const items = tasks.filter((task) => task.column === column).map(taskItem);
    byId(column).replaceChildren(...(items.length > 0 ? items : [emptyItem()]));
    byId(`number-${column}`).textContent = items.length > 0 ? String(items.length) : '';
  }
  // Whoever works with the keyboard stays where they were.
  const again = focused && document.querySelector(`[data-key="${CSS.escape(focused)}"]:not(:disabled)`);
  if (again) again.focus();
}

byId('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const input = byId('title');
  const title = input.value.trim();
  if (title === '') return;
  if ((await post(`board/${boardId}/tasks`, { title })) !== null) input.value = '';
});

// ---- life ----

const streams = [];
streams.push(new Stream('live/counter', showCount));
streams.push(new Stream(`live/board/${boardId}`, showBoard));

let pauseTimer = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(pauseTimer);
  if (document.hidden) pauseTimer = setTimeout(() => streams.forEach((stream) => stream.pause()), hiddenPauseMs);
  else streams.forEach((stream) => stream.resume());
});
