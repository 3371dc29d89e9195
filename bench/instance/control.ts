import type { Fault } from './faults.ts';
import { emptyReply, errorReply, jsonReply, type Reply } from './reply.ts';
import type { Instance } from './types.ts';
import type { WriterOptions } from './writer.ts';

/** A request to a test endpoint; `path` is what follows `/stand-in/`. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly url: URL;
  readonly body: string;
}

/** The test endpoints: what a test in another process cannot reach otherwise. */
export async function serveControl(instance: Instance, request: ControlRequest): Promise<Reply> {
  const { method, path, url, body } = request;
  switch (`${method} ${path}`) {
    case 'GET state':
      return jsonReply(200, {
        nowMs: instance.nowMs(),
        isLocked: instance.isLocked,
        latches: instance.latches,
        calls: instance.calls,
        counts: instance.counts,
        acknowledged: instance.acknowledged.length,
      });
    case 'GET now':
      return jsonReply(200, {
        nowMs: instance.nowMs(),
        isLocked: instance.isLocked,
        kept: instance.faults.kept,
      });
    case 'POST go-on':
      instance.faults.endKept('let go');
      return emptyReply(204);
    case 'GET acknowledged':
      return jsonReply(200, instance.acknowledged.slice(Number(url.searchParams.get('after') ?? 0)));
    case 'POST faults':
      for (const fault of JSON.parse(body) as Fault[]) instance.faults.add(fault);
      return emptyReply(204);
    case 'DELETE faults':
      instance.faults.clear();
      return emptyReply(204);
    case 'POST writer':
      instance.startWriter(body === '' ? {} : (JSON.parse(body) as WriterOptions));
      return emptyReply(204);
    case 'DELETE writer':
      return jsonReply(200, await instance.stopWriter());
    case 'POST task':
      instance.endTask(url.searchParams.get('state') === 'CANCELED' ? 'CANCELED' : 'FAILED');
      return emptyReply(204);
    case 'POST restart':
      // Answered first: the restart closes this connection, too.
      setImmediate(() => void instance.restart({ downMs: Number(url.searchParams.get('downMs') ?? 0) }));
      return emptyReply(204);
    default:
      return errorReply(404, 'No such test endpoint.');
  }
}
