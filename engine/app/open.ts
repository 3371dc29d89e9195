import type { Seams } from '../../store/index.ts';
import type { ApplicationAccess, LockableApplication } from './app.ts';
import { bitbucket } from './bitbucket.ts';
import { commandApplication } from './command.ts';

/** Opens an application of either kind from what another process was given. */
export function openApplication(access: ApplicationAccess, seams: Seams): LockableApplication {
  switch (access.type) {
    case 'bitbucket':
      return bitbucket(access);
    case 'command':
      return commandApplication(access, seams);
    default:
      return access satisfies never;
  }
}
