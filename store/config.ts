import { timingSafeEqual } from 'node:crypto';
import { type CutSizes, type Cuts, defaultSizes } from '../chunker/index.ts';
import { storeError } from './errors.ts';
import type { Blake3 } from './hash.ts';
import { fromHex, hex, type StoreId } from './ids.ts';

/** The one clear file of a store: what a program must know before it has any key. Never rewritten. */
export interface StoreConfig {
  readonly storeId: StoreId;
  /** The oldest program that reads this store. */
  readonly needs: string;
  readonly sizes: Readonly<Record<keyof Cuts, CutSizes>>;
}

export const configName = 'config';
/** Larger files are not read. */
export const configBytesMax = 64 * 1024;

const format = 1;
const needsVersion = '0.1.0';

/** Named for people and for other programs: format 1 allows no others. */
const algorithms = {
  chunkId: 'blake3-256-keyed',
  seal: 'aes-256-gcm',
  derivation: 'hkdf-sha-256',
  signature: 'ed25519',
  encapsulation: 'x25519',
  compression: 'zstd',
  cut: 'prefilter-16-confirm-32',
} as const;

export function newConfig(storeId: StoreId, sizes: StoreConfig['sizes'] = defaultSizes): StoreConfig {
  return { storeId, needs: needsVersion, sizes };
}

/** JSON ‖ "mac " hex LF ‖ "check " hex LF. */
export function encodeConfig(
  config: StoreConfig,
  { macKey, blake3 }: { macKey: Uint8Array; blake3: Blake3 },
): Uint8Array {
  const json = `${JSON.stringify(
    {
      format,
      needs: config.needs,
      features: [],
      store: config.storeId,
      algorithms,
      chunker: {
        data: pickSizes(config.sizes.data),
        rows: pickSizes(config.sizes.rows),
        nodes: pickSizes(config.sizes.nodes),
      },
    },
    null,
    2,
  )}\n`;
  const withMac = `${json}mac ${hex(blake3.keyed(macKey, Buffer.from(json)))}\n`;
  return new Uint8Array(Buffer.from(`${withMac}check ${checkOf(Buffer.from(withMac), blake3)}\n`));
}

/** A config whose checksum is right; `verify` says whether a key holder wrote it, once the keys are open. */
export interface ReadConfig {
  readonly config: StoreConfig;
  /** STORE_DAMAGED unless the MAC is right. */
  verify(macKey: Uint8Array): void;
}

const macLineBytes = 4 + 64 + 1;
const checkLineBytes = 6 + 32 + 1;

/** Any wrong byte is STORE_DAMAGED; whole but of another format or with an unknown feature is STORE_NEWER. */
export function decodeConfig(bytes: Uint8Array, blake3: Blake3): ReadConfig {
  const checkAt = bytes.length - checkLineBytes;
  if (checkAt <= macLineBytes) throw damaged(`it is ${bytes.length} bytes long`);
  const withMac = Buffer.from(bytes.subarray(0, checkAt));
  const checkLine = Buffer.from(bytes.subarray(checkAt)).toString('latin1');
  if (checkLine !== `check ${checkOf(withMac, blake3)}\n`) throw damaged('it does not match its checksum');
  const json = withMac.subarray(0, -macLineBytes);
  const macLine = /^mac ([0-9a-f]{64})\n$/.exec(withMac.toString('latin1', json.length));
  const config = readJson(json.toString('utf8'));
  if (macLine === null) throw damaged('it has no MAC');
  return {
    config,
    verify(macKey) {
      if (!timingSafeEqual(blake3.keyed(macKey, json), fromHex(macLine[1]!))) {
        throw damaged('no holder of its keys wrote it');
      }
    },
  };
}

function checkOf(bytes: Uint8Array, blake3: Blake3): string {
  return hex(blake3.hash(bytes).subarray(0, 16));
}

function readJson(text: string): StoreConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged('it is no JSON', cause);
  }
  const root = record(json, 'it');
  const needs = typeof root['needs'] === 'string' ? root['needs'] : 'of a later version';
  if (root['format'] !== format) throw newer(`its format is ${JSON.stringify(root['format'])}`, needs);
  const features = root['features'];
  if (!Array.isArray(features)) throw damaged('its features are no list');
  if (features.length > 0) throw newer(`it needs ${features.join(', ')}`, needs);
  const named = record(root['algorithms'], 'algorithms');
  for (const [use, algorithm] of Object.entries(algorithms)) {
    if (named[use] !== algorithm) throw newer(`its ${use} algorithm is ${JSON.stringify(named[use])}`, needs);
  }
  const storeId = root['store'];
  if (typeof storeId !== 'string' || !/^[0-9a-f]{64}$/.test(storeId))
    throw damaged('its store id is not 64 hex digits');
  const chunker = record(root['chunker'], 'chunker');
  return {
    storeId: storeId as StoreId,
    needs,
    sizes: {
      data: sizesOf(chunker['data']),
      rows: sizesOf(chunker['rows']),
      nodes: sizesOf(chunker['nodes']),
    },
  };
}

function pickSizes({ minBytes, averageBytes, maxBytes }: CutSizes): CutSizes {
  return { minBytes, averageBytes, maxBytes };
}

function sizesOf(value: unknown): CutSizes {
  const sizes = record(value, 'chunker sizes');
  const [minBytes, averageBytes, maxBytes] = [sizes['minBytes'], sizes['averageBytes'], sizes['maxBytes']];
  if (
    !isSize(minBytes) ||
    !isSize(averageBytes) ||
    !isSize(maxBytes) ||
    minBytes >= averageBytes ||
    averageBytes >= maxBytes
  ) {
    throw damaged('its chunk sizes are out of bounds');
  }
  return { minBytes, averageBytes, maxBytes };
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 64 && value <= 2 ** 26;
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(`${what} is no JSON object`);
  return value as Record<string, unknown>;
}

function damaged(state: string, cause?: unknown): Error {
  return storeError('STORE_DAMAGED', `Cannot read the store's config: ${state}`, {
    remedy: 'Put back the file `config` from a copy of the store.',
    context: { object: configName },
    cause,
  });
}

function newer(state: string, needs: string): Error {
  return storeError(
    'STORE_NEWER',
    `Cannot open the store: ${state}, and this program knows format ${format}`,
    {
      remedy: `Use Stillpoint ${needs} or later.`,
      context: { object: configName, needs },
    },
  );
}
