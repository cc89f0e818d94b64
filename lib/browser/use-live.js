// A hook for Preact, React and whatever has useState and useEffect:
//
//   import { useEffect, useState } from 'preact/hooks';
//   const useLive = makeUseLive({ useEffect, useState });
//   const { data, status, error, reload } = useLive('/live/counter', { fallback: 0 });
//
// The options are read when the path changes.
import { live as shared } from './freshet.js';

export const makeUseLive = ({ useEffect, useState }, live = shared) => (path, options = {}) => {
  const before = { path, data: options.fallback ?? options.initial, status: 'connecting', error: undefined, reload() {} };
  const [shown, show] = useState(before);
  useEffect(() => {
    const view = live(path, options);
    const end = view.subscribe(({ data, status, error }) => show({ path, data, status, error, reload: view.reload }));
    return () => {
      end();
      view.close();
    };
  }, [path]);
  return shown.path === path ? shown : before;
};
