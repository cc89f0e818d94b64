import { live } from '/freshet.js';

const byId = (id) => document.getElementById(id);

live('/live/counter', { fallback: '…', errorFallback: ({ code, status }) => `not available: ${code ?? status}` })
  .subscribe(({ data, status }) => {
    byId('count').textContent = data;
    byId('status').textContent = status;
  });

live('/live/board/demo', { fallback: { tasks: [] } }).subscribe(({ data }) => {
  byId('tasks').replaceChildren(...data.tasks.map(({ title, column }) => {
    const item = document.createElement('li');
    item.textContent = `${title} (${column})`;
    return item;
  }));
});
