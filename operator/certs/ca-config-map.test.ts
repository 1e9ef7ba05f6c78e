import { expect, test } from 'vitest';
import { caConfigMap } from './ca-config-map.ts';

test('holds the bundle where the agents of a namespace look for it', () => {
  expect(caConfigMap('team', 'PEM')).toMatchObject({
    metadata: { namespace: 'team', name: 'jvs-operator-ca' },
    data: { 'ca.crt': 'PEM' },
  });
});
