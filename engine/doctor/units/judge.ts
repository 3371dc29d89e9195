import { bad, type Finding, good, warn } from '../finding.ts';
import type { FoundUnits } from './find.ts';
import { environmentOf, timeSpanMs, type UnitFile } from './unit-file.ts';

const name = 'systemd units';
/** The program tries to unlock for a minute before it gives up. */
const stopMsMin = 90_000;
const stopMsDefault = 90_000;

/** Whether units that run this program leave the application unlocked, whatever ends them. Pure. */
export function judgeUnits(
  { services, enabled }: FoundUnits,
  here: { readonly stateDir: string },
): Finding[] {
  const backups = services.filter(unit => runs(unit, 'backup'));
  if (backups.length === 0) return [];
  const unlocks = services.filter(unit => runs(unit, 'unlock') && !runs(unit, 'backup'));
  const findings = [
    ...backups.flatMap(unit => [...judgeStop(unit), ...judgeState(unit, { unlocks, here })]),
    ...judgeBoot(unlocks, { enabled, backups }),
    ...services.flatMap(judgeSecrets),
  ];
  const names = [...backups, ...unlocks].map(unit => unit.name).join(', ');
  return findings.length > 0 ? findings : [good(name, `${names}: unlock after every stop, and at boot`)];
}

function runs(unit: UnitFile, verb: string): boolean {
  return unit
    .all('Service.ExecStart')
    .some(line => new RegExp(`stillpoint\\S*\\s(.*\\s)?${verb}(\\s|$)`).test(line));
}

function judgeStop(unit: UnitFile): Finding[] {
  const findings: Finding[] = [];
  if (!unit.all('Service.ExecStopPost').some(line => /\sunlock(\s|$)/.test(line))) {
    const found = `${unit.name} has no ExecStopPost= with unlock: killed as a whole, its sentinel too, it leaves the application locked`;
    findings.push(bad(name, { found, remedy: 'Add ExecStopPost=/usr/bin/stillpoint unlock.' }));
  }
  const killMode = unit.last('Service.KillMode') ?? 'control-group';
  if (killMode !== 'mixed') {
    const found = `${unit.name} has KillMode=${killMode}: a stop ends what the program needs to unlock and to clean up`;
    findings.push(warn(name, { found, remedy: 'Set KillMode=mixed.' }));
  }
  const text = unit.last('Service.TimeoutStopSec') ?? unit.last('Service.TimeoutSec');
  const stopMs = text === undefined ? stopMsDefault : (timeSpanMs(text) ?? 0);
  if (stopMs < stopMsMin) {
    const found = `${unit.name} is killed ${text} after a stop, before it gives up unlocking`;
    findings.push(warn(name, { found, remedy: `Set TimeoutStopSec=${stopMsMin / 1000} or more.` }));
  }
  const limit = unit.last('Service.RuntimeMaxSec');
  if (limit !== undefined && limit !== 'infinity') {
    const found = `${unit.name} is ended after RuntimeMaxSec=${limit}: a first backup may take longer`;
    findings.push(warn(name, { found, remedy: 'Leave it out: latch.maxHold limits how long people wait.' }));
  }
  return findings;
}

function judgeState(
  unit: UnitFile,
  { unlocks, here }: { readonly unlocks: readonly UnitFile[]; readonly here: { readonly stateDir: string } },
): Finding[] {
  const state = stateOf(unit);
  if (state === undefined) {
    const found = `${unit.name} names no state folder: it is that of whichever user it runs as, if that has a home`;
    return [
      warn(name, {
        found,
        remedy: 'Set StateDirectory=stillpoint in it, and in the unit that unlocks at boot.',
      }),
    ];
  }
  const findings = unlocks
    .filter(unlock => stateOf(unlock) !== state)
    .map(unlock => {
      const found = `${unlock.name} looks for tokens in ${stateOf(unlock) ?? 'another state folder'}, ${unit.name} keeps them in ${state}`;
      return bad(name, { found, remedy: 'Set the same StateDirectory= in both.' });
    });
  const others = unlocks.filter(unlock => unlock.last('Service.User') !== unit.last('Service.User'));
  for (const unlock of others) {
    const found = `${unlock.name} runs as ${unlock.last('Service.User') ?? 'root'}, ${unit.name} as ${unit.last('Service.User') ?? 'root'}: one may not read what the other keeps`;
    findings.push(warn(name, { found, remedy: 'Set the same User= in both.' }));
  }
  if (state === here.stateDir) return findings;
  const found = `${unit.name} keeps its tokens in ${state}, and this run looks in ${here.stateDir}: unlock by hand would not find them`;
  const remedy = `Set STILLPOINT_STATE_DIR=${state} where you run commands by hand.`;
  return [...findings, warn(name, { found, remedy })];
}

/** As the program finds it; systemd keeps state of the system's services in /var/lib. */
function stateOf(unit: UnitFile): string | undefined {
  const set = environmentOf(unit).get('STILLPOINT_STATE_DIR');
  if (set) return set;
  const folder = unit.last('Service.StateDirectory')?.split(/[\s:]/, 1)[0];
  return folder ? `/var/lib/${folder}` : undefined;
}

function judgeBoot(
  unlocks: readonly UnitFile[],
  { enabled, backups }: { readonly enabled: ReadonlySet<string>; readonly backups: readonly UnitFile[] },
): Finding[] {
  const names = backups.map(unit => unit.name).join(', ');
  if (unlocks.length === 0) {
    const found = `no unit unlocks at boot: if the machine dies in a window of ${names}, the application stays locked`;
    return [bad(name, { found, remedy: 'Install stillpoint-unlock.service of docs/systemd and enable it.' })];
  }
  if (unlocks.some(unit => enabled.has(unit.name))) return [];
  const [unlock] = unlocks;
  const found = `${unlock!.name} is not enabled: nothing unlocks at boot`;
  return [bad(name, { found, remedy: `systemctl enable ${unlock!.name}` })];
}

/** Whoever may ask systemd for a unit's properties reads its environment. */
function judgeSecrets(unit: UnitFile): Finding[] {
  return [...environmentOf(unit).keys()]
    .filter(variable => /(PASSWORD|PASSPHRASE|SECRET|TOKEN)$/.test(variable))
    .map(variable => {
      const found = `${unit.name} has ${variable} in Environment=, which every user of this machine can read`;
      const remedy =
        'Keep it in a file of mode 0600: passphraseFile, passwordFile, PGPASSFILE, or LoadCredential=.';
      return warn(name, { found, remedy });
    });
}
