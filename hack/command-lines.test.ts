import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as agent from '../agent/cli/arguments.ts';
import * as plugin from '../plugin/arguments.ts';
import { UsageError } from '../shared/command-line.ts';

describe.each([
  { program: 'jvs-agent', ...agent },
  { program: 'kubectl jvs', ...plugin },
])('$program', ({ commands, parseArguments }) => {
  const words = Object.entries(commands).flatMap(([name, { options }]) => [
    name,
    ...Object.keys(options).map((option) => `--${option}`),
  ]);
  const word = fc.oneof(
    fc.constantFrom(...words, '--', '-', '-h', '--help=x', '--no-help', '__proto__', '--__proto__=1', '-n'),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );

  test('any command line is understood, or refused in a line that says why', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
        try {
          const { command, operands } = parseArguments(argv);
          if (command !== undefined) expect(commands).toHaveProperty([command]);
          expect(operands.every((operand) => argv.includes(operand))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as Error).message).toMatch(/\S/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
