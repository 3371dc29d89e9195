import { type Clock, describeNative } from '../../store/index.ts';
import { describeHomeSupport } from '../home/index.ts';
import type { Check } from './check.ts';
import { type Finding, good, warn } from './finding.ts';

/** Native parts in use and what their fallbacks cost. Takes about a fifth of a second. */
export function checkNativeParts(clock: Clock): Check {
  return {
    name: 'native parts',
    async run() {
      const parts = await describeNative({ clock });
      const home = await describeHomeSupport();
      return [
        ...parts.map((part): Finding => {
          const cost = `${part.fallbackCostRatio.toFixed(1)}× the time`;
          if (!part.isFallback)
            return good(part.part, `${part.implementation}; the fallback would take ${cost}`);
          return warn(part.part, {
            found: `${part.implementation} is in use: about ${cost} of the native part`,
            remedy: 'Install the optional native packages (npm ci with a compiler in reach) for full speed.',
          });
        }),
        home.complete
          ? good('file calls', home.implementation)
          : warn('file calls', {
              found: `${home.implementation}; lost: ${home.lost.join('; ')}`,
              remedy: 'Use a platform that koffi has a prebuilt binary for.',
            }),
      ];
    },
  };
}
