/** Where a writer or a pruner stands, as its calls to the medium show it. */
export const writerSteps = [
  'session',
  'first look',
  'packs',
  'index',
  'intent',
  'second look',
  'commit',
  'end',
] as const;
export const prunerSteps = [
  'session',
  'fence',
  'forget',
  'survey',
  'copies',
  'proposal',
  'decision',
  'sweep',
  'merge',
  'deletes',
  'done',
  'end',
] as const;
export type Role = 'writer' | 'pruner' | 'reader' | 'forgetter';
export type Step = (typeof writerSteps)[number] | (typeof prunerSteps)[number] | 'at work';

export interface Call {
  readonly operation: 'put' | 'get' | 'list' | 'delete' | 'sync';
  readonly name: string;
}

const heartbeat = /^sessions\/[0-9a-f]+\.[0-9]+$/;

/** Tells of each call, as it comes, to which step it belongs; a heartbeat, which comes at any time, belongs to the last. */
export function stepsOf(role: Role): (call: Call) => Step {
  const tell =
    role === 'writer' ? writerTeller() : role === 'pruner' ? prunerTeller() : () => 'at work' as const;
  let last: Step = role === 'writer' || role === 'pruner' ? 'session' : 'at work';
  return call => {
    if (!heartbeat.test(call.name)) last = tell(call);
    return last;
  };
}

function writerTeller(): (call: Call) => Step {
  let step: Step = 'session';
  return ({ operation, name }) => {
    if (operation === 'put') {
      if (name.startsWith('sessions/')) step = 'session';
      else if (name.startsWith('packs/')) step = 'packs';
      else if (name.startsWith('index/')) step = step === 'second look' ? 'second look' : 'index';
      else if (name.startsWith('intents/')) step = 'intent';
      else if (name.startsWith('gc/')) step = 'second look';
      else if (name.startsWith('manifests/')) step = 'commit';
    } else if (operation === 'delete') step = 'end';
    else if (operation !== 'sync') {
      if (step === 'session' && operation === 'list') step = 'first look';
      else if (step === 'intent') step = 'second look';
      else if (step === 'second look' && name.startsWith('manifests/')) step = 'commit';
    }
    return step;
  };
}

function prunerTeller(): (call: Call) => Step {
  let step: Step = 'session';
  return ({ operation, name }) => {
    if (operation === 'put') {
      if (name.startsWith('sessions/')) step = 'session';
      else if (name.startsWith('manifests/')) step = 'fence';
      else if (name.startsWith('forgotten/')) step = 'forget';
      else if (name.endsWith('.sweep')) step = 'sweep';
      else if (name.endsWith('.done')) step = 'done';
      else if (name.startsWith('gc/')) step = 'proposal';
      else if (name.startsWith('packs/')) step = 'copies';
      else if (name.startsWith('index/') && step === 'survey') step = 'copies';
    } else if (operation === 'delete') {
      if (step === 'sweep' || step === 'merge') step = 'deletes';
      else if (step === 'done' || step === 'survey') step = name.startsWith('sessions/') ? 'end' : step;
      else if (step === 'session') step = 'fence';
      else if (step === 'fence' && name.startsWith('manifests/')) step = 'forget';
    } else if (operation !== 'sync') step = afterReading(step, name);
    return step;
  };
}

function afterReading(step: Step, name: string): Step {
  if (step === 'session' && name === 'sessions/') return 'fence';
  if ((step === 'fence' || step === 'forget') && name === 'gc/') return 'survey';
  if (step === 'proposal') return 'decision';
  if (step === 'sweep' && name.startsWith('index/')) return 'merge';
  return step;
}
