import type { LockableApplication } from '../app/index.ts';
import { CommandRest } from './command-rest.ts';
import type { Rest, RestOptions } from './rest.ts';
import { TaskRest } from './task-rest.ts';

export function restOf(app: LockableApplication, options: RestOptions): Rest {
  switch (app.fence) {
    case 'latched':
      return new TaskRest(app, options);
    case 'command':
      return new CommandRest(app, options);
    default:
      return app satisfies never;
  }
}
