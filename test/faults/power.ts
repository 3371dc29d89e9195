import { type Suite, Tally } from './suite.ts';

const figure = { name: 'power-cut images (ext4, xfs)', ci: '50', release: '2,000' };

export const powerSuite: Suite = {
  name: 'power',
  about: 'images of mounted file systems',
  figures: [figure],
  async run() {
    return [new Tally(figure.name)];
  },
};
