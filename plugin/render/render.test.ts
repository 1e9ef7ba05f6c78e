import { expect, test } from 'vitest';
import { printable, renderTable } from './table.ts';
import { formatAge, formatBytes, progressBar } from './units.ts';

test('sizes', () => {
  const sizes = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 2, 20 * 1024 ** 3, 5000 * 1024 ** 5];
  expect(sizes.map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 MiB',
    '1.0 MiB',
    '20.0 GiB',
    '5000.0 PiB',
  ]);
});

test('ages, of what was and what will be', () => {
  const now = new Date('2026-11-24T12:00:00Z');
  const times = [
    '2026-11-24T12:00:01Z',
    '2026-11-24T11:58:01Z',
    '2026-11-24T10:00:01Z',
    '2026-11-22T12:00:01Z',
    '2026-11-22T12:00:00Z',
    '2023-11-01T00:00:00Z',
    '2026-11-24T12:05:00Z',
    'never',
    undefined,
  ];
  expect(times.map((time) => formatAge(time, now))).toEqual([
    '1s',
    '119s',
    '119m',
    '47h',
    '2d',
    '3y',
    'in 5m',
    '',
    '',
  ]);
});

test('progress', () => {
  expect(progressBar(0, 0, 4)).toBe('[░░░░]  0 B');
  expect(progressBar(1024, 2048, 4)).toBe('[██░░]  50%  1.0 KiB of 2.0 KiB');
  expect(progressBar(2050, 2048, 4)).toBe('[████] 100%  2.0 KiB of 2.0 KiB');
});

const rows = [
  ['a', '', [{ text: 'good', style: 'green' as const }]],
  ['longer', undefined, ['x', ' ', 'yz']],
];

test('columns as wide as their widest cell; an empty one is left out', () => {
  expect(renderTable(['NAME', 'NONE', 'LAST'], rows, { colours: false })).toBe(
    'NAME     LAST\na        good\nlonger   x yz\n',
  );
});

test('colours do not count, and lines end where the terminal does', () => {
  expect(renderTable(['NAME', 'NONE', 'LAST'], rows, { colours: true, width: 12 })).toBe(
    'NAME     LA…\na        \u001b[32mgo\u001b[39m…\nlonger   x …\n',
  );
});

test('a note can not write the terminal', () => {
  expect(printable('ok ü 漢\x1b[2J\r\n\u202egnp.exe\u009b')).toBe(
    'ok ü 漢\\u{1b}[2J\\u{d}\\u{a}\\u{202e}gnp.exe\\u{9b}',
  );
});
