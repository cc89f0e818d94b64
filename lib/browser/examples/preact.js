import { h, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { makeUseLive } from '/use-live.js';

const useLive = makeUseLive({ useEffect, useState });

function Counter() {
  const { data, status } = useLive('/live/counter', { fallback: '…' });
  return h('p', null, 'Count: ', h('output', { id: 'count' }, data), ` (${status})`);
}

function Board({ id }) {
  const { data, error, reload } = useLive(`/live/board/${id}`, { fallback: { tasks: [] } });
  return h('section', null,
    error && h('p', { role: 'alert' }, `What you see may be old: ${error.code ?? error.status}`),
    h('ul', null, data.tasks.map((task) => h('li', { key: task.id }, task.title))),
    h('button', { onClick: reload }, 'Load again'));
}

function App() {
  const [id, setId] = useState('demo');
  return h('main', null,
    h(Counter),
    h('button', { id: 'other', onClick: () => setId(id === 'demo' ? 'other' : 'demo') }, `Board ${id}`),
    h(Board, { id }));
}

render(h(App), document.getElementById('app'));
