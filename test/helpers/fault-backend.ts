import { type Backend, storeError } from '../../store/index.ts';

/** One call of a backend's method that reaches the medium. */
export interface BackendCall {
  /** From 1. */
  readonly number: number;
  readonly method: 'put' | 'get' | 'list' | 'delete' | 'sync';
  readonly name: string;
}

/** 'before': the call fails and does nothing; 'after': it does its work, and its answer is lost. */
export type Fault = 'before' | 'after' | undefined;

/** A backend whose calls can be made to fail. */
export function faultBackend(
  backend: Backend,
  faultOf: (call: BackendCall) => Fault,
): Backend & { readonly calls: readonly BackendCall[] } {
  const calls: BackendCall[] = [];
  async function run<T>(method: BackendCall['method'], name: string, work: () => Promise<T>): Promise<T> {
    const call = { number: calls.length + 1, method, name };
    calls.push(call);
    const fault = faultOf(call);
    if (fault === 'before') throw failed(call);
    const result = await work();
    if (fault === 'after') throw failed(call);
    return result;
  }
  return {
    calls,
    location: backend.location,
    put: (name, bytes, options) => run('put', name, () => backend.put(name, bytes, options)),
    get: (name, options) => run('get', name, () => backend.get(name, options)),
    delete: (name, options) => run('delete', name, () => backend.delete(name, options)),
    sync: options => run('sync', '', () => backend.sync(options)),
    async *list(prefix, options) {
      yield* await run('list', prefix, async () => backend.list(prefix, options));
    },
    close: () => backend.close(),
  };
}

function failed({ method, name, number }: BackendCall): Error {
  const code = method === 'get' || method === 'list' ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
  return storeError(code, `Cannot ${method} ${name}: fault at call ${number}`);
}
