import type { Live, LiveError, LiveOptions, LiveStatus } from './freshet.js';

export interface Hooks {
  useEffect(effect: () => void | (() => void), dependencies?: readonly unknown[]): void;
  useState<T>(initial: T): [T, (next: T) => void];
}

/** What a component shows; a new object after each change. */
export interface Shown<Data> {
  readonly data: Data | undefined;
  readonly status: LiveStatus;
  readonly error: LiveError | undefined;
  readonly reload: () => void;
}

/** A hook made of the framework's own. The view is open while the component is mounted. `options` are read when the
 * path changes. `live`: what connect() gave, for another mount than `/live`. */
export function makeUseLive(hooks: Hooks, live?: Live):
  <Data = unknown, Chunk = Data>(path: string, options?: LiveOptions<Data, Chunk>) => Shown<Data>;
