import { PassThrough, Writable } from 'node:stream';
import type { SentinelPipes } from '../../../engine/latch/sentinel-link.ts';
import type { Side } from './side.ts';
import type { World } from './world.ts';

/** Virtual ms from one process to the other. */
const pipeMs = 0.2;

/** What a process's death, or its end, means to whoever holds the other end of its pipes. */
export interface Pipes {
  readonly forProgram: SentinelPipes;
  readonly forSentinel: { readonly input: PassThrough; readonly output: Writable };
  /** The sentinel came to its end by itself. */
  sentinelEnded(): void;
}

export function openPipes(parts: {
  readonly world: World;
  readonly program: Side;
  readonly sentinel: Side;
}): Pipes {
  const { world, program, sentinel } = parts;
  const toSentinel = line(world, { from: program, to: sentinel });
  const toProgram = line(world, { from: sentinel, to: program });
  let end: (how: string) => void = () => {};
  const ended = new Promise<string>(resolve => {
    end = resolve;
  });
  const tellEnd = (how: string) => {
    toProgram.close();
    world.after(pipeMs, () => program.resume(() => end(how)));
  };
  program.onDeath = () => toSentinel.close();
  sentinel.onDeath = () => tellEnd('ended (SIGKILL)');
  return {
    forProgram: {
      pid: 1,
      input: toSentinel.input,
      output: toProgram.output,
      ended,
      kill: () => sentinel.kill(),
      unref: () => undefined,
    },
    forSentinel: { input: toSentinel.output, output: toProgram.input },
    sentinelEnded: () => tellEnd('ended (exit 0)'),
  };
}

interface Line {
  readonly input: Writable;
  readonly output: PassThrough;
  close(): void;
}

/** One direction. What was written reaches the reader, whatever becomes of the writer. */
function line(world: World, { from, to }: { readonly from: Side; readonly to: Side }): Line {
  const output = new PassThrough();
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    world.after(pipeMs, () => to.resume(() => output.end()));
  };
  const input = new Writable({
    decodeStrings: false,
    write(piece, _encoding, done) {
      const { type } = JSON.parse(String(piece)) as { readonly type: string };
      if (!isClosed) world.after(pipeMs, () => to.resume(() => output.write(piece)));
      from.moment(`says ${type}`);
      done();
    },
    final(done) {
      close();
      done();
    },
    destroy(error, done) {
      close();
      done(error);
    },
  });
  return { input, output, close };
}
