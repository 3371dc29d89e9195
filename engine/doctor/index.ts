import type { Clock, Randomness, Store } from '../../store/index.ts';
import type { Application } from '../app/index.ts';
import { type DatabaseAddress, urlOf } from '../database/index.ts';
import type { FileSystemProbe, HomeSettings } from '../home/index.ts';
import { checkApplication } from './application.ts';
import { type Check, runChecks } from './check.ts';
import { checkClocks } from './clocks.ts';
import { checksOfDatabase } from './database/index.ts';
import { checkExcluded } from './excluded.ts';
import type { Finding } from './finding.ts';
import { checkCacheFolder, checkStateFolder } from './folders.ts';
import { checkHome } from './home.ts';
import { checkHost } from './host.ts';
import { checkLeftovers } from './leftovers.ts';
import { checkNativeParts } from './native.ts';
import { checkPlaces } from './places.ts';
import { checkSecrets, type SecretFile } from './secrets.ts';
import { checkSentinel } from './sentinel.ts';
import { checkStoreContent } from './store-content.ts';
import { checkStorePlace } from './store-place.ts';
import { checkUnits } from './units/index.ts';
import { checkWitnessPlace } from './witness.ts';

export { failed, good } from './finding.ts';
export type { SecretFile } from './secrets.ts';
export type { Check, Finding };

/** The set-up, as far as its configuration can be read: what is null is not looked at. */
export interface DoctorOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signal: AbortSignal;
  /** Mends what it safely can: modes of files with secrets, missing folders, what dead runs left. Else changes nothing. */
  readonly isMending: boolean;
  readonly secrets: readonly SecretFile[];
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly instance: string | null;
  readonly store: { readonly place: string; readonly open: () => Promise<Store> } | null;
  /** The file that remembers what was in the store; null: none is kept. */
  readonly witness: string | null;
  readonly home: HomeSettings | null;
  /** Whether home and database are to be those of a Bitbucket. */
  readonly isBitbucket: boolean;
  readonly database: DatabaseAddress | null;
  /** Opens the application anew for each check, which closes it. */
  readonly openApp: (() => Application) | null;
  /** The application's base URL, where it has one. */
  readonly applicationUrl: string | null;
  readonly seams?: DoctorSeams | undefined;
}

/** Where a test says what the machine is. */
export interface DoctorSeams {
  readonly fileSystem?: FileSystemProbe;
  readonly unitFolders?: readonly string[];
  readonly limitMs?: number;
}

/** Looks at everything before it is needed. Locks nothing; never throws for what it finds. */
export function examine(options: DoctorOptions): Promise<Finding[]> {
  const { clock, signal, seams } = options;
  return runChecks(checksFor(options), { clock, signal, limitMs: seams?.limitMs });
}

function checksFor(options: DoctorOptions): Check[] {
  const { clock, stateDir, cacheDir, isMending, home, database, instance, openApp, seams } = options;
  const folder = { isMending, home: home?.root ?? null, fileSystemSeam: seams?.fileSystem };
  return [
    checkNativeParts(clock),
    checkHost(),
    checkSecrets(options.secrets, { isMending }),
    checkStateFolder({ ...folder, folder: stateDir }),
    checkCacheFolder({ ...folder, folder: cacheDir }),
    ...checksOfStore(options),
    ...(options.witness
      ? [checkWitnessPlace({ file: options.witness, place: options.store?.place ?? null })]
      : []),
    ...(options.isBitbucket ? [checkPlaces({ home: home?.root ?? null, databaseUrl: urlOf(database) })] : []),
    ...(home ? [checkHome({ home, fileSystemSeam: seams?.fileSystem }), checkExcluded(home)] : []),
    ...checksOfDatabase(database, { clock }),
    checkLeftovers({ stateDir, instance, openApp, clock, isMending }), // what it mends the application need not tell
    ...(openApp ? [checkApplication({ open: openApp, stateDir, instance: instance ?? '' })] : []),
    checkClocks({ clock, applicationUrl: options.applicationUrl, database: serverWithClock(database) }),
    checkSentinel({ stateDir, clock }),
    checkUnits({ stateDir, folders: seams?.unitFolders }),
  ];
}

/** The server that can be asked the time. */
function serverWithClock(database: DatabaseAddress | null) {
  return database?.type === 'postgresql' ? database : null;
}

function checksOfStore({ store, home, instance, clock, randomness, seams }: DoctorOptions): Check[] {
  if (!store) return [];
  const content = checkStoreContent({ ...store, instance, clock });
  if (store.place.includes('://')) return [content];
  const place = {
    place: store.place,
    home: home?.root ?? null,
    randomness,
    fileSystemSeam: seams?.fileSystem,
  };
  return [content, checkStorePlace(place)];
}
