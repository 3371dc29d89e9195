import type { Application, LatchedApplication } from '../app/index.ts';
import { listRuns } from '../latch/index.ts';
import type { Check } from './check.ts';
import { bad, type Finding, failed, good, warn } from './finding.ts';

export interface ApplicationCheckOptions {
  /** Closed here. */
  readonly open: () => Application;
  readonly stateDir: string;
  readonly instance: string;
}

/** Whether the application answers, serves people, and lets its user lock it. Locks nothing. */
export function checkApplication(options: ApplicationCheckOptions): Check {
  const name = 'application';
  return {
    name,
    async run(signal) {
      let app: Application;
      try {
        app = options.open();
      } catch (error) {
        return [failed(name, error)];
      }
      try {
        return await look(name, app, { ...options, signal });
      } catch (error) {
        return [failed(name, error)];
      } finally {
        await app.close();
      }
    },
  };
}

async function look(
  check: string,
  app: Application,
  { stateDir, instance, signal }: ApplicationCheckOptions & { readonly signal: AbortSignal },
): Promise<Finding[]> {
  switch (app.fence) {
    case 'none':
      return [
        warn(check, {
          found: 'none is configured: home and database are backed up without a lock between them',
          remedy: 'Configure app.type: bitbucket unless home.freeze makes them agree.',
        }),
      ];
    case 'stopped':
      return [good(check, 'must be down for a backup, which proves that it is')];
    case 'command':
      await app.checkAccess({ signal });
      return [good(check, `${app.location} is locked by commands; they can be run, and were not`)];
    case 'latched': {
      const runs = await listRuns(stateDir).catch(() => []);
      const run = runs.find(one => one.instance === instance);
      if (run && !(await app.isServing({ signal }))) {
        return [good(check, `${app.location} is locked by the backup that runs (process ${run.holder.pid})`)];
      }
      return askLatched(check, app, signal);
    }
    default:
      return app satisfies never;
  }
}

async function askLatched(check: string, app: LatchedApplication, signal: AbortSignal): Promise<Finding[]> {
  const { displayName, version, identity } = await app.describe({ signal });
  const doubt = await app.checkAccess({ signal });
  const isServing = await app.isServing({ signal });
  if (isServing && doubt !== undefined)
    return [
      warn(check, {
        found: `${displayName} ${version} at ${identity}: whether its user may lock it cannot be told, since ${doubt}`,
        remedy: "Look in the application's log and in that of a proxy before it, then run doctor again.",
      }),
    ];
  if (isServing) return [good(check, `${displayName} ${version} at ${identity}; its user may lock it`)];
  return [
    bad(check, {
      found: `${displayName} ${version} at ${identity} answers, and serves nobody`,
      remedy: 'Open it in a browser. If it shows its maintenance page, end that, or run `stillpoint unlock`.',
    }),
  ];
}
